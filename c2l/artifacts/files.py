"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.errors import BadInputError, OutputError, UsageError

CHUNK_BYTES = 1 << 20
# Far deeper than any artifact, far from the limit of Python's own recursion.
DEEPEST_JSON = 64
# What the names of all formats begin with.
FORMAT_NAME = b"c2l-"
# Ends the name of a stopped run's leftover while it is copied into a fresh file.
COPIED = ".old"
# Larger than any artifact: the scores of a million photos, photo by photo.
LARGEST_JSON = 256 << 20

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
        UsageError: the path exists and ``overwrite`` is not given, it is no file of that format,
            or it is one of the inputs.
    """
    if not path.exists():
        return
    for given in inputs:
        if given is not None and given.exists() and _lies_in(given, path):
            what = "is" if given.samefile(path) else f"holds {given}, which is"
            raise UsageError(
                f"{path}: {what} read and cannot be the output", hint="name another output"
            )
    if not overwrite:
        raise UsageError(f"{path}: exists already", hint=hint)
    if starts and not _is_ours(path, starts):
        raise UsageError(
            f"{path}: is no file that c2l wrote, so --overwrite will not replace it",
            hint="name another output, or remove it first",
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
            file.seek(1 - len(FORMAT_NAME), os.SEEK_CUR)
            block = file.read(CHUNK_BYTES)
            if len(block) < len(FORMAT_NAME):
                return False
        return FORMAT_NAME in block


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


def leftover(final: Path) -> Path:
    """What a stopped run left of an output: its temporary sibling, also while that is copied."""
    copied = copied_sibling(final)
    return copied if copied.exists() else partial_sibling(final)


def copied_sibling(path: Path) -> Path:
    """Where a stopped run's leftover lies while it is copied into a fresh file."""
    return path.with_name(f"{partial_sibling(path).name}{COPIED}")


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


def write_json(path: Path, value: dict[str, Any], *, sealed: bool = False) -> None:
    """Write JSON atomically; NaN is refused since JSON has none.

    Args:
        path: the final name.
        value: an object.
        sealed: add the digest of its content under ``sha256``.
    """
    if sealed:
        value = {**value, schema.JSON_SEAL: digest_of(value)}
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with replacing(path, needed=len(text)) as partial:
        partial.write_text(text, encoding="utf-8")


def read_json(
    path: Path, *, what: str, hint: str | None = None, sealed: bool = False
) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        what: it is expected to be.
        hint: the command that makes one.
        sealed: require that its ``sha256`` fits its content, and take it off.

    Raises:
        BadInputError: missing, not JSON, not an object, or changed since it was written.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(path, f"is not a regular file; expected {what}", hint=hint)
        if path.stat().st_size > LARGEST_JSON:
            raise BadInputError(path, f"not {what}: {path.stat().st_size:,} bytes", hint=hint)
        value = strict_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(path, f"no such file; expected {what}", hint=hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(path, f"not {what}: {error}", hint=hint) from None
    if not isinstance(value, dict):
        raise BadInputError(path, f"not {what}: a JSON object is expected", hint=hint)
    if sealed:
        unseal(path, value, hint=hint)
    return value


def unseal(path: Path, value: dict[str, Any], *, hint: str | None = None) -> None:
    """Take the digest off a JSON object, and hold it against the content.

    Raises:
        BadInputError: it is missing or does not match.
    """
    if value.pop(schema.JSON_SEAL, None) != digest_of(value):
        raise BadInputError(
            path,
            f"its content does not match its {schema.JSON_SEAL}: damaged, or changed by hand",
            hint=hint,
        )


def digest_of(value: dict[str, Any]) -> str:
    """Hex SHA-256 of a JSON object, whatever the order of its keys."""
    # Through JSON, since a key may be a number before it is written and a text afterwards.
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def strict_json(text: str) -> Any:
    """JSON as the standard has it, and no more than artifacts need.

    Raises:
        ValueError: NaN, a number beyond 64 bits, a key twice, or nested too deep.
    """
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_small,
        object_pairs_hook=_distinct,
    )
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST_JSON):
        inner = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            break
    else:
        raise ValueError(f"nested more than {DEEPEST_JSON} deep")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _small(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"the number {text[:20]} has more than 64 bits")
    return int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has the same key twice")
    return value
