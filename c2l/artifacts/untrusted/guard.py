"""Has a limited child process read an HDF5 file of any origin before this process opens it.

The HDF5 library is written in C, and a file made for the purpose can crash it. The child walks
all that a reader would; if it dies, the file is refused and this process lives.
"""

from __future__ import annotations

from pathlib import Path

from c2l.artifacts.in_use import require_closed
from c2l.artifacts.untrusted.child import Limits, run_limited
from c2l.errors import BadInputError
from c2l.runtime.files import Identity, identity

# A store of a hundred thousand images takes a few seconds.
LIMITS = Limits(memory_bytes=2 << 30, cpu_seconds=30, wall_seconds=60)
TRUST = "if you trust its origin, add --trust to read it without this trial"
COMPLETE, UNFINISHED = "complete", "unfinished"

# Files that were found safe, or that this process wrote.
_passed: set[Identity] = set()
# Whether the user vouches for all files of this command.
_trusting = False


def trust_files(on: bool) -> None:
    """Open HDF5 files without a trial from now on, or with one; all other checks stay."""
    global _trusting
    _trusting = on


def remember(path: Path) -> None:
    """Note a file that this process has just written, so that it is not tried out."""
    _passed.add(identity(path))


def require_safe(path: Path, *, hint: str | None = None, unfinished: bool = False) -> None:
    """Have a child process read all of a file.

    Args:
        path: the file.
        hint: the command that makes such a file.
        unfinished: whether its writer was stopped, so that rows may be missing.

    Raises:
        BadInputError: the child refused the file, crashed, or took too long; or the file is
            marked as open for writing.
        LockedInputError: another program has it open for writing.
        KilledError: the child was killed from outside.
    """
    key = identity(path)
    if not path.is_file():
        raise BadInputError(path, "is not a regular file", hint=hint)
    require_closed(path, unfinished=unfinished)
    if _trusting or key in _passed:
        return
    _try(path, hint, UNFINISHED if unfinished else COMPLETE)
    _passed.add(key)


def _try(path: Path, hint: str | None, taken_for: str) -> None:
    run_limited(
        "c2l.artifacts.untrusted.guard:look",
        path,
        taken_for,
        packages=("numpy", "h5py"),
        limits=LIMITS,
        hint=hint,
        crash_hint=TRUST,
    )


def look(name: str, taken_for: str) -> None:
    """In the child: walk all that a reader would.

    Args:
        name: path of the file.
        taken_for: ``unfinished`` where its writer was stopped, so that rows may be missing.

    Raises:
        BadInputError: what is wrong with it.
    """
    import h5py

    from c2l.artifacts.seal import content_digest
    from c2l.artifacts.untrusted.structure import check_structure

    unfinished = taken_for == UNFINISHED
    with h5py.File(name, "r", swmr=unfinished) as file:
        # Another format is refused by whoever opens it; reading its name has crashed nothing.
        if str(file.attrs.get("format", "")).startswith("c2l-"):
            check_structure(Path(name), file, unfinished=unfinished)
            content_digest(file)
