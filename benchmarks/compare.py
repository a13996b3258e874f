"""Side by side: each round runs every contender once, in turns; medians, ratio, goal."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """A ratio and the goal it is held against.

    Attributes:
        benchmark: what was measured, with its sizes.
        against: the peer.
        ratio: speed of ours over the peer's, or for time and memory ours over the peer's.
        goal: what the ratio should be; 0 where it is only told.
        at_least: whether more is better.
        note: the seconds behind it, and what bounds it.
    """

    benchmark: str
    against: str
    ratio: float
    goal: float
    at_least: bool
    note: str

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "met": self.met if self.goal else None}


def seconds(
    contenders: dict[str, Callable[[], object]],
    rounds: int,
    *,
    before: Callable[[str], object] = lambda name: None,
    warm: bool = False,
) -> dict[str, float]:
    """Median seconds of each; the rounds go through all of them, so that drift hits all alike.

    Args:
        contenders: what is timed, by name.
        rounds: how often.
        before: called with the name, outside the time.
        warm: whether each runs once before, untimed.
    """
    if warm:
        for run in contenders.values():
            run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            before(name)
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def print_header() -> None:
    """What the columns are."""
    print(f"\n{'measured':<40}{'against':<28}{'ratio':>8}  {'goal':<16}behind it", flush=True)


def print_rows(rows: list[Row]) -> None:
    """As a table."""
    for row in rows:
        sign = ">=" if row.at_least else "<="
        goal = f"{sign} {row.goal:<5}{'met' if row.met else 'MISSED':<8}" if row.goal else ""
        print(
            f"{row.benchmark:<40}{row.against:<28}{row.ratio:>8.2f}  {goal:<16}{row.note}",
            flush=True,
        )
