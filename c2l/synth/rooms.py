"""Places indoors and places that are hardly any: rooms, shops, studios, stages, blurs, clutter."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.arrays import vec
from c2l.synth.board import Board, darker, near_of
from c2l.synth.brushes import TAU
from c2l.synth.chance import between, chance, log_between, one_of
from c2l.synth.cloths import CLOTHS
from c2l.synth.scenery import GREENS, WALLS, bystanders, ground
from c2l.synth.surfaces import SURFACES

_INNER = (
    "plain",
    "stains",
    "wallpaper",
    "planks",
    "tiles",
    "brick",
    "stripes-wide",
    "shelf",
    "wood",
    "posters",
    "concrete",
    "panes",
)
_FLOORS = (
    "parquet",
    "planks",
    "carpet",
    "tiles",
    "checker",
    "concrete",
    "stains",
    "wood",
    "marble",
)


def room(board: Board) -> None:
    """A room with its furniture."""
    rng = board.rng
    board.backdrop(board.material("stains", vary=0.3))
    board.floor(board.material(_FLOORS, (0.6, 2.0), vary=between(rng, 0.03, 0.35)))
    back = near_of(board, 0.8, 6.0)
    paint = board.material(_INNER, (0.6, 2.5), vary=between(rng, 0.1, 0.6))
    tall = between(rng, 2.3, 3.5)
    board.plane(2, back, paint, high=tall, slope=0.4)
    for side in (-1.0, 1.0):
        if chance(rng, 0.6):
            other = paint if chance(rng, 0.6) else board.material(_INNER, (0.6, 2.5), vary=0.4)
            board.plane(
                0,
                side * between(rng, 1.2, 4.0),
                darker(other, between(rng, 0.6, 1.1)),
                high=tall,
                slope=0.4,
            )
    board.plane(
        1,
        tall,
        board.material(
            ("plain", "tiles", "planks"),
            vary=0.1,
            colour=np.full(3, between(rng, 0.4, 0.95), dtype=np.float32),
        ),
    )
    for _ in range(int(rng.integers(1, 8))):
        _furniture(board, back)
    if chance(rng, 0.25):
        bystanders(board, 3)


def _furniture(board: Board, back: float) -> None:
    rng = board.rng
    x, z = between(rng, -2.6, 2.6), between(rng, back + 0.05, min(back + 2.0, -0.4))
    kind = int(rng.integers(8))
    stuff = board.material(
        ("plain", "wood", "planks", "stains", "leather", "clutter"), (0.5, 1.5), vary=0.5
    )
    if kind == 0:  # a picture, a poster or a window
        glow = 0.8 if chance(rng, 0.35) else 0.0
        wide, high = between(rng, 0.4, 1.6), between(rng, 0.4, 1.5)
        frame = board.material("plain", vary=0.1)
        y = between(rng, 0.8, 1.6)
        board.panel(x, y - 0.05, back + 0.02, wide + 0.1, high + 0.1, frame)
        inner = board.material((*SURFACES, "photo-print"), (0.6, 2.0), vary=1.0, glow=glow)
        board.panel(x, y, back + 0.03, wide, high, inner)
    elif kind == 1:  # shelves
        board.panel(
            x,
            0.0 if chance(rng, 0.7) else 0.9,
            back + 0.04,
            between(rng, 0.6, 2.0),
            between(rng, 0.6, 2.2),
            board.material("shelf", (0.8, 1.8), vary=1.0),
        )
    elif kind == 2:  # a cupboard, a fridge, a door
        board.panel(x, 0.0, z, between(rng, 0.5, 1.1), between(rng, 0.7, 2.1), stuff)
    elif kind == 3:  # a sofa or a bed
        wide = between(rng, 1.0, 2.2)
        board.panel(x, 0.0, z, wide, between(rng, 0.7, 1.0), stuff)
        board.panel(x, 0.0, z + 0.3, wide * 0.8, 0.45, darker(stuff, between(rng, 0.7, 1.2)))
    elif kind == 4:  # a table with things on it
        wide = between(rng, 0.6, 1.6)
        board.panel(x, 0.68, z, wide, 0.06, stuff)
        for leg in (-0.45, 0.45):
            board.panel(x + leg * wide, 0.0, z, 0.06, 0.7, stuff)
        for _ in range(int(rng.integers(1, 5))):
            board.panel(
                x + between(rng, -0.4, 0.4) * wide,
                0.74,
                z,
                between(rng, 0.05, 0.3),
                between(rng, 0.08, 0.4),
                board.material(("plain", "text", "clutter"), vary=0.8),
            )
    elif kind == 5:  # a lamp or a screen
        (px, py), m = board.spot(x, between(rng, 1.1, 2.3), z)
        lamp = board.material("plain", colour=vec(1.0, 0.93, 0.75), glow=1.0)
        if m > 0:
            board.oval(px, py, 0.16 * m, 0.14 * m, lamp, m)
    elif kind == 6:  # a curtain
        board.panel(
            x,
            0.0,
            back + 0.03,
            between(rng, 0.4, 1.2),
            between(rng, 1.8, 2.6),
            board.material(("rib", "stripes", "stripes-wide", "corduroy"), (0.3, 0.8), vary=0.7),
        )
    else:  # a plant
        (px, py), m = board.spot(x, between(rng, 0.6, 1.3), z)
        if m > 0:
            board.panel(x, 0.0, z, 0.3, 0.4, stuff)
            board.blob(
                px,
                py,
                0.4 * m,
                0.5 * m,
                board.material(GREENS[1:], (0.4, 1.2), kind="foliage", vary=0.8),
                m,
                0.4,
            )


def shop(board: Board) -> None:
    """Shelves, stalls, counters and goods."""
    rng = board.rng
    board.backdrop(board.material("clutter", (0.6, 1.5), vary=1.0))
    board.floor(board.material(_FLOORS, (0.6, 1.5), vary=0.4))
    goods = ("shelf", "clutter", "pebbles", "patches", "posters", "shards", "panes", "crowd")
    board.plane(2, near_of(board, 0.7, 5), board.material(goods, (0.8, 2.5), vary=1.0))
    for side in (-1.0, 1.0):
        if chance(rng, 0.5):
            board.plane(
                0,
                side * between(rng, 1.0, 3.0),
                board.material(goods, (0.8, 2.5), vary=1.0),
                high=between(rng, 1.2, 2.6),
            )
    for _ in range(int(rng.integers(0, 6))):
        board.panel(
            between(rng, -2.5, 2.5),
            0.0,
            near_of(board, 0.4, 3),
            between(rng, 0.4, 1.5),
            between(rng, 0.5, 1.6),
            board.material((*goods, "plain", "text"), (0.5, 1.5), vary=1.0),
        )
    bystanders(board, 3)


def studio(board: Board) -> None:
    """Plain paper, as shops and portrait studios have it: white, grey or coloured."""
    rng = board.rng
    kind = rng.random()
    if kind < 0.55:
        tone = np.full(3, between(rng, 0.82, 1.0), dtype=np.float32) * (
            1.0 + rng.normal(0, 0.012, 3)
        ).astype(np.float32)
    elif kind < 0.75:
        tone = np.full(3, between(rng, 0.15, 0.8), dtype=np.float32)
    else:
        tone = board.colour("cloth")
    paper = board.material("cloud", (3.0, 8.0), colour=np.clip(tone, 0, 1), vary=0.0)
    flat = type(paper)(
        tone,
        np.clip(tone * np.float32(between(rng, 0.94, 1.04)), 0, 1),
        tone,
        texture="snow",
        period=paper.period,
        offset=paper.offset,
    )
    board.backdrop(flat, 4.0, 0.12)
    if chance(rng, 0.7):
        board.plane(
            1, 0.0, flat if chance(rng, 0.6) else darker(flat, between(rng, 0.85, 1.1)), slope=0.1
        )
        board.plane(2, near_of(board, 0.4, 2.5), flat, slope=0.12)


def backdrop(board: Board) -> None:
    """Cloth or paper of one kind all around."""
    rng = board.rng
    board.backdrop(
        board.material((*SURFACES, *CLOTHS), (1.0, 4.0), vary=between(rng, 0.1, 1.0)),
        between(rng, 1.5, 5),
        0.5,
    )
    if chance(rng, 0.5):
        board.floor(board.material(_FLOORS, (0.6, 2.0)))


def blur(board: Board) -> None:
    """What is so far out of focus that only colours are left."""
    rng = board.rng
    board.backdrop(
        board.material(
            ("pink", "cloud", "clouds", "tie-dye", "stains"),
            (2.0, 8.0),
            vary=between(rng, 0.3, 1.0),
            kind=one_of(rng, ("wall", "foliage", "cloth")),
        ),
        between(rng, 3, 6),
        0.8,
    )
    for _ in range(int(rng.integers(0, 14))):
        r = log_between(rng, 0.03, 0.4) * board.width
        board.blob(
            between(rng, 0, 1) * board.width,
            between(rng, 0, 1) * board.height,
            r,
            r * between(rng, 0.5, 1.5),
            board.material(("cloud", "leaves", "plain", "lights"), (1.0, 3.0), vary=0.5),
            30.0,
        )
    if chance(rng, 0.4):
        ground(board, ("concrete", "grass", "sand", "asphalt"))


def clutter(board: Board) -> None:
    """Things over things, of any size and make: what photographs look like up close."""
    rng = board.rng
    textures = (*SURFACES, *CLOTHS)
    board.backdrop(board.material(textures, (0.8, 3.0), vary=1.0), 4.0, 0.4)
    if chance(rng, 0.5):
        ground(board, WALLS)
    shared = [board.material(textures, (0.4, 2.0), vary=between(rng, 0.2, 1.0)) for _ in range(14)]
    for _ in range(int(rng.integers(15, 60))):
        r = 0.03 * board.width * (14.0 ** (rng.random() ** 1.6))
        x, y = between(rng, -0.05, 1.05) * board.width, between(rng, -0.05, 1.05) * board.height
        material, metre = one_of(rng, shared), between(rng, 25.0, 90.0)
        kind = int(rng.integers(4))
        if kind == 0:
            board.oval(x, y, r, r * between(rng, 0.4, 1.4), material, metre)
        elif kind == 1:
            board.box(x - r, y - r * between(rng, 0.3, 2.0), x + r, y + r, material, metre)
        elif kind == 2:
            a = np.sort(rng.random(int(rng.integers(3, 7)))) * TAU
            board.polygon(
                [(x + r * float(np.cos(t)), y + r * float(np.sin(t))) for t in a], material, metre
            )
        else:
            turn, long = rng.random() * TAU, r * between(rng, 2, 6)
            board.line(
                [(x, y), (x + long * float(np.cos(turn)), y + long * float(np.sin(turn)))],
                material,
                metre,
                max(r * 0.25, 1),
            )


def stage(board: Board) -> None:
    """A dark place with lamps."""
    rng = board.rng
    dark = palette.rgb(rng.random(), rng.random() * 0.6, between(rng, 0.02, 0.18))
    board.backdrop(
        board.material(
            ("stains", "lights", "panes", "facade", "rib", "brick", "crowd"),
            (1.0, 4.0),
            colour=dark,
            vary=0.3,
            glow=0.2,
        ),
        5.0,
        0.6,
    )
    if chance(rng, 0.7):
        board.floor(
            board.material(
                ("planks", "asphalt", "plain", "tiles", "paving"), (0.8, 2.0), colour=dark, vary=0.2
            )
        )
    for _ in range(int(rng.integers(0, 14))):
        r = log_between(rng, 0.008, 0.05) * board.width
        lamp = board.material(
            "plain",
            colour=palette.rgb(rng.random(), rng.random() * 0.8, between(rng, 0.6, 1.0)),
            glow=1.0,
        )
        board.oval(
            between(rng, 0, 1) * board.width, between(rng, 0, 0.75) * board.height, r, r, lamp, 40.0
        )


def crowd(board: Board) -> None:
    """A wall of far people."""
    rng = board.rng
    board.backdrop(board.material("crowd", (1.0, 3.0), vary=1.0, kind="cloth"), 3.0, 0.4)
    if chance(rng, 0.5):
        ground(board, ("asphalt", "grass", "concrete", "paving"))
        board.plane(
            2,
            near_of(board, 2, 12),
            board.material(("crowd", "clutter", "leaves"), (1.2, 3.0), vary=1.0, kind="cloth"),
        )


def vehicle(board: Board) -> None:
    """Large smooth things close behind: cars, boats, tents, machines."""
    rng = board.rng
    board.backdrop(
        board.material(("cloud", "leaves", "facade", "clouds"), (2.0, 5.0), vary=0.8), 5.0, 0.4
    )
    ground(board, ("asphalt", "grass", "gravel", "concrete", "sand"))
    for _ in range(int(rng.integers(1, 5))):
        m = board.spot(0, 0, -1.0)[1]
        x, y = between(rng, 0, 1) * board.width, between(rng, 0.35, 0.9) * board.height
        paint = board.material(
            ("plain", "stains", "sheet-metal", "stripes-wide"), (0.8, 2.5), vary=0.4
        )
        board.blob(
            x, y, between(rng, 0.8, 2.2) * m, between(rng, 0.4, 1.2) * m, paint, max(m, 1.0), 0.08
        )
        glass = board.material("stains", colour=vec(0.15, 0.17, 0.2), vary=0.4)
        board.blob(
            x,
            y - 0.4 * m,
            between(rng, 0.4, 1.0) * m,
            between(rng, 0.15, 0.4) * m,
            glass,
            max(m, 1.0),
            0.1,
        )
