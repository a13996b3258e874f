"""The clustering pass of an epoch: centroids of each view and every pixel's pseudo-label."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.clustering.kmeans import (
    MiniBatchKMeans,
    assign,
    count_labels,
    initial_centroids,
    start_pixels,
)
from c2l.errors import UsageError
from c2l.options import KMeansOptions
from c2l.runtime.files import output_errors
from c2l.runtime.progress import Steps
from c2l.runtime.streams import Purpose, stream

Indices = NDArray[np.int64]


class FeatureBuffer:
    """The features of one pass, float16: in GPU memory where they fit, else in a scratch file.

    One forward pass then serves the centroids and the labels, and the memory of the process
    does not grow with the number of images.
    """

    def __init__(self, path: Path, device: torch.device, needed: int) -> None:
        self._batches: list[Tensor] = []
        self._shapes: list[tuple[int, ...]] = []
        self._needed, self._path, self._device = needed, path, device
        self._in_memory = device.type == "cuda" and needed < _free_bytes(device) // 2
        self._file = None if self._in_memory else path.open("w+b")

    def append(self, features_PC: Tensor) -> None:
        """Keep a batch, (P, C)."""
        half = features_PC.to(torch.float16)
        if self._file is None:
            self._batches.append(half)
            return
        self._shapes.append(tuple(half.shape))
        with output_errors(self._path, needed=self._needed):
            self._file.write(half.cpu().contiguous().numpy().data)

    def __iter__(self) -> Iterator[Tensor]:
        if self._file is None:
            yield from self._batches
            return
        with output_errors(self._path, needed=self._needed):
            self._file.seek(0)
        for shape in self._shapes:
            data = np.fromfile(self._file, dtype=np.float16, count=int(np.prod(shape)))
            yield torch.from_numpy(data.reshape(shape)).to(self._device)

    def close(self) -> None:
        """Give the memory or the disk back."""
        self._batches.clear()
        if self._file is not None:
            self._file.close()
            os.unlink(self._path)


def _free_bytes(device: torch.device) -> int:
    """Memory of a GPU that can be had, what torch keeps for later among it."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


@contextmanager
def feature_buffer(path: Path, device: torch.device, needed: int) -> Iterator[FeatureBuffer]:
    """A buffer that is gone after the block."""
    with output_errors(path, needed=needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = FeatureBuffer(path, device, needed)
    try:
        yield buffer
    finally:
        buffer.close()


@dataclass(frozen=True)
class ViewClustering:
    """The clustering of one view.

    Attributes:
        centroids: (K, C) float32.
        counts: (K,) int64 pixels of each cluster.
        inertia: sum of squared distances in the mini-batch pass.
    """

    centroids: Tensor
    counts: Tensor
    inertia: float


def cluster_pass(
    features: Iterable[Tensor],
    groups: Sequence[Indices],
    clusters: int,
    options: KMeansOptions,
    *,
    seed: int,
    epoch: int,
    buffer: FeatureBuffer,
    store: Callable[[Indices, NDArray[np.uint8]], None],
    bar: Steps,
    start: Tensor | None = None,
) -> ViewClustering:
    """Mini-batch k-means on the features of all images, then their labels (Eq. 6).

    Args:
        features: (B, C, h, w), normalised, of each of the groups in turn.
        groups: the images in mini-batches, in random order.
        clusters: K.
        options: of k-means.
        seed, epoch: of the choice of pixels.
        buffer: where the features are kept between the passes.
        store: takes the images' indices and their labels, (B, h, w) uint8.
        bar: counts images.
        start: centroids to start from in place of the initial k-means.
    """
    grid = (0, 0)
    images = sum(len(g) for g in groups[: options.kmeans_init_batches])
    wanted = start_pixels(options, clusters, images)
    points: NDArray[np.float32] | None = None
    filled = 0
    for number, (group, found_BCHW) in enumerate(zip(groups, features, strict=True)):
        grid = (found_BCHW.shape[2], found_BCHW.shape[3])
        flat = found_BCHW.permute(0, 2, 3, 1).reshape(len(group), grid[0] * grid[1], -1)
        if start is None and number < options.kmeans_init_batches:
            found = _sample(flat, group, wanted, seed, epoch).float().cpu().numpy()
            if points is None:
                points = np.empty((images * (len(found) // len(group)), found.shape[1]), np.float32)
            points[filled : filled + len(found)] = found
            filled += len(found)
        buffer.append(flat.reshape(-1, flat.shape[-1]))
        bar.advance(len(group))
    sampled = points is not None
    if points is not None:
        first = initial_centroids(
            points, clusters, iterations=options.kmeans_iterations, seed=seed + epoch
        )
        points = None
        start = torch.from_numpy(first.centroids)
    if start is None:
        raise UsageError("there are no images to cluster")
    means = MiniBatchKMeans.start(start.to(flat.device))
    batches = iter(buffer)
    means.update_as_one(islice(batches, options.kmeans_init_batches if sampled else 0))
    for batch in batches:
        means.update(batch)
    counts = torch.zeros(clusters, dtype=torch.int64, device=flat.device)
    for group, batch in zip(groups, buffer, strict=True):
        labels = assign(batch, means.centroids)
        counts += count_labels(labels, clusters)
        store(group, labels.view(len(group), *grid).to(torch.uint8).cpu().numpy())
    return ViewClustering(means.centroids, counts, means.inertia)


def _sample(flat_BPC: Tensor, group: Indices, wanted: int, seed: int, epoch: int) -> Tensor:
    """Random pixels of each image, (B * wanted, C)."""
    count = min(wanted, flat_BPC.shape[1])
    chosen = np.stack(
        [
            stream(seed, Purpose.INIT, epoch, int(i)).choice(flat_BPC.shape[1], count, False)
            for i in group
        ]
    )
    index = torch.from_numpy(chosen).to(flat_BPC.device)[..., None]
    picked = flat_BPC.gather(1, index.expand(-1, -1, flat_BPC.shape[2]))
    return picked.reshape(-1, flat_BPC.shape[2])
