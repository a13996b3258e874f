"""Scores over seeds: mean, spread, and differences seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

# A score by seed, as a fraction; None where a run has none.
BySeed = Mapping[int, float | None]


def spread(by_seed: BySeed) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds.

    Args:
        by_seed: a score by seed.

    Returns:
        ``mean``, ``std``, ``seeds`` (how many) and ``by_seed``. ``mean`` is None where a score is
        unknown, since a mean over fewer seeds would pass for one over all; ``std`` is None under
        two seeds too.
    """
    known = [value for value in by_seed.values() if value is not None]
    whole = len(known) == len(by_seed) > 0
    return {
        "mean": fmean(known) if whole else None,
        "std": stdev(known) if whole and len(known) > 1 else None,
        "seeds": len(by_seed),
        "by_seed": {str(seed): value for seed, value in by_seed.items()},
    }


def difference(own: BySeed, reference: BySeed) -> dict[str, Any]:
    """What one row scores above another, over the seeds that both have.

    Returns:
        As ``spread``, with ``agree``: how many differences have the sign of their mean, None
        where there is no mean.
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
