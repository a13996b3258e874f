"""A lock per output, which ends with its holder and names it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from c2l.errors import LockedError
from c2l.runtime.files import output_errors

# What a file system answers that has no locks of its own (some network ones).
WITHOUT_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


# Outputs that this process writes now.
HELD: set[Path] = set()


def lock_file(output: Path) -> Path:
    """The hidden file beside an output that its writer holds locked.

    Beside what it really is: by whatever link or relative path it is named, it is one output.
    """
    real = Path(os.path.realpath(output))
    return real.parent / f".{real.name}.lock"


def holder(path: Path) -> dict[str, Any] | None:
    """Who wrote a lock file: ``host``, ``pid``, ``since``; None without one, {} if unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def writer_of(output: Path) -> str | None:
    """Who writes an output now, in words, or None."""
    path = lock_file(output)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _left_by(holder(path.with_suffix(".owner")))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _left_by(holder(path)) or "another process"
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


@contextmanager
def exclusive(output: Path) -> Iterator[str | None]:
    """Hold an output while it is written.

    The system drops the lock when the process ends in whatever way, so that a killed writer
    leaves nothing to clean up. On a file system without locks, the file's existence is the
    lock, and one whose process is gone from this machine is taken over.

    Args:
        output: the file or folder to be written.

    Yields:
        What a writer that was killed left behind, in words, or None.

    Raises:
        LockedError: another process writes it.
        OutputError: the lock file cannot be made.
    """
    with output_errors(output):
        lock_file(output).parent.mkdir(parents=True, exist_ok=True)
        path, descriptor, left = _acquire(output)
    HELD.add(path)
    try:
        with output_errors(output):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
        yield left
    finally:
        HELD.discard(path)
        # While it is still locked: whoever opened it meanwhile sees that it is gone.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _myself() -> dict[str, Any]:
    since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since}


def _acquire(output: Path) -> tuple[Path, int, str | None]:
    path = lock_file(output)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return path, descriptor, _left_by(holder(path))
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            hint = "wait for it or stop it, then run the command again"
            raise _locked(output, holder(path), hint) from None
        except OSError as error:
            os.close(descriptor)
            if error.errno not in WITHOUT_LOCKS:
                raise
            with contextlib.suppress(OSError):
                path.unlink()
            return _acquire_by_name(output)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file is the one that has the name now."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _acquire_by_name(output: Path) -> tuple[Path, int, str | None]:
    """Where there are no locks: the file's existence is the lock, its content says whose."""
    path, left = lock_file(output).with_suffix(".owner"), None
    found = holder(path)
    if found is not None:
        if found.get("host") != socket.gethostname() or _is_alive(found.get("pid")):
            hint = f"wait for it; if that process is gone, remove {path} and run the command again"
            raise _locked(output, found, hint)
        left = _left_by(found)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise _locked(output, holder(path), "run the command again") from None
    return path, descriptor, left


def _is_alive(pid: Any) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _left_by(found: dict[str, Any] | None) -> str | None:
    if not found:
        return None
    return f"process {found.get('pid')} on {found.get('host')}, which began at {found.get('since')}"


def _locked(output: Path, found: dict[str, Any] | None, hint: str) -> LockedError:
    found = found or {}
    who = f"process {found.get('pid', '?')} on {found.get('host', 'an unknown host')}"
    since = f" since {found['since']}" if "since" in found else ""
    return LockedError(f"{output}: is being written by {who}{since}", hint=hint)
