"""Which images stand for the best, the middle and the worst of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# Images of each kind, at most; with fewer than three times as many, a third of what there is.
EACH = 3


def best_median_worst(ranked: Sequence[T], each: int = EACH) -> dict[str, list[T]]:
    """The first, the middle and the last of a ranking; none of them twice.

    Args:
        ranked: from the best to the worst.
        each: how many of each kind, at most.

    Returns:
        ``best``, ``median`` and ``worst``, each in the ranking's order; empty lists for fewer
        than three.
    """
    count = min(each, len(ranked) // 3)
    middle, last = (len(ranked) - count) // 2, len(ranked) - count
    starts = {"best": 0, "median": middle, "worst": last}
    return {kind: list(ranked[start : start + count]) for kind, start in starts.items()}
