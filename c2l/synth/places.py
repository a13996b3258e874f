"""Places out of doors: streets, walls, parks, beaches, snow, pitches, water, the open sky."""

from __future__ import annotations

import numpy as np

from c2l.synth.arrays import vec
from c2l.synth.board import Board, near_of
from c2l.synth.chance import between, chance, log_between
from c2l.synth.scenery import (
    FLOORS,
    GREENS,
    WALLS,
    bystanders,
    car,
    floor_line,
    ground,
    posts,
    sky,
    tree,
)


def street(board: Board) -> None:
    """A street between houses."""
    rng = board.rng
    sky(board)
    ground(board, FLOORS)
    tall = between(rng, 3, 14)
    facade = (
        "facade",
        "brick",
        "panes",
        "stains",
        "siding",
        "blocks",
        "posters",
        "concrete",
        "shelf",
    )
    if chance(rng, 0.85):
        board.plane(
            2, near_of(board, 6, 40), board.material(facade, (3.0, 9.0), vary=0.7), high=tall * 1.3
        )
    for side in (-1.0, 1.0):
        if chance(rng, 0.7):
            x = side * between(rng, 1.5, 7)
            board.plane(
                0,
                x,
                board.material(facade, (2.5, 8.0), vary=0.7),
                high=tall,
                along=(-80, between(rng, -3, 4)),
            )
            for _ in range(int(rng.integers(0, 3))):
                z = near_of(board, 1, 15)
                (px, py), metre = board.spot(x * 0.95, between(rng, 1.5, 3), z)
                sign = board.material(
                    ("headline", "text", "plain", "bars-wide"), (0.6, 2.0), vary=1.0
                )
                board.box(
                    px,
                    py,
                    px + between(rng, -1.5, 1.5) * metre,
                    py - between(rng, 0.3, 0.8) * metre,
                    sign,
                    max(metre, 1.0),
                )
    for _ in range(int(rng.integers(0, 4))):
        car(board, between(rng, -7, 7), near_of(board, 3, 18))
    if chance(rng, 0.4):
        for _ in range(int(rng.integers(1, 4))):
            tree(board, between(rng, -6, 6), near_of(board, 2.5, 15))
    bystanders(board, 6)
    posts(board)


def wall(board: Board) -> None:
    """A wall close behind, with what hangs, leans or opens there."""
    rng = board.rng
    board.backdrop(board.material("stains", vary=0.3))
    ground(board, FLOORS)
    z = -log_between(rng, 0.35, 4.0)
    board.plane(2, z, board.material(WALLS, (0.8, 3.0), vary=between(rng, 0.15, 0.8)), slope=0.3)
    if chance(rng, 0.3):  # a lower part of another kind
        board.plane(
            2, z + 0.02, board.material(WALLS, (0.5, 2.0), vary=0.4), high=between(rng, 0.15, 1.1)
        )
    for _ in range(int(rng.integers(0, 4))):
        x, y = between(rng, -2.5, 2.5), between(rng, 0.0, 1.8)
        kinds = (
            "panes",
            "stains",
            "posters",
            "headline",
            "text",
            "planks",
            "plain",
            "shelf",
            "graffiti",
        )
        board.panel(
            x,
            y if chance(rng, 0.6) else 0.0,
            z + 0.03,
            between(rng, 0.4, 1.6),
            between(rng, 0.4, 2.2),
            board.material(kinds, (0.6, 2.0), vary=0.9),
        )
    if chance(rng, 0.2):
        tree(board, between(rng, -2, 2), z + 0.2)
    posts(board)


