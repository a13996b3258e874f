"""verify: an artifact's own content and that of everything it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from c2l import schema
from c2l.artifacts.chain import Link
from c2l.artifacts.freshness import Freshness
from c2l.artifacts.lineage import FEATURES, PREDICTOR, SCORES
from c2l.artifacts.registry import read_link
from c2l.errors import BadInputError


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        path: of the artifact.
        what: what was checked.
        problem: what is wrong, or None.
    """

    path: str
    what: str
    problem: str | None


def verify(artifacts: list[Path]) -> Iterator[Finding]:
    """Check artifacts and, through their lineage, all that they were made from.

    Yields:
        A finding per check, as it is made.

    Raises:
        BadInputError: an artifact that was named is missing or of no kind that c2l writes.
    """
    fresh, seen = Freshness(thorough=True), set()
    waiting = [read_link(path) for path in artifacts]
    while waiting:
        link = waiting.pop(0)
        if link.path.absolute() in seen:
            continue
        seen.add(link.path.absolute())
        yield from _own(link)
        for source in link.sources:
            what = f"its {source.role} {source.located(link.path)}"
            yield Finding(str(link.path), what, fresh.problem(link, source))
            if source.role in (FEATURES, PREDICTOR, SCORES):
                waiting += _next(source.located(link.path))
        if link.takes and not link.sources:
            yield Finding(str(link.path), "lineage", "names no inputs: an earlier version made it")


def _next(path: Path) -> list[Link]:
    """The link at an input, where it is one that can be read."""
    try:
        return [read_link(path.parent if path.name == schema.PREDICTOR else path)]
    except BadInputError:
        return []


def _own(link: Link) -> Iterator[Finding]:
    if not link.complete:
        yield Finding(str(link.path), "completeness", f"is not finished: {link.done}")
    for what, check in link.format.checks:
        if what == PREDICTOR and not link.complete and not (link.path / schema.PREDICTOR).exists():
            continue
        try:
            problem = check(link.path)
        except BadInputError as error:
            problem = error.message
        yield Finding(str(link.path), what, problem)
