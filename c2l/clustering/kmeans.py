"""Mini-batch k-means as PiCIE runs it: FAISS for the start, exact sums in torch after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.options import KMeansOptions

# Rows of one matrix product; bounds the K x rows score matrix at K = 256 to 64 MiB.
CHUNK_ROWS = 65536


@dataclass(frozen=True)
class InitialClustering:
    """The full k-means on the buffered pixels.

    Attributes:
        centroids: (K, C) float32.
        objective: sum of squared distances at each iteration.
    """

    centroids: NDArray[np.float32]
    objective: list[float]


def start_pixels(options: KMeansOptions, clusters: int, images: int) -> int:
    """Random pixels that each of ``images`` gives to the initial k-means.

    ``--kmeans-pixels`` at most, and in all ``--kmeans-points``, so that memory does not grow with
    the images; but enough that every cluster can have 256.
    """
    enough = max(options.kmeans_points, 256 * clusters)
    wanted = min(options.kmeans_pixels, enough // images)
    return max(wanted, -(-clusters // images), 1)


def initial_centroids(
    points_PC: NDArray[np.float32], clusters: int, *, iterations: int, seed: int
) -> InitialClustering:
    """Full k-means by FAISS on all the points given.

    FAISS by itself silently trains on 256 points a centroid; that limit is lifted, so that the
    pixel budget is what the caller gave. It splits large clusters to refill empty ones.

    Args:
        points_PC: (P, C) float32, P >= K.
        clusters: K.
        iterations: of Lloyd's algorithm.
        seed: of the initial choice of points.

    Raises:
        ValueError: fewer points than clusters.
    """
    import faiss

    if len(points_PC) < clusters:
        raise ValueError(f"{len(points_PC)} pixels cannot be put into {clusters} clusters")
    trainer: Any = faiss.Kmeans(
        points_PC.shape[1],
        clusters,
        niter=iterations,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points_PC),
    )
    trainer.train(np.ascontiguousarray(points_PC, dtype=np.float32))
    return InitialClustering(
        np.asarray(trainer.centroids, dtype=np.float32), [float(v) for v in trainer.obj]
    )


def assign(points_PC: Tensor, centroids_KC: Tensor) -> Tensor:
    """The nearest centroid of every point, exactly.

    ``argmin |x - c|^2 = argmax (x.c - |c|^2 / 2)``; ties go to the lower index.

    Args:
        points_PC: (P, C) floating point.
        centroids_KC: (K, C) float32.

    Returns:
        (P,) int64.
    """
    half_norms = centroids_KC.square().sum(1) / 2
    labels = torch.empty(len(points_PC), dtype=torch.int64, device=points_PC.device)
    for start in range(0, len(points_PC), CHUNK_ROWS):
        rows = points_PC[start : start + CHUNK_ROWS].float()
        labels[start : start + CHUNK_ROWS] = torch.addmm(-half_norms, rows, centroids_KC.T).argmax(
            1
        )
    return labels


def sums_by_label(points_PC: Tensor, labels_P: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Sum and number of the points of each cluster.

    Returns:
        (K, C) float32 and (K,) int64.
    """
    counts = torch.bincount(labels_P, minlength=clusters)
    sums = torch.zeros(clusters, points_PC.shape[1], device=points_PC.device)
    for start in range(0, len(points_PC), CHUNK_ROWS):
        rows = points_PC[start : start + CHUNK_ROWS].float()
        member = torch.nn.functional.one_hot(labels_P[start : start + CHUNK_ROWS], clusters)
        sums += member.float().T @ rows
    return sums, counts


@dataclass
class MiniBatchKMeans:
    """Running means of the clusters over mini-batches.

    ``n_k += m_k; c_k += (m_k / n_k) (mean_k - c_k)``, so that after all batches a centroid is
    the mean of what was assigned to it.

    Attributes:
        centroids: (K, C) float32.
        counts: (K,) int64, points seen by each.
        inertia: sum of squared distances of the points of all updates.
    """

    centroids: Tensor
    counts: Tensor
    inertia: float = 0.0

    @classmethod
    def start(cls, centroids_KC: Tensor) -> MiniBatchKMeans:
        """From initial centroids that have seen no points yet."""
        counts = torch.zeros(len(centroids_KC), dtype=torch.int64, device=centroids_KC.device)
        return cls(centroids_KC.float().clone(), counts)

    def update(self, points_PC: Tensor) -> Tensor:
        """Assign a mini-batch, then move the centroids.

        Args:
            points_PC: (P, C) floating point.

        Returns:
            (P,) int64 clusters under the centroids before the move.
        """
        labels = assign(points_PC, self.centroids)
        sums, batch_counts = sums_by_label(points_PC, labels, len(self.centroids))
        self._add_inertia(points_PC, sums, batch_counts)
        self._move(sums, batch_counts)
        return labels

    def settle(self, batches: Iterable[Tensor]) -> None:
        """Take mini-batches as one: those that the start was fitted to.

        Each of them alone would outweigh the start, which has seen no points yet.

        Args:
            batches: each (P, C) floating point.
        """
        total, counts = torch.zeros_like(self.centroids), torch.zeros_like(self.counts)
        for points in batches:
            labels = assign(points, self.centroids)
            sums, batch_counts = sums_by_label(points, labels, len(self.centroids))
            self._add_inertia(points, sums, batch_counts)
            total, counts = total + sums, counts + batch_counts
        self._move(total, counts)

    def _move(self, sums: Tensor, batch_counts: Tensor) -> None:
        self.counts = self.counts + batch_counts
        share = torch.where(self.counts > 0, batch_counts / self.counts.clamp_min(1), 0.0)
        means = sums / batch_counts.clamp_min(1)[:, None]
        self.centroids = self.centroids + share.float()[:, None] * (means - self.centroids)

    def _add_inertia(self, points_PC: Tensor, sums_KC: Tensor, counts_K: Tensor) -> None:
        # sum |x - c|^2 = sum |x|^2 - 2 sum_k c_k . s_k + sum_k n_k |c_k|^2, without a second pass.
        squares = points_PC.float().square().sum(dtype=torch.float64)
        cross = (self.centroids.double() * sums_KC.double()).sum()
        norms = (self.centroids.double().square().sum(1) * counts_K).sum()
        self.inertia += float((squares - 2 * cross + norms).clamp_min(0))
