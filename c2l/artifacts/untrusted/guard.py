"""Tries an HDF5 file of any origin out in a limited child process before this one opens it.

The HDF5 library is written in C, and a file made for the purpose can crash it. The child walks
all that a reader would; if it dies, the file is refused and this process lives.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from c2l.artifacts.untrusted.trial import COMPLETE, CPU_SECONDS, REFUSED, UNFINISHED
from c2l.errors import BadInputError
from c2l.runtime.files import Identity, identity

WALL_SECONDS = 2 * CPU_SECONDS
TRUST = "if you trust its origin, add --trust to read it without this trial"

# -I -S leave out the user's settings and the site's start-up files; what is needed is named.
_PROGRAM = (
    "import sys; sys.path[:0] = sys.argv[3:]; "
    "from c2l.artifacts.untrusted.trial import main; main()"
)
# Where the loader finds shared libraries, and how the file system is told to lock.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HDF5_USE_FILE_LOCKING")

# Files that were found safe, or that this very process wrote: looked at once a command.
_passed: set[Identity] = set()
# Whether the user vouches for all files of this command.
_trusting = False


def trust_files(on: bool) -> None:
    """Open HDF5 files without a trial from now on, or with one; all other checks stay."""
    global _trusting
    _trusting = on


def require_safe(path: Path, *, hint: str | None = None, unfinished: bool = False) -> None:
    """Have a child process read a file's structure.

    Args:
        path: the file.
        hint: the command that makes such a file.
        unfinished: whether its writer was stopped, so that rows may be missing.

    Raises:
        BadInputError: the child refused the file, crashed, or took too long.
    """
    key = identity(path)
    if not path.is_file():
        raise BadInputError(path, "is not a regular file", hint=hint)
    if _trusting or key in _passed:
        return
    problem, hint = _try(path, hint, UNFINISHED if unfinished else COMPLETE)
    if problem is not None:
        raise BadInputError(path, problem, hint=hint)
    _passed.add(key)


def remember(path: Path) -> None:
    """Note a file that this process has just written, so that it is not tried out."""
    _passed.add(identity(path))


def _command(path: Path, taken_for: str) -> list[str]:
    import c2l

    homes = [str(Path(str(c2l.__file__)).parent.parent)]
    for package in ("h5py", "numpy"):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            homes.append(str(Path(spec.origin).parent.parent))
    # An absolute path, since HDF5 takes some others for instructions to itself.
    program = (sys.executable, "-I", "-S", "-B", "-c", _PROGRAM)
    return [*program, taken_for, os.path.abspath(path), *homes]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # One thread, since each reserves memory; no plug-ins, which a file could ask for by number.
    return {**kept, "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}


def _try(path: Path, hint: str | None, taken_for: str) -> tuple[str | None, str | None]:
    """What is wrong with the file, if anything, and the next step."""
    try:
        done = subprocess.run(
            _command(path, taken_for),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
            # An interrupt from the terminal is for this process, and says nothing of the file.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"reading it took a trial process more than {WALL_SECONDS} seconds", TRUST
    if done.returncode == 0:
        return None, hint
    if done.returncode == REFUSED:
        return str(json.loads(done.stdout)), hint
    if done.returncode == -signal.SIGXCPU:
        return f"reading it took a trial process more than {CPU_SECONDS} CPU seconds", TRUST
    if done.returncode < 0:
        return f"reading it crashed a trial process ({_name(-done.returncode)})", TRUST
    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return f"it could not be tried out in a child process: {last[:200]}", TRUST


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
