"""Places in the open: streets, walls, parks, the sea, shutters and stairs."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.board import Board, floor
from c2l.synth.clutter import bush, car, crate, plant, pole, tree
from c2l.synth.noise import Floats, smoothstep
from c2l.synth.streams import pick


def _sky(board: Board, low: float) -> None:
    rng = board.rng
    ys, xs = board.grid(0.0, low + 0.02)
    top = palette.rgb(rng.uniform(0.54, 0.62), rng.uniform(0.0, 0.55), rng.uniform(0.6, 0.95))
    base = palette.rgb(rng.uniform(0.05, 0.6), rng.uniform(0.0, 0.2), rng.uniform(0.8, 0.98))
    t = (ys / max(low, 0.05))[..., None]
    colour = top + (base - top) * np.clip(t, 0.0, 1.0)
    cloud = smoothstep(0.0, 1.6, board.field("cloud", 0.35, ys, xs, 2.2)) * rng.uniform(0.0, 0.8)
    board.band(0.0, np.asarray(colour + cloud[..., None] * (np.float32(0.95) - colour)))


def _facade(board: Board, x0: float, x1: float, top: float, low: float) -> None:
    """A house front with rows of windows, and often a shop below."""
    rng = board.rng
    wall = palette.wall(rng)
    board.box(x0, top, x1, low, wall)
    glass = palette.rgb(rng.uniform(0.5, 0.65), rng.uniform(0.0, 0.3), rng.uniform(0.12, 0.6))
    frame = wall * 0.6 if rng.random() < 0.5 else np.clip(wall * 1.35, 0, 1)
    step_x, step_y = rng.uniform(0.07, 0.17), rng.uniform(0.055, 0.12)
    fill_x, fill_y = rng.uniform(0.4, 0.75), rng.uniform(0.45, 0.75)
    shop = low - rng.uniform(0.08, 0.14) if rng.random() < 0.6 else low - 0.02
    for y in np.arange(top + 0.02, shop - step_y * fill_y, step_y):
        for x in np.arange(x0 + step_x * 0.2, x1 - step_x * fill_x, step_x):
            pane = glass * rng.uniform(0.7, 1.3)
            board.box(x - 0.006, y - 0.004, x + step_x * fill_x + 0.006,
                      y + step_y * fill_y + 0.004, frame)  # fmt: skip
            board.box(x, y, x + step_x * fill_x, y + step_y * fill_y, pane)
        if rng.random() < 0.3:
            board.box(x0, y + step_y * 0.9, x1, y + step_y * 0.96, frame)
    if shop < low - 0.03:
        board.box(x0, shop, x1, low, palette.wall(rng) * 0.6)
        board.box(x0, shop, x1, shop + 0.022, palette.cloth(rng))
        for x in np.arange(x0 + 0.02, x1 - 0.06, rng.uniform(0.09, 0.2)):
            board.box(x, shop + 0.03, x + 0.07, low - 0.01, glass * rng.uniform(0.6, 2.0))


def street(board: Board, horizon: float, feet: float) -> float:
    """Houses along a road, with cars, poles and trees."""
    rng = board.rng
    low = horizon + rng.uniform(0.04, 0.14)
    _sky(board, low)
    x = -rng.uniform(0.0, 0.2)
    while x < 1.0:
        wide = rng.uniform(0.2, 0.6)
        if rng.random() < 0.86:
            _facade(board, x, x + wide, rng.uniform(-0.25, horizon - 0.12), low)
        x += wide
    ys, xs = board.grid(0.0, low)
    board.modulate(0.0, low, 1.0 + 0.05 * board.field("cloud", 0.8, ys, xs))
    floor(board, pick(rng, ("asphalt", "paving", "cobble", "plain")), low, horizon)
    if rng.random() < 0.6:
        edge = low + rng.uniform(0.02, 0.08)
        board.box(0.0, low, 1.0, edge, palette.rgb(0.1, 0.06, rng.uniform(0.4, 0.8)))
        board.box(0.0, edge, 1.0, edge + 0.008, palette.rgb(0.1, 0.05, rng.uniform(0.2, 0.5)))
    for _ in range(int(rng.integers(0, 3))):
        tree(board, rng.uniform(0.0, 1.0), low + rng.uniform(0.0, 0.05), rng.uniform(0.3, 0.6))
    for _ in range(int(rng.integers(0, 4))):
        car(board, rng.uniform(-0.1, 1.1), low + rng.uniform(0.02, 0.12), rng.uniform(0.2, 0.55))
    for _ in range(int(rng.integers(0, 3))):
        pole(board, rng.uniform(0.02, 0.98), low + rng.uniform(0.02, 0.2))
    return 1.0


def _bricks(board: Board, low: float, base: Floats) -> None:
    rng = board.rng
    ys, xs = board.grid(0.0, low)
    tall = rng.uniform(0.014, 0.034)
    v = ys / tall
    u = xs / (tall * rng.uniform(3.0, 5.0)) + 0.5 * (np.floor(v) % 2)
    cell = board.field("fine", 1.0, np.floor(v) * 0.0731, np.floor(u) * 0.0917)
    colour = base * (1.0 + 0.16 * cell + 0.06 * board.field("cloud", 1.0, ys, xs))[..., None]
    mortar = ((u - np.floor(u)) < 0.07) | ((v - np.floor(v)) < 0.17)
    paint = base * rng.uniform(0.5, 1.5) + rng.uniform(0.0, 0.2)
    board.band(0.0, np.where(mortar[..., None], paint, colour))


def brick(board: Board, horizon: float, feet: float) -> float:
    """A brick wall, sometimes with a door, a window, posters or paint on it."""
    rng = board.rng
    low = feet - rng.uniform(0.05, 0.16)
    base = palette.wall(rng)
    if rng.random() < 0.6:
        base = palette.jitter(rng, pick(rng, ((0.55, 0.27, 0.20), (0.72, 0.64, 0.52))), 0.07)
    _bricks(board, low, base)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0.0, 0.9), rng.uniform(0.05, 0.5)
        wide, high = rng.uniform(0.1, 0.4), rng.uniform(0.08, 0.3)
        if rng.random() < 0.5:
            board.box(x - 0.012, y - 0.01, x + wide + 0.012, y + high + 0.01, palette.wall(rng))
        board.box(x, y, x + wide, y + high, palette.cloth(rng))
    if rng.random() < 0.35:
        x = rng.uniform(0.0, 0.75)
        board.box(x, rng.uniform(0.2, 0.4), x + rng.uniform(0.2, 0.3), low, palette.cloth(rng))
    if rng.random() < 0.3:
        board.box(0.0, low - rng.uniform(0.05, 0.25), 1.0, low, palette.wall(rng))
    floor(board, pick(rng, ("asphalt", "paving", "plain", "cobble")), low, low - 0.25)
    _edge(board, low)
    if rng.random() < 0.4:
        crate(board, pick(rng, (rng.uniform(0.0, 0.2), rng.uniform(0.8, 1.0))), low + 0.02)
    return 0.15


def _edge(board: Board, low: float) -> None:
    """The dark foot of a wall."""
    ys, _ = board.grid(low - 0.03, low + 0.05)
    board.modulate(low - 0.03, low + 0.05, 1.0 - 0.35 * np.exp(-(((ys - low) / 0.018) ** 2)))


def park(board: Board, horizon: float, feet: float) -> float:
    """Trees and bushes behind grass or a sandy path."""
    rng = board.rng
    low = horizon + rng.uniform(0.02, 0.12)
    _sky(board, low)
    ys, xs = board.grid(0.0, low)
    for dist in (0.0, 1.0):
        top = rng.uniform(-0.2, 0.75) * low + 0.1 * dist
        edge = ys - top + 0.09 * board.field("cloud", 0.7 + 0.3 * dist, ys * 0.3 + dist, xs)
        speck = board.field("small", 2.0, ys + dist, xs) * 0.5 + board.field("medium", 1.0, ys, xs)
        leaf = palette.foliage(rng) * (1.0 + 0.30 * speck)[..., None]
        under = board.read(0.0, low)
        holes = speck > rng.uniform(-2.5, -1.2)
        board.band(0.0, np.where(((edge > 0.0) & holes)[..., None], leaf, under))
    floor(board, pick(rng, ("grass", "grass", "sand", "asphalt", "paving")), low, horizon)
    for _ in range(int(rng.integers(0, 5))):
        tree(board, rng.uniform(0.0, 1.0), low + rng.uniform(-0.02, 0.10), rng.uniform(0.4, 0.8))
    for _ in range(int(rng.integers(0, 4))):
        bush(board, rng.uniform(0.0, 1.0), low + rng.uniform(0.0, 0.06), rng.uniform(0.06, 0.2))
    if rng.random() < 0.3:
        y = low + rng.uniform(0.01, 0.08)
        board.box(0.0, y - 0.06, 1.0, y - 0.05, palette.rgb(0.1, 0.2, 0.3))
        for x in np.arange(0.0, 1.0, 0.08):
            board.box(x, y - 0.06, x + 0.012, y, palette.rgb(0.1, 0.2, 0.28))
    return 0.9


def sea(board: Board, horizon: float, feet: float) -> float:
    """Water under a wide sky, seen from a beach or a quay."""
    rng = board.rng
    shore = horizon + rng.uniform(0.06, 0.22)
    _sky(board, horizon)
    if rng.random() < 0.5:
        points = [(0.0, horizon + 0.01)]
        points += [(x, horizon - rng.uniform(0.0, 0.09)) for x in np.linspace(0, 1, 9)]
        board.polygon([*points, (1.0, horizon + 0.01)], palette.rgb(0.58, 0.25, 0.5))
    ys, xs = board.grid(horizon, shore)
    hue, sat, val = rng.uniform(0.46, 0.62), rng.uniform(0.2, 0.6), rng.uniform(0.35, 0.75)
    wave = board.field("small", 1.0, ys * 5.0, xs * 0.7) + board.field("fine", 0.8, ys * 3.0, xs)
    colour = palette.rgb(hue, sat, val) * (1.0 + 0.10 * wave)[..., None]
    board.band(horizon, np.asarray(colour))
    floor(board, pick(rng, ("sand", "sand", "planks", "paving")), shore, horizon)
    if rng.random() < 0.45:
        rail = palette.wall(rng)
        top = shore - rng.uniform(0.05, 0.14)
        for k in range(3):
            y = top + (shore + 0.03 - top) * k / 3
            board.box(0.0, y, 1.0, y + 0.008, rail)
        for x in np.arange(rng.uniform(0, 0.2), 1.0, rng.uniform(0.12, 0.3)):
            board.box(x, top, x + 0.02, shore + 0.03, rail * 0.9)
    return 1.0


def shutter(board: Board, horizon: float, feet: float) -> float:
    """A painted wall, a roller shutter or panelled doors."""
    rng = board.rng
    low = feet - rng.uniform(0.04, 0.14)
    ys, xs = board.grid(0.0, low)
    tone = 1.0 + 0.05 * board.field("cloud", 0.8, ys, xs)
    if rng.random() < 0.6:
        tone = tone * (1.0 + 0.12 * np.sin(ys * rng.uniform(120.0, 320.0)))
    board.band(0.0, np.asarray(palette.wall(rng) * tone[..., None]))
    if rng.random() < 0.7:
        split = rng.uniform(0.1, 0.9)
        colour, side = palette.cloth(rng), pick(rng, (0.0, 1.0))
        board.box(side, 0.0, split, low, colour)
        board.box(split - 0.015, 0.0, split + 0.015, low, colour * 0.6)
        for k in range(int(rng.integers(0, 4))):
            y = low * (0.1 + 0.22 * k)
            x0, x1 = min(side, split) + 0.06, max(side, split) - 0.06
            if x1 > x0:
                board.box(x0, y, x1, y + low * 0.17, colour * 0.82)
    ys, xs = board.grid(0.0, low)
    board.modulate(0.0, low, 1.0 + 0.05 * board.field("medium", 1.3, ys, xs, 0.2))
    floor(board, pick(rng, ("paving", "asphalt", "tiles", "cobble")), low, low - 0.25)
    _edge(board, low)
    if rng.random() < 0.35:
        plant(board, pick(rng, (0.08, 0.92)), low + 0.03, rng.uniform(0.15, 0.3))
    return 0.15


def stairs(board: Board, horizon: float, feet: float) -> float:
    """Wide steps that rise behind the people."""
    rng = board.rng
    low = feet - rng.uniform(0.05, 0.2)
    _sky(board, 0.3)
    stone = palette.wall(rng)
    y, step = low, rng.uniform(0.04, 0.065)
    top = rng.uniform(-0.1, 0.3)
    _facade(board, -0.1, 1.1, -0.1, max(top + 0.05, 0.06))
    shift = rng.uniform(-0.02, 0.02)
    while y > top:
        tread = np.clip(stone * 1.15, 0.0, 1.0)
        board.polygon([(0, y - step), (1, y - step + shift), (1, y + shift), (0, y)], stone * 0.72)
        board.polygon(
            [(0, y - step), (1, y - step + shift), (1, y - step * 0.6 + shift),
             (0, y - step * 0.6)], tread,
        )  # fmt: skip
        y -= step
        step *= 0.98  # sums to 50 steps at most, more than the picture is high
    ys, xs = board.grid(0.0, low)
    board.modulate(0.0, low, 1.0 + 0.07 * board.field("cloud", 1.0, ys, xs))
    floor(board, pick(rng, ("paving", "asphalt", "plain")), low, low - 0.3)
    if rng.random() < 0.5:
        pole(board, pick(rng, (0.1, 0.9)), low + 0.02)
    return 0.4