def park(board: Board) -> None:
    """Grass, paths, bushes and trees."""
    rng = board.rng
    sky(board)
    ground(board, ("grass", "grass", "leaves", "soil", "gravel", "foliage"), "foliage")
    metre = max(board.spot(0, 0, -25)[1], 1.0)
    base = board.spot(0, 0, -25)[0][1]
    for row in range(int(rng.integers(1, 4))):
        material = board.material(GREENS[1:], (1.0, 3.0), kind="foliage", vary=0.8)
        tall = between(rng, 2.0, 9.0) * metre / (row + 1)
        for x in np.linspace(-0.1, 1.1, int(rng.integers(3, 9))) * board.width:
            board.blob(
                x,
                base - tall * 0.4,
                tall * between(rng, 0.7, 1.4),
                tall * between(rng, 0.6, 1.0),
                material,
                metre,
            )
    if chance(rng, 0.5):
        board.plane(
            2,
            near_of(board, 1.2, 8),
            board.material(GREENS[1:], (0.8, 2.0), kind="foliage", vary=0.8),
            high=between(rng, 0.4, 2.5),
        )
    for _ in range(int(rng.integers(0, 6))):
        tree(board, between(rng, -6, 6), near_of(board, 1, 16))
    if chance(rng, 0.3):
        posts(board)
    bystanders(board, 3)


def beach(board: Board) -> None:
    """Sand, the sea, and what stands on the shore."""
    rng = board.rng
    sky(board)
    sea = board.material(
        "water",
        (2.0, 7.0),
        colour=np.clip(vec(0.12, 0.35, 0.45) * between(rng, 0.5, 1.8), 0, 1).astype(np.float32),
        vary=0.25,
    )
    board.floor(
        board.material(
            ("sand", "sand", "pebbles", "gravel", "water"),
            (0.8, 3.0),
            colour=vec(0.78, 0.68, 0.53) * np.float32(between(rng, 0.6, 1.15)),
            vary=0.15,
        )
    )
    shore = board.spot(0, 0, near_of(board, 1.5, 25))[0][1]
    y = min(board.horizon, shore)
    board.box(-1, y, board.width + 1, shore, sea, max(board.spot(0, 0, -20)[1], 1.0))
    foam = board.material("clouds", colour=vec(0.9, 0.92, 0.93), vary=0.1)
    for _ in range(int(rng.integers(0, 4))):
        h = between(rng, y, shore + 1)
        board.line(
            [(x * board.width, h + rng.normal(0, 1.2)) for x in np.linspace(0, 1, 7)],
            foam,
            20.0,
            between(rng, 1, 3),
        )
    if chance(rng, 0.35):
        hill = board.material(("foliage", "rubble", "stains"), (2.0, 5.0), vary=0.5)
        xs = np.linspace(-0.05, 1.05, 9) * board.width
        tops = y - np.abs(rng.normal(0, 0.08, 9)) * board.height
        board.polygon([(-1, y), *zip(xs, tops, strict=True), (board.width + 1, y)], hill, 8.0)
    bystanders(board, 5)
    if chance(rng, 0.3):
        (px, py), metre = board.spot(between(rng, -3, 3), 1.9, near_of(board, 2, 9))
        board.polygon(
            [(px - metre, py + 0.4 * metre), (px, py), (px + metre, py + 0.4 * metre)],
            board.material("stripes-wide", (0.8, 1.5), vary=1.0),
            max(metre, 1.0),
        )


def snow(board: Board) -> None:
    """Snow, slopes and firs."""
    rng = board.rng
    sky(board)
    white = np.full(3, between(rng, 0.75, 0.97), dtype=np.float32)
    board.floor(board.material(("snow", "stains"), (1.0, 4.0), colour=white, vary=0.15))
    y, metre = board.horizon, max(board.spot(0, 0, -25)[1], 1.0)
    if chance(rng, 0.7):
        xs = np.linspace(-0.05, 1.05, 8) * board.width
        tops = y - np.abs(rng.normal(0.1, 0.12, 8)) * board.height
        board.polygon(
            [(-1, y + 2), *zip(xs, tops, strict=True), (board.width + 1, y + 2)],
            board.material(
                ("snow", "rubble", "stains"), (3.0, 8.0), colour=white * np.float32(0.9), vary=0.6
            ),
            metre,
        )
    fir = board.material(
        ("foliage", "twigs", "leaves"),
        (0.8, 2.0),
        colour=vec(0.10, 0.16, 0.12) * np.float32(between(rng, 0.6, 1.6)),
        vary=0.3,
    )
    for _ in range(int(rng.integers(0, 12))):
        (px, py), m = board.spot(between(rng, -14, 14), 0.0, near_of(board, 5, 30))
        h = between(rng, 2, 7) * m
        if m > 0:
            board.polygon([(px - 0.22 * h, py), (px, py - h), (px + 0.22 * h, py)], fir, m)
    bystanders(board, 4)
    if chance(rng, 0.25):
        board.plane(
            2,
            near_of(board, 1, 6),
            board.material(("bars-iron", "plain", "headline", "wire"), (0.8, 2.0), vary=1.0),
            high=between(rng, 0.5, 1.2),
        )


