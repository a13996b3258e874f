"""Charts of the report as inline SVG, coloured by its style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

# Most points of a line; longer series are averaged in bins.
MOST_POINTS = 300

# Size and margins of line charts, which scale with the page.
_WIDTH, _HEIGHT = 440, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 34

# Height of a heat map's cells and width of a letter in its labels, in pixels; longer column names
# are slanted.
_CELL_HEIGHT = 30
_LETTER = 7.6
_LONGEST_UPRIGHT = 11


@dataclass(frozen=True)
class Series:
    """One line of a chart: a name and finite points sorted by x."""

    name: str
    points: tuple[tuple[float, float], ...]


def bar(
    value: float,
    *,
    kind: str = "rival",
    interval: Sequence[float] | None = None,
    colour: Sequence[int] | None = None,
) -> str:
    """A horizontal bar on a scale from 0 to 1, as wide as its container.

    Args:
        value: length of the bar, a fraction.
        kind: style class: ``own``, ``rival``, ``trivial`` or ``class``.
        interval: low and high end of the whisker, fractions.
        colour: RGB in place of the colour of the style class.
    """
    fill = f' style="fill:{css_colour(colour)}"' if colour is not None else ""
    parts = [
        '<rect class="track" width="100%" height="12" rx="3"/>',
        f'<rect class="fill" width="{_percent(value)}" height="12" rx="3"{fill}/>',
    ]
    if interval is not None:
        low, high = (_percent(end) for end in interval)
        parts.append(f'<line class="whisker" x1="{low}" x2="{high}" y1="6" y2="6"/>')
        parts += [
            f'<line class="whisker" x1="{end}" x2="{end}" y1="2" y2="10"/>' for end in (low, high)
        ]
    return f'<svg class="bar {kind}" height="12" aria-hidden="true">{"".join(parts)}</svg>'


def heat_map(
    confusion: NDArray[np.int64], row_names: Sequence[str], column_names: Sequence[str]
) -> str:
    """A heat map of the share of each cell in its row; hovering shows the count.

    Args:
        confusion: (R, C) int64 counts.
        row_names: R labels.
        column_names: C labels.
    """
    longest = max(len(name) for name in column_names)
    slanted = longest > _LONGEST_UPRIGHT
    cell = 54 if slanted else max(54, 10 + round(_LETTER * longest))
    left = 12 + round(_LETTER * max(len(name) for name in row_names))
    top = 22 + (round(0.68 * _LETTER * longest) if slanted else 0)
    width = left + len(column_names) * cell + (top if slanted else 8)
    height = top + len(row_names) * _CELL_HEIGHT
    parts = []
    for c, name in enumerate(column_names):
        x, y = left + (c + 0.5) * cell, top - 8
        place = f'x="{x:.1f}" y="{y}" text-anchor="middle"'
        if slanted:
            place = f'x="{x:.1f}" y="{y}" transform="rotate(-40 {x:.1f} {y})"'
        parts.append(f"<text {place}>{escape(name)}</text>")
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    for r, row_name in enumerate(row_names):
        y = top + r * _CELL_HEIGHT
        parts.append(
            f'<text x="{left - 8}" y="{y + 19}" text-anchor="end">{escape(row_name)}</text>'
        )
        for c, name in enumerate(column_names):
            share = float(shares[r, c])
            title = f"{row_name}, {name}: {int(confusion[r, c]):,} pixels, {share:.1%} of the row"
            parts.append(_cell(left + c * cell, y, cell, share, title))
    return (
        f'<svg class="heatmap" role="img" aria-label="Confusion matrix" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )


def _cell(x: int, y: int, width: int, share: float, title: str) -> str:
    box = f'x="{x}" y="{y}" width="{width - 2}" height="{_CELL_HEIGHT - 2}" rx="3"'
    ink = "on" if share > 0.5 else "off"
    return (
        f'<g><title>{escape(title)}</title><rect class="cell" {box}/>'
        f'<rect class="heat" {box} style="fill-opacity:{share:.3f}"/>'
        f'<text class="{ink}" x="{x + width // 2 - 1}" y="{y + 19}" '
        f'text-anchor="middle">{100 * share:.0f}</text></g>'
    )


def line_chart(
    title: str, series: Sequence[Series], x_label: str, *, marks: Sequence[float] = ()
) -> str:
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
    for index, line in enumerate(thinned):
        spots = [place(x, y) for x, y in line]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(f'<path class="line s{index % 6}" d="M{path}"/>')
        if len(spots) <= 40:
            parts += [
                f'<circle class="dot s{index % 6}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
                for x, y in spots
            ]
    return (
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


def css_colour(rgb: Sequence[int]) -> str:
    """A colour in CSS."""
    return f"rgb({int(rgb[0])} {int(rgb[1])} {int(rgb[2])})"


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


def _percent(fraction: float) -> str:
    return f"{100 * min(max(fraction, 0.0), 1.0):.2f}%"
