"""Mini-batch k-means as in PiCIE: initialised by FAISS, then updated with exact sums in torch."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.options import KMeansOptions
from c2l.runtime.progress import console

# Largest number of values in a chunk of points, or of its scores. On a CPU both stay in the last
# level of cache between passes; a GPU needs few large kernels.
CPU_CHUNK = 1 << 21
GPU_CHUNK = 1 << 27
# Factor on what half precision leaves of a centroid, so that it does not vanish in half precision.
LEFT_OVER = 2048.0
# From this many clusters on, labels are counted one by one: few meet at the same counter.
MANY = 256


@dataclass(frozen=True)
class InitialClustering:
    """Result of the full k-means on a sample of pixels.

    Attributes:
        centroids: (K, C) float32.
        objective: sum of squared distances after each iteration.
    """

    centroids: NDArray[np.float32]
    objective: list[float]


def sample_size(options: KMeansOptions, clusters: int, images: int) -> int:
    """Number of random pixels per image for the initial k-means.

    At most ``--kmeans-pixels`` per image and ``--kmeans-points`` in total, so that memory does not
    grow with the number of images; the total may be larger to allow 256 pixels per cluster.
    """
    total = max(options.kmeans_points, 256 * clusters)
    per_image = min(options.kmeans_pixels, total // images)
    return max(per_image, -(-clusters // images), 1)


def initial_centroids(
    points_PC: NDArray[np.float32],
    clusters: int,
    *,
    iterations: int,
    seed: int,
    device: torch.device | None = None,
) -> InitialClustering:
    """Full k-means by FAISS on all given points.

    By default FAISS silently trains on at most 256 points per centroid; here it uses all of them.
    FAISS splits large clusters to refill empty ones.

    Args:
        points_PC: (P, C) float32, P >= K.
        clusters: K.
        iterations: of Lloyd's algorithm.
        seed: for the initial choice of points.
        device: a GPU searches there, where FAISS was built for GPUs; else the CPU does.

    Raises:
        ValueError: there are fewer points than clusters.
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
    if device is not None and device.type == "cuda":
        _search_on(trainer, points_PC.shape[1], device)
    trainer.train(np.ascontiguousarray(points_PC, dtype=np.float32))
    return InitialClustering(
        np.asarray(trainer.centroids, dtype=np.float32), [float(v) for v in trainer.obj]
    )


def _search_on(trainer: Any, channels: int, device: torch.device) -> None:
    """Let a GPU find the nearest centroids; a FAISS without GPUs goes on without it, said once."""
    import faiss

    index = device.index or 0
    if getattr(faiss, "get_num_gpus", lambda: 0)() <= index:
        _say_once("FAISS was built without GPUs: the initial k-means runs on the CPU")
        return
    config = faiss.GpuIndexFlatConfig()
    config.device = index
    # The index does not keep its resources alive.
    trainer.resources = faiss.StandardGpuResources()
    trainer.index = faiss.GpuIndexFlatL2(trainer.resources, channels, config)


@functools.lru_cache
def _say_once(what: str) -> None:
    console.print(what)


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
        labels[part] = _scores(_rows(points_PC[part]), centroids_KC, half_norms).argmax(1)
    return labels


def _rows(points_PC: Tensor) -> Tensor:
    """Points as they are computed with: in half precision only where a GPU multiplies it."""
    return (
        points_PC if points_PC.is_cuda and points_PC.dtype == torch.float16 else points_PC.float()
    )


def _scores(rows_PC: Tensor, centroids_KC: Tensor, half_norms_K: Tensor) -> Tensor:
    """``x.c - |c|^2 / 2``, (P, K) float32."""
    if rows_PC.dtype == torch.float16:
        return products_of_halves(rows_PC, centroids_KC).sub_(half_norms_K)
    return torch.addmm(-half_norms_K, rows_PC, centroids_KC.T)


def products_of_halves(points_PC: Tensor, centroids_KC: Tensor) -> Tensor:
    """Inner products of float16 points with float32 centroids, to about float32's precision.

    A centroid is the sum of two halves. The matrix units multiply those exactly, and add in
    float32, at several times the rate of products in float32.

    Args:
        points_PC: (P, C) float16.
        centroids_KC: (K, C) float32 of magnitude 1 or less.

    Returns:
        (P, K) float32.
    """
    high = centroids_KC.half()
    low = ((centroids_KC - high.float()) * LEFT_OVER).half()
    both = _product(points_PC, torch.cat([high, low]).T)
    clusters = len(centroids_KC)
    return torch.add(both[:, :clusters], both[:, clusters:], alpha=1 / LEFT_OVER)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """The float32 product of two float16 matrices."""
    if first.is_cuda:
        return torch.mm(first, second, out_dtype=torch.float32)
    return first.float() @ second.float()


def _half_norms(centroids_KC: Tensor) -> Tensor:
    return centroids_KC.square().sum(1) / 2


def _chunks(points_PC: Tensor, clusters: int) -> Iterator[slice]:
    """Slices of points that are processed together."""
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
        # A product with one-hot labels would cost K times as much as the additions.
        sums = torch.zeros(clusters, points_PC.shape[1])
        return sums.index_add_(0, labels_P, points_PC.float())
    # On a GPU, index_add_ is atomic: its order, and so its rounding, would be random.
    return sums_by_product(points_PC, labels_P, clusters)


