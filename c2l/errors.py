"""Errors shown to the user, each with an exit code that scripts can rely on."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    BUG = 1
    USAGE = 2
    BAD_INPUT = 3
    CONFIG_DIFFERS = 4
    LOCKED = 5
    NON_FINITE = 6
    UNAVAILABLE = 69
    OUT_OF_MEMORY = 71
    IO_ERROR = 74
    STOPPED = 75
    INTERRUPTED = 130


class C2LError(Exception):
    """An error with a message for the user and, if there is one, the next step.

    Args:
        message: what was expected and what was found; names the path, if any.
        hint: the next step, as a sentence or a command.

    Attributes:
        alike: whether all ranks of a command raise it, so that only the first says it.
    """

    exit_code: ExitCode = ExitCode.BUG
    alike = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(C2LError):
    """An invalid option, or options that cannot be combined."""

    exit_code = ExitCode.USAGE


class BadInputError(C2LError):
    """A missing, damaged, foreign or stale input.

    Args:
        path: the file or folder at fault.
        problem: what was expected and what was found.
        hint: the next step.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, path: str | Path, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {problem}", hint=hint)
        self.path, self.problem = str(path), problem


class ForeignError(BadInputError):
    """A file or folder of another program."""


class LockedInputError(BadInputError):
    """An input that another program has open for writing."""

    exit_code = ExitCode.LOCKED


class ConfigDiffersError(C2LError):
    """A run resumed with options other than those it was started with."""

    exit_code = ExitCode.CONFIG_DIFFERS


class LockedError(C2LError):
    """An output that another process is writing to."""

    exit_code = ExitCode.LOCKED


class NonFiniteError(C2LError):
    """A NaN or infinite feature, loss or gradient: nothing is stored and no step is taken."""

    exit_code = ExitCode.NON_FINITE


class OutOfMemoryError(C2LError):
    """The machine or the GPU ran out of memory."""

    exit_code = ExitCode.OUT_OF_MEMORY


class OutputError(C2LError):
    """An output that cannot be written (disk full, read-only, permission denied)."""

    exit_code = ExitCode.IO_ERROR


class StoppedError(C2LError):
    """A run that stopped on a signal after saving its state."""

    exit_code = ExitCode.STOPPED
    alike = True


class ElsewhereError(C2LError):
    """Another rank of the command failed, and says so itself."""

    def __init__(self, rank: int, code: int, message: str) -> None:
        super().__init__(f"rank {rank} failed: {message}")
        self.exit_code = ExitCode(code)


class RanksLostError(C2LError):
    """Other ranks of the command ended, hang, or cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE
