"""The clusters file: centroids or factors, and every pixel's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.files import replacing
from c2l.artifacts.hdf5 import config_of, create, open_artifact, reading, stamp
from c2l.errors import BadInputError

HINT = "make one with: c2l cluster features.h5 -o clusters.h5 -k K"


@dataclass
class Clusters:
    """What clustering found.

    Attributes:
        centroids: (K, C) float32 centroids, or the factors H of NMF.
        counts: (K,) int64 pixels.
        objective: (iterations,) float64.
        config: the resolved options of ``cluster``; ``features`` holds those of ``extract``.
        attributes: hashes of the features and weights.
        views: (K, C) centroids of view 1 and view 2, when the store had views.
        groups: (K,) uint8 part of each cluster after the label-free merge, or None.
    """

    centroids: NDArray[np.float32]
    counts: NDArray[np.int64]
    objective: list[float]
    config: dict[str, Any]
    attributes: dict[str, str]
    views: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    groups: NDArray[np.uint8] | None = None
    names: tuple[str, ...] = field(default=())


class ClustersWriter:
    """An open clusters file that takes assignments image by image."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def assignments(self, count: int, shape: tuple[int, ...], clusters: int) -> h5py.Dataset:
        """Create the (N, h, w) dataset in the smallest integer type that holds K."""
        dtype = "uint8" if clusters <= 256 else "uint16"
        return self._file.create_dataset(
            schema.ASSIGNMENTS,
            (count, *shape),
            dtype,
            chunks=(1, *shape),
            fletcher32=True,
            track_times=False,
        )

    def finish(self, clusters: Clusters) -> None:
        """Write all but the assignments and mark the file complete."""
        stamp(self._file, schema.FORMAT_CLUSTERS, clusters.config, clusters.attributes)
        write = self._file.create_dataset
        write(schema.CENTROIDS, data=clusters.centroids.astype(np.float32))
        write(schema.COUNTS, data=clusters.counts.astype(np.int64))
        write(schema.OBJECTIVE, data=np.asarray(clusters.objective, dtype=np.float64))
        if clusters.views is not None:
            write(schema.CENTROIDS_VIEW1, data=clusters.views[0])
            write(schema.CENTROIDS_VIEW2, data=clusters.views[1])
        if clusters.groups is not None:
            write(schema.GROUPS, data=clusters.groups)
        names = np.array(clusters.names, dtype=object)
        write(schema.NAMES, data=names, dtype=h5py.string_dtype())
        self._file.attrs[schema.ATTR_COMPLETE] = True


@contextmanager
def write_clusters(path: Path) -> Iterator[ClustersWriter]:
    """Write a clusters file; it takes its name when the block ends without an error."""
    with (
        replacing(path) as partial,
        create(partial) as file,
    ):
        yield ClustersWriter(file)


def read_clusters(path: Path) -> Clusters:
    """Read all but the assignments.

    Raises:
        BadInputError: see ``open_artifact``; or centroids that are not finite (K, C) float32.
    """
    with open_artifact(path, schema.FORMAT_CLUSTERS, hint=HINT) as file, reading(path, hint=HINT):
        centroids = file[schema.CENTROIDS][:]
        if centroids.ndim != 2 or not len(centroids) or not np.isfinite(centroids).all():
            raise BadInputError(path, f"centroids of shape {centroids.shape} are not usable")
        names = (schema.CENTROIDS_VIEW1, schema.CENTROIDS_VIEW2)
        views = tuple(file[n][:] for n in names) if names[0] in file else None
        groups = file[schema.GROUPS][:] if schema.GROUPS in file else None
        if groups is not None and groups.shape != (len(centroids),):
            raise BadInputError(path, f"groups of shape {groups.shape} do not fit the centroids")
        return Clusters(
            centroids=centroids.astype(np.float32),
            counts=file[schema.COUNTS][:],
            objective=[float(v) for v in file[schema.OBJECTIVE][:]],
            config=config_of(path, file),
            attributes={k: v for k, v in file.attrs.items() if isinstance(v, str)},
            views=(views[0], views[1]) if views else None,
            groups=groups,
        )


def read_assignments(path: Path) -> Iterator[NDArray[Any]]:
    """Every image's assignments, (h, w) or (P,), in order.

    Raises:
        BadInputError: see ``open_artifact``; or a checksum fails, which names the image.
    """
    with open_artifact(path, schema.FORMAT_CLUSTERS, hint=HINT) as file:
        data = file[schema.ASSIGNMENTS]
        for index in range(len(data)):
            try:
                yield data[index]
            except OSError as error:
                name = file[schema.NAMES].asstr()[index]
                raise BadInputError(path, f"image {name!r}: {error}", hint=HINT) from None
