"""Bootstrap intervals equal those of a loop over resamples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.scoring import bootstrap as module
from c2l.scoring.bootstrap import bootstrap, bootstrap_difference
from c2l.scoring.matching import hungarian
from c2l.scoring.metrics import NothingToScoreError, score

NAMES = ("a", "b", "c")
METRICS = ("miou", "pixel_accuracy", "mean_class_accuracy")


def images(count: int, seed: int = 0) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 40, size=(count, 4, 3)) + 60 * np.eye(4, 3, dtype=np.int64)


def intervals_by_loops(
    per_image: NDArray[np.int64], matching: NDArray[np.int64], resamples: int, seed: int
) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    count = len(per_image)
    drawn = []
    for _ in range(resamples):
        weights = rng.multinomial(count, np.full(count, 1 / count))
        total = sum(int(w) * image for w, image in zip(weights, per_image, strict=True))
        drawn.append(score(np.asarray(total), matching, NAMES).as_dict())
    return {
        name: np.quantile([d[name] for d in drawn], [0.025, 0.975]).tolist() for name in METRICS
    }


def test_intervals_equal_those_of_resamples_scored_one_by_one() -> None:
    per_image = images(9)
    per_image[::3, :, 2] = 0  # some resamples lack class c
    matching = hungarian(per_image.sum(axis=0))

    intervals = bootstrap(per_image, matching, 60, seed=4)

    expected = intervals_by_loops(per_image, matching, 60, seed=4)
    assert list(intervals) == list(METRICS)
    for name in METRICS:
        assert intervals[name] == pytest.approx(expected[name])


def test_a_rare_class_is_left_out_of_resamples_without_it() -> None:
    per_image = np.zeros((6, 2, 2), dtype=np.int64)
    per_image[:, 0, 0] = 10
    per_image[0, 0, 1] = 10  # class 1 occurs in one image and is missed there
    low, high = bootstrap(per_image, np.array([0, 1]), 400, seed=0)["miou"]
    assert high == 1.0
    assert 0 < low < 0.5


def test_chunks_do_not_change_the_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    per_image, matching = images(7), np.array([0, 1, 2, -1])
    whole = bootstrap(per_image, matching, 50, seed=1)
    monkeypatch.setattr(module, "_CHUNK_WEIGHTS", 21)
    assert bootstrap(per_image, matching, 50, seed=1) == whole


def test_the_seed_decides_the_intervals() -> None:
    per_image, matching = images(7), np.array([0, 1, 2, -1])
    assert bootstrap(per_image, matching, 50, 1) == bootstrap(per_image, matching, 50, 1)
    assert bootstrap(per_image, matching, 50, 1) != bootstrap(per_image, matching, 50, 2)


def test_a_single_image_has_an_interval_of_zero_width() -> None:
    per_image, matching = images(1), np.array([0, 1, 2, -1])
    expected = score(per_image[0], matching, NAMES)
    intervals = bootstrap(per_image, matching, 10, 0)
    assert intervals["miou"] == pytest.approx([expected.miou] * 2)
    assert intervals["pixel_accuracy"] == pytest.approx([expected.pixel_accuracy] * 2)


def test_resamples_without_labels_are_left_out() -> None:
    per_image = np.zeros((3, 2, 2), dtype=np.int64)
    per_image[0] = [[3, 0], [1, 4]]
    intervals = bootstrap(per_image, np.array([0, 1]), 200, 0)
    assert intervals["pixel_accuracy"] == pytest.approx([7 / 8] * 2)


def test_no_resamples_give_no_intervals() -> None:
    assert bootstrap(images(3), np.array([0, 1, 2, -1]), 0, 0) == {}


def test_nothing_labelled_is_refused() -> None:
    with pytest.raises(NothingToScoreError):
        bootstrap(np.zeros((3, 2, 2), dtype=np.int64), np.array([0, 1]), 10, 0)


@pytest.mark.parametrize(("shape", "resamples"), [((2, 2), 5), ((0, 2, 2), 5), ((1, 2, 2), -1)])
def test_invalid_shapes_and_resamples_are_refused(shape: tuple[int, ...], resamples: int) -> None:
    with pytest.raises(UsageError, match="images x clusters x classes"):
        bootstrap(np.ones(shape, dtype=np.int64), np.array([0, 1]), resamples, 0)


def test_a_difference_is_paired_by_image() -> None:
    """A loop that draws the same images for both gives the same intervals."""
    rng = np.random.default_rng(5)
    first, second = (rng.integers(1, 50, (7, 3, 3)) for _ in range(2))
    match = np.array([0, 1, 2]), np.array([2, 0, 1])
    found = bootstrap_difference((first, match[0]), (second, match[1]), 40, seed=3)
    weights = np.random.default_rng(3).multinomial(7, np.full(7, 1 / 7), size=40)
    differences = []
    for weight in weights:
        mious = []
        for counts, matching in ((first, match[0]), (second, match[1])):
            total = np.tensordot(weight, counts, 1)
            by_class = np.zeros((3, 3))
            by_class[matching] = total
            hit = np.diag(by_class)
            mious.append((hit / (by_class.sum(0) + by_class.sum(1) - hit)).mean())
        differences.append(mious[0] - mious[1])
    np.testing.assert_allclose(found["miou"], np.quantile(differences, [0.025, 0.975]))


def test_a_predictor_does_not_differ_from_itself() -> None:
    counts = images(5), np.array([0, 1, 2, -1])
    found = bootstrap_difference(counts, counts, 30, seed=0)
    assert found == {name: [0.0, 0.0] for name in METRICS}
    assert bootstrap_difference(counts, counts, 0, seed=0) == {}
    with pytest.raises(UsageError, match="5 and 4 images"):
        bootstrap_difference(counts, (counts[0][1:], counts[1]), 30, seed=0)
