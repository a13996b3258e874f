"""Places under a roof: rooms, shop windows with shelves, and studio backdrops."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.board import Board, floor
from c2l.synth.clutter import crate, frame, plant, sofa
from c2l.synth.noise import smoothstep
from c2l.synth.streams import pick


def room(board: Board, horizon: float, feet: float) -> float:
    """A room: wallpaper, skirting board, pictures, a window or door, furniture."""
    rng = board.rng
    low = feet - rng.uniform(0.08, 0.22)
    ys, xs = board.grid(0.0, low)
    wall, second = palette.wall(rng), palette.wall(rng)
    tone = 1.0 + 0.03 * board.field("cloud", 0.7, ys, xs) + rng.uniform(-0.3, 0.3) * (xs - 0.5)
    colour = wall * tone[..., None]
    paper = pick(rng, ("plain", "stripes", "panel", "figures"), (3, 1, 1.5, 1))
    if paper == "stripes":
        stripe = smoothstep(-0.1, 0.1, np.sin(xs * rng.uniform(40.0, 130.0)))
        colour = colour + 0.5 * stripe[..., None] * (second - wall)
    elif paper == "panel":
        colour = np.where((ys > low * rng.uniform(0.55, 0.75))[..., None], second * tone[..., None],
                          colour)  # fmt: skip
    elif paper == "figures":
        f = smoothstep(0.6, 0.9, board.field("medium", rng.uniform(1.0, 2.5), ys, xs))
        colour = colour + 0.6 * f[..., None] * (second - colour)
    board.band(0.0, np.asarray(colour))
    if rng.random() < 0.45:
        _window(board, rng.uniform(-0.1, 0.7), rng.uniform(0.02, 0.15), low)
    if rng.random() < 0.3:
        x, door = rng.uniform(0.0, 0.75), palette.wall(rng)
        board.box(x - 0.02, low * 0.15, x + 0.3, low, door * 0.8)
        board.box(x, low * 0.17, x + 0.28, low, door)
        for y in (0.22, 0.58):
            board.box(x + 0.04, low * y, x + 0.24, low * (y + 0.3), door * 0.88)
    for _ in range(int(rng.integers(0, 5))):
        wide = rng.uniform(0.1, 0.3)
        x, y = rng.uniform(0.0, 0.9), rng.uniform(0.03, 0.42)
        frame(board, x, y, wide, wide * rng.uniform(0.5, 1.0))
    board.box(0.0, low - 0.018, 1.0, low, np.clip(wall * rng.uniform(0.5, 1.4), 0, 1))
    floor(board, pick(rng, ("planks", "planks", "tiles", "plain", "paving")), low, low - 0.25)
    if rng.random() < 0.4:
        sofa(board, rng.uniform(0.0, 1.0), low + rng.uniform(0.01, 0.06), rng.uniform(0.4, 0.8))
    if rng.random() < 0.45:
        plant(board, rng.uniform(0.02, 0.98), low + rng.uniform(0.0, 0.06), rng.uniform(0.15, 0.35))
    if rng.random() < 0.3:
        crate(board, rng.uniform(0.0, 1.0), low + rng.uniform(0.0, 0.05))
    return 0.35


def _window(board: Board, x: float, y: float, low: float) -> None:
    rng = board.rng
    wide, tall = rng.uniform(0.25, 0.5), low * rng.uniform(0.4, 0.7)
    board.box(x - 0.02, y - 0.015, x + wide + 0.02, y + tall + 0.015, palette.rgb(0.1, 0.05, 0.85))
    board.box(x, y, x + wide, y + tall, palette.rgb(0.55, rng.uniform(0.05, 0.35), 0.95))
    board.box(x, y + tall * 0.6, x + wide, y + tall, palette.foliage(rng) * 1.3)
    for k in (1, 2):
        board.box(x + wide * k / 3 - 0.006, y, x + wide * k / 3 + 0.006, y + tall,
                  palette.rgb(0.1, 0.04, 0.8))  # fmt: skip
    if rng.random() < 0.5:
        curtain = palette.cloth(rng)
        for side in (x - 0.04, x + wide - 0.04):
            for k in range(4):
                board.box(side + 0.02 * k, y - 0.02, side + 0.02 * k + 0.02, y + tall + 0.08,
                          curtain * (0.8 + 0.25 * (k % 2)))  # fmt: skip


def shop(board: Board, horizon: float, feet: float) -> float:
    """Shelves or a shop window full of coloured things."""
    rng = board.rng
    low = feet - rng.uniform(0.06, 0.2)
    back = palette.wall(rng) * rng.uniform(0.4, 1.0)
    board.box(0.0, 0.0, 1.0, low, back)
    tint = [palette.cloth(rng) for _ in range(7)]
    step = rng.uniform(0.08, 0.17)
    shelf = palette.wall(rng) * 0.8
    for y in np.arange(rng.uniform(0.0, 0.1), low, step):
        x = -rng.uniform(0.0, 0.1)
        while x < 1.0:
            wide = rng.uniform(0.025, 0.13)
            tall = step * rng.uniform(0.3, 0.85)
            if rng.random() < 0.8:
                colour = pick(rng, tint) * rng.uniform(0.6, 1.2)
                if rng.random() < 0.7:
                    board.box(x, y + step - tall, x + wide, y + step, colour)
                    stripe = y + step - tall * 0.6
                    board.box(x, stripe, x + wide, stripe + tall * 0.15, colour * 1.3)
                else:
                    board.oval(x + wide / 2, y + step - tall * 0.35, wide / 2, wide / 2, colour)
            x += wide + rng.uniform(0.0, 0.02)
        board.box(0.0, y + step - 0.012, 1.0, y + step, shelf)
    for x in np.arange(rng.uniform(0.0, 0.3), 1.0, rng.uniform(0.3, 0.6)):
        board.box(x, 0.0, x + 0.02, low, shelf * 0.8)
    ys, xs = board.grid(0.0, low)
    glow = 1.0 + 0.4 * np.exp(-(((xs - rng.random()) / 0.3) ** 2)) * np.exp(-((ys / 0.4) ** 2))
    board.modulate(0.0, low, glow)
    floor(board, pick(rng, ("tiles", "planks", "plain", "paving")), low, low - 0.3)
    if rng.random() < 0.4:
        crate(board, rng.uniform(0.0, 1.0), low + 0.04)
    return 0.6


def studio(board: Board, horizon: float, feet: float) -> float:
    """A seamless backdrop with a soft gradient."""
    rng = board.rng
    ys, xs = board.grid(0.0, 1.0)
    base, low = palette.wall(rng), feet - rng.uniform(0.05, 0.2)
    glow = np.exp(-(((xs - rng.uniform(0.3, 0.7)) / 0.6) ** 2) - ((ys - 0.35) / 0.5) ** 2)
    tone = 0.75 + 0.4 * glow + 0.03 * board.field("cloud", 0.5, ys, xs)
    tone = tone * (1.0 + rng.uniform(-0.2, 0.2) * smoothstep(low - 0.08, low + 0.08, ys))
    board.band(0.0, np.asarray(base * tone[..., None]))
    return 0.3
