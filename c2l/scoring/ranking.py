"""Examples of the best, median and worst images of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# Most images of each kind.
MOST = 3


def best_median_worst(ranked: Sequence[T]) -> dict[str, list[T]]:
    """The first, middle and last items of a ranking, without duplicates.

    Args:
        ranked: from best to worst.

    Returns:
        ``best``, ``median`` and ``worst``, each in the order of the ranking: ``MOST`` of each, or
        a third of a short ranking.
    """
    count = min(MOST, len(ranked) // 3)
    middle, last = (len(ranked) - count) // 2, len(ranked) - count
    starts = {"best": 0, "median": middle, "worst": last}
    return {kind: list(ranked[start : start + count]) for kind, start in starts.items()}
