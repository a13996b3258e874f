"""Textures of places: floors, walls, plants, water, crowds, goods, lights and mere clutter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from c2l.synth.brushes import (
    TAU,
    Channels,
    Painter,
    Rng,
    X,
    Y,
    band,
    blade,
    box,
    bystander,
    courses,
    disc,
    leaf,
    letters,
    noise,
    on,
    scatter,
    triangle,
)


def _pink(slope: float, share: float, light: float) -> Callable[[Rng], Channels]:
    """Noise with the spectrum of photographs in colour and in brightness."""

    def paint(rng: Rng) -> Channels:
        second = np.clip(0.5 + share * noise(rng, slope), 0, 1)
        return second, on(noise(rng, slope), 1.2, 0.6), 1.0 + light * noise(rng, slope)

    return paint


def _stones(
    rows: int, columns: int, shift: float, joint: float, vary: float
) -> Callable[[Rng], Channels]:
    """Bricks, slabs or planks: joints in the second colour, stones that differ a little."""

    def paint(rng: Rng) -> Channels:
        gap, stone = courses(rng, rows, columns, shift, joint)
        light = 1.0 + vary * (stone - 0.5) * 2.0 + 0.07 * noise(rng, 1.0)
        return gap, 0.6 * (stone > 0.85), light

    return paint


def _planks(rng: Rng) -> Channels:
    board = np.repeat(rng.random((8, 1)), Y.size // 8, axis=0)
    edge = np.minimum(Y * 8 % 1, 1 - Y * 8 % 1) < 0.05
    fibre = np.sin((Y * 40 + 0.5 * noise(rng, 1.6, across=0.25)) * TAU)
    return edge * 0.9, 0.0, 1.0 + 0.16 * (board - 0.5) + 0.06 * fibre + 0.05 * noise(rng, 0.8)


def _wood(rng: Rng) -> Channels:
    rings = np.sin((Y * 9 + 0.8 * noise(rng, 1.7, across=0.2)) * TAU)
    return np.clip(0.4 + 0.3 * rings, 0, 1), 0.0, 1.0 + 0.05 * noise(rng, 0.7, across=0.3)


def _checker(rng: Rng) -> Channels:
    odd = (np.floor(X * 4) + np.floor(Y * 4)) % 2
    return odd, 0.0, 1.0 + 0.06 * noise(rng, 1.0)


def _grass(rng: Rng) -> Channels:
    tufts = scatter(rng, 2600, (4, 16), blade)
    return tufts, on(noise(rng, 1.2), 1.3, 0.5), 0.75 + 0.5 * tufts + 0.1 * noise(rng, 1.2)


def _leaves(count: int, sizes: tuple[float, float]) -> Callable[[Rng], Channels]:
    def paint(rng: Rng) -> Channels:
        f = scatter(rng, count, sizes, leaf)
        clump = noise(rng, 1.5)
        return np.clip(f, 0, 1), on(f, 0.93, 0.05), 0.4 + 0.75 * f + 0.22 * clump

    return paint


def _gravel(rng: Rng) -> Channels:
    f = scatter(rng, 5000, (1.5, 6), disc)
    return f, on(f, 0.9, 0.05), 0.7 + 0.5 * f


def _water(rng: Rng) -> Channels:
    ripple = band(rng, 10.0, across=0.35, width=0.6) + 0.5 * band(rng, 30.0, across=0.4)
    return np.clip(0.4 + 0.3 * ripple, 0, 1), on(ripple, 1.9, 0.3), 1.0 + 0.12 * ripple


def _snow(rng: Rng) -> Channels:
    return np.clip(0.3 + 0.3 * noise(rng, 1.6), 0, 1), 0.0, 1.0 + 0.05 * noise(rng, 1.0)


def _clouds(rng: Rng) -> Channels:
    puff = noise(rng, 1.7, across=0.6)
    return on(puff, 0.4, 0.9), on(puff, 1.6, 0.6) * 0.6, 1.0 + 0.03 * noise(rng, 1.5)


def _facade(rng: Rng) -> Channels:
    """Windows in rows, each with its own light."""
    x, y = X * 6, Y * 5
    inside = (abs(x % 1 - 0.5) < 0.27) & (abs(y % 1 - 0.5) < 0.33)
    frame = (abs(x % 1 - 0.5) < 0.33) & (abs(y % 1 - 0.5) < 0.39) & ~inside
    pane = rng.random((5, 6))[np.floor(y).astype(int), np.floor(x).astype(int)]
    light = np.where(inside, 0.55 + 0.6 * pane, 1.0) * (1.0 + 0.06 * noise(rng, 1.0))
    return inside * 1.0, frame * 1.0, light


def _panes(rng: Rng) -> Channels:
    """A glass front: large panes that mirror things, thin bars."""
    bar = ((X * 4) % 1 < 0.06) | ((Y * 3) % 1 < 0.06)
    return bar * 1.0, ~bar * on(noise(rng, 1.4), 0.7, 0.4), 1.0 + 0.25 * noise(rng, 1.4) * ~bar


def _siding(rng: Rng) -> Channels:
    return 0.0, 0.0, 0.85 + 0.3 * ((Y * 12) % 1) ** 0.5 + 0.05 * noise(rng, 1.0)


def _sheet_metal(rng: Rng) -> Channels:
    rust = on(noise(rng, 1.5), 1.2, 0.5)
    return rust, 0.0, 1.0 + 0.2 * np.sin(X * 20 * TAU) + 0.04 * noise(rng, 1.0)


def _shelf(rng: Rng) -> Channels:
    """Books or goods that stand in rows."""
    second, light = np.zeros((Y.size, X.size)), np.ones((Y.size, X.size))
    third = np.zeros((Y.size, X.size))
    rows = 6
    for row in range(rows):
        edges = np.unique(np.r_[0.0, np.sort(rng.random(22)), 1.0])
        at = np.clip(np.searchsorted(edges, X[0], side="right") - 1, 0, len(edges) - 2)
        y = (Y[:, 0] * rows) - row
        top = rng.uniform(0.1, 0.4, len(edges))[at]
        here = (y[:, None] >= 0) & (y[:, None] < 1)
        item = here & (y[:, None] > top[None, :]) & (y[:, None] < 0.9)
        second = np.where(item, rng.random(len(edges))[at], second)
        third = np.where(
            item, (rng.random(len(edges)) > 0.6)[at] * rng.random(len(edges))[at], third
        )
        light = np.where(here & ~item, np.where(y[:, None] > 0.9, 0.9, 0.35), light)
    return second, third, light * (1.0 + 0.08 * noise(rng, 0.9))


def _text(rows: int, columns: int) -> Callable[[Rng], Channels]:
    def paint(rng: Rng) -> Channels:
        return (
            letters(rng, rows, columns),
            on(noise(rng, 1.6), 1.2, 0.1),
            1.0 + 0.04 * noise(rng, 1.0),
        )

    return paint


def _posters(rng: Rng) -> Channels:
    sheet = scatter(rng, 40, (14, 48), box)
    ink = letters(rng, 18, 16) * (sheet > 0.2)
    return np.clip(sheet, 0, 1), ink * on(noise(rng, 1.2), 0.0, 0.2), 1.0 + 0.08 * noise(rng, 1.2)


def _graffiti(rng: Rng) -> Channels:
    f, g = band(rng, 3.0, width=0.3), band(rng, 4.0, width=0.3)
    return (
        on(np.abs(f), 0.3, 0.05) * on(g, 0.2, 0.05),
        on(np.abs(g - 0.5), 0.25, 0.05) * on(f, 0, 0.1),
        1.0 + 0.08 * noise(rng, 1.1),
    )


def _leafless(rng: Rng) -> Channels:
    """Twigs and wires."""
    f, g = band(rng, 7.0, across=1.8), band(rng, 14.0, across=1.3)
    return (
        1.0 - on(np.abs(f), 0.12, 0.08),
        (1.0 - on(np.abs(g), 0.1, 0.08)) * 0.8,
        1.0 + 0.08 * noise(rng, 1.3),
    )


def _strewn(paint: Painter, count: int, sizes: tuple[float, float]) -> Callable[[Rng], Channels]:
    """Shapes over one another, whose sizes follow those of things in photographs."""

    def make(rng: Rng) -> Channels:
        first, second = scatter(rng, count, sizes, paint), scatter(rng, count, sizes, paint)
        return (
            first,
            second * (first > 0.3),
            0.75 + 0.4 * scatter(rng, count, sizes, paint) + 0.08 * noise(rng, 1.0),
        )

    return make


def _wallpaper(rng: Rng) -> Channels:
    x, y = X * 5, Y * 5
    curl = np.sin(x * TAU) * np.cos(y * TAU) + 0.6 * np.sin(2 * (x + y) * TAU) * np.cos(
        (x - y) * TAU
    )
    return on(curl, 0.5, 0.1), 0.0, 1.0 + 0.03 * noise(rng, 1.0)


def _lights(rng: Rng) -> Channels:
    """Lamps out of focus at night."""
    f = scatter(rng, 70, (5, 16), disc)
    return on(f, 0.6, 0.1), on(f, 0.8, 0.05), 0.7 + 1.2 * f * (f > 0.3)


def _bars(rng: Rng) -> Channels:
    """A railing or a lattice."""
    return (X * 16 % 1 < 0.25) | (Y * 4 % 1 < 0.06), 0.0, 1.0 + 0.06 * noise(rng, 1.2)


def _wire(rng: Rng) -> Channels:
    a, b = (X + Y) * 12 % 1, (X - Y) * 12 % 1
    return np.clip((a < 0.12) * 1.0 + (b < 0.12), 0, 1), 0.0, 1.0 + 0.1 * noise(rng, 1.3)


SURFACES: dict[str, Callable[[Rng], Channels]] = {
    "cloud": _pink(1.7, 0.25, 0.10), "stains": _pink(1.3, 0.25, 0.14), "pink": _pink(1.0, 0.3,
        0.22),
    "concrete": _pink(1.2, 0.15, 0.07), "asphalt": _pink(0.5, 0.2, 0.09), "sand": _pink(0.8, 0.2,
        0.07),
    "soil": _pink(0.9, 0.3, 0.2), "carpet": _pink(0.3, 0.3, 0.08), "marble": _pink(1.5, 0.5, 0.05),
    "brick": _stones(16, 6, 0.5, 0.10, 0.18), "blocks": _stones(6, 4, 0.5, 0.05, 0.12),
    "rubble": _stones(9, 7, 0.5, 0.16, 0.35), "paving": _stones(5, 5, 0.5, 0.05, 0.12),
    "slabs": _stones(3, 4, 0.0, 0.03, 0.08), "cobble": _stones(14, 14, 0.5, 0.2, 0.22),
    "tiles": _stones(10, 10, 0.0, 0.08, 0.05), "parquet": _stones(16, 4, 0.5, 0.03, 0.18),
    "planks": _planks, "wood": _wood, "checker": _checker, "grass": _grass,
    "leaves": _leaves(1100, (5, 16)), "foliage": _leaves(2600, (3, 8)), "bush": _leaves(500, (9,
        30)),
    "gravel": _gravel, "water": _water, "snow": _snow, "clouds": _clouds, "facade": _facade,
    "panes": _panes, "siding": _siding, "sheet-metal": _sheet_metal, "shelf": _shelf,
    "text": _text(9, 12), "headline": _text(3, 5), "posters": _posters, "graffiti": _graffiti,
    "twigs": _leafless, "clutter": _strewn(box, 260, (4, 50)), "pebbles": _strewn(disc, 420, (3,
        40)),
    "shards": _strewn(triangle, 360, (4, 50)), "crowd": _strewn(bystander, 260, (7, 13)),
    "wallpaper": _wallpaper, "lights": _lights, "bars-iron": _bars, "wire": _wire,
}  # fmt: skip
