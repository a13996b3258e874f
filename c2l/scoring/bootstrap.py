"""Intervals that say how far a score depends on which images were drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.scoring.metrics import NothingToScoreError, matched_counts, rates

# Weights held at once: 2**22 of them are 32 MiB as integers and 32 MiB as floats.
_CHUNK_WEIGHTS = 2**22

Scored = tuple[NDArray[np.int64], NDArray[np.int64]]

METRICS = ("miou", "pixel_accuracy", "mean_class_accuracy")


def bootstrap(
    per_image: NDArray[np.int64],
    matching: NDArray[np.int64],
    resamples: int,
    seed: int,
    level: float = 0.95,
) -> dict[str, list[float]]:
    """Percentile intervals over resampled images, under one fixed matching.

    The matching is not fitted anew a resample, so the intervals leave out its own choice.
    A resample without a labelled pixel is left out; a class that a resample lacks is left out
    of that resample's means.

    Args:
        per_image: (M, K, N) int64 confusion matrix of each image.
        matching: (K,) int64 class of each cluster or -1.
        resamples: number of resamples; 0 gives no intervals.
        seed: decides every draw.
        level: share of the resamples inside the interval, in 0..1.

    Returns:
        ``[low, high]`` as fractions for ``miou``, ``pixel_accuracy`` and
        ``mean_class_accuracy``; empty when ``resamples`` is 0.

    Raises:
        UsageError: a shape or a level that cannot be.
        NothingToScoreError: no image has a labelled pixel.
    """
    if not _checked(per_image, resamples, level):
        return {}
    return _interval(_resampled(per_image, matching, resamples, seed), level)


def bootstrap_difference(
    first: Scored, second: Scored, resamples: int, seed: int, level: float = 0.95
) -> dict[str, list[float]]:
    """Percentile intervals of what one predictor scores above another, paired by image.

    Each resample draws the same images for both: what makes an image hard for both cancels
    out, so that the interval is narrower than those of the two scores suggest.

    Args:
        first: (M, K, N) int64 confusion matrix of each image, and (K,) int64 matching.
        second: the same of another predictor, of the same images in the same order.
        resamples: number of resamples; 0 gives no intervals.
        seed: decides every draw.
        level: share of the resamples inside the interval, in 0..1.

    Returns:
        ``[low, high]`` of the differences of fractions, by metric, as ``bootstrap``.

    Raises:
        UsageError: as ``bootstrap``, or not as many images.
        NothingToScoreError: no image has a labelled pixel.
    """
    if len(first[0]) != len(second[0]):
        raise UsageError(f"{len(first[0])} and {len(second[0])} images cannot be paired")
    if not (_checked(first[0], resamples, level) and _checked(second[0], resamples, level)):
        return {}
    mine, other = (_resampled(*one, resamples, seed) for one in (first, second))
    return _interval(mine - other, level)


def _checked(per_image: NDArray[np.int64], resamples: int, level: float) -> bool:
    """Whether there is anything to resample."""
    if per_image.ndim != 3 or 0 in per_image.shape or not 0 < level < 1 or resamples < 0:
        raise UsageError(
            "expected confusion matrices of images x clusters x classes, a level between 0 "
            f"and 1 and no negative number of resamples, found shape {per_image.shape}, "
            f"level {level} and {resamples} resamples"
        )
    if resamples and not per_image.any():
        raise NothingToScoreError("expected labelled pixels to resample, found none")
    return resamples > 0


def _interval(draws: NDArray[np.float64], level: float) -> dict[str, list[float]]:
    tail = (1 - level) / 2
    intervals = np.nanquantile(draws, [tail, 1 - tail], axis=1).T
    return dict(zip(METRICS, intervals.tolist(), strict=True))


def _resampled(
    per_image: NDArray[np.int64], matching: NDArray[np.int64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """(3, R) the metrics of each resample, the same images for the same seed."""
    hit, predicted, true = matched_counts(per_image, matching)
    # Float matrix products are BLAS calls; counts stay exact below 2**53.
    stacked = np.concatenate([hit, predicted, true], axis=1).astype(np.float64)
    return np.concatenate(_draws(stacked, resamples, seed), axis=1)


def _draws(stacked: NDArray[np.float64], resamples: int, seed: int) -> list[NDArray[np.float64]]:
    """The three metrics of each resample, in chunks of (3, r)."""
    rng = np.random.default_rng(seed)
    images = stacked.shape[0]
    chunk = max(1, _CHUNK_WEIGHTS // images)
    uniform = np.full(images, 1 / images)
    scores = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        weights = rng.multinomial(images, uniform, size=size).astype(np.float64)
        scores.append(rates(*np.split(weights @ stacked, 3, axis=1)))
    return scores
