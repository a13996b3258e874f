"""The clustering pass labels every pixel with the nearest of the centroids it returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids
from c2l.options import ClusterOptions
from c2l.runtime.progress import Steps
from c2l.runtime.streams import Purpose, stream
from c2l.training.passes import ViewClustering, cluster_pass, feature_buffer

COUNT, GRID, CHANNELS = 7, (3, 4), 5
GROUPS = [np.array([2, 0, 5]), np.array([6, 1, 3]), np.array([4])]


@pytest.fixture
def features() -> Tensor:
    """Three kinds of pixels, well apart."""
    random = np.random.default_rng(0)
    kinds = np.eye(3, CHANNELS)[random.integers(0, 3, (COUNT, *GRID))]
    noisy = kinds + random.normal(size=kinds.shape) * 0.05
    return F.normalize(torch.from_numpy(noisy).float(), dim=-1).permute(0, 3, 1, 2)


def run(
    features: Tensor,
    scratch: Path,
    *,
    clusters: int = 3,
    seed: int = 0,
    start: Tensor | None = None,
    options: ClusterOptions | None = None,
) -> tuple[ViewClustering, NDArray[np.int64], int]:
    labels = np.full((COUNT, *GRID), -1)

    def store(indices: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        assert values.dtype == np.uint8
        labels[indices] = values

    bar = Steps("cluster", COUNT, "images")
    with feature_buffer(scratch / "s" / "buffer", torch.device("cpu"), 1000) as buffer:
        result = cluster_pass(
            (features[torch.from_numpy(group)] for group in GROUPS),
            GROUPS,
            clusters,
            options or ClusterOptions(kmeans_pixels=6, kmeans_init_batches=2),
            seed=seed,
            epoch=1,
            buffer=buffer,
            store=store,
            bar=bar,
            start=start,
        )
    assert not list((scratch / "s").iterdir())
    return result, labels, bar.done


def stored(features: Tensor) -> Tensor:
    """All pixels as the buffer keeps them, image by image."""
    return features.half().permute(0, 2, 3, 1).reshape(COUNT, -1, CHANNELS)


def test_labels_are_the_nearest_of_the_centroids(features: Tensor, tmp_path: Path) -> None:
    result, labels, done = run(features, tmp_path)
    expected = assign(stored(features).flatten(0, 1), result.centroids)
    np.testing.assert_array_equal(labels.ravel(), expected)
    np.testing.assert_array_equal(result.counts, np.bincount(labels.ravel(), minlength=3))
    assert done == COUNT


def test_kinds_of_pixels_become_clusters(features: Tensor, tmp_path: Path) -> None:
    _, labels, _ = run(features, tmp_path, start=0.5 * torch.eye(3, CHANNELS) + 0.1)
    np.testing.assert_array_equal(labels, features.argmax(1))


def test_given_centroids_start_the_mini_batches(features: Tensor, tmp_path: Path) -> None:
    start = torch.randn(4, CHANNELS, generator=torch.Generator().manual_seed(0))
    running = MiniBatchKMeans.start(start)
    for group in GROUPS:
        running.update(stored(features)[group].flatten(0, 1))
    result, labels, _ = run(features, tmp_path, clusters=4, start=start)
    torch.testing.assert_close(result.centroids, running.centroids)
    assert result.inertia == pytest.approx(running.inertia)
    np.testing.assert_array_equal(
        labels.ravel(), assign(stored(features).flatten(0, 1), running.centroids)
    )


@pytest.mark.parametrize("buffered", [1, 2, 3])
def test_batches_of_the_initial_k_means_count_as_one_and_the_others_follow(
    tmp_path: Path, buffered: int
) -> None:
    random = torch.Generator().manual_seed(1)
    features = F.normalize(torch.randn(COUNT, CHANNELS, *GRID, generator=random), dim=1)
    options = ClusterOptions(kmeans_pixels=12, kmeans_init_batches=buffered, kmeans_iterations=2)
    result, _, _ = run(features, tmp_path, options=options)
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
    torch.testing.assert_close(result.centroids, running.centroids)


def test_same_seed_gives_the_same_clustering(features: Tensor, tmp_path: Path) -> None:
    first, second = run(features, tmp_path)[0], run(features, tmp_path)[0]
    assert torch.equal(first.centroids, second.centroids)


def test_more_pixels_are_taken_where_the_clusters_need_them(
    features: Tensor, tmp_path: Path
) -> None:
    few = ClusterOptions(kmeans_pixels=1, kmeans_init_batches=1)
    result, _, _ = run(features, tmp_path, clusters=8, options=few)
    assert result.centroids.shape == (8, CHANNELS)
    assert int(result.counts.sum()) == COUNT * GRID[0] * GRID[1]


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
