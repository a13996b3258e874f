"""Things that stand about: cars, poles, trees, crates, plants, frames and furniture."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.board import Board
from c2l.synth.noise import Floats, vec


def car(board: Board, x: float, y: float, wide: float) -> None:
    """A car seen from the side, its wheels at height `y`."""
    rng = board.rng
    paint, w = palette.cloth(rng), wide / 2
    up = wide * 0.667  # shares of the height in one share of the width
    glass = palette.rgb(0.58, 0.2, rng.uniform(0.15, 0.45))
    board.oval(x, y, w * 1.02, wide * 0.035, vec(0.12, 0.12, 0.13))
    body = [(-1.0, 0.06), (-1.0, 0.17), (-0.92, 0.24), (0.9, 0.24), (1.0, 0.17), (1.0, 0.06)]
    board.polygon([(x + a * w, y - b * up) for a, b in body], paint)
    cabin = [(-0.72, 0.23), (-0.45, 0.39), (0.35, 0.39), (0.66, 0.23)]
    board.polygon([(x + a * w, y - b * up) for a, b in cabin], paint * 0.9)
    pane = [(-0.62, 0.24), (-0.41, 0.365), (-0.06, 0.365), (-0.06, 0.24)]
    board.polygon([(x + a * w, y - b * up) for a, b in pane], glass)
    pane = [(0.02, 0.24), (0.02, 0.365), (0.31, 0.365), (0.54, 0.24)]
    board.polygon([(x + a * w, y - b * up) for a, b in pane], glass)
    board.box(x - w, y - 0.17 * up, x + w, y - 0.145 * up, paint * 1.25)
    board.oval(x + 0.97 * w, y - 0.17 * up, wide * 0.02, wide * 0.02, vec(0.9, 0.85, 0.7))
    for a in (-0.58, 0.58):
        board.oval(x + a * w, y - 0.06 * up, wide * 0.085, wide * 0.085, palette.rgb(0, 0, 0.08))
        board.oval(x + a * w, y - 0.06 * up, wide * 0.045, wide * 0.045, palette.rgb(0, 0, 0.55))


def pole(board: Board, x: float, y: float) -> None:
    """A lamp post, a bollard or a road sign."""
    rng = board.rng
    colour = palette.wall(rng) * 0.6
    thick, tall = rng.uniform(0.008, 0.035), rng.uniform(0.12, 0.9)
    board.box(x - thick, y - tall, x + thick, y, colour)
    board.box(x - thick, y - tall, x - thick * 0.3, y, colour * 1.4)
    if rng.random() < 0.5:
        board.oval(x, y - tall, rng.uniform(0.03, 0.08), rng.uniform(0.03, 0.08),
                   palette.cloth(rng))  # fmt: skip


def _leaves(board: Board, x: float, y: float, wide: float, tall: float, colour: Floats) -> None:
    rng = board.rng
    for _ in range(26):
        angle, far = rng.uniform(0.0, 6.283), rng.random() ** 0.5
        px, py = x + float(np.cos(angle)) * far * wide, y + float(np.sin(angle)) * far * tall
        light = 1.0 - 0.5 * (py - y) / max(tall, 1e-3) + rng.uniform(-0.25, 0.25)
        r = rng.uniform(0.18, 0.42) * wide
        board.oval(px, py, r, r * rng.uniform(0.6, 1.0), colour * max(light, 0.35))


def tree(board: Board, x: float, y: float, tall: float) -> None:
    """A tree with its foot at height `y`."""
    rng = board.rng
    bark = palette.jitter(rng, (0.27, 0.21, 0.16), 0.08)
    thick = rng.uniform(0.012, 0.03)
    top = y - tall
    bend = rng.uniform(-0.04, 0.04)
    left, right = (x + bend - thick * 0.5, top), (x + bend + thick * 0.5, top)
    board.polygon([(x - thick, y), (x + thick, y), right, left], bark)
    _leaves(board, x + bend, top, rng.uniform(0.12, 0.28), tall * 0.32, palette.foliage(rng))


def bush(board: Board, x: float, y: float, wide: float) -> None:
    """A bush with its foot at height `y`."""
    _leaves(board, x, y - wide * 0.3, wide, wide * 0.4, palette.foliage(board.rng))


def plant(board: Board, x: float, y: float, tall: float) -> None:
    """A plant in a pot, standing at height `y`."""
    rng = board.rng
    pot, leaf = palette.wall(rng), palette.foliage(rng)
    wide, high = tall * 0.22, tall * 0.28
    board.polygon(
        [(x - wide, y - high), (x + wide, y - high), (x + wide * 0.7, y), (x - wide * 0.7, y)], pot
    )
    for _ in range(18):
        dx, dy = rng.uniform(-0.5, 0.5) * tall, rng.uniform(0.3, 0.8) * tall
        tip = (x + dx, y - high - dy)
        board.line([(x, y - high), (x + dx * 0.4, y - high - dy * 0.7), tip],
                   leaf * rng.uniform(0.7, 1.3), 0.014)  # fmt: skip


def crate(board: Board, x: float, y: float) -> None:
    """A few stacked boxes or a bin, standing at height `y`."""
    rng = board.rng
    for _ in range(int(rng.integers(1, 4))):
        wide, tall = rng.uniform(0.08, 0.2), rng.uniform(0.05, 0.12)
        colour = palette.cloth(rng)
        board.box(x - wide / 2, y - tall, x + wide / 2, y, colour)
        board.box(x - wide / 2, y - tall, x - wide / 4, y, colour * 0.8)
        board.box(x - wide / 2, y - tall * 0.6, x + wide / 2, y - tall * 0.5, colour * 0.7)
        y -= tall


def frame(board: Board, x: float, y: float, wide: float, tall: float) -> None:
    """A picture in a frame with its upper left corner at (x, y)."""
    rng = board.rng
    board.box(x + 0.01, y + 0.01, x + wide + 0.012, y + tall + 0.01, palette.rgb(0, 0, 0.25))
    board.box(x, y, x + wide, y + tall, palette.cloth(rng))
    board.box(x + 0.015, y + 0.01, x + wide - 0.015, y + tall - 0.01, palette.rgb(0.1, 0.03, 0.9))
    inner = (x + wide * 0.2, y + tall * 0.2, x + wide * 0.8, y + tall * 0.8)
    board.box(*inner, palette.cloth(rng))
    for _ in range(5):
        board.oval(rng.uniform(inner[0], inner[2]), rng.uniform(inner[1], inner[3]),
                   wide * rng.uniform(0.02, 0.12), wide * rng.uniform(0.02, 0.12),
                   palette.cloth(rng))  # fmt: skip


def sofa(board: Board, x: float, y: float, wide: float) -> None:
    """A sofa or an armchair around `x`, standing at height `y`."""
    rng = board.rng
    colour, w, up = palette.cloth(rng), wide / 2, 0.16
    board.box(x - w, y - up * 1.25, x + w, y - 0.02, colour * 0.85)
    board.box(x - w * 0.9, y - up * 0.62, x + w * 0.9, y - 0.03, colour)
    for side in (-1.0, 1.0):
        board.box(x + side * w, y - up * 0.9, x + side * w * 0.8, y - 0.01, colour * 1.1)
        board.box(x + side * w * 0.9, y - 0.02, x + side * w * 0.85, y, palette.rgb(0.08, 0.5, 0.2))
    for _ in range(int(rng.integers(0, 3))):
        px = x + rng.uniform(-0.7, 0.5) * w
        board.box(px, y - up * 1.0, px + 0.1, y - up * 0.55, palette.cloth(rng))
