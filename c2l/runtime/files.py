"""Files that get their final name only once complete, and hashes to tell files apart."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2l.errors import BadInputError, C2LError, OutOfMemoryError, OutputError

CHUNK_BYTES = 1 << 20
# Bytes of a name on the usual file systems.
LONGEST_NAME = 255

Identity = tuple[int, int, int, int, int]


# What the system answers a process that may have no more of something.
SHORTAGES = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n)"),
    **dict.fromkeys((errno.ENOMEM, errno.EAGAIN), "close other programs, or ask for more memory"),
}


def unreadable(path: Path, error: OSError) -> C2LError:
    """The error for a file that cannot be read; what this process lacks is no fault of the file."""
    if hint := SHORTAGES.get(error.errno or 0):
        return OutOfMemoryError(f"{path}: cannot be read: {error.strerror}", hint=hint)
    return BadInputError(path, f"cannot be read: {error.strerror}")


def first_bytes(path: Path, count: int = 8) -> bytes:
    """The first bytes of a regular file.

    Raises:
        BadInputError: the file cannot be read, or is a pipe or device, which could block.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(path, "is not a regular file")
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(path, error) from None


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content.

    Raises:
        BadInputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(path, error) from None
    return digest.hexdigest()


def sha256_folder(folder: Path) -> dict[str, str]:
    """Hex SHA-256 of every file below a folder, by relative path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Check that no file changes while the block runs.

    A block that opens a file twice, to hash it and to read it, could otherwise see two different
    files if one replaces the other in between.

    Raises:
        BadInputError: a file is missing, or was written to or replaced.
    """
    before = [identity(path) for path in paths]
    yield
    for path, then in zip(paths, before, strict=True):
        if identity(path) != then:
            raise BadInputError(
                path, "changed while it was being read", hint="run the command again"
            )


def identity(path: Path) -> Identity:
    """Device, inode, size and times of a file: they change when it is written to or replaced.

    Raises:
        BadInputError: there is no such file.
    """
    try:
        s = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def sha256_lines(lines: Iterator[str]) -> str:
    """Hex SHA-256 of the lines, a newline after each."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


# Where there is no room for the output.
_ROOM = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT), "free some space, or choose an output on another disk"
    ),
    errno.EFBIG: "allow larger files (ulimit -f), or choose an output on another file system",
}


@contextmanager
def output_errors(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turn an OSError into an OutputError that names the output.

    Args:
        path: the output, for the message.
        needed: size of the output in bytes, for the message when the disk is full.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = _ROOM.get(error.errno or 0)
        if advice and needed is not None:
            reason += f" ({needed:,} bytes are needed)"
        advice = advice or SHORTAGES.get(error.errno or 0, "choose an output in a writable folder")
        raise OutputError(
            f"{path}: cannot be written: {reason}",
            hint=f"{advice}, then run the command again",
        ) from error


def partial_sibling(path: Path) -> Path:
    """The hidden temporary file beside an output."""
    name = f".{path.name}.partial"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f".{zlib.crc32(os.fsencode(path.name)):08x}.partial"
    return path.with_name(name)


def sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(partial: Path, final: Path) -> None:
    """Rename a complete temporary file or folder to its final name."""
    if partial.is_file():
        sync(partial)
    elif final.is_dir():
        # A rename cannot replace a folder that has files: the old one is moved aside first.
        aside = final.with_name(f".{final.name}.replaced")
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
        partial.rename(final)
        shutil.rmtree(aside, ignore_errors=True)
        sync(final.parent)
        return
    partial.replace(final)
    sync(final.parent)


@contextmanager
def replacing(
    path: Path, *, needed: int | None = None, partial: Path | None = None
) -> Iterator[Path]:
    """A temporary file to write to, renamed to ``path`` when the block ends without an error.

    Args:
        path: the final name.
        needed: size of the output in bytes, for the message when the disk is full.
        partial: another temporary name, for an output that several processes may write at once.

    Raises:
        OutputError: the output cannot be written.
    """
    partial = partial or partial_sibling(path)
    with output_errors(path, needed=needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            publish(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed to ``path`` when the block ends without an error.

    Raises:
        OutputError: the folder cannot be created or renamed.
    """
    # A symbolic link stays one: its target is replaced.
    path = Path(os.path.realpath(path))
    partial = partial_sibling(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    try:
        yield partial
        with output_errors(path):
            publish(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
