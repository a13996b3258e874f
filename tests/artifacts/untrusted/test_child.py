"""The limited child process: whatever its function does, this process lives and says why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from c2l.artifacts.untrusted.child import KilledError, Limits, run_limited
from c2l.errors import BadInputError, OutputError

pytestmark = pytest.mark.usefixtures("fresh")

TASKS = """
import mmap, os, signal, sys, time

HELD = mmap.mmap(-1, 1 << 30)  # mapped by the import, as a large library is

def nothing(path): pass
def refuse(path):
    from c2l.errors import BadInputError
    print("said by a library", flush=True)
    raise BadInputError(path, "not what it should be")
def fail_to_write(path):
    from c2l.errors import OutputError
    raise OutputError("no room")
def take(path, count): bytearray(int(count) << 20)
def spin(path):
    while True: pass
def wait(path): time.sleep(60)
def die(path, number): os.kill(os.getpid(), int(number))
def write(path, count):
    with open(path, "wb") as file: file.write(bytes(int(count)))
def look_around(path):
    assert os.path.isabs(path)
    assert "SECRET" not in os.environ
    assert not {"site", "torch", "faiss", "scipy", "numpy"} & sys.modules.keys()
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs one of the functions above on a file."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)

    def run_task(name: str, *arguments: str, **limits: int) -> None:
        bounds = {"memory_bytes": 64 << 20, "cpu_seconds": 20, "wall_seconds": 40, **limits}
        run_limited(
            f"tasks:{name}",
            tmp_path / "file",
            *arguments,
            packages=("tasks",),
            limits=Limits(**bounds),
            hint="make it again",
            crash_hint="trust it",
        )

    return run_task


def test_what_returns_is_no_error_and_gets_no_environment(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    run("nothing")
    run("look_around")


def test_a_refusal_is_told_with_its_path_and_hint(run: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        run("refuse")
    assert caught.value.message == f"{tmp_path / 'file'}: not what it should be"
    assert (caught.value.hint, caught.value.exit_code) == ("make it again", 3)
    with pytest.raises(OutputError, match="no room"):
        run("fail_to_write")


@pytest.mark.parametrize(
    ("task", "limits", "problem"),
    [
        (("spin",), {"cpu_seconds": 1}, "more than 1 CPU seconds"),
        (("wait",), {"wall_seconds": 1}, "more than 1 seconds"),
        (("die", "11"), {}, "crashed a child process (SIGSEGV)"),
        (("die", "6"), {}, "crashed a child process (SIGABRT)"),
        (("missing",), {}, "could not be read in a child process"),
    ],
)
def test_a_child_that_dies_is_an_error_with_the_crash_hint(
    run: Any, task: tuple[str, ...], limits: dict[str, int], problem: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        run(*task, **limits)
    assert problem in caught.value.problem
    assert caught.value.hint == "trust it"
    assert not isinstance(caught.value, KilledError)


def test_a_child_killed_from_outside_is_told_apart(run: Any) -> None:
    with pytest.raises(KilledError, match="SIGKILL"):
        run("die", "9")


def test_memory_is_bounded_beyond_what_the_import_took(run: Any) -> None:
    run("take", "32")
    with pytest.raises(BadInputError, match="takes more than 64 MiB"):
        run("take", "80")


def test_a_file_is_written_up_to_its_bound_only(run: Any, tmp_path: Path) -> None:
    run("write", "1000", file_bytes=1000)
    assert os.path.getsize(tmp_path / "file") == 1000
    with pytest.raises(BadInputError, match="too large"):
        run("write", "1001", file_bytes=1000)
    with pytest.raises(BadInputError, match="too large"):
        run("write", "1")
