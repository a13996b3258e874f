"""The clustering pass labels every pixel by the clustering that it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids
from c2l.clustering.mixture import MixtureSums, expectation_maximisation
from c2l.options import FitOptions
from c2l.runtime.progress import Progress
from c2l.runtime.ranks import ALONE
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import Purpose, epoch_order, stream
from c2l.training.buffer import feature_buffer
from c2l.training.clustering import ClusterBatches, Clustering, FigureMixture, Fitted, KMeans
from c2l.training.loop import Trainer

COUNT, GRID, CHANNELS, EPOCH = 7, (3, 4), 5, 1
ORDER = epoch_order(0, EPOCH, COUNT)
GROUPS = [ORDER[:3], ORDER[3:6], ORDER[6:]]
OPTIONS = FitOptions(
    image_size=64,
    batch_size=8,
    clusters=3,
    kmeans_batch=3,
    kmeans_pixels=6,
    kmeans_init_batches=2,
    amp="off",
)


@pytest.fixture
def features() -> Tensor:
    """Three kinds of pixels, well apart."""
    random = np.random.default_rng(0)
    kinds = np.eye(3, CHANNELS)[random.integers(0, 3, (COUNT, *GRID))]
    noisy = kinds + random.normal(size=kinds.shape) * 0.05
    return F.normalize(torch.from_numpy(noisy).float(), dim=-1).permute(0, 3, 1, 2)


@dataclass
class Given:
    """Features that are there already: neither views nor a network change them."""

    features: Tensor

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, range(len(self.features))))

    def load(self, indices: NDArray[np.int64], epoch: int, views: tuple[int, ...]) -> Tensor:
        assert (epoch, views) == (EPOCH, (1,))
        return self.features[torch.from_numpy(indices)]

    def view(self, net: Any, loaded: Tensor, view: int) -> Tensor:
        return loaded

    def eval(self) -> None:
        pass

    def embed(self, m: Tensor) -> tuple[Tensor, None]:
        return m, None


def cluster(
    method: Clustering, features: Tensor, scratch: Path, options: FitOptions = OPTIONS
) -> tuple[Fitted, NDArray[np.int64], NDArray[np.int64]]:
    """What was found, the pixels of each cluster, and all labels."""
    labels = np.full((COUNT, *GRID), -1)

    def store(indices: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        assert values.dtype == np.uint8
        labels[indices] = values

    given: Any = Given(features)
    state: Any = SimpleNamespace(
        net=given, options=options, run=SimpleNamespace(scratch=scratch), ranks=ALONE
    )
    bar = Progress("cluster", COUNT, "images")
    trainer = Trainer(state, given, torch.device("cpu"), StopRequest())
    found, counts = trainer.cluster(method, EPOCH, 1, store, bar)
    assert bar.done == COUNT
    assert not list(scratch.iterdir())
    return found, counts.numpy(), labels


def kmeans(
    features: Tensor, scratch: Path, options: FitOptions = OPTIONS, start: Tensor | None = None
) -> tuple[Fitted, NDArray[np.int64], NDArray[np.int64]]:
    method = KMeans(options, ClusterBatches(GROUPS), epoch=EPOCH, start=start)
    return cluster(method, features, scratch, options)


def stored(features: Tensor) -> Tensor:
    """All pixels as the buffer keeps them, image by image."""
    return features.half().permute(0, 2, 3, 1).reshape(COUNT, -1, CHANNELS)


def test_labels_are_the_nearest_of_the_centroids(features: Tensor, tmp_path: Path) -> None:
    found, counts, labels = kmeans(features, tmp_path)
    expected = assign(stored(features).flatten(0, 1), found.centroids)
    np.testing.assert_array_equal(labels.ravel(), expected)
    np.testing.assert_array_equal(counts, np.bincount(labels.ravel(), minlength=3))


def test_kinds_of_pixels_become_clusters(features: Tensor, tmp_path: Path) -> None:
    _, _, labels = kmeans(features, tmp_path, start=0.5 * torch.eye(3, CHANNELS) + 0.1)
    np.testing.assert_array_equal(labels, features.argmax(1))


def test_given_centroids_start_the_mini_batches(features: Tensor, tmp_path: Path) -> None:
    start = torch.randn(4, CHANNELS, generator=torch.Generator().manual_seed(0))
    running = MiniBatchKMeans.start(start)
    for group in GROUPS:
        running.update(stored(features)[group].flatten(0, 1))
    found, _, labels = kmeans(features, tmp_path, replace(OPTIONS, clusters=4), start)
    torch.testing.assert_close(found.centroids, running.centroids)
    np.testing.assert_array_equal(
        labels.ravel(), assign(stored(features).flatten(0, 1), running.centroids)
    )


@pytest.mark.parametrize("buffered", [1, 2, 3])
def test_batches_of_the_initial_k_means_count_as_one_and_the_others_follow(
    tmp_path: Path, buffered: int
) -> None:
    random = torch.Generator().manual_seed(1)
    features = F.normalize(torch.randn(COUNT, CHANNELS, *GRID, generator=random), dim=1)
    options = replace(OPTIONS, kmeans_pixels=12, kmeans_init_batches=buffered, kmeans_iterations=2)
    found, _, _ = kmeans(features, tmp_path, options)
    points = [stored(features)[group].flatten(0, 1) for group in GROUPS]
    # Every pixel of a buffered image is in the sample, so that its order alone is random.
    first = torch.cat(
        [
            features[i]
            .permute(1, 2, 0)
            .reshape(-1, CHANNELS)[stream(0, Purpose.INIT, 1, int(i)).choice(12, 12, False)]
            for group in GROUPS[:buffered]
            for i in group
        ]
    )
    start = initial_centroids(first.numpy(), 3, iterations=2, seed=1).centroids
    running = MiniBatchKMeans.start(torch.from_numpy(start))
    running.update(torch.cat(points[:buffered]))
    for batch in points[buffered:]:
        running.update(batch)
    torch.testing.assert_close(found.centroids, running.centroids)


def test_same_seed_gives_the_same_clustering(features: Tensor, tmp_path: Path) -> None:
    first, second = (kmeans(features, tmp_path)[0] for _ in range(2))
    assert torch.equal(first.centroids, second.centroids)


def test_more_pixels_are_taken_where_the_clusters_need_them(
    features: Tensor, tmp_path: Path
) -> None:
    few = replace(OPTIONS, clusters=8, kmeans_pixels=1, kmeans_init_batches=1)
    found, counts, _ = kmeans(features, tmp_path, few)
    assert found.centroids.shape == (8, CHANNELS)
    assert int(counts.sum()) == COUNT * GRID[0] * GRID[1]


def test_the_mixture_starts_from_the_parts_and_labels_by_its_posterior(
    features: Tensor, tmp_path: Path
) -> None:
    random = torch.Generator().manual_seed(2)
    kinds = F.one_hot(features.argmax(1), CHANNELS)[..., :3].permute(0, 3, 1, 2)
    noise = torch.rand(kinds.shape, generator=random)
    # On a grid twice as fine as that of the features.
    probs = F.interpolate(kinds + 0.2 * noise, scale_factor=2.0)
    method = FigureMixture(lambda group: probs[torch.from_numpy(group)], 2)
    found, counts, labels = cluster(method, features, tmp_path)

    sums = MixtureSums(3, CHANNELS, torch.device("cpu"))
    for group in GROUPS:
        given = F.avg_pool2d(probs[group], 2)
        given = (given / given.sum(1, True)).permute(0, 2, 3, 1).flatten(0, 2)
        sums.add(features[group].permute(0, 2, 3, 1).flatten(0, 2), given)
    points = [stored(features)[group].flatten(0, 1) for group in GROUPS]
    expected = expectation_maximisation(sums.fit(), [points, points])
    torch.testing.assert_close(found.centroids, expected.means)
    scores = expected.scores(stored(features).flatten(0, 1))
    np.testing.assert_array_equal(labels.ravel(), scores.argmax(1))
    np.testing.assert_array_equal(counts, np.bincount(labels.ravel(), minlength=3))
    stored_by = found.classifier(torch.from_numpy(counts)).tensors()
    torch.testing.assert_close(stored_by["weights"], expected.weights)
    torch.testing.assert_close(stored_by["bias"], expected.bias)


def test_k_means_is_stored_as_its_centroids(features: Tensor, tmp_path: Path) -> None:
    found, counts, _ = kmeans(features, tmp_path)
    tensors = found.classifier(torch.from_numpy(counts)).tensors()
    assert torch.equal(tensors["centroids"], found.centroids)
    np.testing.assert_array_equal(tensors["counts"], counts)


def test_the_buffer_gives_back_its_batches_and_is_gone_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "buffer"
    batches = [torch.randn(n, 3) for n in (4, 1, 7)]

    def fill() -> None:
        with feature_buffer(path, torch.device("cpu"), 1) as buffer:
            for batch in batches:
                buffer.append(batch)
            for _ in range(2):
                for found, batch in zip(buffer, batches, strict=True):
                    assert torch.equal(found, batch.half())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fill()
    assert not path.exists()
