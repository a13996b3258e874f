"""Hashes of files, remembered from one command to the next, so that each is read once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from c2l.runtime.files import identity, sha256_file

# Some two million files; beyond that the cache is emptied.
LARGEST_CACHE = 256 << 20
# A file system's clock may stand still this long: what is younger could be written once more
# without a sign.
SETTLED_NS = 2_000_000_000
# Hashes that are written at once.
_GROUP = 256


def cache_file() -> Path:
    """Where the hashes are kept: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "c2l" / "sums.sqlite3"


class KnownSums:
    """SHA-256 of files by what changes when they are written: inode, size and both times.

    A cache that cannot be opened, read or written is not used.
    """

    def __init__(self) -> None:
        self._base: sqlite3.Connection | None = None
        self._fresh: list[tuple[str, str]] = []
        path = cache_file()
        with contextlib.suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LARGEST_CACHE:
                path.unlink()
            self._base = sqlite3.connect(path, timeout=1)
            self._base.execute("PRAGMA synchronous = OFF")
            table = "CREATE TABLE IF NOT EXISTS sums (file TEXT PRIMARY KEY, sha256 TEXT)"
            self._base.execute(table)

    def sha256(self, path: Path) -> str:
        """Hex SHA-256 of a file's bytes.

        Raises:
            BadInputError: it cannot be read.
        """
        before = identity(path)
        key = ":".join(map(str, before))
        if self._base is not None:
            with contextlib.suppress(sqlite3.Error):
                row = self._base.execute("SELECT sha256 FROM sums WHERE file = ?", (key,))
                if found := row.fetchone():
                    return str(found[0])
        found = sha256_file(path)
        if identity(path) == before and time.time_ns() - max(before[3:]) > SETTLED_NS:
            self._fresh.append((key, found))
            if len(self._fresh) >= _GROUP:
                self._write()
        return found

    def _write(self) -> None:
        if self._base is not None and self._fresh:
            with contextlib.suppress(sqlite3.Error), self._base:
                self._base.executemany("INSERT OR REPLACE INTO sums VALUES (?, ?)", self._fresh)
        self._fresh.clear()

    def close(self) -> None:
        """Write what was found out, and close."""
        self._write()
        if self._base is not None:
            self._base.close()
            self._base = None
