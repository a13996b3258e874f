"""Matchings are optimal and deterministic."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.scoring.matching import hungarian, identity_matching, majority


def matched_pixels(confusion: NDArray[np.int64], matching: NDArray[np.int64]) -> int:
    return sum(int(confusion[k, c]) for k, c in enumerate(matching) if c >= 0)


def most_pixels_by_brute_force(confusion: NDArray[np.int64]) -> int:
    table = confusion if confusion.shape[0] <= confusion.shape[1] else confusion.T
    rows, columns = table.shape
    return max(
        sum(int(table[r, c]) for r, c in enumerate(chosen))
        for chosen in permutations(range(columns), rows)
    )


@pytest.mark.parametrize(
    ("clusters", "classes"), [(1, 1), (3, 3), (5, 5), (6, 3), (7, 2), (2, 6), (3, 5), (1, 4)]
)
def test_hungarian_matches_as_many_pixels_as_the_best_permutation(
    clusters: int, classes: int
) -> None:
    rng = np.random.default_rng(clusters * 10 + classes)
    for _ in range(20):
        confusion = rng.integers(0, 50, size=(clusters, classes))
        matching = hungarian(confusion)

        assert matching.shape == (clusters,)
        assert matching.dtype == np.int64
        used = matching[matching >= 0].tolist()
        assert len(used) == len(set(used)) == min(clusters, classes)
        assert matched_pixels(confusion, matching) == most_pixels_by_brute_force(confusion)


def test_hungarian_maximises_the_total_and_not_the_largest_cell() -> None:
    confusion = np.array([[10, 9], [8, 1]])
    np.testing.assert_array_equal(hungarian(confusion), [1, 0])


def test_hungarian_leaves_surplus_clusters_unmatched() -> None:
    confusion = np.array([[5, 0], [9, 1], [0, 7], [0, 2]])
    np.testing.assert_array_equal(hungarian(confusion), [-1, 0, 1, -1])


def test_hungarian_is_exact_for_counts_of_whole_data_sets() -> None:
    huge = 2**52
    confusion = np.array([[huge, huge + 1], [huge, huge]])
    np.testing.assert_array_equal(hungarian(confusion), [1, 0])


def test_hungarian_is_deterministic_for_ties() -> None:
    for confusion in (np.zeros((4, 4), np.int64), np.ones((5, 3), np.int64)):
        first = hungarian(confusion)
        assert all(np.array_equal(hungarian(confusion.copy()), first) for _ in range(5))


def test_majority_takes_the_most_frequent_class_of_each_cluster() -> None:
    confusion = np.array([[1, 5, 2], [9, 0, 0], [0, 4, 4], [0, 0, 0], [3, 3, 3]])
    np.testing.assert_array_equal(majority(confusion), [1, 0, 1, -1, 0])


def test_majority_matches_at_least_as_many_pixels_as_hungarian() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        confusion = rng.integers(0, 100, size=(6, 4))
        many = matched_pixels(confusion, majority(confusion))
        assert many >= matched_pixels(confusion, hungarian(confusion))


@pytest.mark.parametrize(
    ("clusters", "classes", "expected"),
    [(3, 3, [0, 1, 2]), (2, 4, [0, 1]), (4, 2, [0, 1, -1, -1])],
)
def test_identity_matching_maps_each_cluster_to_its_own_id(
    clusters: int, classes: int, expected: list[int]
) -> None:
    matching = identity_matching(clusters, classes)
    assert matching.dtype == np.int64
    np.testing.assert_array_equal(matching, expected)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (3, 0), (2, 3, 3)])
def test_arrays_that_are_not_tables_are_refused(shape: tuple[int, ...]) -> None:
    for match in (hungarian, majority):
        with pytest.raises(UsageError, match="clusters x classes"):
            match(np.zeros(shape, dtype=np.int64))
