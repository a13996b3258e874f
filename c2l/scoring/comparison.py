"""Scores over seeds: mean, standard deviation, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

# A score for each seed, as a fraction; None if a run has no score.
BySeed = Mapping[int, float | None]


def spread(by_seed: BySeed) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds.

    Args:
        by_seed: the score of each seed.

    Returns:
        ``mean``, ``std``, ``seeds`` (their number) and ``by_seed``. ``mean`` and ``std`` are None
        if the score of any seed is unknown, so that no mean over fewer seeds looks like one over
        all of them; ``std`` is also None for fewer than two seeds.
    """
    known = [value for value in by_seed.values() if value is not None]
    complete = len(known) == len(by_seed) > 0
    return {
        "mean": fmean(known) if complete else None,
        "std": stdev(known) if complete and len(known) > 1 else None,
        "seeds": len(by_seed),
        "by_seed": {str(seed): value for seed, value in by_seed.items()},
    }


def difference(own: BySeed, reference: BySeed) -> dict[str, Any]:
    """The score of one row minus that of another, over their common seeds.

    Returns:
        The keys of ``spread``, and ``agree``: the number of differences with the sign of their
        mean, or None without a mean.
    """
    by_seed: dict[int, float | None] = {}
    for seed, value in own.items():
        if seed in reference:
            other = reference[seed]
            by_seed[seed] = None if value is None or other is None else value - other
    found = spread(by_seed)
    mean = found["mean"]
    agree = None if mean is None else sum(_sign(v or 0.0) == _sign(mean) for v in by_seed.values())
    return {**found, "agree": agree}


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
