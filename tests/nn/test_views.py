"""The parameters of the views depend only on seed, epoch and image, and cover their ranges."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from c2l.nn.views import ViewParameters, view_parameters
from c2l.runtime.streams import Purpose, epoch_order, stream

NAMES = [f.name for f in fields(ViewParameters)]


def same(a: ViewParameters, b: ViewParameters) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in NAMES)


def test_parameters_of_an_image_do_not_depend_on_its_batch() -> None:
    whole = view_parameters(7, 3, np.arange(20))
    order = np.array([13, 2, 19, 2])
    part = view_parameters(7, 3, order)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[order])


def test_parameters_repeat_and_differ_by_seed_epoch_and_purpose() -> None:
    images = np.arange(8)
    first = view_parameters(0, 0, images)
    assert same(first, view_parameters(0, 0, images))
    assert not same(first, view_parameters(1, 0, images))
    assert not same(first, view_parameters(0, 1, images))
    assert not same(first, view_parameters(0, 0, images, purpose=Purpose.WARMUP))
    assert not same(first, view_parameters(0, 0, images + 8))


@pytest.fixture(scope="module")
def many() -> ViewParameters:
    return view_parameters(0, 0, np.arange(4000))


@pytest.mark.parametrize(
    ("name", "neutral", "low", "high"),
    [
        ("brightness", 1, 0.7, 1.3),
        ("contrast", 1, 0.7, 1.3),
        ("saturation", 1, 0.7, 1.3),
        ("hue", 0, -0.1, 0.1),
    ],
)
def test_jitter_is_uniform_and_applied_with_its_probability(
    many: ViewParameters, name: str, neutral: float, low: float, high: float
) -> None:
    values = getattr(many, name)
    applied = values[values != neutral]
    assert len(applied) / values.size == pytest.approx(0.8, abs=0.02)
    check_uniform(applied, low, high)


def check_uniform(values: np.ndarray, low: float, high: float) -> None:  # type: ignore[type-arg]
    assert values.min() >= low - 1e-6
    assert values.max() <= high + 1e-6
    deciles = np.quantile(values, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(low, high, 11), atol=0.05 * (high - low))


def test_grey_and_blur_are_applied_with_their_probabilities(many: ViewParameters) -> None:
    assert many.grey.mean() == pytest.approx(0.2, abs=0.02)
    applied = many.blur[many.blur != 0]
    assert len(applied) / many.blur.size == pytest.approx(0.5, abs=0.02)
    check_uniform(applied, 0.1, 2.0)


def test_crops_lie_inside_the_photo_and_flips_are_fair(many: ViewParameters) -> None:
    side, top, left = many.crop.T
    check_uniform(side, 0.5, 1.0)
    assert min(top.min(), left.min()) >= 0
    assert max((top + side).max(), (left + side).max()) <= 1 + 1e-6
    room = 1 - side > 0.05
    check_uniform(top[room] / (1 - side[room]), 0, 1)
    check_uniform(left[room] / (1 - side[room]), 0, 1)
    assert many.flip.mean() == pytest.approx(0.5, abs=0.03)


def test_draws_are_independent_of_each_other(many: ViewParameters) -> None:
    columns = [getattr(many, n).reshape(4000, -1).astype(np.float64) for n in NAMES]
    together = np.corrcoef(np.concatenate(columns, axis=1).T)
    side, top, left = 12, 13, 14
    # Except the crop: a smaller one can lie further away from the corner.
    together[[side, top, side, left], [top, side, left, side]] = (
        0  # a smaller crop can lie further away
    )
    together[[top, left], [left, top]] = 0
    np.testing.assert_allclose(together, np.eye(len(together)), atol=0.07)


def test_order_is_a_permutation_that_depends_on_epoch_and_seed() -> None:
    orders = [epoch_order(0, 0, 50), epoch_order(0, 1, 50), epoch_order(1, 0, 50)]
    for order in orders:
        assert order.dtype == np.int64
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    np.testing.assert_array_equal(orders[0], epoch_order(0, 0, 50))


def test_streams_of_neighbouring_arguments_share_no_numbers() -> None:
    seen = np.concatenate(
        [
            stream(seed, purpose, epoch, image, view).random(50)
            for seed in (0, 1)
            for purpose in (Purpose.VIEWS, Purpose.PIXELS)
            for epoch in (0, 1)
            for image in (0, 1)
            for view in (0, 1)
        ]
    )
    assert len(np.unique(seen)) == len(seen)
