"""Charts of the report as inline SVG, coloured by its style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

# Most points of a line; longer series are averaged in bins.
MOST_POINTS = 300

# Size and margins of line charts, which scale with the page.
_WIDTH, _HEIGHT = 440, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 34


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: of the line.
        points: finite, sorted by x.
        colour: number of its colour; by default its place in the chart.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int | None = None


def line_chart(
    title: str, series: Sequence[Series], x_label: str, *, marks: Sequence[float] = ()
) -> Markup:
    """Lines over a common x axis; a single point is a dot.

    Args:
        title: title of the chart, for screen readers.
        series: the lines, with at least one point in total.
        x_label: label of the x axis.
        marks: x of light vertical lines, such as the ends of epochs.
    """
    thinned = [thin(line.points) for line in series]
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in thinned for _, y in line]
    x_ticks = [t for t in nice_ticks(min(xs), max(xs), 5) if float(t).is_integer()]
    y_ticks = nice_ticks(min(ys), max(ys), 4)
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    y_low, y_high = min(*ys, y_ticks[0]), max(*ys, y_ticks[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        up = (y - y_low) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, _HEIGHT - _BOTTOM - up

    parts = _axes(place, [t for t in x_ticks if x_low <= t <= x_high], y_ticks, x_label)
    for mark in marks:
        x, _ = place(mark, y_low)
        parts.append(f'<path class="mark" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
    for place_in_chart, (line, points) in enumerate(zip(series, thinned, strict=True)):
        index = place_in_chart if line.colour is None else line.colour
        spots = [place(x, y) for x, y in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        dashed = " dashed" if index >= 6 else ""
        parts.append(f'<path class="line s{index % 6}{dashed}" d="M{path}"/>')
        if len(spots) <= 40:
            parts += [
                f'<circle class="dot s{index % 6}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
                for x, y in spots
            ]
    # Text among the parts is escaped; the rest is numbers.
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'
    )


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` ticks that cover the range, in steps of 1, 2 or 5 times a power of ten."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        pad = abs(low) * 0.1 or 0.5
        low, high = low - pad, high + pad
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``MOST_POINTS`` points: means over bins of consecutive points."""
    if len(points) <= MOST_POINTS:
        return list(points)
    bins = np.array_split(np.array(points, dtype=np.float64), MOST_POINTS)
    means = [run.mean(axis=0) for run in bins]
    return [(float(x), float(y)) for x, y in means]


def _axes(
    place: Callable[[float, float], tuple[float, float]],
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    x_label: str,
) -> list[str]:
    parts = []
    for tick in y_ticks:
        _, y = place(0, tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:.4g}</text>')
    for tick in x_ticks:
        x, _ = place(tick, 0)
        bottom = _HEIGHT - _BOTTOM + 15
        parts.append(f'<text x="{x:.1f}" y="{bottom}" text-anchor="middle">{tick:.6g}</text>')
    parts.append(
        f'<text class="axis" x="{(_LEFT + _WIDTH - _RIGHT) / 2:.1f}" y="{_HEIGHT - 4}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
    )
    return parts
