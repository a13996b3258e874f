"""Where what is wrong goes: an error at the first fault, or a list of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from c2l.errors import BadInputError

# Called with the file at fault, what is wrong with it, and the next step.
Report = Callable[[str | Path, str, str | None], None]


def stop_at_first(path: str | Path, problem: str, hint: str | None) -> None:
    """The report that raises: for everything but a check."""
    raise BadInputError(path, problem, hint=hint)
