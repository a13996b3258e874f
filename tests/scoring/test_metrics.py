"""Scores equal hand counts and loops, and respect the bound between mIoU and accuracy."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from c2l.errors import ExitCode, UsageError
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.matching import hungarian, identity_matching, majority
from c2l.scoring.metrics import NothingToScoreError, score, score_images

NAMES = ("background", "upper", "lower")


def test_scores_of_a_hand_counted_matrix() -> None:
    confusion = np.array([[6, 1, 0], [2, 3, 1], [0, 1, 2]])

    scores = score(confusion, identity_matching(3, 3), NAMES)

    assert scores.iou == pytest.approx({"background": 6 / 9, "upper": 3 / 8, "lower": 2 / 4})
    assert scores.class_accuracy == pytest.approx(
        {"background": 6 / 8, "upper": 3 / 5, "lower": 2 / 3}
    )
    assert scores.miou == pytest.approx((6 / 9 + 3 / 8 + 2 / 4) / 3)
    assert scores.pixel_accuracy == pytest.approx(11 / 16)
    assert scores.mean_class_accuracy == pytest.approx((6 / 8 + 3 / 5 + 2 / 3) / 3)


def test_pixels_of_unmatched_clusters_are_errors() -> None:
    confusion = np.array([[4, 0], [0, 4], [4, 0]])

    scores = score(confusion, np.array([0, 1, -1]), ("a", "b"))

    assert scores.iou == pytest.approx({"a": 4 / 8, "b": 1.0})
    assert scores.pixel_accuracy == pytest.approx(8 / 12)


def test_two_clusters_of_one_class_are_scored_as_one() -> None:
    confusion = np.array([[4, 0], [0, 4], [4, 1]])

    scores = score(confusion, majority(confusion), ("a", "b"))

    assert scores.iou == pytest.approx({"a": 8 / 9, "b": 4 / 5})


def test_a_class_absent_from_the_labels_is_none_and_excluded_from_means() -> None:
    confusion = np.array([[3, 0, 1], [0, 0, 0], [1, 0, 3]])

    scores = score(confusion, identity_matching(3, 3), NAMES)

    assert scores.iou["upper"] is None
    assert scores.class_accuracy["upper"] is None
    assert list(scores.iou) == list(NAMES)
    assert scores.miou == pytest.approx(3 / 5)


def test_predicting_an_absent_class_costs_the_true_class() -> None:
    confusion = np.array([[6, 0], [4, 0]])
    scores = score(confusion, identity_matching(2, 2), ("a", "b"))
    assert scores.iou == {"a": pytest.approx(0.6), "b": None}


def test_a_class_that_no_cluster_got_scores_zero() -> None:
    confusion = np.array([[6, 3, 1]])
    scores = score(confusion, hungarian(confusion), NAMES)
    assert scores.iou == pytest.approx({"background": 0.6, "upper": 0.0, "lower": 0.0})
    assert scores.miou == pytest.approx(0.2)


def test_scores_equal_counts_on_the_masks() -> None:
    rng = np.random.default_rng(0)
    pred, target = rng.integers(4, size=(20, 30)), rng.integers(3, size=(20, 30))
    target[rng.random(target.shape) < 0.1] = 255
    matching = np.array([2, 0, 1, 0])

    scores = score(confusion_matrix(pred, target.astype(np.uint8), 4, 3), matching, NAMES)

    classes, valid = matching[pred], target != 255
    for index, name in enumerate(NAMES):
        hit = ((classes == index) & (target == index)).sum()
        union = (((classes == index) | (target == index)) & valid).sum()
        assert scores.iou[name] == pytest.approx(hit / union)
    assert scores.pixel_accuracy == pytest.approx((classes == target)[valid].mean())


tables = st.integers(1, 6).flatmap(
    lambda classes: st.lists(
        st.lists(st.integers(0, 1000), min_size=classes, max_size=classes),
        min_size=1,
        max_size=8,
    )
)


@given(tables)
def test_miou_is_at_least_accuracy_over_the_number_of_classes(table: list[list[int]]) -> None:
    # No union exceeds all pixels, so the sum of the IoUs is at least the accuracy.
    confusion = np.array(table, dtype=np.int64)
    if not confusion.any():
        return
    classes = confusion.shape[1]
    names = [str(index) for index in range(classes)]
    for matching in (
        hungarian(confusion),
        majority(confusion),
        identity_matching(len(table), classes),
    ):
        scores = score(confusion, matching, names)
        assert scores.miou >= scores.pixel_accuracy / classes - 1e-12
        assert 0 <= scores.miou <= scores.mean_class_accuracy <= 1
        json.dumps(scores.as_dict(), allow_nan=False)


@given(tables, st.randoms())
def test_the_order_of_clusters_does_not_change_the_scores(
    table: list[list[int]], random: Random
) -> None:
    confusion: NDArray[np.int64] = np.array(table, dtype=np.int64)
    if not confusion.any():
        return
    order = list(range(len(table)))
    random.shuffle(order)
    names = [str(index) for index in range(confusion.shape[1])]
    matching = hungarian(confusion)
    assert score(confusion[order], matching[order], names) == score(confusion, matching, names)


def test_nothing_labelled_is_bad_input() -> None:
    with pytest.raises(NothingToScoreError, match="every pixel is ignored") as caught:
        score(np.zeros((2, 2), dtype=np.int64), identity_matching(2, 2), ("a", "b"))
    assert caught.value.exit_code == ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    ("matching", "names", "said"),
    [
        ([0, 1], ("a",), "2 class names, found 1"),
        ([0], ("a", "b"), "matching of 2 clusters"),
        ([0, 2], ("a", "b"), r"classes -1 to 1 in the matching, found \[0, 2\]"),
        ([0, -2], ("a", "b"), "classes -1 to 1 in the matching"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    matching: list[int], names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        score(np.ones((2, 2), dtype=np.int64), np.array(matching), names)


def test_scores_of_an_image_are_those_of_its_own_matrix() -> None:
    per_image = np.random.default_rng(0).integers(0, 50, size=(6, 4, 3))
    per_image[1, :, 2] = 0  # absent from this image
    per_image[4] = 0  # no labelled pixel
    matching = hungarian(per_image.sum(0))

    found = score_images([f"{n}.jpg" for n in range(6)], per_image, matching)

    assert [image["name"] for image in found] == [f"{n}.jpg" for n in range(6)]
    assert (found[4]["miou"], found[4]["pixel_accuracy"]) == (None, None)
    for number in (0, 1, 2, 3, 5):
        own = score(per_image[number], matching, NAMES)
        assert found[number]["miou"] == pytest.approx(own.miou, abs=1e-6)
        assert found[number]["pixel_accuracy"] == pytest.approx(own.pixel_accuracy, abs=1e-6)
