"""How far a partition into clusters agrees with the classes, whatever matches the two."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from c2l.scoring.matching import check_confusion


def agreement(confusion: NDArray[np.int64]) -> dict[str, float | None]:
    """NMI and ARI over all pixels, and over those whose label is not the background.

    Args:
        confusion: (K, N) int64 pixel counts, clusters x classes; class 0 is the background.

    Returns:
        ``nmi`` and ``fg_nmi`` in 0..1, ``ari`` and ``fg_ari`` in -1..1. The last of each pair is
        None where the labels show fewer than two classes beside the background: there it would be
        0 or 1 by the number of clusters, whichever pixels they hold.

    Raises:
        UsageError: ``confusion`` is not a (K, N) table.
    """
    check_confusion(confusion)
    figure = confusion[:, 1:]
    several = int(figure.any(0).sum()) > 1
    return {
        "nmi": normalised_mutual_information(confusion),
        "ari": adjusted_rand_index(confusion),
        "fg_nmi": normalised_mutual_information(figure) if several else None,
        "fg_ari": adjusted_rand_index(figure) if several else None,
    }


def normalised_mutual_information(confusion: NDArray[np.int64]) -> float:
    """Mutual information of clusters and classes over the mean of their entropies.

    scikit-learn's ``normalized_mutual_info_score``: 1 where there is one of each, or nothing.
    """
    counts = confusion[confusion.any(1)][:, confusion.any(0)]
    if counts.size <= 1:
        return 1.0
    joint = counts / counts.sum()
    clusters, classes = joint.sum(1), joint.sum(0)
    at = np.nonzero(joint)
    shared = np.sum(joint[at] * np.log(joint[at] / (clusters[at[0]] * classes[at[1]])))
    entropies = -np.sum(clusters * np.log(clusters)) - np.sum(classes * np.log(classes))
    return float(np.clip(2 * shared / entropies, 0, 1))


def adjusted_rand_index(confusion: NDArray[np.int64]) -> float:
    """Pairs of pixels on which clusters and classes agree, above chance (Hubert and Arabie, 1985).

    scikit-learn's ``adjusted_rand_score``: 1 where the partitions are the same, or nothing. Pairs
    are counted in Python's integers: those of 1e10 pixels, and their products, exceed 64 bits.
    """
    both, clusters, classes, pairs = (
        sum(comb(n, 2) for n in counts.ravel().tolist())
        for counts in (confusion, confusion.sum(1), confusion.sum(0), confusion.sum())
    )
    above_chance = 2 * (pairs * both - clusters * classes)
    most = pairs * (clusters + classes) - 2 * clusters * classes
    return above_chance / most if most else 1.0
