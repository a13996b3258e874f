"""An epoch's pseudo-labels and centroids of both views, stored so that it can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.chain import Format
from c2l.artifacts.hdf5 import open_artifact, reading, size_health, summary_of
from c2l.artifacts.hdf5_output import Output, stamp, writing
from c2l.artifacts.rows import RowReader, create_rows, row_sum
from c2l.artifacts.untrusted.guard import remember

HINT = "resume the run; the epoch is clustered again"
LABELS = (schema.ASSIGNMENTS_VIEW1, schema.ASSIGNMENTS_VIEW2)
CENTROIDS = (schema.CENTROIDS_VIEW1, schema.CENTROIDS_VIEW2)
COUNTS = (schema.COUNTS_VIEW1, schema.COUNTS_VIEW2)


class TargetsWriter:
    """Takes the labels of both views batch by batch, then the centroids."""

    def __init__(self, output: Output, count: int) -> None:
        self._output, self._count = output, count
        self._sums = np.zeros((len(LABELS), count), dtype=np.uint32)

    def store(self, view: int, indices: NDArray[np.int64], labels: NDArray[np.uint8]) -> None:
        """Labels of some images in a view, (B, h, w) uint8."""
        labels = np.ascontiguousarray(labels, np.uint8)
        self._output(lambda file: self._store(file, view, indices, labels))

    def _store(
        self, file: h5py.File, view: int, indices: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> None:
        if LABELS[view] not in file:
            shape = (self._count, *labels.shape[1:])
            # Only this program reads it, and checks each row's CRC-32.
            create_rows(file, LABELS[view], shape, "uint8", fletcher32=False)
        rows = file[LABELS[view]].id
        # A row is a chunk: its bytes go straight to the file, 20 times as fast as by selection.
        for index, values in zip(indices, labels, strict=True):
            rows.write_direct_chunk((int(index), *(0 for _ in values.shape)), values.data)
            self._sums[view, index] = row_sum(values)

    def finish(self, view: int, centroids: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
        """Centroids (K, C) and sizes (K,) of a view's clusters, all of whose labels are there."""

        def write(file: h5py.File) -> None:
            file[LABELS[view] + schema.ROW_SUMS][:] = self._sums[view]
            file.create_dataset(CENTROIDS[view], data=centroids)
            file.create_dataset(COUNTS[view], data=counts)

        self._output(write)


@contextmanager
def write_targets(
    path: Path, count: int, config: dict[str, Any], *, needed: int | None = None
) -> Iterator[TargetsWriter]:
    """Write an epoch's targets; the file takes its name when the block ends without an error.

    Args:
        path: the file.
        count: images.
        config: of the epoch.
        needed: bytes of the labels, for the message when the disk is full.
    """
    with writing(path, needed=needed) as output:
        output(lambda file: stamp(file, schema.FORMAT_TARGETS, config, {}))
        yield TargetsWriter(output, count)
    # Read in the same command, by the process that wrote it.
    remember(path)


class TargetsReader:
    """Centroids and labels of an epoch."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        with reading(path, hint=HINT):
            self.centroids = tuple(file[name][:] for name in CENTROIDS)
            self.counts = tuple(file[name][:] for name in COUNTS)
            self._rows = tuple(RowReader(path, file, name, hint=HINT) for name in LABELS)

    def contingency(self) -> NDArray[np.int64]:
        """(K, K) pixels of all images by their cluster in view 1 and in view 2."""
        clusters = len(self.counts[0])
        pairs = np.zeros(clusters * clusters, dtype=np.int64)
        for index in range(len(self._rows[0])):
            one = np.array([index])
            first, second = self.labels(0, one).astype(np.int64), self.labels(1, one)
            pairs += np.bincount((first * clusters + second).ravel(), minlength=clusters**2)
        return pairs.reshape(clusters, clusters)

    def labels(self, view: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Labels of some images, (B, h, w) uint8."""
        return np.stack([self._rows[view].read(int(i)) for i in indices])


@contextmanager
def read_targets(path: Path) -> Iterator[TargetsReader]:
    """Open an epoch's targets."""
    with open_artifact(path, schema.FORMAT_TARGETS, hint=HINT) as file:
        yield TargetsReader(path, file)


def _summary(path: Path) -> dict[str, Any]:
    return summary_of(path, schema.FORMAT_TARGETS, HINT, lambda file: size_health(file, *COUNTS))


FORMAT = Format(name=schema.FORMAT_TARGETS, summary=_summary)
