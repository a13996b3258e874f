"""Mini-batch k-means follows its update rule, and its start is a full k-means."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from c2l.clustering import kmeans
from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids, sums_by_label

Floats = NDArray[np.float64]


def nearest(points: Floats, centroids: Floats) -> NDArray[np.int64]:
    return ((points[:, None] - centroids[None]) ** 2).sum(2).argmin(1)


def random_points(count: int, channels: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, channels)).astype(np.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_assignment_is_the_nearest_centroid(dtype: torch.dtype) -> None:
    points = torch.from_numpy(random_points(500, 7)).to(dtype)
    centroids = random_points(9, 7, seed=1) * 2
    labels = assign(points, torch.from_numpy(centroids))
    assert labels.dtype == torch.int64
    expected = nearest(points.double().numpy(), centroids.astype(np.float64))
    np.testing.assert_array_equal(labels, expected)


def test_assignment_and_updates_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points, centroids = (
        torch.from_numpy(random_points(50, 3)),
        torch.from_numpy(random_points(4, 3)),
    )
    labels, whole = assign(points, centroids), MiniBatchKMeans.start(centroids)
    whole.update(points)
    monkeypatch.setattr(kmeans, "CPU_CHUNK", 7 * 4)
    np.testing.assert_array_equal(assign(points, centroids), labels)
    parts = MiniBatchKMeans.start(centroids)
    np.testing.assert_array_equal(parts.update(points), labels)
    torch.testing.assert_close(parts.centroids, whole.centroids)
    assert parts.inertia == pytest.approx(whole.inertia)


def test_ties_go_to_the_lower_index() -> None:
    centroids = torch.tensor([[1.0, 0], [-1, 0], [1, 0]])
    points = torch.tensor([[0.0, 0], [0, 5], [2, 0]])
    assert assign(points, centroids).tolist() == [0, 0, 0]


def test_sums_are_those_of_each_label() -> None:
    points, labels = random_points(60, 4), np.random.default_rng(1).integers(0, 3, 60)
    sums = sums_by_label(torch.from_numpy(points), torch.from_numpy(labels), 5)
    for k in range(5):
        np.testing.assert_allclose(sums[k], points[labels == k].sum(0), atol=1e-5)


def test_mini_batches_move_the_centroids_by_their_rule() -> None:
    centroids = random_points(4, 3, seed=5).astype(np.float64)
    centroids[3] = 100  # never the nearest: it must stay where it is
    seen, inertia = np.zeros(4), 0.0
    running = MiniBatchKMeans.start(torch.from_numpy(centroids.astype(np.float32)))
    for batch in range(6):
        points = random_points(30 + batch, 3, seed=batch).astype(np.float64)
        labels = nearest(points, centroids)
        inertia += ((points - centroids[labels]) ** 2).sum()
        for k in range(4):
            members = points[labels == k]
            if len(members):
                seen[k] += len(members)
                centroids[k] += len(members) / seen[k] * (members.mean(0) - centroids[k])
        np.testing.assert_array_equal(
            running.update(torch.from_numpy(points.astype(np.float32))), labels
        )
        np.testing.assert_allclose(running.centroids, centroids, atol=1e-5)
        np.testing.assert_array_equal(running.counts, seen)
    assert running.inertia == pytest.approx(inertia, rel=1e-5)
    np.testing.assert_allclose(running.centroids[3], 100)


def test_a_centroid_ends_as_the_mean_of_what_it_was_given() -> None:
    running = MiniBatchKMeans.start(torch.from_numpy(random_points(3, 2, seed=8)))
    given, labels = [], []
    for batch in range(4):
        points = random_points(25, 2, seed=batch)
        given.append(points)
        labels.append(running.update(torch.from_numpy(points)).numpy())
    points, owners = np.concatenate(given), np.concatenate(labels)
    for k in range(3):
        np.testing.assert_allclose(running.centroids[k], points[owners == k].mean(0), atol=1e-5)


def test_batches_that_the_start_was_fitted_to_count_as_one() -> None:
    start = torch.from_numpy(random_points(3, 2, seed=8))
    batches = [torch.from_numpy(random_points(25, 2, seed=n)) for n in range(4)]
    joint, whole = MiniBatchKMeans.start(start), MiniBatchKMeans.start(start)
    joint.update_as_one(batches)
    whole.update(torch.cat(batches))
    torch.testing.assert_close(joint.centroids, whole.centroids)
    np.testing.assert_array_equal(joint.counts, whole.counts)
    assert joint.inertia == pytest.approx(whole.inertia)
    assert int(joint.counts.sum()) == 100


def test_no_batches_leave_the_start_as_it_is() -> None:
    start = torch.from_numpy(random_points(3, 2, seed=8))
    running = MiniBatchKMeans.start(start)
    running.update_as_one([])
    torch.testing.assert_close(running.centroids, start)
    assert not running.counts.any()


def test_starting_leaves_the_given_centroids_alone() -> None:
    given = torch.zeros(2, 3)
    MiniBatchKMeans.start(given).update(torch.ones(4, 3))
    assert not given.any()


def blobs(count: int) -> tuple[NDArray[np.float32], Floats]:
    centres = np.array([[0.0, 0], [10, 0], [0, 10], [10, 10]])
    noise = random_points(4 * count, 2).astype(np.float64) * 0.1
    points = np.repeat(centres, count, axis=0) + noise
    return points.astype(np.float32), points.reshape(4, count, 2).mean(1)


def test_start_finds_well_separated_blobs_from_all_their_points() -> None:
    # 2,000 points a centroid; FAISS by itself would take 256 of them.
    points, means = blobs(2000)
    result = initial_centroids(points, 4, iterations=20, seed=3)
    assert result.centroids.dtype == np.float32
    order = [int(((result.centroids - m) ** 2).sum(1).argmin()) for m in means]
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_allclose(result.centroids[order], means, atol=1e-4)


def test_start_reports_a_falling_objective() -> None:
    result = initial_centroids(random_points(600, 4), 5, iterations=8, seed=0)
    assert len(result.objective) == 8
    assert all(b <= a * (1 + 1e-5) for a, b in pairwise(result.objective))


def test_start_is_the_same_for_the_same_seed() -> None:
    points = random_points(400, 3)
    first, second, other = (
        initial_centroids(points, 6, iterations=3, seed=s).centroids for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_as_many_points_as_clusters_are_their_own_centroids() -> None:
    points = random_points(5, 2)
    found = initial_centroids(points, 5, iterations=2, seed=0).centroids
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(points, axis=0), atol=1e-5)


def test_fewer_points_than_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="3 pixels cannot be put into 4 clusters"):
        initial_centroids(random_points(3, 2), 4, iterations=2, seed=0)
