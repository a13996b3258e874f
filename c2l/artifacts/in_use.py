"""Tells an HDF5 file that another program has open for writing from one that is damaged."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from c2l.artifacts import superblock
from c2l.errors import BadInputError, LockedInputError
from c2l.runtime.files import first_bytes

# The kernel's list of locks.
LOCKS = Path("/proc/locks")
# By these values, users have HDF5 take no locks.
UNLOCKED = ("FALSE", "0")


def require_closed(path: Path, *, unfinished: bool = False) -> None:
    """Refuse a file that a program has open for writing, or has not closed.

    Args:
        path: the file.
        unfinished: whether its writer was stopped, so that the file is still marked as open.

    Raises:
        LockedInputError: a program has it open.
        BadInputError: it is marked as open; or it cannot be read.
    """
    if os.environ.get("HDF5_USE_FILE_LOCKING") not in UNLOCKED and _is_locked(path):
        raise locked_input(path)
    if not unfinished and superblock.marks(first_bytes(path, superblock.SIZE)):
        raise BadInputError(
            path,
            "is marked as open for writing: its writer still runs, or ended without closing it",
            hint="close it there; if that program is gone, clear the mark (h5clear -s FILE, of "
            "HDF5's tools), then run the command again",
        )


def locked_input(path: Path) -> LockedInputError:
    """The error for a file that a program has open for writing."""
    return LockedInputError(
        path,
        f"is open for writing by {_holder(path)}",
        hint="close it there (a notebook, a viewer), then run the command again",
    )


def _is_locked(path: Path) -> bool:
    """Whether a program holds the lock that HDF5 takes for writing."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # what cannot be opened is told by who reads it; some systems have no locks
    return False


def _holder(path: Path) -> str:
    """Who holds the lock, in words; only Linux tells."""
    with suppress(OSError):
        status = path.stat()
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        pattern = rf"FLOCK\s+\S+\s+WRITE\s+(\d+)\s+{device}:{status.st_ino}\s"
        if found := re.search(pattern, LOCKS.read_text(encoding="ascii")):
            return f"process {found[1]} on {socket.gethostname()}"
    return "another program"
