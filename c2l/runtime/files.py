"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from c2l.errors import BadInputError, OutputError

CHUNK_BYTES = 1 << 20

Identity = tuple[int, int, int, int, int]


def first_bytes(path: Path, count: int = 8) -> bytes:
    """What a regular file begins with; a pipe or a device would keep the reader waiting.

    Raises:
        BadInputError: it cannot be read, or is no regular file.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(path, "is not a regular file")
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes.

    Raises:
        BadInputError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def sha256_folder(folder: Path) -> dict[str, str]:
    """Hex SHA-256 of every file in a folder, by its path within, in order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Hold some files to be the same at the end of the block as at its beginning.

    What is hashed and read in two openings could otherwise be two files, one of them put into
    the other's place between the two.

    Raises:
        BadInputError: one was written or replaced, or is not there.
    """
    before = [identity(path) for path in paths]
    yield
    for path, then in zip(paths, before, strict=True):
        if identity(path) != then:
            raise BadInputError(path, "was written while it was read", hint="run it again")


def identity(path: Path) -> Identity:
    """What changes when a file is written or another one takes its name.

    Raises:
        BadInputError: there is none.
    """
    try:
        s = path.stat()
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def sha256_lines(lines: Iterator[str]) -> str:
    """Hex SHA-256 of some lines, each ended by a newline."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


@contextmanager
def output_errors(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turn an OSError while writing into an error that names the output and the bytes needed."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and needed is not None:
            reason += f" ({needed:,} bytes are needed)"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        room = "free some space, or name an output on another disk"
        place = "name an output in a folder that can be written"
        raise OutputError(
            f"{path}: cannot be written: {reason}",
            hint=f"{room if full else place}, then run the command again",
        ) from error


def partial_sibling(path: Path) -> Path:
    """The hidden temporary name beside an output."""
    return path.with_name(f".{path.name}.partial")


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(partial: Path, final: Path) -> None:
    """Give a complete temporary file or folder its final name."""
    if partial.is_file():
        sync(partial)
    elif final.is_dir():
        # A folder cannot be replaced by a rename; move the old one aside first.
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
    """A temporary name to write to; it becomes ``path`` when the block ends without an error.

    Args:
        path: the final name.
        needed: bytes the output takes, for the message when the disk is full.
        partial: the temporary name where several processes may write the output at once.

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
    """A temporary folder to fill; it becomes ``path`` when the block ends without an error.

    Raises:
        OutputError: the folder cannot be made or given its name.
    """
    # A folder that is a link stays one: what it leads to is replaced.
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
