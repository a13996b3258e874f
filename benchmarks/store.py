"""Reading a feature store, checked, beside the same bytes of a raw file, unchecked."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from c2l.artifacts.features import read_features

from .compare import Row, seconds


def _drop(path: Path) -> None:
    """Forget a file's pages, so that it is read from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(store: Path, rounds: int) -> list[Row]:
    """Share of a raw read's speed, from the page cache and from the disk."""
    raw = store.with_suffix(".raw")
    with read_features(store) as reader:
        count = len(reader.names)
        with raw.open("wb") as file:
            for index in range(count):
                file.write(reader.read(index).tobytes())
        size = raw.stat().st_size // count

        def ours() -> None:
            for index in range(count):
                reader.read(index)

        def bare(look: Callable[[bytes], object] = lambda row: None) -> None:
            with raw.open("rb", buffering=0) as file:
                for _ in range(count):
                    row = file.read(size)
                    look(row)
                    np.frombuffer(row, np.float16)

        warm = seconds({"ours": ours, "raw": bare, "summed": lambda: bare(zlib.crc32)}, rounds)
        files = {"ours": store, "raw": raw}
        cold = seconds({"ours": ours, "raw": bare}, rounds, before=lambda n: _drop(files[n]))
    raw.unlink()

    def row(state: str, against: str, mine: float, theirs: float) -> Row:
        rate = size * count / 1e9
        note = f"{rate / mine:.2f} GB/s against {rate / theirs:.2f} GB/s"
        goal = 0.8 if against == "raw file" else 0
        return Row(f"store, {count} rows, {state}", against, theirs / mine, goal, True, note)

    return [
        row("page cache", "raw file", warm["ours"], warm["raw"]),
        row("page cache", "raw file and its CRC-32", warm["ours"], warm["summed"]),
        row("disk", "raw file", cold["ours"], cold["raw"]),
    ]
