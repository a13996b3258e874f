"""Runs a function over a file in a limited child process, so that a hostile file harms only that.

The parent calls ``run_limited``. The child starts without the user's settings and environment,
imports what the function needs, bounds itself, and only then reads the first byte of the file.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import c2l
from c2l.artifacts.in_use import locked_input
from c2l.errors import BadInputError, ExitCode, OutputError

# -I -S leave out the user's settings and the site's start-up files; what is needed is named.
_PROGRAM = (
    "import json, sys; request = json.loads(sys.argv[1]); sys.path[:0] = request['homes']; "
    "from c2l.artifacts.untrusted.child import answer; answer(request)"
)
# Where the loader finds shared libraries, and how HDF5 locks files.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HDF5_USE_FILE_LOCKING")


class KilledError(BadInputError):
    """The child was killed from outside, as a rule for want of memory: no fault of the file."""


@dataclass(frozen=True)
class Limits:
    """What the child may take beyond what the import of its packages took.

    Attributes:
        memory_bytes: of address space.
        cpu_seconds: of processor time.
        wall_seconds: by the clock, from the child's start.
        file_bytes: size of a file that it writes.
    """

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: int
    file_bytes: int = 0

    def apply(self) -> None:
        """Bound this process."""
        cpu = math.ceil(time.process_time()) + self.cpu_seconds
        bounds = {
            # The signal that says why comes at the lower one, plain death at the higher.
            resource.RLIMIT_CPU: (cpu, cpu + 1),
            resource.RLIMIT_FSIZE: (self.file_bytes, self.file_bytes),
            resource.RLIMIT_CORE: (0, 0),
        }
        with suppress(FileNotFoundError):  # on other systems than Linux
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            memory = pages * resource.getpagesize() + self.memory_bytes
            bounds[resource.RLIMIT_AS] = (memory, memory)
        for kind, (soft, hard) in bounds.items():
            _, most = resource.getrlimit(kind)
            if most != resource.RLIM_INFINITY:
                soft, hard = min(soft, most), min(hard, most)
            resource.setrlimit(kind, (soft, hard))


def run_limited(
    task: str,
    path: Path,
    *arguments: str,
    packages: Sequence[str],
    limits: Limits,
    hint: str | None,
    crash_hint: str,
) -> None:
    """Have a child process run a function over a file.

    Args:
        task: ``module:function``; called with the file's absolute path and the arguments.
        path: the file.
        arguments: of the function.
        packages: imported before the limits hold.
        limits: of the child.
        hint: the next step when the function refuses the file.
        crash_hint: the next step when the child dies.

    Raises:
        BadInputError: the function refused the file, or the child crashed or took too much.
        KilledError: the child was killed from outside.
        LockedInputError: another program has the file open for writing.
        OutputError: what the function writes cannot be written.
    """
    request = {
        "task": task,
        # An absolute path, since HDF5 takes some others for instructions to itself.
        "arguments": [os.path.abspath(path), *arguments],
        "packages": packages,
        "limits": asdict(limits),
        "homes": _homes(packages),
    }
    program = (sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, json.dumps(request))
    try:
        done = subprocess.run(
            program,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.wall_seconds,
            check=False,
            # An interrupt from the terminal is for this process, and says nothing of the file.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        problem = f"reading it took a child process more than {limits.wall_seconds} seconds"
        raise BadInputError(path, problem, hint=crash_hint) from None
    if done.returncode == ExitCode.BAD_INPUT:
        raise BadInputError(path, json.loads(done.stdout), hint=hint)
    if done.returncode == ExitCode.LOCKED:
        raise locked_input(path)
    if done.returncode == ExitCode.IO_ERROR:
        raise OutputError(json.loads(done.stdout), hint="free some space, or set TMPDIR")
    if done.returncode == -signal.SIGXCPU:
        problem = f"reading it took a child process more than {limits.cpu_seconds} CPU seconds"
        raise BadInputError(path, problem, hint=crash_hint)
    if done.returncode < 0:
        problem = f"reading it crashed a child process ({_name(-done.returncode)})"
        error = KilledError if done.returncode == -signal.SIGKILL else BadInputError
        raise error(path, problem, hint=crash_hint)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        problem = f"it could not be read in a child process: {last[:200]}"
        raise BadInputError(path, problem, hint=crash_hint)


def answer(request: dict[str, Any]) -> None:
    """In the child: run the function; what is wrong goes to stdout as JSON."""
    # What a library prints must not get into the answer.
    stdout = os.dup(1)
    os.dup2(2, 1)
    for package in request["packages"]:
        import_module(package)
    module, _, name = request["task"].partition(":")
    task = getattr(import_module(module), name)
    limits = Limits(**request["limits"])
    limits.apply()
    code, said = ExitCode.OK, ""
    try:
        task(*request["arguments"])
    except BadInputError as error:
        code, said = ExitCode.BAD_INPUT, error.problem
    except OutputError as error:
        code, said = ExitCode.IO_ERROR, error.message
    except BlockingIOError:
        code = ExitCode.LOCKED
    except MemoryError:
        most = f"{limits.memory_bytes >> 20} MiB"
        code, said = ExitCode.BAD_INPUT, f"reading it takes more than {most}"
    except Exception as error:  # whatever it is, it is the file's fault
        reason = str(error).partition("\n")[0] or type(error).__name__
        code, said = ExitCode.BAD_INPUT, f"damaged: {reason}"
    os.write(stdout, json.dumps(said).encode())
    # Without the libraries' own tidying up, which a hostile file may have made unsafe.
    os._exit(code)


def _homes(packages: Sequence[str]) -> list[str]:
    """Folders that c2l and the packages are imported from."""
    homes = {str(Path(str(c2l.__file__)).parent.parent): None}
    for package in packages:
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            homes[str(Path(spec.origin).parent.parent)] = None
    return list(homes)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # One thread, since each reserves memory; no plug-ins, which a file could ask for by number.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**kept, **threads, "LC_ALL": "C.UTF-8", "HDF5_PLUGIN_PRELOAD": "::"}


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
