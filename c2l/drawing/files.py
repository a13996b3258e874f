"""Writing a file so that its final name appears only when it is complete."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from c2l.errors import OutputError


@contextmanager
def complete_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to: a temporary sibling, synced and renamed at the end.

    Folders above it are made. When the block fails, no file is left and an existing one stays
    as it was.

    Args:
        path: the final name.

    Raises:
        OutputError: the file cannot be written.
    """
    # The name's checksum keeps the sibling's name short where the final one is at the limit.
    name = f".{zlib.crc32(path.name.encode(errors='surrogateescape')):08x}-{os.getpid()}.tmp"
    temporary = path.with_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _output_error(path, error, _size(temporary)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _output_error(path: Path, error: OSError, written: int) -> OutputError:
    reason = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        return OutputError(
            f"{path}: expected room for more than {written} bytes, found: {reason}",
            hint="free disk space or choose another output folder, then run it again",
        )
    return OutputError(
        f"{path}: expected to write this file, found: {reason}",
        hint="choose an output folder that can be written to",
    )
