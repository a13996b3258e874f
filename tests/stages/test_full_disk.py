"""A disk that is really full: exit 74, what was there intact, and no crash at the end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import (
    FIT,
    KILL_AFTER_TWO_BATCHES,
    NETWORK,
    PHOTOS,
    RUN_C2L,
    fork_python,
    mounted,
)

ROOM = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB in memory."""
    with mounted(tmp_path / "disk", f"size={ROOM}") as place:
        yield place


def leave(disk: Path, room: int) -> None:
    """Fill the disk but for some bytes."""
    state = os.statvfs(disk)
    (disk / "filling").write_bytes(b"\0" * max(0, state.f_bavail * state.f_frsize - room))


@pytest.mark.parametrize(
    ("stage", "room"),
    [("extract", 65536), ("cluster", 4096), ("fit", 131072), ("eval", 4096), ("render", 8192)],
)
def test_a_full_disk_ends_a_stage_with_74_and_keeps_what_was_there(
    stage: str, room: int, disk: Path, people: Path, store: Path, clusters: Path, trained: Path
) -> None:
    output = disk / "out"
    words: dict[str, tuple[str | Path, ...]] = {
        "extract": ("extract", people, "-o", output, *PHOTOS, *NETWORK, "--views"),
        "cluster": ("cluster", store, "-o", output, "-k", "3"),
        "fit": ("fit", people, "-o", output, *FIT, "--epochs", "1"),
        "eval": ("eval", trained, people, "-o", output, "--split", "val", "--bootstrap", "0"),
        "render": ("render", trained, people, "-o", output, "--split", "val"),
    }
    before = b"not to be lost"
    (disk / "neighbour").write_bytes(before)
    leave(disk, room)
    ended = fork_python(RUN_C2L, *words[stage])
    assert ended.returncode == 74, ended.stderr
    assert "No space left on device" in ended.stderr
    # What all pictures take is not known beforehand.
    assert stage == "render" or "bytes are needed" in ended.stderr
    assert "next: free " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (disk / "neighbour").read_bytes() == before
    assert not output.exists() or stage == "fit"
    # With room again, the same command ends well.
    (disk / "filling").unlink()
    subprocess.run(["mount", "-o", "remount,size=512m", str(disk)], check=True)
    resumed = ("--resume",) if (output / "config.json").is_file() else ()
    ended = fork_python(RUN_C2L, *words[stage], *resumed)
    assert ended.returncode == 0, ended.stderr
    if stage in ("extract", "cluster"):
        unbroken = store if stage == "extract" else clusters
        assert output.read_bytes() == unbroken.read_bytes()


def test_a_store_that_goes_on_needs_room_for_both_and_loses_nothing_without(
    disk: Path, people: Path, store: Path
) -> None:
    """What was left is copied: where that does not fit, it stays for the next time."""
    output = disk / "f.h5"
    words = ("extract", people, "-o", output, *PHOTOS, *NETWORK, "--views")
    killed = fork_python(KILL_AFTER_TWO_BATCHES + RUN_C2L, *words)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    leave(disk, 32768)
    for _ in range(2):
        ended = fork_python(RUN_C2L, *words)
        assert ended.returncode == 74, ended.stderr
        assert "bytes are needed" in ended.stderr
    (disk / "filling").unlink()
    ended = fork_python(RUN_C2L, *words)
    assert ended.returncode == 0, ended.stderr
    assert "8 of 12 images are there already" in ended.stderr
    assert output.read_bytes() == store.read_bytes()


def test_what_was_to_be_replaced_is_there_after_a_full_disk(
    disk: Path, people: Path, store: Path
) -> None:
    output = disk / "clusters.h5"
    words = ("cluster", store, "-o", output, "-k", "3")
    assert fork_python(RUN_C2L, *words).returncode == 0
    whole = output.read_bytes()
    leave(disk, 4096)
    ended = fork_python(RUN_C2L, *words[:-1], "4", "--overwrite")
    assert ended.returncode == 74, ended.stderr
    assert output.read_bytes() == whole
