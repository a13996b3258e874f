"""Where what is wrong goes: an error at the first fault, or a list of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from c2l.data.names import shown
from c2l.errors import BadInputError

_MOST_NAMED = 10

# Called with the file at fault, what is wrong with it, and the next step.
Report = Callable[[str | Path, str, str | None], None]


def stop_at_first(path: str | Path, problem: str, hint: str | None) -> None:
    """The report that raises: for everything but a check."""
    raise BadInputError(path, problem, hint=hint)


class Faults:
    """Files of a data set that cannot be used, gathered while it is opened.

    Args:
        root: of the data set; what is wrong with itself is an error at once.

    Attributes:
        found: what is wrong with each file, by its path below the root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.found: dict[str, BadInputError] = {}

    def add(self, path: str | Path, problem: str, hint: str | None) -> None:
        """Note a file.

        Raises:
            BadInputError: it is the data set's folder.
        """
        error = BadInputError(path, problem, hint=hint)
        if Path(path) == self.root:
            self.refuse()
            raise error
        self.found[shown(str(path).removeprefix(f"{self.root}/"))] = error

    def refuse(self) -> None:
        """Name all files in one error.

        Raises:
            BadInputError: there are any.
        """
        errors = list(self.found.values())
        if not errors:
            return
        see = f"see all: c2l data check {shown(self.root)}; leave them out: --on-error skip"
        if len(errors) == 1:
            raise BadInputError(errors[0].path, errors[0].problem, hint=f"{errors[0].hint}; {see}")
        named = [f"{name}: {error.problem}" for name, error in self.found.items()][:_MOST_NAMED]
        more = [f"{len(errors) - len(named)} more"] if len(errors) > len(named) else []
        problem = f"{len(errors)} files cannot be used: {'; '.join([*named, *more])}"
        raise BadInputError(self.root, problem, hint=see)
