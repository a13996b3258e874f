"""The two clusterings of a pass, mini-batch k-means and the mixture, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids, sample_size
from c2l.clustering.mixture import MixtureSums, expectation_maximisation
from c2l.errors import UsageError
from c2l.model.classifier import Centroids, Classifier, Mixture
from c2l.options import FitOptions
from c2l.runtime.device import send
from c2l.runtime.streams import Purpose, stream

Indices = NDArray[np.int64]
NOTHING = "there are no images to cluster"


@dataclass(frozen=True)
class Fitted:
    """What a clustering found.

    Attributes:
        centroids: (K, C) float32 centroids or means.
        labels: from (P, C) points to the (P,) int64 cluster of each.
        classifier: from the (K,) int64 pixels of each cluster to what a predictor keeps.
    """

    centroids: Tensor
    labels: Callable[[Tensor], Tensor]
    classifier: Callable[[Tensor], Classifier]


class Clustering(Protocol):
    """A clustering of the features of all images, which come in batches.

    Attributes:
        name: for the user.
    """

    name: str

    def add(self, group: Indices, features_BCHW: Tensor) -> None:
        """Look at the features of some images as they come."""

    def fit(self, batches: Iterable[Tensor]) -> Fitted:
        """Cluster.

        Args:
            batches: all points again, in the same batches, (P, C) float16 each; can be iterated
                over more than once.

        Raises:
            UsageError: there are no images.
        """


class KMeans:
    """Mini-batch k-means as PiCIE runs it (Eq. 6).

    A full k-means on random pixels of the first batches gives the start, which then moves once to
    the means of all their pixels; running means over the batches that follow.

    Args:
        options: K, the seed, and the options of k-means.
        groups: the batches of images that will come.
        epoch: for the random choice of pixels.
        start: (K, C) centroids to start from in place of the full k-means.
    """

    name = "k-means"

    def __init__(
        self,
        options: FitOptions,
        groups: Sequence[Indices],
        *,
        epoch: int,
        start: Tensor | None = None,
    ) -> None:
        self._options, self._epoch, self._start = options, epoch, start
        self._images = sum(len(group) for group in groups[: options.kmeans_init_batches])
        self._pixels = sample_size(options, options.clusters, max(self._images, 1))
        self._sample: Tensor | None = None
        self._batches = self._filled = 0
        self._device = torch.device("cpu")

    def add(self, group: Indices, features_BCHW: Tensor) -> None:
        """Take random pixels of the first batches' images."""
        self._device = features_BCHW.device
        self._batches += 1
        if self._start is not None or self._batches > self._options.kmeans_init_batches:
            return
        flat_BPC = features_BCHW.permute(0, 2, 3, 1).flatten(1, 2)
        found = self._random_pixels(flat_BPC, group).float()
        if self._sample is None:
            rows = self._images * (len(found) // len(group))
            self._sample = found.new_empty(rows, found.shape[1])
        self._sample[self._filled : self._filled + len(found)] = found
        self._filled += len(found)

    def _random_pixels(self, flat_BPC: Tensor, group: Indices) -> Tensor:
        """Random pixels of each image, (B * count, C)."""
        total = flat_BPC.shape[1]
        count = min(self._pixels, total)
        streams = (stream(self._options.seed, Purpose.INIT, self._epoch, int(i)) for i in group)
        chosen = np.stack([random.choice(total, count, False) for random in streams])
        index = send(torch.from_numpy(chosen), flat_BPC.device)[..., None]
        picked = flat_BPC.gather(1, index.expand(-1, -1, flat_BPC.shape[2]))
        return picked.reshape(-1, flat_BPC.shape[2])

    def fit(self, batches: Iterable[Tensor]) -> Fitted:
        """Mini-batch k-means over all points."""
        start, sampled = self._start, 0
        if self._sample is not None:
            first = initial_centroids(
                self._sample.cpu().numpy(),
                self._options.clusters,
                iterations=self._options.kmeans_iterations,
                seed=self._options.seed + self._epoch,
                device=self._device,
            )
            self._sample = None  # its memory is wanted
            start, sampled = torch.from_numpy(first.centroids), self._options.kmeans_init_batches
        if start is None:
            raise UsageError(NOTHING)
        means = MiniBatchKMeans.start(start.to(self._device))
        points = iter(batches)
        means.update_as_one(islice(points, sampled))
        for batch in points:
            means.update(batch)
        found = means.centroids
        return Fitted(found, partial(assign, centroids_KC=found), partial(Centroids, found))


class FigureMixture:
    """A Gaussian mixture whose first responsibilities are the photos' own figures.

    Args:
        part_probs: images' indices to (B, K, h', w') probabilities of each component.
        iterations: of expectation maximisation after the first fit, which is to these.
    """

    name = "mixture"

    def __init__(self, part_probs: Callable[[Indices], Tensor], iterations: int) -> None:
        self._part_probs, self._iterations = part_probs, iterations
        self._sums: MixtureSums | None = None

    def add(self, group: Indices, features_BCHW: Tensor) -> None:
        """Sum the points by the figure's parts."""
        points = features_BCHW.permute(0, 2, 3, 1).flatten(0, 2)
        probs = self._part_probs(group).to(features_BCHW.device)
        probs = F.interpolate(probs, features_BCHW.shape[2:], mode="area")
        if self._sums is None:
            self._sums = MixtureSums(probs.shape[1], points.shape[1], points.device)
        probs = (probs / probs.sum(1, True)).permute(0, 2, 3, 1).flatten(0, 2)
        self._sums.add(points, probs)

    def fit(self, batches: Iterable[Tensor]) -> Fitted:
        """Expectation maximisation over all points."""
        if self._sums is None:
            raise UsageError(NOTHING)
        again = (iter(batches) for _ in range(self._iterations))
        found = expectation_maximisation(self._sums.fit(), again)
        return Fitted(
            found.means,
            lambda points: found.scores(points).argmax(1),
            lambda counts: Mixture(found.means, counts, found.weights, found.bias),
        )
