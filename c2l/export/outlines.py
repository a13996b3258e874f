"""Outlines of parts as polygons, one per connected piece, with holes cut in."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Points = NDArray[np.float64]
# Right, down, left, up in pixels.
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def polygons(mask: Bits, tolerance: float) -> list[Points]:
    """One polygon for each piece of a mask, holes included.

    Corners lie on the corners of pixels, so that without a tolerance the polygons hold exactly the
    mask's pixels. A hole is joined to the outline by a cut of no width, there and back.

    Args:
        mask: (H, W).
        tolerance: the outline may leave the pixels' borders by this many pixels.

    Returns:
        (N, 2) x and y each.
    """
    from scipy.ndimage import label

    pieces, count = label(mask)
    outer: list[Points | None] = [None] * count
    holes: dict[int, list[Points]] = defaultdict(list)
    for loop, piece in _loops(pieces):
        simple = _simplified(loop, tolerance)
        if _area(loop) > 0:
            # A piece of one pixel's width may lose its area; then its borders stay.
            outer[piece] = simple if len(simple) >= 3 else loop
        elif len(simple) >= 3:
            holes[piece].append(simple)
    found = []
    for piece, outline in enumerate(outer):
        assert outline is not None
        for hole in holes[piece]:
            outline = _cut(outline, hole)
        found.append(outline)
    return found


def _loops(pieces: NDArray[np.signedinteger[Any]]) -> list[tuple[Points, int]]:
    """Borders of pieces, the piece to the right, with its index; positive area is an outline."""
    padded = np.pad(pieces, 1)
    inner = padded[1:-1, 1:-1]
    # By direction: the neighbour across the border, and where the border of a pixel begins.
    sides = (
        (padded[:-2, 1:-1], 0, 0),
        (padded[1:-1, 2:], 1, 0),
        (padded[2:, 1:-1], 1, 1),
        (padded[1:-1, :-2], 0, 1),
    )
    starts: dict[int, list[int]] = defaultdict(list)
    piece_of: dict[tuple[int, int], int] = {}
    row_length = pieces.shape[1] + 1
    for direction, (beyond, right, down) in enumerate(sides):
        # Diagonal neighbours are pieces of their own, so that two may only meet in a corner.
        y, x = np.nonzero((inner > 0) & (beyond != inner))
        vertices = ((y + down) * row_length + x + right).tolist()
        for vertex, piece in zip(vertices, inner[y, x].tolist(), strict=True):
            starts[vertex].append(direction)
            piece_of[vertex, direction] = piece - 1
    ahead = [dx + dy * row_length for dx, dy in STEPS]
    loops = []
    while piece_of:
        begin = next(iter(piece_of))
        piece = piece_of[begin]
        (vertex, direction), corners = begin, []
        while (vertex, direction) in piece_of:
            del piece_of[vertex, direction]
            vertex += ahead[direction]
            # Of two ways on, the right turn stays at the same pixel.
            for turn in (1, 0, 3):
                on = (direction + turn) % 4
                if piece_of.get((vertex, on), -1) == piece or (vertex, on) == begin:
                    break
            if on != direction:
                corners.append((vertex % row_length, vertex // row_length))
            direction = on
        loops.append((np.array(corners, dtype=np.float64), piece))
    return loops


def _area(loop: Points) -> float:
    x, y = loop.T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def _simplified(loop: Points, tolerance: float) -> Points:
    """Ramer-Douglas-Peucker between the two corners that are farthest apart."""
    if tolerance <= 0 or len(loop) < 4:
        return loop
    far = int(np.argmax(np.sum((loop - loop[0]) ** 2, axis=1)))
    closed = np.concatenate([loop, loop[:1]])
    keep = np.zeros(len(closed), dtype=bool)
    keep[[0, far, -1]] = True
    waiting = [(0, far), (far, len(closed) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        start, chord = closed[first], closed[last] - closed[first]
        between = closed[first + 1 : last] - start
        length = float(np.hypot(*chord))
        across = np.abs(chord[0] * between[:, 1] - chord[1] * between[:, 0])
        distance = across / length if length else np.hypot(*between.T)
        worst = int(np.argmax(distance))
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            waiting += [(first, middle), (middle, last)]
    return closed[:-1][keep[:-1]]


def _cut(outline: Points, hole: Points) -> Points:
    """Join a hole to an outline between their nearest corners."""
    apart = np.sum((outline[:, None] - hole[None]) ** 2, axis=2)
    here, there = np.unravel_index(int(np.argmin(apart)), apart.shape)
    around = np.concatenate([hole[there:], hole[: there + 1]])
    return np.concatenate([outline[: here + 1], around, outline[here:]])
