"""Label-free health: cluster sizes, agreement of views, pull of the losses, a collapse alarm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.scoring.matching import hungarian

# A cluster with more than this share of the pixels leaves nothing to tell apart.
COLLAPSE_SHARE = 0.99
# Centroids that all point one way, by the least cosine of two of them, are those of features that
# have shrunk to a point: k-means still cuts it into clusters of any sizes.
COLLAPSE_COSINE = 0.999


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


def least_cosine(centroids_KC: NDArray[np.float32]) -> float:
    """The least cosine between two centroids: 1 where all point one way."""
    lengths = np.linalg.norm(centroids_KC, axis=1, keepdims=True)
    unit = centroids_KC / np.maximum(lengths, 1e-12)
    return float((unit @ unit.T).min())


def health(
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    centroids: tuple[NDArray[np.float32], NDArray[np.float32]],
    contingency: NDArray[np.int64],
) -> dict[str, Any]:
    """The record of an epoch's clustering; ``collapsed`` names what collapsed.

    Args:
        counts: (K,) pixels of each cluster, by view.
        centroids: (K, C), by view.
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
                f"view {view}: the features have shrunk to a point "
                f"(all centroids within a cosine of {cosine:.4f})"
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
    """The record of the predictor's clustering; ``collapsed`` names what is lost for good.

    Args:
        counts: (K,) pixels of each cluster.
        groups: (K,) group of each cluster after the label-free merge, or None.
        named: whether the groups are the three parts, or the ground and others.
        shares: (K, 3) shares of the parts in each cluster, which then decide in place of groups.
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
            collapsed.append(f"no cluster holds any {' or '.join(missing)}")
    elif groups is not None:
        kept = set(groups.tolist() if named else np.minimum(groups, 1).tolist())
        wanted = schema.PARTS if named else ("ground", "people")
        missing = [name for part, name in enumerate(wanted) if part not in kept]
        if missing:
            collapsed.append(f"no cluster was taken for {' or '.join(missing)}")
    return {
        "cluster_sizes": [round(float(s), 6) for s in sizes],
        "cluster_entropy": round(entropy(counts), 6),
        "groups": None if groups is None else groups.tolist(),
        "collapsed": collapsed,
    }
