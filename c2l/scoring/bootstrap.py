"""Bootstrap intervals: how much a score depends on the choice of test images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.scoring.metrics import NothingToScoreError, matched_counts, rates

# Weights held at once: 2**22 of them are 32 MiB as integers and 32 MiB as floats.
_CHUNK_WEIGHTS = 2**22

Scored = tuple[NDArray[np.int64], NDArray[np.int64]]

METRICS = ("miou", "pixel_accuracy", "mean_class_accuracy")
# Both tails of a 95 % interval.
TAIL = (1 - 0.95) / 2


def bootstrap(
    per_image: NDArray[np.int64],
    matching: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> dict[str, list[float]]:
    """95 % percentile intervals over resampled images for a fixed matching.

    The matching is not fitted again for each resample, so the intervals do not include its own
    uncertainty. Resamples without a labelled pixel are left out; a class that is absent from a
    resample is left out of the means of that resample.

    Args:
        per_image: (M, K, N) int64 confusion matrix of each image.
        matching: (K,) int64 class of each cluster, or -1.
        resamples: number of resamples; 0 gives no intervals.
        seed: of the draws.

    Returns:
        ``[low, high]`` as fractions for ``miou``, ``pixel_accuracy`` and
        ``mean_class_accuracy``; empty if ``resamples`` is 0.

    Raises:
        UsageError: ``per_image`` has the wrong shape, or ``resamples`` is negative.
        NothingToScoreError: no image has a labelled pixel.
    """
    if not _checked(per_image, resamples):
        return {}
    return _interval(_resampled(per_image, matching, resamples, seed))


def bootstrap_difference(
    first: Scored, second: Scored, resamples: int, seed: int
) -> dict[str, list[float]]:
    """95 % percentile intervals of the score of one predictor minus another, paired by image.

    Each resample draws the same images for both. Images that are hard for both cancel out, so
    the interval is narrower than those of the two scores suggest.

    Args:
        first: (M, K, N) int64 confusion matrix of each image, and (K,) int64 matching.
        second: the same for the other predictor, for the same images in the same order.
        resamples: number of resamples; 0 gives no intervals.
        seed: of the draws.

    Returns:
        ``[low, high]`` of the differences, as in ``bootstrap``.

    Raises:
        UsageError: as in ``bootstrap``, or the numbers of images differ.
        NothingToScoreError: no image has a labelled pixel.
    """
    if len(first[0]) != len(second[0]):
        raise UsageError(f"{len(first[0])} and {len(second[0])} images cannot be paired")
    if not (_checked(first[0], resamples) and _checked(second[0], resamples)):
        return {}
    return _interval(_resampled(*first, resamples, seed) - _resampled(*second, resamples, seed))


def _checked(per_image: NDArray[np.int64], resamples: int) -> bool:
    """Check the arguments; whether there is anything to resample."""
    if per_image.ndim != 3 or 0 in per_image.shape or resamples < 0:
        raise UsageError(
            "expected confusion matrices of images x clusters x classes and 0 or more resamples, "
            f"found shape {per_image.shape} and {resamples} resamples"
        )
    if resamples and not per_image.any():
        raise NothingToScoreError("expected labelled pixels to resample, found none")
    return resamples > 0


def _interval(draws: NDArray[np.float64]) -> dict[str, list[float]]:
    intervals = np.nanquantile(draws, [TAIL, 1 - TAIL], axis=1).T
    return dict(zip(METRICS, intervals.tolist(), strict=True))


def _resampled(
    per_image: NDArray[np.int64], matching: NDArray[np.int64], resamples: int, seed: int
) -> NDArray[np.float64]:
    """(3, R) metrics of each resample; the seed decides the images."""
    hit, predicted, true = matched_counts(per_image, matching)
    # Products of floats use BLAS; counts are exact below 2**53.
    stacked = np.concatenate([hit, predicted, true], axis=1).astype(np.float64)
    return np.concatenate(_draws(stacked, resamples, seed), axis=1)


def _draws(stacked: NDArray[np.float64], resamples: int, seed: int) -> list[NDArray[np.float64]]:
    """The metrics of all resamples, in chunks of (3, r)."""
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
