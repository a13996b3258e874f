"""Confusion matrices equal a loop over pixels; invalid ids are refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2l.errors import BadInputError, UsageError
from c2l.scoring.confusion import confusion_matrix


def counts_by_loop(
    pred: NDArray[np.int64], target: NDArray[np.uint8], clusters: int, classes: int
) -> NDArray[np.int64]:
    counts = np.zeros((clusters, classes), dtype=np.int64)
    for cluster, label in zip(pred.ravel(), target.ravel(), strict=True):
        if label != 255:
            counts[cluster, label] += 1
    return counts


def test_counts_of_a_hand_made_map() -> None:
    pred = np.array([[0, 0, 1], [1, 2, 2]])
    target = np.array([[0, 1, 1], [1, 255, 0]], dtype=np.uint8)

    counts = confusion_matrix(pred, target, 3, 2)

    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, [[1, 1], [0, 2], [1, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize(
    ("clusters", "classes"), [(1, 1), (3, 3), (16, 3), (2, 18), (255, 59), (256, 256)]
)
def test_counts_equal_a_pixel_loop(dtype: type[np.integer], clusters: int, classes: int) -> None:
    rng = np.random.default_rng(clusters * classes)
    pred = rng.integers(clusters, size=(13, 17))
    target = rng.integers(classes, size=(13, 17)).astype(np.uint8)
    target[rng.random((13, 17)) < 0.2] = 255

    counts = confusion_matrix(pred.astype(dtype), target, clusters, classes)

    np.testing.assert_array_equal(counts, counts_by_loop(pred, target, clusters, classes))


def test_more_clusters_than_fit_a_byte_are_distinguished() -> None:
    pred = np.array([[0, 256, 65535, 70000]])
    target = np.array([[0, 1, 2, 2]], dtype=np.uint8)

    counts = confusion_matrix(pred, target, 70001, 3)

    assert counts[0, 0] == counts[256, 1] == counts[65535, 2] == counts[70000, 2] == 1
    assert counts.sum() == 4


def test_non_contiguous_views_are_counted_and_not_modified() -> None:
    rng = np.random.default_rng(0)
    pred, target = rng.integers(3, size=(9, 8)).T, rng.integers(3, size=(8, 9)).astype(np.uint8)
    before = pred.copy(), target.copy()

    counts = confusion_matrix(pred[::2], target[::2], 3, 3)

    np.testing.assert_array_equal(counts, counts_by_loop(pred[::2], target[::2], 3, 3))
    np.testing.assert_array_equal(pred, before[0])
    np.testing.assert_array_equal(target, before[1])


def test_a_mask_without_pixels_counts_nothing() -> None:
    empty = np.zeros((0, 4), dtype=np.uint8)
    np.testing.assert_array_equal(confusion_matrix(empty, empty, 2, 3), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("pred", "target", "message"),
    [
        ([[0, 1]], [[0], [1]], r"shape \(2, 1\), found \(1, 2\)"),
        ([[0, 3]], [[0, 1]], "clusters 0 to 2, found 3"),
        ([[0, -1]], [[0, 1]], "clusters 0 to 2, found -1"),
        ([[0, 3]], [[0, 255]], "clusters 0 to 2, found 3"),
        ([[0, 1]], [[0, 2]], r"labels 0 to 1 or 255 \(ignored\), found label 2"),
    ],
)
def test_wrong_ids_and_shapes_are_refused_naming_the_file(
    pred: list[list[int]], target: list[list[int]], message: str
) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        confusion_matrix(
            np.array(pred), np.array(target, dtype=np.uint8), 3, 2, source="masks/a.png"
        )
    assert caught.value.path == "masks/a.png"
    assert caught.value.hint


def test_floats_are_refused() -> None:
    ids, scores = np.zeros((1, 1), dtype=np.uint8), np.zeros((1, 1))
    with pytest.raises(BadInputError, match="found float64 and uint8"):
        confusion_matrix(scores, ids, 1, 1)  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(BadInputError, match="found uint8 and float64"):
        confusion_matrix(ids, scores, 1, 1)  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(("clusters", "classes"), [(0, 3), (3, 0), (3, 257)])
def test_impossible_numbers_of_clusters_and_classes_are_refused(
    clusters: int, classes: int
) -> None:
    ids = np.zeros((1, 1), dtype=np.uint8)
    with pytest.raises(UsageError, match="at least 1 cluster"):
        confusion_matrix(ids, ids, clusters, classes)
