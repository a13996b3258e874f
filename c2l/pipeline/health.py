"""Label-free health of a clustering: sizes, entropy, agreement of the views, a collapse alarm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.scoring.matching import hungarian

# A cluster with more than this share of the pixels leaves nothing to tell apart.
COLLAPSE_SHARE = 0.99


def entropy(counts: NDArray[np.int64]) -> float:
    """Entropy of the clusters' sizes relative to that of equal sizes, in [0, 1]."""
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    if len(counts) < 2 or not len(shares):
        return 0.0
    return max(0.0, float(-(shares * np.log(shares)).sum() / math.log(len(counts))))


def agreement(contingency: NDArray[np.int64]) -> float:
    """Share of pixels whose clusters in the two views match, clusters matched one to one.

    Args:
        contingency: (K, K) pixels by cluster in view 1 and in view 2.
    """
    match = hungarian(contingency)
    rows = np.flatnonzero(match >= 0)
    total = int(contingency.sum())
    return float(contingency[rows, match[rows]].sum()) / total if total else 0.0


def health(
    counts: tuple[NDArray[np.int64], NDArray[np.int64]], contingency: NDArray[np.int64]
) -> dict[str, Any]:
    """The record of an epoch's clustering; ``collapsed`` names what collapsed."""
    sizes = counts[0] + counts[1]
    shares = sizes / max(int(sizes.sum()), 1)
    collapsed = []
    if shares.max() > COLLAPSE_SHARE:
        collapsed.append(f"cluster {int(shares.argmax())} holds {shares.max():.1%} of the pixels")
    for view, values in enumerate(counts, start=1):
        empty = np.flatnonzero(values == 0)
        if len(empty):
            collapsed.append(f"view {view}: clusters {empty.tolist()} are empty")
    return {
        "cluster_sizes": [round(float(s), 6) for s in shares],
        "cluster_entropy": round(entropy(sizes), 6),
        "view_agreement": round(agreement(contingency), 6),
        "collapsed": collapsed,
    }
