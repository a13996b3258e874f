"""An output has one writer; a dead writer's lock holds nobody up."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import file_size_limit

from c2l.artifacts import locks
from c2l.artifacts.locks import exclusive, holder, lock_file
from c2l.errors import LockedError, OutputError

HOLD = """
import sys, time
from pathlib import Path
from c2l.artifacts.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What is to be written."""
    return tmp_path / "new" / "out.h5"


def hold(output: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "held\n"
    return process


def no_locks(*_: Any) -> None:
    """A file system that has none."""
    raise OSError(errno.ENOLCK, "No locks available")


def test_the_lock_names_its_holder_and_is_gone_afterwards(output: Path) -> None:
    with exclusive(output) as left:
        assert left is None
        found = holder(lock_file(output))
        assert found is not None
        assert (found["host"], found["pid"]) == (socket.gethostname(), os.getpid())
    assert list(output.parent.iterdir()) == []


def test_a_lock_file_that_cannot_be_written_is_not_left_behind(output: Path) -> None:
    with file_size_limit(0), pytest.raises(OutputError, match="too large"), exclusive(output):
        pass
    assert list(output.parent.iterdir()) == []


def test_an_error_inside_gives_the_lock_back(output: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(output):
        raise RuntimeError
    assert not lock_file(output).exists()


def test_a_second_writer_is_told_host_and_pid(output: Path) -> None:
    process = hold(output)
    try:
        with pytest.raises(LockedError) as caught, exclusive(output):
            pass
        assert caught.value.exit_code == 5
        assert f"process {process.pid} on {socket.gethostname()}" in caught.value.message
        assert str(output) in caught.value.message
        # The first one is not disturbed.
        assert (holder(lock_file(output)) or {})["pid"] == process.pid
    finally:
        process.kill()
        process.wait()


def test_the_same_file_by_another_name_is_locked_too(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(output):
        monkeypatch.chdir(output.parent)
        with pytest.raises(LockedError), exclusive(Path(output.name)):
            pass


@pytest.mark.parametrize("by_name", [False, True])
def test_a_killed_writers_lock_is_taken_over_and_explained(
    output: Path, monkeypatch: pytest.MonkeyPatch, by_name: bool
) -> None:
    process = hold(output)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lock_file(output).exists()
    if by_name:
        lock_file(output).rename(lock_file(output).with_suffix(".owner"))
        monkeypatch.setattr(fcntl, "flock", no_locks)
    with exclusive(output) as left:
        assert left is not None
        assert f"process {process.pid} on {socket.gethostname()}" in left
    assert list(output.parent.iterdir()) == []


def test_without_locks_of_the_file_system_the_file_itself_locks(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with exclusive(output):
        with (
            pytest.raises(LockedError, match=f"process {os.getpid()}") as caught,
            exclusive(output),
        ):
            pass
        assert "if that process is gone, remove" in (caught.value.hint or "")
    with exclusive(output) as left:
        assert left is None
    assert list(output.parent.iterdir()) == []


def test_without_locks_a_writer_on_another_host_is_believed(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks)
    output.parent.mkdir()
    other = lock_file(output).with_suffix(".owner")
    other.write_text(json.dumps({"host": "node7", "pid": 1, "since": "then"}))
    with pytest.raises(LockedError, match="process 1 on node7 since then"), exclusive(output):
        pass
    assert other.exists()


def test_a_lock_that_was_replaced_while_waiting_is_not_believed(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder before removed its file between our opening and our locking it."""
    output.parent.mkdir()
    real, calls = fcntl.flock, []

    def remove_first(descriptor: int, operation: int) -> None:
        if not calls:
            lock_file(output).unlink()
        calls.append(descriptor)
        real(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", remove_first)
    with exclusive(output):
        assert len(calls) == 2
        assert lock_file(output).exists()


def test_an_output_is_one_by_whatever_way_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    names = [tmp_path / "run", tmp_path / "link", Path(), Path("../run")]
    assert {lock_file(name) for name in names} == {tmp_path / ".run.lock"}
