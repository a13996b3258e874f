"""Standard streams that are safe to use, whatever the process was started with."""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TextIO

from c2l.errors import OutputError


class ReaderGoneError(Exception):
    """The reader of stdout went away (a pager, head): no error of ours."""


class StdoutError(OutputError):
    """Stdout cannot be written (disk full, not open for writing)."""


class _Results(io.FileIO):
    """Stdout, whose errors have types of their own."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            # None: a pipe that does not block is full.
            while (count := super().write(data)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            raise ReaderGoneError from None
        except OSError as error:
            raise StdoutError(f"stdout cannot be written: {error.strerror}") from None
        return count


class _Messages(io.FileIO):
    """Stderr, whose errors count for nothing: the exit code tells the rest."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        with suppress(OSError):
            super().write(data)
        return len(data)


def mend() -> None:
    """Make the standard streams safe: for cron and daemons, some are closed.

    A file that is opened later would get the number of a closed one, and what a library prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _text(_Results(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Messages(2, "w", closefd=False), sys.stderr)


def _text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    """A text stream; what its encoding does not have is escaped."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
