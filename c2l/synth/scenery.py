"""Parts of places: sky and ground, trees, cars, posts, people far away."""

from __future__ import annotations

import numpy as np

from c2l.synth.arrays import vec
from c2l.synth.board import Board, near_of
from c2l.synth.chance import between, chance, one_of

FLOORS = (
    "asphalt",
    "concrete",
    "paving",
    "slabs",
    "cobble",
    "tiles",
    "gravel",
    "sand",
    "soil",
    "planks",
)
WALLS = ("brick", "blocks", "rubble", "concrete", "stains", "siding", "sheet-metal", "planks",
    "posters",
         "graffiti", "panes", "facade", "tiles", "text", "wallpaper", "twigs",
             "leaves")  # fmt: skip
GREENS = ("grass", "leaves", "foliage", "bush")


def sky(board: Board) -> None:
    """The sky, from clear to overcast."""
    rng = board.rng
    if chance(rng, 0.35):
        grey = between(rng, 0.6, 1.0)
        colour = vec(grey * 0.97, grey * 0.98, grey)
    else:
        colour = np.clip(
            vec(0.45, 0.65, 0.92) * between(rng, 0.6, 1.15) + between(rng, 0.0, 0.2), 0, 1
        ).astype(np.float32)
    material = board.material("clouds", (4.0, 9.0), colour=colour, vary=0.0)
    cloud = np.full(3, between(rng, 0.75, 1.0), dtype=np.float32)
    board.backdrop(type(material)(colour, cloud, cloud * np.float32(0.9), texture="clouds",
        period=material.period,
                                  offset=material.offset), 6.0, 0.35)  # fmt: skip


def ground(board: Board, kinds: tuple[str, ...], kind: str = "wall") -> None:
    """A floor of one of these textures, with patches and lines on it."""
    rng = board.rng
    board.floor(board.material(kinds, (0.8, 2.5), vary=between(rng, 0.03, 0.3), kind=kind))
    if chance(rng, 0.3):
        for _ in range(int(rng.integers(1, 4))):
            floor_line(board)


