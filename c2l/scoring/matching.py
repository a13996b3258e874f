"""Matching of clusters to classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError

UNMATCHED = -1


def hungarian(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """The one-to-one matching with the most matched pixels.

    Exact for counts up to 2**53, and deterministic if several matchings are optimal.

    Args:
        confusion: (K, N) int64 pixel counts.

    Returns:
        (K,) int64 class of each cluster; -1 for the K - N unmatched clusters if K > N.

    Raises:
        UsageError: ``confusion`` is not a (K, N) table.
    """
    # Importing scipy.optimize takes a quarter of a second, and only scoring needs it.
    from scipy.optimize import linear_sum_assignment

    check_confusion(confusion)
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    matching = np.full(confusion.shape[0], UNMATCHED, dtype=np.int64)
    matching[rows] = columns
    return matching


def majority(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    """The many-to-one matching: each cluster takes its most frequent class.

    Args:
        confusion: (K, N) int64 pixel counts.

    Returns:
        (K,) int64 class of each cluster; ties go to the lower class, -1 for an empty cluster.

    Raises:
        UsageError: ``confusion`` is not a (K, N) table.
    """
    check_confusion(confusion)
    best = confusion.argmax(axis=1).astype(np.int64, copy=False)
    return np.where(confusion.any(axis=1), best, UNMATCHED)


def identity_matching(clusters: int, classes: int) -> NDArray[np.int64]:
    """Cluster i is class i, for predictors whose clusters are classes already.

    Args:
        clusters: number of clusters K.
        classes: number of classes N.

    Returns:
        (K,) int64 class of each cluster; -1 from cluster N on.
    """
    ids = np.arange(clusters, dtype=np.int64)
    return np.where(ids < classes, ids, UNMATCHED)


def check_confusion(confusion: NDArray[np.int64]) -> None:
    """Raise a UsageError unless ``confusion`` is a (K, N) table."""
    if confusion.ndim != 2 or 0 in confusion.shape:
        raise UsageError(
            f"expected a confusion matrix of clusters x classes, found shape {confusion.shape}"
        )
