"""Mini-batch k-means as PiCIE runs it: FAISS for the start, exact sums in torch after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.options import KMeansOptions

# Values of a chunk of points, and of its scores, at most. On a CPU both stay in the last cache
# between the passes over them; a GPU wants few large kernels.
CPU_CHUNK = 1 << 21
GPU_CHUNK = 1 << 25


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
    labels = torch.empty(len(points_PC), dtype=torch.int64, device=points_PC.device)
    half_norms = _half_norms(centroids_KC)
    for part in _chunks(points_PC, len(centroids_KC)):
        rows = points_PC[part].float()
        labels[part] = torch.addmm(-half_norms, rows, centroids_KC.T).argmax(1)
    return labels


def _half_norms(centroids_KC: Tensor) -> Tensor:
    return centroids_KC.square().sum(1) / 2


def _chunks(points_PC: Tensor, clusters: int) -> Iterator[slice]:
    """Slices of points that go through the passes over them together."""
    values = CPU_CHUNK if points_PC.device.type == "cpu" else GPU_CHUNK
    rows = max(1, values // max(points_PC.shape[1], clusters))
    for start in range(0, len(points_PC), rows):
        yield slice(start, start + rows)


def sums_by_label(points_PC: Tensor, labels_P: Tensor, clusters: int) -> Tensor:
    """Sum of the points of each cluster.

    Returns:
        (K, C) float32.
    """
    if points_PC.device.type == "cpu":
        # A product with the one-hot labels costs K times what adding costs.
        sums = torch.zeros(clusters, points_PC.shape[1])
        return sums.index_add_(0, labels_P, points_PC.float())
    # On a GPU, adding by index is atomic: its order, and so its rounding, would be by chance.
    return torch.nn.functional.one_hot(labels_P, clusters).float().T @ points_PC.float()


def count_labels(labels_P: Tensor, clusters: int) -> Tensor:
    """How many points each cluster has, (K,) int64, without a wait for the device.

    ``torch.bincount`` on a GPU looks up the largest label on the host first.
    """
    if labels_P.device.type == "cpu":
        return torch.bincount(labels_P, minlength=clusters)
    counts = torch.zeros(clusters, dtype=torch.int64, device=labels_P.device)
    return counts.scatter_add_(0, labels_P, torch.ones_like(labels_P))


@dataclass
class MiniBatchKMeans:
    """Running means of the clusters over mini-batches.

    ``n_k += m_k; c_k += (m_k / n_k) (mean_k - c_k)``, so that after all batches a centroid is
    the mean of what was assigned to it.

    Attributes:
        centroids: (K, C) float32.
        counts: (K,) int64, points seen by each.
        half_inertia: float64 scalar on the centroids' device, half of ``inertia``.
    """

    centroids: Tensor
    counts: Tensor
    half_inertia: Tensor

    @classmethod
    def start(cls, centroids_KC: Tensor) -> MiniBatchKMeans:
        """From initial centroids that have seen no points yet."""
        device = centroids_KC.device
        counts = torch.zeros(len(centroids_KC), dtype=torch.int64, device=device)
        nothing = torch.zeros((), dtype=torch.float64, device=device)
        return cls(centroids_KC.float().clone(), counts, nothing)

    @property
    def inertia(self) -> float:
        """Sum of squared distances of the points of all updates; waits for the device."""
        return 2 * float(self.half_inertia)

    def update(self, points_PC: Tensor) -> Tensor:
        """Assign a mini-batch, then move the centroids.

        Args:
            points_PC: (P, C) floating point.

        Returns:
            (P,) int64 clusters under the centroids before the move.
        """
        labels, sums, counts = self._sweep(points_PC)
        self._move(sums, counts)
        return labels

    def update_as_one(self, batches: Iterable[Tensor]) -> None:
        """Take several mini-batches as one: those that the start was fitted to.

        One by one, the first would outweigh the start, which has seen no points yet.

        Args:
            batches: each (P, C) floating point.
        """
        total, seen = torch.zeros_like(self.centroids), torch.zeros_like(self.counts)
        for points in batches:
            _, sums, counts = self._sweep(points)
            total, seen = total + sums, seen + counts
        self._move(total, seen)

    def _sweep(self, points_PC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (P,), sums (K, C) and counts (K,) under the centroids; adds to the inertia."""
        clusters = len(self.centroids)
        half_norms = _half_norms(self.centroids)
        labels = torch.empty(len(points_PC), dtype=torch.int64, device=points_PC.device)
        sums = torch.zeros_like(self.centroids)
        # The sum of |x - c|^2 / 2 over all points, without a pass of its own.
        half = torch.zeros((), dtype=torch.float64, device=points_PC.device)
        for part in _chunks(points_PC, clusters):
            rows = points_PC[part].float()
            scores, labels[part] = torch.addmm(-half_norms, rows, self.centroids.T).max(1)
            norms = torch.linalg.vector_norm(rows, dim=1)
            half += (norms.square() / 2 - scores).sum(dtype=torch.float64)
            sums += sums_by_label(rows, labels[part], clusters)
        self.half_inertia = self.half_inertia + half.clamp_min(0)
        return labels, sums, count_labels(labels, clusters)

    def _move(self, sums: Tensor, batch_counts: Tensor) -> None:
        self.counts = self.counts + batch_counts
        share = torch.where(self.counts > 0, batch_counts / self.counts.clamp_min(1), 0.0)
        means = sums / batch_counts.clamp_min(1)[:, None]
        self.centroids = self.centroids + share.float()[:, None] * (means - self.centroids)
