"""Small k-means for the trivial predictors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError

ITERATIONS = 50


def kmeans_fit(points: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    """Centroids of Lloyd's algorithm with a k-means++ initialisation.

    With at most ``k`` distinct points, the centroids are these points, the last one repeated;
    ``nearest`` leaves the repeated ones empty.

    Args:
        points: (P, D) float32.
        k: number of clusters.
        seed: of the initialisation.

    Returns:
        (k, D) float32.

    Raises:
        UsageError: there are no points or no clusters.
    """
    # Importing scipy.cluster takes a quarter of a second, and only scoring needs it.
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
        points.astype(np.float64), k, iter=ITERATIONS, minit="++", missing="warn", rng=rng
    )
    return centroids.astype(np.float32)


def nearest(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The nearest centroid of each point; ties go to the lower index.

    Args:
        points: (P, D) float32.
        centroids: (k, D) float32, k at most 256.

    Returns:
        (P,) uint8 indices.
    """
    # |p - c|^2 without |p|^2, which is the same for all centroids. One row per centroid: numpy
    # vectorises argmin over rows, but not over short columns.
    distance = (-2 * centroids) @ points.T
    distance += np.square(centroids).sum(axis=1, keepdims=True)
    best: NDArray[np.intp] = distance.argmin(axis=0)
    return best.astype(np.uint8)
