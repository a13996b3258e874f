"""A file that another program has open for writing, or has not closed, is not called damaged."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from conftest import FIT, Cli

from c2l import schema
from c2l.artifacts import in_use, superblock
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.features import read_features
from c2l.artifacts.hdf5 import reading
from c2l.artifacts.untrusted.guard import trust_files
from c2l.errors import BadInputError, LockedInputError, OutOfMemoryError
from c2l.runtime.files import partial_sibling

pytestmark = pytest.mark.usefixtures("fresh")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The lock that HDF5 takes for writing is held."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mark(path: Path, marks: int = superblock.WRITING) -> None:
    """Leave a file as a program does that has it open for writing and is killed."""
    raw = path.read_bytes()
    path.write_bytes(superblock.marked(raw, marks) + raw[superblock.SIZE :])


@pytest.fixture
def folder(tmp_path: Path, store: Path, clusters: Path) -> Path:
    """Copies of a store and of its clusters."""
    for path in (store, clusters):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_marks_are_those_of_hdf5(folder: Path) -> None:
    path = folder / "features.h5"
    closed = path.read_bytes()[: superblock.SIZE]
    assert superblock.marks(closed) == 0
    assert superblock.marked(closed, 0) == closed
    with h5py.File(path, "r+"):
        assert path.read_bytes()[: superblock.SIZE] == superblock.marked(closed, superblock.WRITING)
    assert superblock.marks(b"\x89HDF\r\n\x1a\n\0" + b"\1" * 40) == 0


COMMANDS = {
    "inspect": ("inspect", "features.h5"),
    "inspect --trust": ("inspect", "clusters.h5", "--trust"),
    "verify": ("verify", "clusters.h5"),
    "cluster": ("cluster", "features.h5", "-o", "new.h5", "-k", "3"),
    "eval": ("eval", "clusters.h5", "people", "-o", "new.json"),
    "render": ("render", "clusters.h5", "people", "-o", "new"),
    "fit": ("fit", "people", "-o", "new", "--features", "features.h5", *FIT),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", ["locked", "marked"])
def test_every_command_names_the_cause_and_the_next_step(
    cli: Cli,
    folder: Path,
    people: Path,
    command: str,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "people").symlink_to(people)
    words = COMMANDS[command]
    name = next(word for word in words if word in ("features.h5", "clusters.h5"))
    if state == "locked":
        with locked(folder / name):
            outcome = cli(*words)
        assert outcome.code == 5
        assert f"{name}: is open for writing by process {os.getpid()} on " in outcome.err
        assert "next: close it there" in outcome.err
    else:
        mark(folder / name)
        outcome = cli(*words)
        assert outcome.code == 3
        assert f"{name}: is marked as open for writing" in outcome.err
        assert "h5clear -s FILE" in outcome.err
    assert "damaged" not in outcome.err
    assert not list(folder.glob("new*"))


def test_status_tells_a_file_that_is_being_written_from_the_rest(cli: Cli, folder: Path) -> None:
    mark(folder / "clusters.h5")
    with locked(folder / "features.h5"):
        found = {
            Path(e["path"]).name: e for e in cli.ok("status", folder, "--json").values["artifacts"]
        }
    assert found["features.h5"]["state"] == "being written"
    assert "is open for writing by process" in found["features.h5"]["why"]
    assert "is marked as open for writing" in found["clusters.h5"]["why"]


@pytest.mark.parametrize("trust", [True, False])
def test_a_lock_that_is_taken_between_two_looks_is_told_too(folder: Path, trust: bool) -> None:
    """HDF5 refuses the file then, in the child process or in this one."""
    trust_files(trust)
    path = folder / "features.h5"
    with (
        mock.patch("c2l.artifacts.untrusted.guard.require_closed"),
        locked(path),
        pytest.raises(LockedInputError, match="is open for writing"),
        read_features(path),
    ):
        pass


def test_a_lock_may_be_ignored_as_hdf5_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
    with locked(folder / "features.h5"):
        in_use.require_closed(folder / "features.h5")


def test_without_the_kernels_list_the_holder_has_no_name(folder: Path, tmp_path: Path) -> None:
    path = folder / "features.h5"
    with (
        mock.patch.object(in_use, "LOCKS", tmp_path / "none"),
        locked(path),
        pytest.raises(LockedInputError, match="is open for writing by another program"),
    ):
        in_use.require_closed(path)


def test_an_error_of_the_disk_is_not_called_damage(tmp_path: Path) -> None:
    with (
        pytest.raises(BadInputError, match="cannot be read: Input/output error"),
        reading(tmp_path / "f.h5", hint="make it again"),
    ):
        raise OSError(errno.EIO, "file read failed: time = ...")


@pytest.mark.parametrize("short", [True, False])
def test_a_sound_file_is_not_called_damaged_for_want_of_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    """HDF5 and h5py raise the same as over a damaged file."""
    for module in ("hdf5", "rows"):
        monkeypatch.setattr(f"c2l.artifacts.{module}.is_short", lambda: short)
    path, kind = folder / "features.h5", OutOfMemoryError if short else BadInputError
    with pytest.raises(kind), reading(path):
        raise OSError("memory allocation failed for chunk")
    with read_features(path) as reader:
        monkeypatch.setattr("c2l.artifacts.rows.row_sum", lambda _: -1)
        with pytest.raises(kind):
            reader.read(0)


def test_what_a_stopped_run_left_is_kept_while_another_program_has_it(tmp_path: Path) -> None:
    path, layout = tmp_path / "f.h5", StoreLayout(("a", "b"), (2, 2), 3)
    row = {
        schema.FEATURES: np.ones((2, 2, 3), np.float16),
        schema.ORIG_SIZE: np.array([2, 2], np.int32),
        schema.IMAGE_SHA256: np.array(b"0" * 64, "S64"),
    }
    with suppress(KeyboardInterrupt), write_features(path, layout, {}, {}) as writer:
        writer.write(0, row)
        raise KeyboardInterrupt
    with (
        locked(partial_sibling(path)),
        pytest.raises(LockedInputError),
        write_features(path, layout, {}, {}),
    ):
        pass
    assert os.listdir(tmp_path) == [partial_sibling(path).name]
    with write_features(path, layout, {}, {}) as writer:
        assert writer.done.tolist() == [True, False]
        writer.write(1, row)
        writer.finish(np.arange(2), {}, {})
