"""Claiming an output: nobody else writes it meanwhile, and nothing is replaced unasked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from c2l.artifacts.files import refuse_existing
from c2l.artifacts.locks import exclusive
from c2l.pipeline.progress import voice

# What files of the formats begin with.
HDF5, JSON = b"\x89HDF\r\n\x1a\n", b"{"


@contextmanager
def hold(output: Path) -> Iterator[None]:
    """Hold the lock of an output, and say so when a killed writer left it behind.

    Raises:
        LockedError: another process writes it.
        OutputError: its folder cannot be written.
    """
    with exclusive(output) as left:
        if left:
            voice.say(f"{output}: an earlier writer ended without finishing: {left}")
        yield


@contextmanager
def claim(
    output: Path, *, overwrite: bool, starts: bytes = b"", inputs: Sequence[Path | None] = ()
) -> Iterator[None]:
    """Hold the lock of an output; one that is there is refused as ``refuse_existing`` does.

    Raises:
        LockedError: another process writes it.
        UsageError: it exists, and ``overwrite`` is not given or it is one of the inputs.
        OutputError: its folder cannot be written.
    """
    with hold(output):
        refuse_existing(output, overwrite=overwrite, starts=starts, inputs=inputs)
        yield
