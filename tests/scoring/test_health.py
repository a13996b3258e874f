"""Label-free diagnostics equal hand counts and report collapse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from c2l.scoring.health import agreement, entropy, health, least_cosine

# Centroids of two views with three distinct clusters.
APART = (np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32))


def test_entropy_is_relative_to_equal_sizes() -> None:
    assert entropy(np.array([7, 7, 7])) == pytest.approx(1)
    assert entropy(np.array([9, 0, 0])) == 0
    expected = (0.5 * math.log(2) + 2 * 0.25 * math.log(4)) / math.log(3)
    assert entropy(np.array([50, 25, 25])) == pytest.approx(expected)
    assert entropy(np.array([5, 5, 0, 0])) == pytest.approx(0.5)


def test_entropy_of_one_cluster_or_no_pixels_is_zero() -> None:
    assert entropy(np.array([5])) == 0
    assert entropy(np.array([0, 0])) == 0


def test_agreement_is_after_matching_the_clusters_of_the_views() -> None:
    assert agreement(np.array([[0, 4, 0], [0, 0, 3], [5, 0, 0]])) == 1
    assert agreement(np.array([[1, 6], [2, 1]])) == pytest.approx(0.8)
    assert agreement(np.array([[5, 5], [5, 5]])) == pytest.approx(0.5)
    assert agreement(np.zeros((3, 3), np.int64)) == 0


def test_a_healthy_clustering_reports_no_collapse() -> None:
    record = health((np.array([6, 4]), np.array([5, 5])), APART, np.array([[5, 1], [0, 4]]))
    assert record["cluster_sizes"] == [0.55, 0.45]
    assert record["view_agreement"] == 0.9
    assert record["cluster_entropy"] == pytest.approx(entropy(np.array([11, 9])), abs=1e-6)
    assert record["collapsed"] == []


def test_one_cluster_with_nearly_all_pixels_is_a_collapse() -> None:
    sizes = np.array([4, 1990, 6])
    record = health((sizes, sizes), APART, np.diag(sizes))
    assert record["collapsed"] == ["cluster 1 holds 99.5% of the pixels"]
    sizes = np.array([10, 990, 0])
    assert not any("holds" in c for c in health((sizes, sizes), APART, np.diag(sizes))["collapsed"])


def test_an_empty_cluster_of_a_view_is_a_collapse() -> None:
    counts = (np.array([5, 5, 0]), np.array([0, 10, 0]))
    record = health(counts, APART, np.zeros((3, 3), np.int64))
    assert record["collapsed"] == [
        "view 1: clusters [2] are empty",
        "view 2: clusters [0, 2] are empty",
    ]


def test_least_cosine_is_that_of_the_most_different_centroids() -> None:
    assert least_cosine(np.array([[2, 0], [3, 3], [0, 1]], np.float32)) == pytest.approx(0)
    assert least_cosine(np.array([[1, 0], [5, 5]], np.float32)) == pytest.approx(0.5**0.5)
    assert least_cosine(np.array([[1, 0], [-2, 0]], np.float32)) == pytest.approx(-1)


def test_features_that_collapse_to_a_point_are_reported() -> None:
    sizes = np.array([4, 3, 3])
    point = np.ones((3, 5), np.float32) + 0.01 * np.eye(3, 5, dtype=np.float32)
    record = health((sizes, sizes), (APART[0], point), np.diag(sizes))
    assert record["least_cosine"] == [0, pytest.approx(1, abs=1e-4)]
    (alarm,) = record["collapsed"]
    assert alarm.startswith("view 2: the features have collapsed to a point")