def pitch(board: Board) -> None:
    """A field or a court: lines, boards, nets, spectators."""
    rng = board.rng
    sky(board)
    if chance(rng, 0.6):
        board.floor(
            board.material(("grass", "foliage", "stains"), (0.8, 3.0), kind="foliage", vary=0.3)
        )
    else:
        board.floor(
            board.material(
                ("concrete", "plain", "sand", "parquet", "asphalt", "soil"), (1.0, 3.0), vary=0.2
            )
        )
    z = near_of(board, 2.5, 25)
    if chance(rng, 0.55):
        board.plane(
            2,
            z - 0.5,
            board.material(("crowd", "crowd", "clutter", "leaves"), (1.5, 4.0), vary=1.0),
            high=between(rng, 3, 15),
        )
    if chance(rng, 0.6):
        board.plane(
            2,
            z,
            board.material(
                ("headline", "text", "plain", "posters", "sheet-metal"), (1.0, 4.0), vary=0.9
            ),
            high=between(rng, 0.7, 3.0),
        )
    if chance(rng, 0.35):
        board.plane(
            2, z + 0.3, board.material("wire", (1.0, 2.5), vary=1.0), high=between(rng, 2, 5)
        )
    for _ in range(int(rng.integers(0, 4))):
        floor_line(board)
    bystanders(board, 5)
    if chance(rng, 0.2):
        tree(board, between(rng, -6, 6), near_of(board, 4, 15))


def water(board: Board) -> None:
    """Water all around."""
    rng = board.rng
    sky(board)
    tone = np.clip(vec(0.15, 0.35, 0.42) * between(rng, 0.4, 2.0), 0, 1).astype(np.float32)
    board.floor(board.material("water", (1.0, 5.0), colour=tone, vary=0.3))
    foam = board.material("clouds", (0.5, 2.0), colour=vec(0.92, 0.94, 0.95), vary=0.1)
    for _ in range(int(rng.integers(0, 4))):
        (px, py), metre = board.spot(between(rng, -2, 2), 0.0, between(rng, -3, 0.5))
        if metre > 0:
            board.blob(
                px, py, between(rng, 0.2, 1.2) * metre, between(rng, 0.05, 0.3) * metre, foam, metre
            )


def heights(board: Board) -> None:
    """The open sky, perhaps over roofs, ramps or hills."""
    rng = board.rng
    sky(board)
    if chance(rng, 0.6):
        board.floor(board.material((*FLOORS, "grass"), (1.0, 3.0)), height=-between(rng, 0.0, 3.0))
    if chance(rng, 0.5):
        kinds = ("facade", "foliage", "leaves", "brick", "crowd", "rubble")
        board.plane(
            2,
            near_of(board, 5, 40),
            board.material(kinds, (2.0, 6.0), vary=0.8),
            high=between(rng, 0.2, 4.0),
        )
    if chance(rng, 0.25):
        board.plane(
            2,
            near_of(board, 1, 4),
            board.material(("bars-iron", "wire", "plain"), (0.8, 2.0), vary=1.0),
            high=between(rng, 0.6, 1.3),
        )
