"""Charts place their marks at the given numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from c2l.drawing.charts import MOST_POINTS, Series, line_chart, nice_ticks, thin


def path_of(svg: str, index: int) -> list[tuple[float, float]]:
    found = re.search(rf'class="line s{index}" d="M([^"]+)"', svg)
    assert found is not None
    pairs = [point.split() for point in found.group(1).split("L")]
    return [(float(x), float(y)) for x, y in pairs]


def test_lines_run_left_to_right_and_up_with_the_value() -> None:
    falling = Series("loss", tuple((float(i), 2.0 - 0.1 * i) for i in range(10)))
    level = Series("other", ((0.0, 0.5), (9.0, 0.5)))
    svg = line_chart("Loss", [falling, level], "step", marks=[5.0])
    ElementTree.fromstring(svg)
    spots = path_of(svg, 0)
    assert len(spots) == 10
    steps = np.diff(np.array(spots), axis=0)
    # Equal steps right, and down by equal amounts (y grows downwards in SVG).
    np.testing.assert_allclose(steps[:, 0], steps[0, 0], atol=0.11)
    np.testing.assert_allclose(steps[:, 1], steps[0, 1], atol=0.11)
    assert steps[0, 0] > 0
    assert steps[0, 1] > 0
    flat = path_of(svg, 1)
    assert flat[0][1] == flat[1][1]
    mark = re.search(r'class="mark" d="M([\d.]+) ', svg)
    assert mark is not None
    assert float(mark.group(1)) == spots[5][0]


def test_every_line_stays_inside_the_chart() -> None:
    rng = np.random.default_rng(0)
    series = Series("a", tuple((float(x), float(y)) for x, y in enumerate(rng.normal(size=900))))
    svg = line_chart("A", [series], "step")
    spots = path_of(svg, 0)
    assert len(spots) == MOST_POINTS
    assert all(0 <= x <= 440 and 0 <= y <= 220 for x, y in spots)


@pytest.mark.parametrize("y", [0.0, 0.7, -3.0, 1e-9, 1e12])
def test_one_point_or_one_level_can_be_drawn(y: float) -> None:
    for points in ([(3.0, y)], [(0.0, y), (1.0, y)]):
        svg = line_chart("A", [Series("a", tuple(points))], "epoch")
        ElementTree.fromstring(svg)
        assert "nan" not in svg
        assert len(re.findall("<circle", svg)) == len(points)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.5, 1]),
        (0.03, 1.83, [0, 0.5, 1, 1.5, 2]),
        (-0.4, 0.4, [-0.4, -0.2, 0, 0.2, 0.4]),
        (0, 700, [0, 200, 400, 600, 800]),
    ],
)
def test_ticks_are_round_and_cover_the_range(
    low: float, high: float, expected: list[float]
) -> None:
    assert nice_ticks(low, high, 4) == pytest.approx(expected)


def test_thinning_keeps_the_mean_and_short_lines() -> None:
    points = [(float(x), float(x % 7)) for x in range(6 * MOST_POINTS)]
    thinned = thin(points)
    assert len(thinned) == MOST_POINTS
    assert np.mean([y for _, y in thinned]) == pytest.approx(np.mean([y for _, y in points]))
    assert thinned[0] == pytest.approx((2.5, 2.5))
    assert thin(points[:5]) == points[:5]