def sums_by_product(points_PC: Tensor, labels_P: Tensor, clusters: int) -> Tensor:
    """The same as a product with one-hot labels, in the precision of the points."""
    # Matrix units want rows of a multiple of 16 bytes.
    cells = torch.arange(-(-clusters // 8) * 8, device=labels_P.device)
    one_hot = (labels_P[:, None] == cells).to(points_PC.dtype).T
    half = points_PC.dtype == torch.float16
    sums = _product(one_hot, points_PC) if half else one_hot @ points_PC
    return sums[:clusters]


def count_labels(labels_P: Tensor, clusters: int) -> Tensor:
    """Number of points in each cluster, (K,) int64, without waiting for the device.

    On a GPU, ``torch.bincount`` would first copy the largest label to the host.
    """
    if labels_P.device.type == "cpu":
        return torch.bincount(labels_P, minlength=clusters)
    if clusters < MANY:
        return count_by_comparison(labels_P, clusters)
    counts = torch.zeros(clusters, dtype=torch.int64, device=labels_P.device)
    return counts.scatter_add_(0, labels_P, torch.ones_like(labels_P))


def count_by_comparison(labels_P: Tensor, clusters: int) -> Tensor:
    """The same without the atomic additions that, with few clusters, all meet at one counter."""
    cells = torch.arange(clusters, device=labels_P.device)
    return (labels_P[:, None] == cells).sum(0)


@dataclass
class MiniBatchKMeans:
    """Running means of the clusters over mini-batches.

    ``n_k += m_k; c_k += (m_k / n_k) (mean_k - c_k)``: after all batches, a centroid is the mean
    of the points assigned to it.

    Attributes:
        centroids: (K, C) float32.
        counts: (K,) int64 points assigned to each centroid so far.
        half_inertia: float64 scalar on the device of the centroids, half of ``inertia``.
    """

    centroids: Tensor
    counts: Tensor
    half_inertia: Tensor

    @classmethod
    def start(cls, centroids_KC: Tensor) -> MiniBatchKMeans:
        """From initial centroids, which have no points yet."""
        device = centroids_KC.device
        counts = torch.zeros(len(centroids_KC), dtype=torch.int64, device=device)
        nothing = torch.zeros((), dtype=torch.float64, device=device)
        return cls(centroids_KC.float().clone(), counts, nothing)

    @property
    def inertia(self) -> float:
        """Sum of squared distances over the points of all updates; synchronises with the device."""
        return 2 * float(self.half_inertia)

    def update(self, points_PC: Tensor) -> Tensor:
        """Assign a mini-batch, then move the centroids.

        Args:
            points_PC: (P, C) floating point.

        Returns:
            (P,) int64 cluster of each point, by the centroids before the move.
        """
        labels, sums, counts = self._assign(points_PC)
        self._move(sums, counts)
        return labels

    def update_as_one(self, batches: Iterable[Tensor]) -> None:
        """Update with several mini-batches at once: those the initial centroids were fitted to.

        One at a time, the first would replace the initial centroids, which have no points yet.

        Args:
            batches: each (P, C) floating point.
        """
        total, seen = self._nothing(), torch.zeros_like(self.counts)
        for points in batches:
            _, sums, counts = self._assign(points)
            total, seen = total + sums, seen + counts
        self._move(total, seen)

    def _assign(self, points_PC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (P,), sums (K, C) and counts (K,) by the current centroids; adds the inertia."""
        clusters = len(self.centroids)
        half_norms = _half_norms(self.centroids)
        labels = torch.empty(len(points_PC), dtype=torch.int64, device=points_PC.device)
        sums = self._nothing()
        # Sums |x - c|^2 / 2 over all points in the same pass.
        half = torch.zeros((), dtype=torch.float64, device=points_PC.device)
        for part in _chunks(points_PC, clusters):
            rows = _rows(points_PC[part])
            scores, labels[part] = _scores(rows, self.centroids, half_norms).max(1)
            norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float32)
            half += (norms.square() / 2 - scores).sum(dtype=torch.float64)
            sums += self._sums(rows, labels[part])
        self.half_inertia = self.half_inertia + half.clamp_min(0)
        return labels, sums, count_labels(labels, clusters)

    def _sums(self, rows_PC: Tensor, labels_P: Tensor) -> Tensor:
        """Sum of the points of each cluster, (K, C)."""
        return sums_by_label(rows_PC, labels_P, len(self.centroids))

    def _nothing(self) -> Tensor:
        """Sums of no points."""
        return torch.zeros_like(self.centroids)

    def _move(self, sums: Tensor, batch_counts: Tensor) -> None:
        self.counts = self.counts + batch_counts
        share = torch.where(self.counts > 0, batch_counts / self.counts.clamp_min(1), 0.0)
        means = sums / batch_counts.clamp_min(1)[:, None]
        self.centroids = self.centroids + share.float()[:, None] * (means - self.centroids)
