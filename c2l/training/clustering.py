"""The two clusterings of a pass, mini-batch k-means and the mixture, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids, sample_size
from c2l.clustering.mixture import MixtureSums, expectation_maximisation
from c2l.clustering.ranked import RankedKMeans
from c2l.errors import UsageError
from c2l.model.classifier import Centroids, Classifier, Mixture
from c2l.options import FitOptions
from c2l.runtime.device import send
from c2l.runtime.ranks import ALONE, Ranks
from c2l.runtime.signals import StopRequest
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


def unit_of(batch_size: int) -> int:
    """Images that are computed together where ranks share a pass: an eighth of a batch, to 16."""
    return max(1, min(16, batch_size // 8))


@dataclass(frozen=True)
class ClusterBatches:
    """The mini-batches of a clustering pass, and which part of each this rank has.

    A process by itself takes each mini-batch whole. Several ranks share it in units of a few
    images, which are the same for any number of ranks: how features and labels round depends on
    the images that are computed together.

    Attributes:
        groups: the mini-batches.
        unit: images that are computed together.
        ranks: that share them.
        device: of the points.
    """

    groups: Sequence[Indices]
    unit: int = 1
    ranks: Ranks = ALONE
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @cached_property
    def _units(self) -> list[list[Indices]]:
        if self.ranks.alone:
            return [[group] for group in self.groups]
        starts = [range(0, len(group), self.unit) for group in self.groups]
        return [
            [group[i : i + self.unit] for i in at]
            for group, at in zip(self.groups, starts, strict=True)
        ]

    @cached_property
    def mine(self) -> list[Sequence[Indices]]:
        """This rank's units of each mini-batch, none or more."""
        return [self.ranks.split(units) for units in self._units]

    def means(self, start_KC: Tensor) -> MiniBatchKMeans:
        """Running means from these centroids, over the points of all ranks."""
        if self.ranks.alone:
            return MiniBatchKMeans.start(start_KC)
        return RankedKMeans.over(self.ranks, start_KC)

    def in_order(
        self, samples: Sequence[NDArray[np.float32] | None], first: int
    ) -> NDArray[np.float32]:
        """Rows of the images of the first mini-batches, by rank, in the order of the images."""
        if self.ranks.alone:
            (only,) = samples
            assert only is not None
            return only
        counts = [
            [sum(map(len, self.ranks.split(units, rank))) for units in self._units[:first]]
            for rank in range(self.ranks.size)
        ]
        rows, pieces = [], []
        for sample, of_rank in zip(samples, counts, strict=True):
            if sample is not None:
                per_image = len(sample) // sum(of_rank)
                ends = np.cumsum(of_rank) * per_image
                pieces.append(np.split(sample, ends[:-1]))
        for group in range(len(counts[0])):
            rows += [one[group] for one in pieces]
        return np.concatenate(rows)


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
            batches: all points of this rank again, in the same batches, (P, C) float16 each; can
                be iterated over more than once.

        Raises:
            UsageError: there are no images.
        """


class KMeans:
    """Mini-batch k-means as PiCIE runs it (Eq. 6).

    A full k-means on random pixels of the first batches gives the start, which then moves once to
    the means of all their pixels; running means over the batches that follow.

    Args:
        options: K, the seed, and the options of k-means.
        batches: the batches of images that will come.
        epoch: for the random choice of pixels.
        start: (K, C) centroids to start from in place of the full k-means.
        stop: the request to stop, for the full k-means on the first of several ranks.
    """

    name = "k-means"

    def __init__(
        self,
        options: FitOptions,
        batches: ClusterBatches,
        *,
        epoch: int,
        start: Tensor | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        self._options, self._epoch, self._start, self._stop = options, epoch, start, stop
        self._batches, self._first = batches, options.kmeans_init_batches
        images = sum(len(group) for group in batches.groups[: self._first])
        self._pixels = sample_size(options, options.clusters, max(images, 1))
        self._left = 0
        if start is None:
            self._left = sum(len(u) for part in batches.mine[: self._first] for u in part)
        self._images = self._left
        self._sample: Tensor | None = None
        self._filled = 0

    def add(self, group: Indices, features_BCHW: Tensor) -> None:
        """Take random pixels of the first batches' images."""
        if not self._left:
            return
        self._left -= len(group)
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
        if not self._batches.groups:
            raise UsageError(NOTHING)
        start, first = self._start, 0
        if start is None:
            start, first = self._start_of_sample(), self._first
        means = self._batches.means(start.to(self._batches.device))
        points, parts = iter(batches), [len(part) for part in self._batches.mine]
        means.update_as_one(islice(points, sum(parts[:first])))
        for count in parts[first:]:
            means.update_as_one(islice(points, count))
        found = means.centroids
        return Fitted(found, partial(assign, centroids_KC=found), partial(Centroids, found))

    def _start_of_sample(self) -> Tensor:
        """Full k-means on the random pixels of all ranks, which the first has."""
        options, ranks = self._options, self._batches.ranks
        samples = ranks.to_first(None if self._sample is None else self._sample.cpu().numpy())
        self._sample = None  # its memory is wanted

        def full() -> NDArray[np.float32]:
            return initial_centroids(
                self._batches.in_order(samples, self._first),
                options.clusters,
                iterations=options.kmeans_iterations,
                seed=options.seed + self._epoch,
                device=self._batches.device,
            ).centroids

        return torch.from_numpy(ranks.first_does(full, self._stop))


class FigureMixture:
    """A Gaussian mixture whose first responsibilities are the photos' own figures.

    Args:
        part_probs: images' indices to (B, K, h', w') probabilities of each component.
        iterations: of expectation maximisation after the first fit, which is to these.
        ranks: that share the images.
    """

    name = "mixture"

    def __init__(
        self, part_probs: Callable[[Indices], Tensor], iterations: int, ranks: Ranks = ALONE
    ) -> None:
        self._part_probs, self._iterations, self._ranks = part_probs, iterations, ranks
        self._sums: MixtureSums | None = None

    def add(self, group: Indices, features_BCHW: Tensor) -> None:
        """Sum the points by the figure's parts."""
        points = features_BCHW.permute(0, 2, 3, 1).flatten(0, 2)
        probs = self._part_probs(group).to(features_BCHW.device)
        probs = F.interpolate(probs, features_BCHW.shape[2:], mode="area")
        if self._sums is None:
            self._sums = MixtureSums(probs.shape[1], points.shape[1], points.device, self._ranks)
        probs = (probs / probs.sum(1, True)).permute(0, 2, 3, 1).flatten(0, 2)
        self._sums.add(points, probs)

    def fit(self, batches: Iterable[Tensor]) -> Fitted:
        """Expectation maximisation over all points."""
        mine = self._sums
        kinds = self._ranks.gather(None if mine is None else (mine.shape, mine.device.type))
        kind = next((one for one in kinds if one), None)
        if kind is None:
            raise UsageError(NOTHING)
        if mine is None:
            # Other ranks have all the images.
            mine = MixtureSums(*kind[0], torch.device(kind[1]), self._ranks)
        again = (iter(batches) for _ in range(self._iterations))
        found = expectation_maximisation(mine.fit(), again, self._ranks)
        return Fitted(
            found.means,
            lambda points: found.scores(points).argmax(1),
            lambda counts: Mixture(found.means, counts, found.weights, found.bias),
        )
