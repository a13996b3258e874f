"""NMI and ARI equal scikit-learn's, and counts beyond 64 bits do not overflow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from c2l.errors import UsageError
from c2l.scoring.agreement import (
    adjusted_rand_index,
    agreement,
    normalised_mutual_information,
)
from c2l.scoring.confusion import confusion_matrix


def maps(seed: int, clusters: int, classes: int, agree: float) -> tuple[NDArray[np.int64], ...]:
    """Two label maps that agree, beside chance, on a share of their pixels."""
    rng = np.random.default_rng(seed)
    target = rng.integers(classes, size=(30, 20)) ** 2 // classes
    pred = np.where(rng.random(target.shape) < agree, target, rng.integers(clusters, size=(30, 20)))
    return pred % clusters, target


@pytest.mark.parametrize("agree", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("clusters", "classes"), [(3, 3), (2, 7), (16, 4), (5, 2)])
def test_random_label_maps_score_as_in_scikit_learn(
    clusters: int, classes: int, agree: float
) -> None:
    pred, target = maps(clusters * classes, clusters, classes, agree)
    found = agreement(confusion_matrix(pred, target.astype(np.uint8), clusters, classes))
    figure = target > 0
    for prefix, inside in (("", figure | True), ("fg_", figure)):
        p, t = pred[inside], target[inside]
        if prefix and len(np.unique(t)) < 2:
            assert (found["fg_nmi"], found["fg_ari"]) == (None, None)
            continue
        assert found[f"{prefix}nmi"] == pytest.approx(normalized_mutual_info_score(t, p), abs=1e-12)
        assert found[f"{prefix}ari"] == pytest.approx(adjusted_rand_score(t, p), abs=1e-12)


@pytest.mark.parametrize(
    ("pred", "target"),
    [
        ([], []),
        ([0], [0]),
        ([0, 0, 0], [1, 1, 1]),  # one cluster, one class
        ([0, 1, 2, 2], [1, 1, 1, 1]),  # one class
        ([2, 2, 2, 2], [0, 1, 1, 2]),  # one cluster
        ([0, 0, 1, 1], [0, 1, 0, 1]),  # below chance
        ([2, 1, 0, 0], [0, 1, 2, 2]),  # the same by other names
        ([0, 1, 2], [2, 0, 1]),  # a pixel per cluster and class
    ],
)
def test_edge_cases_score_as_in_scikit_learn(pred: list[int], target: list[int]) -> None:
    counts = np.zeros((3, 3), dtype=np.int64)
    np.add.at(counts, (np.array(pred, int), np.array(target, int)), 1)
    expected = normalized_mutual_info_score(target, pred)
    assert normalised_mutual_information(counts) == pytest.approx(expected, abs=1e-12)
    assert adjusted_rand_index(counts) == pytest.approx(adjusted_rand_score(target, pred))


def test_the_foreground_needs_two_classes_to_tell_apart() -> None:
    person = np.array([[50, 3], [2, 20], [1, 9]])
    found = agreement(person)
    assert found["nmi"] is not None
    assert found["ari"] is not None
    assert found["fg_nmi"] is found["fg_ari"] is None
    two = np.array([[50, 3, 0], [2, 20, 0], [1, 0, 9]])
    assert agreement(two)["fg_nmi"] == normalised_mutual_information(two[:, 1:])
    assert agreement(two)["fg_ari"] == adjusted_rand_index(two[:, 1:])


def test_pixels_of_a_large_set_do_not_overflow() -> None:
    """Ten billion pixels are 5e19 pairs: more than int64 holds, let alone their product."""
    small = np.array([[7, 1, 0], [0, 2, 1], [1, 0, 3], [0, 0, 0]])
    large = small * 1_000_000_007
    pairs = [
        sum(Fraction(n) * (n - 1) / 2 for n in counts.ravel().tolist())
        for counts in (large, large.sum(1), large.sum(0), large.sum())
    ]
    expected = pairs[1] * pairs[2] / pairs[3]
    ari = (pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected)
    assert adjusted_rand_index(large) == float(ari)
    assert normalised_mutual_information(large) == pytest.approx(
        normalised_mutual_information(small), abs=1e-12
    )
    assert all(type(value) is float for value in agreement(large).values())


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="clusters x classes"):
        agreement(np.zeros(3, dtype=np.int64))
