"""A write that fails ends in one error, whichever write it is; HDF5 never crashes at the close."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from conftest import file_size_limit

from c2l import schema
from c2l.artifacts.clusters import Clusters, write_clusters
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.hdf5_output import Output
from c2l.artifacts.targets import write_targets
from c2l.artifacts.untrusted.guard import trust_files
from c2l.errors import OutputError

NAMES = ("a", "b ä", "c", "d")


def write_store(path: Path) -> str:
    """Of four photos one is skipped, so that rows are moved at the end; why a leftover is lost."""
    with write_features(path, StoreLayout(NAMES, (8, 8), 16), {"layer": "fpn"}, {}) as writer:
        for index in range(4):
            values = np.full((8, 8, 16), index, np.float16)
            row = {schema.FEATURES: values, schema.ORIG_SIZE: np.array([index, 9], np.int32)}
            row[schema.IMAGE_SHA256] = np.array(b"%064d" % index, "S64")
            if index != 1 and not writer.done[index]:
                writer.write(index, row)
                writer.flush()
        skipped = np.array(["b ä\tbroken"], object)
        writer.finish(np.array([0, 2, 3]), {schema.SKIPPED: skipped}, {"inputs_sha256": "0" * 64})
        return writer.unused


def write_assignments(path: Path) -> str:
    with write_clusters(path, needed=512) as writer:
        writer.assignments(4, (8, 16), 3)
        for index in range(4):
            writer.store(index, np.full((8, 16), index % 3))
        centroids = np.ones((3, 16), np.float32)
        writer.finish(Clusters(centroids, np.ones(3, np.int64), [1.0], {}, {}, names=NAMES))
    return ""


def write_labels(path: Path) -> str:
    with write_targets(path, 4, {"epoch": 0}, needed=512) as writer:
        for view in (0, 1):
            writer.store(view, np.arange(4), np.ones((4, 8, 16), np.uint8))
            writer.finish(view, np.ones((3, 16), np.float32), np.ones(3, np.int64))
    return ""


WRITERS = [write_store, write_assignments, write_labels]
Writer = Callable[[Path], str]


@contextmanager
def failing(calls: int) -> Iterator[None]:
    """Every write to a place of a file fails after so many."""
    real, count = os.pwrite, itertools.count()

    def pwrite(descriptor: int, data: memoryview, place: int) -> int:
        if next(count) >= calls:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, data, place)

    with mock.patch("os.pwrite", pwrite):
        yield


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("faults", ["every limit", "every write"])
def test_no_write_that_fails_crashes_or_leaves_half_a_file(
    write: Writer, faults: str, tmp_path: Path
) -> None:
    trust_files(True)
    write(tmp_path / "whole.h5")
    whole = (tmp_path / "whole.h5").read_bytes()
    path = tmp_path / "out" / "f.h5"
    for step in range(1000):
        fault = file_size_limit(step * 512) if faults == "every limit" else failing(step)
        with fault, suppress(OutputError):
            write(path)
            break
        left = os.listdir(path.parent)
        assert left in ([], [".f.h5.partial"] if write is write_store else [])
        if left:
            # What is done of a store is kept, unless the fault came when all of it was done.
            assert write(path) == "" or faults == "every write"
            assert path.read_bytes() == whole
        shutil.rmtree(path.parent)
    assert step > 8
    assert path.read_bytes() == whole
    if faults == "every limit":
        assert step * 512 < len(whole) + (1 << 14)


def test_what_could_not_be_written_is_read_back(tmp_path: Path) -> None:
    """HDF5 reads its own parts at the close, also those that the disk did not take."""
    values = np.arange(4096, dtype=np.int32)
    with file_size_limit(4096):
        output = Output(tmp_path / "f.h5")
        with pytest.raises(OSError, match="File too large"):
            output(lambda file: file.create_dataset("x", data=values))
        with pytest.raises(OSError, match="File too large"):
            output(lambda file: np.testing.assert_array_equal(file["x"][:], values))
        with pytest.raises(OSError, match="File too large"):
            output.close()
        output.close()
