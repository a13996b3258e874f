"""Textures of cloth, skin and hair: patterns, weaves, folds and strands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from c2l.synth.arrays import smoothstep
from c2l.synth.brushes import (
    TAU,
    Channels,
    Rng,
    X,
    Y,
    band,
    box,
    disc,
    grain,
    leaf,
    letters,
    noise,
    on,
    petal,
    scatter,
    scribble,
    triangle,
    wave,
)


def _plain(rng: Rng) -> Channels:
    return 0.0, 0.0, grain(rng, 0.04)


def _marl(rng: Rng) -> Channels:
    return np.clip(0.5 + 0.35 * noise(rng, 0.3), 0, 1), 0.0, grain(rng, 0.06)


def _denim(rng: Rng) -> Channels:
    twill = 0.06 * np.sin((X + Y) * 48 * TAU) + 0.07 * noise(rng, 0.3, across=2.0)
    return 0.35 * on(noise(rng, 1.7), 0.6, 0.9), 0.0, 1.0 + twill + 0.08 * noise(rng, 1.4)


def _knit(rng: Rng) -> Channels:
    rib = np.sin(X * 24 * TAU) * (0.6 + 0.4 * np.sin(Y * 36 * TAU + 1.5 * np.sin(X * 24 * TAU)))
    return 0.0, 0.0, 1.0 + 0.17 * rib + 0.05 * noise(rng, 0.5)


def _cable(rng: Rng) -> Channels:
    twist = np.sin(X * 6 * TAU + 1.3 * np.sin(Y * 10 * TAU)) * np.cos(X * 6 * np.pi)
    return 0.0, 0.0, 1.0 + 0.25 * twist + 0.08 * np.sin(Y * 50 * TAU) + 0.05 * noise(rng, 0.5)


def _rib(rng: Rng) -> Channels:
    return 0.0, 0.0, 1.0 + 0.16 * np.sin(X * 20 * TAU) + 0.04 * noise(rng, 0.4)


def _stripes(count: int, share: float, *, along: bool = False) -> Callable[[Rng], Channels]:
    def paint(rng: Rng) -> Channels:
        x = (X if along else Y) * count
        return on(np.sin(x * TAU), 1.0 - 2.0 * share, 0.2), 0.0, grain(rng)

    return paint


def _uneven_stripes(rng: Rng) -> Channels:
    edges = np.sort(rng.random(14))
    kind = rng.integers(0, 3, 15)[np.searchsorted(edges, Y)]
    return (kind == 1) * 1.0, (kind == 2) * 1.0, grain(rng)


def _gingham(rng: Rng) -> Channels:
    return 0.5 * (wave(X * 8) + wave(Y * 8)), 0.0, grain(rng)


def _tartan(rng: Rng) -> Channels:
    wide = 0.5 * (wave(X * 4) + wave(Y * 4))
    line = on(np.sin(X * 4 * TAU + 1.5), 0.95, 0.03) + on(np.sin(Y * 4 * TAU + 1.5), 0.95, 0.03)
    thin = on(np.sin(X * 8 * TAU), 0.97, 0.02) + on(np.sin(Y * 8 * TAU), 0.97, 0.02)
    return wide, np.clip(0.8 * line + 0.4 * thin, 0, 0.9), grain(rng)


def _windowpane(rng: Rng) -> Channels:
    line = on(np.cos(X * 6 * TAU), 0.95, 0.04) + on(np.cos(Y * 6 * TAU), 0.95, 0.04)
    return np.clip(line, 0, 1), 0.0, grain(rng, 0.07)


def _dots(count: int, radius: float) -> Callable[[Rng], Channels]:
    def paint(rng: Rng) -> Channels:
        row = np.floor(Y * count)
        x = X * count + 0.5 * (row % 2)
        d = np.hypot(x - np.floor(x) - 0.5, Y * count - row - 0.5)
        return 1.0 - smoothstep(radius - 0.05, radius + 0.05, d), 0.0, grain(rng)

    return paint


def _floral(count: int, sizes: tuple[float, float]) -> Callable[[Rng], Channels]:
    def paint(rng: Rng) -> Channels:
        leaves = scatter(rng, count * 2, (sizes[0], sizes[1] * 0.8), leaf)
        flowers = scatter(rng, count, sizes, petal)
        heart = flowers > 0.9
        return (
            0.6 * (leaves > 0.4) * (flowers < 0.1) + heart * 0.9,
            (flowers > 0.1) * (~heart),
            grain(rng),
        )

    return paint


def _herringbone(rng: Rng) -> Channels:
    zig = np.abs((X * 16) % 2.0 - 1.0)
    return 0.7 * on(np.sin((Y * 32 + zig) * TAU), 0.0, 0.4), 0.0, grain(rng)


def _houndstooth(rng: Rng) -> Channels:
    a, b = wave(X * 12, 0.05), wave(Y * 12, 0.05)
    diagonal = wave((X + Y) * 24, 0.05)
    return a * b + (a * (1 - b) + b * (1 - a)) * diagonal, 0.0, grain(rng)


def _zigzag(rng: Rng) -> Channels:
    return wave(Y * 8 + 0.5 * np.abs((X * 12) % 2 - 1)), 0.0, grain(rng)


def _blotches(rng: Rng) -> Channels:
    f = band(rng, 5.0)
    return on(f, 0.3), on(f, 1.2), grain(rng)


def _camouflage(rng: Rng) -> Channels:
    return on(noise(rng, 1.6), 0.3, 0.05), on(noise(rng, 1.6), 0.7, 0.05), grain(rng)


def _leopard(rng: Rng) -> Channels:
    f = band(rng, 9.0)
    ring = on(f, 0.7, 0.1) - on(f, 1.5, 0.1)
    return 0.5 * on(f, 1.5, 0.2), np.clip(ring * on(noise(rng, 0.8), -0.5, 0.3), 0, 1), grain(rng)


def _zebra(rng: Rng) -> Channels:
    return wave(X * 6 + 0.35 * band(rng, 3.0), 0.15), 0.0, grain(rng)


def _tie_dye(rng: Rng) -> Channels:
    return on(noise(rng, 1.8), 0.0, 1.2), on(noise(rng, 1.8), 0.5, 0.9), grain(rng)


def _triangles(rng: Rng) -> Channels:
    f = scatter(rng, 260, (12, 46), triangle)
    return on(f, 0.4, 0.1), on(f, 0.75, 0.05), grain(rng)


def _patches(rng: Rng) -> Channels:
    f = scatter(rng, 160, (14, 70), box)
    return np.clip(f * 2, 0, 1), on(f, 0.7, 0.1), grain(rng)


def _lace(rng: Rng) -> Channels:
    holes = _dots(20, 0.22)(rng)[0] + on(band(rng, 16.0), 0.8, 0.3)
    return np.clip(holes, 0, 1), 0.0, grain(rng, 0.08)


def _fur(rng: Rng) -> Channels:
    return np.clip(0.3 * noise(rng, 1.2), 0, 1), 0.0, 1.0 + 0.3 * noise(rng, 0.8, across=1.7)


def _sequins(rng: Rng) -> Channels:
    return (
        0.0,
        on(scatter(rng, 2500, (3, 5), disc), 0.9, 0.1),
        0.8 + 0.5 * scatter(rng, 2600, (3, 5), disc),
    )


def _quilt(rng: Rng) -> Channels:
    puff = np.abs(np.sin(Y * 5 * np.pi))
    return 0.0, 0.0, 0.55 + 0.55 * puff**0.5 + 0.07 * noise(rng, 1.0, across=0.6)


def _diamonds(rng: Rng) -> Channels:
    puff = np.abs(np.sin((X + Y) * 6 * np.pi) * np.sin((X - Y) * 6 * np.pi))
    return 0.0, 0.0, 0.6 + 0.5 * puff**0.4 + 0.04 * noise(rng, 1.0)


def _corduroy(rng: Rng) -> Channels:
    return 0.0, 0.0, 1.0 + 0.2 * np.sin(X * 32 * TAU) + 0.06 * noise(rng, 0.8)


def _leather(rng: Rng) -> Channels:
    return 0.0, 0.0, 1.0 + 0.08 * noise(rng, 0.7) + 0.1 * noise(rng, 1.7)


def _paint(rng: Rng) -> Channels:
    drops = scatter(rng, 160, (2, 18), disc)
    return drops > 0.5, (drops > 0.1) * (drops <= 0.5), grain(rng)


def _scribbles(rng: Rng) -> Channels:
    f = scatter(rng, 70, (10, 40), scribble)
    return f > 0.6, (f > 0.2) * (f <= 0.6), grain(rng)


def _print(rng: Rng) -> Channels:
    return letters(rng, 6, 9), 0.0, grain(rng)


def _photo_print(rng: Rng) -> Channels:
    return (
        np.clip(0.5 + 0.5 * noise(rng, 1.2), 0, 1),
        on(noise(rng, 1.2), 0.8, 0.4),
        1.0 + 0.2 * noise(rng, 1.1),
    )


def _mesh(rng: Rng) -> Channels:
    return 0.0, 0.0, 1.0 + 0.2 * np.sin(X * 40 * TAU) * np.sin(Y * 40 * TAU)


CLOTHS: dict[str, Callable[[Rng], Channels]] = {
    "plain": _plain, "marl": _marl, "denim": _denim, "knit": _knit, "cable": _cable, "rib": _rib,
    "bars": _stripes(8, 0.5), "bars-thin": _stripes(14, 0.25), "bars-wide": _stripes(3, 0.5),
    "stripes": _stripes(10, 0.5, along=True), "pinstripes": _stripes(12, 0.12, along=True),
    "stripes-wide": _stripes(4, 0.4, along=True), "uneven": _uneven_stripes,
    "gingham": _gingham, "tartan": _tartan, "windowpane": _windowpane,
    "dots": _dots(8, 0.28), "dots-small": _dots(18, 0.2), "dots-large": _dots(4, 0.35),
    "floral": _floral(60, (8, 20)), "floral-large": _floral(18, (22, 46)),
    "floral-dense": _floral(240, (5, 14)), "herringbone": _herringbone,
    "houndstooth": _houndstooth, "zigzag": _zigzag, "blotches": _blotches,
    "camouflage": _camouflage, "leopard": _leopard, "zebra": _zebra, "tie-dye": _tie_dye,
    "triangles": _triangles, "patches": _patches, "lace": _lace, "fur": _fur,
    "sequins": _sequins, "quilt": _quilt, "diamonds": _diamonds, "corduroy": _corduroy,
    "leather": _leather, "paint": _paint, "scribbles": _scribbles, "print": _print,
    "photo-print": _photo_print, "mesh": _mesh,
}  # fmt: skip


def _skin(rng: Rng) -> Channels:
    return np.clip(0.3 + 0.3 * noise(rng, 1.4), 0, 1), 0.0, 1.0 + 0.02 * noise(rng, 0.8)


def _strands(rng: Rng) -> Channels:
    lock = noise(rng, 1.1, across=3.5)
    return (
        np.clip(0.35 + 0.4 * lock, 0, 1),
        0.0,
        1.0 + 0.2 * lock + 0.12 * noise(rng, 0.2, across=3.0),
    )


def _curls(rng: Rng) -> Channels:
    f = band(rng, 22.0, width=0.5)
    return np.clip(0.4 + 0.3 * f, 0, 1), 0.0, 1.0 + 0.28 * f + 0.1 * noise(rng, 0.6)


def _folds(rng: Rng) -> Channels:
    """Slopes of folded cloth, across and along, and the darkness of its valleys."""
    height = noise(rng, 1.9, across=1.5, low=1.0)
    ridged = -np.abs(band(rng, 4.0, across=1.6)) + 0.4 * -np.abs(band(rng, 9.0, across=1.4))
    height = height / height.std() + 1.1 * ridged / ridged.std()
    dx, dy = (np.roll(height, -1, a) - np.roll(height, 1, a) for a in (1, 0))
    dark = 1.0 + 0.10 * np.clip(height, -2.5, 1.0)
    return 0.5 + dx / (6.0 * dx.std()), 0.5 + dy / (6.0 * dy.std()), dark


BODY: dict[str, Callable[[Rng], Channels]] = {
    "skin": _skin, "strands": _strands, "curls": _curls, "folds": _folds,
}  # fmt: skip
