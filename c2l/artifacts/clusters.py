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
from c2l.artifacts.hdf5 import config_of, create, open_artifact, reading, seal, stamp
from c2l.artifacts.rows import RowReader, create_rows, write_row
from c2l.errors import BadInputError
from c2l.runtime.files import replacing

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

    def assignments(self, count: int, shape: tuple[int, ...], clusters: int) -> None:
        """Create the (N, h, w) dataset in the smallest integer type that holds K."""
        dtype = "uint8" if clusters <= 256 else "uint16"
        create_rows(self._file, schema.ASSIGNMENTS, (count, *shape), dtype)

    def store(self, index: int, labels: NDArray[Any]) -> None:
        """The cluster of every pixel of an image, (h, w)."""
        write_row(self._file, schema.ASSIGNMENTS, index, labels)

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
        seal(self._file)


@contextmanager
def write_clusters(path: Path, *, needed: int | None = None) -> Iterator[ClustersWriter]:
    """Write a clusters file; it takes its name when the block ends without an error.

    Args:
        path: the file.
        needed: bytes of the assignments, for the message when the disk is full.
    """
    with replacing(path, needed=needed) as partial, create(partial) as file:
        yield ClustersWriter(file)


def read_clusters(path: Path) -> Clusters:
    """Read all but the assignments.

    Raises:
        BadInputError: see ``open_artifact``; or centroids that are not finite (K, C) float32.
    """
    opened = open_artifact(path, schema.FORMAT_CLUSTERS, hint=HINT)
    with opened as file, reading(path, hint=HINT):
        centroids = file[schema.CENTROIDS][:]
        if centroids.ndim != 2 or not centroids.size or not np.isfinite(centroids).all():
            raise BadInputError(path, f"centroids of shape {centroids.shape} are not usable")
        views = _views(path, file, centroids.shape)
        groups = file[schema.GROUPS][:] if schema.GROUPS in file else None
        if groups is not None and (
            groups.shape != (len(centroids),) or groups.max() >= len(schema.PARTS)
        ):
            raise BadInputError(path, f"groups of shape {groups.shape} do not fit the centroids")
        return Clusters(
            centroids=centroids.astype(np.float32),
            counts=file[schema.COUNTS][:],
            objective=[float(v) for v in file[schema.OBJECTIVE][:]],
            config=config_of(path, file),
            attributes={k: v for k, v in file.attrs.items() if isinstance(v, str)},
            views=views,
            groups=groups,
        )


def _views(
    path: Path, file: h5py.File, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    names = (schema.CENTROIDS_VIEW1, schema.CENTROIDS_VIEW2)
    if names[0] not in file:
        return None
    first, second = (file[name][:].astype(np.float32) for name in names)
    if first.shape != shape or second.shape != shape or not np.isfinite([first, second]).all():
        raise BadInputError(path, f"the views' centroids {first.shape} do not fit {shape}")
    return first, second


def read_assignments(path: Path) -> Iterator[NDArray[Any]]:
    """Every image's assignments, (h, w) or (P,), in order.

    Raises:
        BadInputError: see ``open_artifact``; or a checksum fails, which names the image.
    """
    with open_artifact(path, schema.FORMAT_CLUSTERS, hint=HINT) as file:
        rows = RowReader(file, schema.ASSIGNMENTS)
        for index in range(len(file[schema.ASSIGNMENTS])):
            try:
                yield rows.read(index)
            except OSError as error:
                name = file[schema.NAMES].asstr()[index]
                raise BadInputError(path, f"image {name!r}: {error}", hint=HINT) from None
