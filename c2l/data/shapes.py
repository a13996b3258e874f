"""Pixels of the shapes that annotation tools store: polygons and run lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bits = NDArray[np.bool_]


def fill_polygon(points: ArrayLike, size: tuple[int, int]) -> Bits:
    """Pixels whose centre lies inside a polygon, by the even-odd rule.

    Args:
        points: (N, 2) x and y, in pixels from the upper left corner of the picture.
        size: (height, width) of the picture; what lies outside is cut off.

    Raises:
        ValueError: fewer than three points, or no finite numbers.
    """
    corners = np.asarray(points, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3:
        raise ValueError("expected a polygon of three points or more")
    if not np.isfinite(corners).all():
        raise ValueError("expected finite numbers")
    height, width = size
    ends = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners[:, 1], ends[:, 1]), np.maximum(corners[:, 1], ends[:, 1])
    # Rows whose centre an edge crosses: its lower end belongs to it, its upper end does not.
    first = np.clip(np.ceil(low - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5), 0, height).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(corners)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    (x0, y0), (x1, y1) = corners[edge].T, ends[edge].T
    with np.errstate(over="ignore"):
        crossing = x0 + (row + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    flips = np.zeros((height, width + 1), dtype=np.int32)
    np.add.at(flips, (row, column), 1)
    inside: Bits = np.cumsum(flips[:, :-1], axis=1) % 2 == 1
    return inside


def run_lengths(flat: Bits) -> list[int]:
    """Lengths of alternating runs, of False first, which may be 0."""
    padded = np.concatenate(([False], flat, [not flat[-1]])) if flat.size else np.zeros(1, bool)
    borders = np.flatnonzero(padded[1:] != padded[:-1])
    lengths: list[int] = np.diff(borders, prepend=0).tolist()
    return lengths


def fill_runs(lengths: Sequence[int], size: int) -> Bits:
    """The inverse of ``run_lengths``, (size,).

    Raises:
        ValueError: they are no whole numbers, or make another size.
    """
    if not all(type(n) is int and 0 <= n <= size for n in lengths) or sum(lengths) != size:
        raise ValueError(f"expected run lengths that make {size} pixels")
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths)


def coco_counts(text: str) -> list[int]:
    """Run lengths of COCO's compressed form.

    Six bits per letter from 48 on: five of a number, the lowest first, and whether more follow;
    from the fourth number on, differences to the number two places before.

    Raises:
        ValueError: other letters, or an end within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode():
        bits = letter - 48
        if not 0 <= bits < 64:
            raise ValueError(f"no compressed run lengths: {chr(letter)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("compressed run lengths that end within a number")
    return counts


def brush_mask(data: Sequence[int], size: tuple[int, int]) -> Bits:
    """Pixels that Label Studio's brush covers, by the alpha of the packed RGBA picture.

    The encoding is that of ``export.brush``; besides runs, a bit 0 begins single values.

    Raises:
        ValueError: another size, or an end within a run.
    """
    bits = "".join(f"{byte:08b}" for byte in bytes(data))
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        if place > len(bits):
            raise ValueError("a brush mask that ends too early")
        return int(bits[place - count : place], 2)

    total, word = take(32), take(5) + 1
    if total != 4 * size[0] * size[1]:
        raise ValueError(f"a brush mask of {total} values, expected {4 * size[0] * size[1]}")
    lengths = [take(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint8)
    done = 0
    while done < total:
        run, count = take(1), take(lengths[take(2)]) + 1
        if done + count > total:
            raise ValueError("a brush mask with more values than it has")
        values[done : done + count] = take(word) if run else [take(word) for _ in range(count)]
        done += count
    covered: Bits = values.reshape(*size, 4)[..., 3] > 0
    return covered
