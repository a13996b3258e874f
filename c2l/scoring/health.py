"""Label-free diagnostics of a clustering: sizes, agreement of the views, and signs of collapse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.scoring.matching import hungarian

# A clustering has collapsed if one cluster holds more than this share of the pixels.
COLLAPSE_SHARE = 0.99
# The features have collapsed if all pairs of centroids have a larger cosine. Cluster sizes do not
# show it: k-means splits even a point-like cloud into clusters of similar size.
COLLAPSE_COSINE = 0.999


def entropy(counts: NDArray[np.int64]) -> float:
    """Entropy of the cluster sizes relative to that of equal sizes, in [0, 1]."""
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    if len(counts) < 2 or not len(shares):
        return 0.0
    return max(0.0, float(-(shares * np.log(shares)).sum() / math.log(len(counts))))


def agreement(contingency: NDArray[np.int64]) -> float:
    """Share of pixels with matching clusters in both views, after one-to-one matching.

    Args:
        contingency: (K, K) pixels by their clusters in view 1 and view 2.
    """
    match = hungarian(contingency)
    rows = np.flatnonzero(match >= 0)
    total = int(contingency.sum())
    return float(contingency[rows, match[rows]].sum()) / total if total else 0.0


def least_cosine(centroids_KC: NDArray[np.float32]) -> float:
    """The smallest cosine between two centroids; 1 if all have the same direction."""
    lengths = np.linalg.norm(centroids_KC, axis=1, keepdims=True)
    unit = centroids_KC / np.maximum(lengths, 1e-12)
    return float((unit @ unit.T).min())


def health(
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    centroids: tuple[NDArray[np.float32], NDArray[np.float32]],
    contingency: NDArray[np.int64],
) -> dict[str, Any]:
    """Diagnostics of the clustering of an epoch; ``collapsed`` lists the signs of collapse.

    Args:
        counts: (K,) pixels of each cluster, for each view.
        centroids: (K, C), for each view.
        contingency: see ``agreement``.
    """
    sizes = counts[0] + counts[1]
    shares = sizes / max(int(sizes.sum()), 1)
    collapsed = []
    if shares.max() > COLLAPSE_SHARE:
        collapsed.append(f"cluster {int(shares.argmax())} holds {shares.max():.1%} of the pixels")
    for view, values in enumerate(counts, start=1):
        empty = np.flatnonzero(values == 0)
        if len(empty):
            collapsed.append(f"view {view}: clusters {empty.tolist()} are empty")
    cosines = [least_cosine(values) for values in centroids]
    for view, cosine in enumerate(cosines, start=1):
        if cosine > COLLAPSE_COSINE:
            collapsed.append(
                f"view {view}: the features have collapsed to a point "
                f"(the cosine of any two centroids is at least {cosine:.4f})"
            )
    return {
        "cluster_sizes": [round(float(s), 6) for s in shares],
        "cluster_entropy": round(entropy(sizes), 6),
        "view_agreement": round(agreement(contingency), 6),
        "least_cosine": [round(cosine, 6) for cosine in cosines],
        "collapsed": collapsed,
    }


def predictor_health(
    counts: NDArray[np.int64],
    groups: NDArray[np.uint8] | None,
    *,
    named: bool = True,
    shares: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Diagnostics of the clustering of a predictor; ``collapsed`` lists the signs of collapse.

    Args:
        counts: (K,) pixels of each cluster.
        groups: (K,) group of each cluster after the label-free merge, or None.
        named: whether the groups are ``PARTS``, or background (0) and any others.
        shares: (K, 3) shares of the parts in each cluster, which replace the groups if given.
    """
    sizes = counts / max(int(counts.sum()), 1)
    collapsed = []
    if sizes.max() > COLLAPSE_SHARE:
        collapsed.append(f"cluster {int(sizes.argmax())} holds {sizes.max():.1%} of the pixels")
    if (counts == 0).any():
        collapsed.append(f"{int((counts == 0).sum())} of {len(counts)} clusters are empty")
    if shares is not None:
        missing = [n for n, share in zip(schema.PARTS, shares.sum(0), strict=True) if share == 0]
        if missing:
            collapsed.append(f"no cluster overlaps with {' or '.join(missing)}")
    elif groups is not None:
        kept = set(groups.tolist() if named else np.minimum(groups, 1).tolist())
        wanted = schema.PARTS if named else ("background", "people")
        missing = [name for part, name in enumerate(wanted) if part not in kept]
        if missing:
            collapsed.append(f"no cluster became {' or '.join(missing)}")
    return {
        "cluster_sizes": [round(float(s), 6) for s in sizes],
        "cluster_entropy": round(entropy(counts), 6),
        "groups": None if groups is None else groups.tolist(),
        "collapsed": collapsed,
    }
