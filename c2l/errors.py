"""The errors a user can meet, each with the exit code a shell script may rely on."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    BUG = 1
    USAGE = 2
    BAD_INPUT = 3
    CONFIG_DIFFERS = 4
    LOCKED = 5
    NON_FINITE = 6
    OUT_OF_MEMORY = 71
    IO_ERROR = 74
    STOPPED = 75
    INTERRUPTED = 130


class C2LError(Exception):
    """An error with a message for the user and the next step to take.

    Args:
        message: what was expected and what was found; names the path where there is one.
        hint: the next step, as a sentence or a command.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(C2LError):
    """An option or a combination of options that cannot work."""

    exit_code = ExitCode.USAGE


class BadInputError(C2LError):
    """A missing, broken, foreign or stale input.

    Args:
        path: the file or folder at fault.
        problem: what was expected and what was found.
        hint: the next step.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, path: str | Path, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {problem}", hint=hint)
        self.path = str(path)


class ConfigDiffersError(C2LError):
    """A run resumed under options that differ from the ones it was started with."""

    exit_code = ExitCode.CONFIG_DIFFERS


class LockedError(C2LError):
    """An output that another process is writing."""

    exit_code = ExitCode.LOCKED


class NonFiniteError(C2LError):
    """A feature, loss or gradient that is NaN or infinite; it is not stored, no step is taken."""

    exit_code = ExitCode.NON_FINITE


class OutOfMemoryError(C2LError):
    """Memory of the machine or of the GPU that ran out."""

    exit_code = ExitCode.OUT_OF_MEMORY


class OutputError(C2LError):
    """An output that cannot be written (disk full, read-only, not permitted)."""

    exit_code = ExitCode.IO_ERROR


class StoppedError(C2LError):
    """A run that stopped on a signal after its state was saved."""

    exit_code = ExitCode.STOPPED
