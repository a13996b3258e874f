"""Hashes that are remembered are those of the files as they are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from unittest import mock

import pytest

from c2l.artifacts import sums
from c2l.artifacts.sums import KnownSums, cache_file
from c2l.errors import BadInputError


@pytest.fixture(autouse=True)
def _settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own, for files that were just written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sums, "SETTLED_NS", -1)


def asked(path: Path) -> tuple[str, int]:
    """What a command is told, and how many files it read for it."""
    known = KnownSums()
    with mock.patch.object(sums, "sha256_file", wraps=sums.sha256_file) as read:
        found = known.sha256(path)
    known.close()
    return found, read.call_count


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    assert asked(path) == (digest(path), 1)
    assert asked(path) == (digest(path), 0)
    assert cache_file().is_file()


def test_a_file_that_changed_is_read_again_whatever_its_date_says(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    before = path.stat()
    asked(path)
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert asked(path) == (digest(path), 1)
    # Another file under its name, of the same size and date.
    other.write_text("six")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)
    assert asked(path) == (digest(path), 1)


def test_what_was_just_written_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could be written again before the file system's clock goes on."""
    monkeypatch.setattr(sums, "SETTLED_NS", 3600 * 10**9)
    path = tmp_path / "a"
    path.write_text("one")
    assert [asked(path)[1] for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("damage", ["garbage", "a folder", "no folder"])
def test_a_cache_that_cannot_be_used_is_done_without(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    if damage == "no folder":
        (tmp_path / "cache").write_text("in its place")
    else:
        cache_file().parent.mkdir(parents=True)
        if damage == "garbage":
            cache_file().write_bytes(b"no data base" * 1000)
        else:
            cache_file().mkdir()
    for _ in range(2):
        assert asked(path) == (digest(path), 1)


def test_a_cache_that_grew_too_large_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    asked(path)
    monkeypatch.setattr(sums, "LARGEST_CACHE", 16)
    assert asked(path) == (digest(path), 1)


def test_what_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        asked(tmp_path / "none")
