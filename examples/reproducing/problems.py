"""The errors that reproduce.py reports, with c2l's own exit codes."""

from __future__ import annotations

DONE, USAGE, BAD_INPUT, LOCKED, OUTPUT, STOPPED = 0, 2, 3, 5, 74, 75


class ProblemError(Exception):
    """What is wrong, the next step, and the exit code.

    Args:
        message: names the file or option, what was expected and what was found.
        code: the exit code.
        hint: the next step.
    """

    def __init__(self, message: str, code: int, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.hint = message, code, hint
