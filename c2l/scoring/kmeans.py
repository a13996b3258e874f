"""Small k-means for the trivial predictors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError


def kmeans_fit(
    points: NDArray[np.float32], k: int, seed: int, iterations: int = 50
) -> NDArray[np.float32]:
    """Centroids of Lloyd's algorithm from a k-means++ start.

    With fewer distinct points than ``k`` the centroids are those points, the last repeated:
    ``nearest`` then leaves the repeats empty.

    Args:
        points: (P, D) float32.
        k: number of clusters.
        seed: decides the start.
        iterations: Lloyd iterations.

    Returns:
        (k, D) float32 centroids.

    Raises:
        UsageError: no points, or no clusters.
    """
    # Loading scipy.cluster takes a quarter of a second; only scoring needs it.
    from scipy.cluster.vq import kmeans2

    if points.ndim != 2 or len(points) == 0 or k < 1:
        raise UsageError(f"expected points to put in {k} clusters, found shape {points.shape}")
    distinct = np.unique(points[: 4 * k], axis=0)
    if len(distinct) <= k:
        distinct = np.unique(points, axis=0)
    if len(distinct) <= k:
        return np.pad(distinct, ((0, k - len(distinct)), (0, 0)), mode="edge")
    rng = np.random.default_rng(seed)
    centroids, _ = kmeans2(
        points.astype(np.float64), k, iter=iterations, minit="++", missing="warn", rng=rng
    )
    return centroids.astype(np.float32)


def nearest(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The nearest centroid of each point, the lowest index of equals.

    Args:
        points: (P, D) float32.
        centroids: (k, D) float32, k at most 256.

    Returns:
        (P,) uint8 indices.
    """
    # |p - c|^2 without |p|^2, which is the same for every centroid.
    # One row a centroid: the minimum over rows is vectorised, over short columns it is not.
    distance = (-2 * centroids) @ points.T
    distance += np.square(centroids).sum(axis=1, keepdims=True)
    best: NDArray[np.intp] = distance.argmin(axis=0)
    return best.astype(np.uint8)
