"""Claims an output: no other process writes it meanwhile, and nothing is replaced unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from c2l.artifacts.locks import exclusive
from c2l.errors import UsageError
from c2l.options import Options
from c2l.runtime.files import CHUNK_BYTES
from c2l.runtime.progress import console

# What files of the formats begin with.
HDF5, JSON = b"\x89HDF\r\n\x1a\n", b"{"


def inputs_of(
    options: Options, *others: Path | None, data: Path | None = None
) -> list[Path | None]:
    """Everything that a stage reads by name, for ``claim`` and ``refuse_existing``.

    Args:
        options: those that name files or folders are marked by ``reads``.
        others: its arguments.
        data: the data set among them, in which folders may be named.
    """
    found = [data, *others]
    for item in fields(options):
        reads, value = item.metadata.get("reads"), getattr(options, item.name)
        named = reads and isinstance(value, str)
        if named and (reads != "file" or os.path.isfile(value)):
            found.append(Path(value))
            if reads == "folder" and data is not None:
                found.append(data / value)
    return found


@contextmanager
def hold(output: Path) -> Iterator[None]:
    """Hold the lock of an output, and say so when a killed writer left it behind.

    Raises:
        LockedError: another process writes it.
        OutputError: its folder cannot be written.
    """
    with exclusive(output) as left:
        if left:
            console.print(f"{output}: an earlier writer ended without finishing: {left}")
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


# What the names of all formats begin with.
FORMAT_NAME = b"c2l-"


def refuse_existing(
    path: Path,
    *,
    overwrite: bool,
    starts: bytes = b"",
    inputs: Sequence[Path | None] = (),
    hint: str = "add --overwrite to replace it, or name another output",
) -> None:
    """Stop before any work when the output is there already.

    Args:
        path: the output.
        overwrite: whether it may be replaced.
        starts: what a file of the output's format begins with; anything else, and what holds no
            name of a format of c2l, is not replaced, so that a slip of the hand cannot cost a
            photo, a device, or another program's data.
        inputs: what the output is made from.
        hint: the next step.

    Raises:
        UsageError: the path exists and ``overwrite`` is not given, it is not a file of that format,
            or it is one of the inputs.
    """
    refuse_inputs(path, inputs)
    if not path.exists():
        return
    if not overwrite:
        raise UsageError(f"{path}: exists already", hint=hint)
    if starts and not _is_ours(path, starts):
        raise UsageError(
            f"{path}: was not written by c2l, so --overwrite will not replace it",
            hint="name another output, or remove it first",
        )


def refuse_inputs(path: Path, inputs: Sequence[Path | None]) -> None:
    """Stop before any work when the output is one of the inputs, or a folder that holds one.

    Raises:
        UsageError: it is.
    """
    for given in inputs:
        if given is not None and os.path.exists(given) and _lies_in(given, path):
            what = "is" if given.samefile(path) else f"holds {given}, which is"
            raise UsageError(
                f"{path}: {what} read and cannot be the output", hint="name another output"
            )


def _lies_in(given: Path, path: Path) -> bool:
    inner, outer = (Path(os.path.realpath(one)) for one in (given, path))
    return inner == outer or outer in inner.parents


def _is_ours(path: Path, starts: bytes) -> bool:
    """Whether a regular file begins so and names a format of c2l, or holds nothing.

    It is not parsed: a damaged one may be replaced, and one of unknown origin may be a trap.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        block = file.read(CHUNK_BYTES)
        if not block.startswith(starts):
            return not block
        while block and FORMAT_NAME not in block:
            # A name may lie across two blocks.
            more = file.read(CHUNK_BYTES)
            block = block[1 - len(FORMAT_NAME) :] + more if more else b""
        return bool(block)