def floor_line(board: Board) -> None:
    """A kerb, a lane or a line of a court."""
    rng = board.rng
    x, z = between(rng, -4, 4), between(rng, -12, 1)
    turn, long, half = rng.random() * 3.14, between(rng, 3, 15), between(rng, 0.03, 0.12)
    c, s = np.cos(turn), np.sin(turn)
    corners = [(a * long, b * half) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    spots = [board.spot(x + p * c - q * s, 0.0, z + p * s + q * c) for p, q in corners]
    if all(metre > 0 for _, metre in spots):
        colour = np.full(3, between(rng, 0.6, 0.95), dtype=np.float32) if chance(rng, 0.7) else None
        board.polygon(
            [p for p, _ in spots], board.material("stains", colour=colour, vary=0.2), spots[0][1]
        )


def bystander(board: Board, x: float, z: float) -> None:
    """Someone far away, too small and blurred to be labelled."""
    rng = board.rng
    (px, py), metre = board.spot(x, 0.0, z)
    if metre <= 0 or metre * 1.7 > 0.3 * board.height:
        return
    tall = metre * between(rng, 1.5, 1.85)
    skin = board.material("plain", colour=board.colour("skin"), vary=0.1)
    top, low = board.material("plain", kind="cloth"), board.material("plain", kind="dark_cloth")
    w = tall * between(rng, 0.10, 0.14)
    stride = between(rng, -0.6, 0.6) * w
    board.polygon(
        [
            (px - w * 0.7, py - 0.5 * tall),
            (px + w * 0.7, py - 0.5 * tall),
            (px + w * 0.5 + stride, py),
            (px - w * 0.6 - stride, py),
        ],
        low,
        metre,
    )
    board.polygon(
        [
            (px - w, py - 0.8 * tall),
            (px - 0.4 * w, py - 0.85 * tall),
            (px + 0.4 * w, py - 0.85 * tall),
            (px + w, py - 0.8 * tall),
            (px + w * 1.1, py - 0.5 * tall),
            (px + w * 0.75, py - 0.46 * tall),
            (px - w * 0.75, py - 0.46 * tall),
            (px - w * 1.1, py - 0.5 * tall),
        ],
        top,
        metre,
    )
    board.oval(px, py - 0.92 * tall, 0.055 * tall, 0.07 * tall, skin, metre)
    hair = board.material("plain", colour=board.colour("hair"), vary=0.1)
    board.oval(px, py - 0.955 * tall, 0.052 * tall, 0.045 * tall, hair, metre)


def bystanders(board: Board, most: int) -> None:
    """Several people in the distance."""
    for _ in range(int(board.rng.integers(0, most + 1))):
        bystander(board, between(board.rng, -8, 8), near_of(board, 8, 30))


def tree(board: Board, x: float, z: float) -> None:
    """A trunk with a crown of leaves."""
    rng = board.rng
    (px, py), metre = board.spot(x, 0.0, z)
    if metre <= 0:
        return
    thick, tall = between(rng, 0.1, 0.35) * metre, between(rng, 1.5, 4.0) * metre
    bark = board.material(
        ("wood", "soil", "stains"),
        (0.3, 0.8),
        colour=board.colour("hair") * np.float32(0.9),
        vary=0.3,
    )
    board.polygon(
        [
            (px - thick * 0.6, py),
            (px - thick * 0.4, py - tall),
            (px + thick * 0.4, py - tall),
            (px + thick * 0.6, py),
        ],
        bark,
        metre,
    )
    leaves = board.material(GREENS[1:], (0.8, 2.5), kind="foliage", vary=0.8)
    for _ in range(int(rng.integers(2, 6))):
        r = between(rng, 0.6, 1.8) * metre
        board.blob(
            px + rng.normal(0, 0.8) * metre,
            py - tall - between(rng, -0.3, 1.2) * metre,
            r,
            r * 0.8,
            leaves,
            metre,
        )


def car(board: Board, x: float, z: float) -> None:
    """A car seen from the side."""
    rng = board.rng
    (px, py), m = board.spot(x, 0.0, z)
    if m <= 0:
        return
    paint = board.material("plain", vary=0.2, kind=one_of(rng, ("cloth", "wall")))
    glass, tyre = (
        board.material("stains", colour=vec(0.12, 0.14, 0.17)),
        board.material("plain", colour=vec(0.05, 0.05, 0.05)),
    )
    high = between(rng, 1.3, 1.9)
    board.polygon(
        [
            (px - 2.1 * m, py - 0.3 * m),
            (px - 2.0 * m, py - 0.85 * m),
            (px - 1.1 * m, py - 0.95 * m),
            (px - 0.7 * m, py - high * m),
            (px + 0.9 * m, py - high * m),
            (px + 1.4 * m, py - 0.95 * m),
            (px + 2.1 * m, py - 0.8 * m),
            (px + 2.15 * m, py - 0.3 * m),
        ],
        paint,
        m,
    )
    board.polygon(
        [
            (px - 0.95 * m, py - 0.97 * m),
            (px - 0.6 * m, py - (high - 0.1) * m),
            (px + 0.8 * m, py - (high - 0.1) * m),
            (px + 1.2 * m, py - 0.97 * m),
        ],
        glass,
        m,
    )
    for dx in (-1.3, 1.35):
        board.oval(px + dx * m, py - 0.32 * m, 0.33 * m, 0.33 * m, tyre, m)
    lamp = board.material("plain", colour=vec(0.9, 0.85, 0.7), glow=0.6)
    board.oval(px + 2.05 * m, py - 0.65 * m, 0.12 * m, 0.1 * m, lamp, m)


def posts(board: Board) -> None:
    """Poles, signs, bins and railings."""
    rng = board.rng
    for _ in range(int(rng.integers(0, 4))):
        x, z = between(rng, -4, 4), near_of(board, 0.6, 9)
        kind = int(rng.integers(4))
        steel = board.material(("plain", "stains", "sheet-metal"), vary=0.3)
        if kind == 0:
            board.panel(x, 0.0, z, between(rng, 0.06, 0.2), between(rng, 2, 5), steel)
        elif kind == 1:
            board.panel(x, 0.0, z, 0.06, 2.2, steel)
            board.panel(
                x,
                2.0,
                z,
                between(rng, 0.3, 0.9),
                between(rng, 0.3, 0.7),
                board.material(("headline", "plain", "text"), (0.5, 1), vary=1.0),
            )
        elif kind == 2:
            board.panel(x, 0.0, z, between(rng, 0.4, 0.8), between(rng, 0.7, 1.2), steel)
        else:
            board.plane(2, z, board.material("bars-iron", (1.0, 2.5), vary=1.0), high=1.1, low=0.0)
