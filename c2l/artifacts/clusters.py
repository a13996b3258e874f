"""Clusters files: centroids or factors, and every pixel's cluster."""

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
from c2l.artifacts.chain import MOST_PREVIEWED, Format, Link, Preview, score_or_draw
from c2l.artifacts.hdf5 import (
    config_of,
    open_artifact,
    reading,
    size_health,
    sources_of,
    summary_of,
    tried_out,
)
from c2l.artifacts.hdf5_output import Output, plot_by_default, stamp, writing
from c2l.artifacts.lineage import FEATURES
from c2l.artifacts.rows import RowReader, create_rows, write_row
from c2l.errors import BadInputError
from c2l.options import ClusterOptions

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

    def __init__(self, output: Output) -> None:
        self._output = output

    def assignments(self, count: int, shape: tuple[int, ...], clusters: int) -> None:
        """Create the (N, h, w) dataset in the smallest integer type that holds K."""
        dtype = "uint8" if clusters <= 256 else "uint16"

        def create(file: h5py.File) -> None:
            data = create_rows(file, schema.ASSIGNMENTS, (count, *shape), dtype)
            data.attrs["units"] = "1"
            dims = ("image", "row", "column") if len(shape) == 2 else ("image", "pixel")
            for axis, label in enumerate(dims):
                data.dims[axis].label = label
            kind = "image" if len(shape) == 2 else "spectrum"
            plot_by_default(file, schema.ASSIGNMENTS, "cluster of each pixel", kind)

        self._output(create)

    def store(self, index: int, labels: NDArray[Any]) -> None:
        """The cluster of every pixel of an image, (h, w)."""
        self._output(lambda file: write_row(file, schema.ASSIGNMENTS, index, labels))

    def finish(self, clusters: Clusters) -> None:
        """Write all but the assignments."""
        self._output(lambda file: _write_small(file, clusters))


def _write_small(file: h5py.File, clusters: Clusters) -> None:
    stamp(file, schema.FORMAT_CLUSTERS, clusters.config, clusters.attributes)
    write = file.create_dataset
    write(schema.CENTROIDS, data=clusters.centroids.astype(np.float32)).attrs["units"] = "1"
    write(schema.COUNTS, data=clusters.counts.astype(np.int64)).attrs["units"] = "pixel"
    write(schema.OBJECTIVE, data=np.asarray(clusters.objective, dtype=np.float64))
    if clusters.views is not None:
        write(schema.CENTROIDS_VIEW1, data=clusters.views[0])
        write(schema.CENTROIDS_VIEW2, data=clusters.views[1])
    if clusters.groups is not None:
        write(schema.GROUPS, data=clusters.groups)
    names = np.array(clusters.names, dtype=object)
    write(schema.NAMES, data=names, dtype=h5py.string_dtype())


@contextmanager
def write_clusters(path: Path, *, needed: int | None = None) -> Iterator[ClustersWriter]:
    """Write a clusters file; it takes its name when the block ends without an error.

    Args:
        path: the file.
        needed: bytes of the assignments, for the message when the disk is full.
    """
    with writing(path, needed=needed) as output:
        yield ClustersWriter(output)


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
        with reading(path, hint=HINT):
            names = file[schema.NAMES].asstr()[:]
            rows = RowReader(path, file, schema.ASSIGNMENTS, names.tolist(), HINT)
        for index in range(len(names)):
            yield rows.read(index)


def _summary(path: Path) -> dict[str, Any]:
    return summary_of(path, schema.FORMAT_CLUSTERS, HINT, _health)


def _health(file: h5py.File) -> dict[str, Any]:
    found = size_health(file, schema.COUNTS)
    if (trace := file[schema.OBJECTIVE][:]).size:
        found["objective"] = {"first": float(trace[0]), "last": float(trace[-1])}
    if schema.GROUPS in file:
        found["groups"] = [int(g) for g in file[schema.GROUPS][:]]
    return found


def _link(path: Path) -> Link:
    with tried_out(path) as file:
        return Link(
            format=FORMAT,
            path=path,
            sources=sources_of(path, file),
            options=config_of(path, file),
            takes=(FEATURES,),
            complete=bool(file.attrs.get(schema.ATTR_COMPLETE)),
        )


def _count_again(path: Path) -> str | None:
    """The stored sizes are those of the assignments."""
    stored = read_clusters(path)
    counts = np.zeros(len(stored.centroids), dtype=np.int64)
    for labels in read_assignments(path):
        found = np.bincount(labels.ravel(), minlength=len(counts))
        if len(found) > len(counts):
            return f"an assignment of {len(found) - 1}, there are {len(counts)} clusters"
        counts += found
    same = np.array_equal(counts, stored.counts)
    return None if same else "the clusters' sizes are not those of its assignments"


def _preview(path: Path) -> Preview | None:
    """Clusters of the first photos; a store of single pixels has no maps."""
    with open_artifact(path, schema.FORMAT_CLUSTERS, hint=HINT) as file, reading(path, hint=HINT):
        names = file[schema.NAMES].asstr()[:].tolist()
        if file[schema.ASSIGNMENTS].ndim != 3:
            return None
        rows = RowReader(path, file, schema.ASSIGNMENTS, names, HINT)
        maps = [(name, rows.read(index)) for index, name in enumerate(names[:MOST_PREVIEWED])]
        return Preview(maps, [f"cluster {k}" for k in range(len(file[schema.COUNTS]))])


FORMAT = Format(
    name=schema.FORMAT_CLUSTERS,
    summary=_summary,
    link=_link,
    checks=(("centroids and assignments", _count_again),),
    stage="cluster",
    options=ClusterOptions,
    following=score_or_draw,
    preview=_preview,
)
