"""Finds which triangle each sample of a picture sees, exactly, with a depth buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats

_NOTHING = np.iinfo(np.int64).max
_BITS = 21  # of a key, for the number of a triangle
_DEPTHS = 2**36  # steps that depths are told apart in


@dataclass(frozen=True)
class Seen:
    """What the samples of a picture see.

    `sample` is (n,) flat indices of the samples that see a triangle, in order; `triangle` (n,)
    its number; `share` (3, n) float32 the weights of its corners there; `depth` (n,) float32.
    """

    sample: NDArray[np.int64]
    triangle: NDArray[np.int64]
    share: Floats
    depth: Floats


def see(
    screen: Floats,
    corner: NDArray[np.int32],
    both_sides: NDArray[np.bool_],
    width: int,
    height: int,
    keep: Floats | None = None,
) -> Seen:
    """The nearest triangle at every sample.

    Args:
        screen: (V, 3) float64 x, y in samples (integers are the samples' middles), and a depth
            that grows away from the viewer, is linear on the screen, and is below 0 for all
            that lies before the viewer: -1 / distance.
        corner: (T, 3) indices into `screen`.
        both_sides: (T,) whether a triangle is seen from behind as well.
        width: samples per row.
        height: rows of samples.
        keep: (V,) values, below 0 where the surface is cut away.
    """
    key, planes, chosen, _ = _resolve(screen, corner, both_sides, width, height, keep)
    sample = np.flatnonzero(key != _NOTHING)
    local = key.take(sample) & (2**_BITS - 1)
    y, x = np.divmod(sample, width)
    p = [plane.take(local) for plane in planes]
    one = (p[0] * x + p[1] * y + p[2]).astype(np.float32)
    two = (p[3] * x + p[4] * y + p[5]).astype(np.float32)
    share = np.clip(np.stack([1.0 - one - two, one, two]), 0.0, 1.0)
    depth = (p[6] * x + p[7] * y + p[8]).astype(np.float32)
    return Seen(sample, chosen.take(local), share, depth)


def depths(
    screen: Floats,
    corner: NDArray[np.int32],
    both_sides: NDArray[np.bool_],
    width: int,
    height: int,
    keep: Floats | None = None,
) -> Floats:
    """Depth (height, width) float32 of the nearest surface, infinity for none; see `see`."""
    key, _, _, (near, step) = _resolve(screen, corner, both_sides, width, height, keep)
    out = np.full(key.shape, np.inf, dtype=np.float32)
    found = np.flatnonzero(key != _NOTHING)
    out[found] = (key.take(found) >> _BITS) * step + near
    return out.reshape(height, width)


def _resolve(
    screen: Floats,
    corner: NDArray[np.int32],
    both_sides: NDArray[np.bool_],
    width: int,
    height: int,
    keep: Floats | None,
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64], tuple[float, float]]:
    """Keys (samples,) of depth and triangle, the triangles' planes, their numbers, depth's scale.

    The planes (9, t) give the shares of the second and third corner and the depth, each as
    factors on x, on y, and a constant.
    """
    buffer = np.full(width * height, _NOTHING, dtype=np.int64)
    chosen, x, y, z, cut = _visible(screen, corner, both_sides, width, height, keep)
    if not len(chosen):
        return buffer, np.zeros((9, 0)), chosen, (0.0, 1.0)
    planes, cuts = _planes(x, y, z, cut)
    tri, row, first, last = _spans(x, y, width, height)
    if cuts is not None:
        tri, row, first, last = _kept(cuts, tri, row, first, last)
    counts = last - first
    begin = np.cumsum(counts) - counts  # number of a run's first item among all items
    item = np.arange(int(counts.sum()))
    near, far = float(z.min()), float(z.max()) + 1e-6
    scale = _DEPTHS / (far - near)
    slope = planes[6].take(tri) * scale
    start = (planes[7].take(tri) * row + planes[8].take(tri) - near) * scale + slope * (
        first - begin
    )
    depth = np.repeat(slope, counts)
    depth *= item
    depth += np.repeat(start, counts)
    np.clip(depth, 0.0, _DEPTHS - 1.0, out=depth)
    key = depth.astype(np.int64)
    key <<= _BITS
    key |= np.repeat(tri, counts)
    index = np.repeat(row * width + first - begin, counts)
    index += item
    np.minimum.at(buffer, index, key)
    return buffer, planes, chosen, (near, 1.0 / scale)


def _kept(
    cuts: Floats,
    tri: NDArray[np.int64],
    row: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The parts of runs where the surface is not cut away; along a run the cut is linear."""
    slope = cuts[0].take(tri)
    start = cuts[1].take(tri) * row + cuts[2].take(tri)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = -start / slope
    rises, falls = slope > 0.0, slope < 0.0
    first = np.where(rises, np.maximum(first, np.ceil(np.clip(at, -1.0, 1e6))), first).astype(
        np.int64
    )
    last = np.where(falls, np.minimum(last, np.floor(np.clip(at, -1.0, 1e6)) + 1.0), last).astype(
        np.int64
    )
    some = np.flatnonzero((last > first) & (rises | falls | (start >= 0.0)))
    return tri.take(some), row.take(some), first.take(some), last.take(some)


def _visible(
    screen: Floats,
    corner: NDArray[np.int32],
    both_sides: NDArray[np.bool_],
    width: int,
    height: int,
    keep: Floats | None,
) -> tuple[NDArray[np.int64], Floats, Floats, Floats, Floats | None]:
    """The triangles that can be seen, and their corners (3, t) in x, y, depth and cut."""
    a, b, c = np.ascontiguousarray(corner.T)
    points = np.ascontiguousarray(screen.T)
    x = np.stack([points[0].take(a), points[0].take(b), points[0].take(c)])
    y = np.stack([points[1].take(a), points[1].take(b), points[1].take(c)])
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    good = (area < -1e-9) | (both_sides & (area > 1e-9))
    low_x, high_x = (
        np.minimum(np.minimum(x[0], x[1]), x[2]),
        np.maximum(np.maximum(x[0], x[1]), x[2]),
    )
    low_y, high_y = (
        np.minimum(np.minimum(y[0], y[1]), y[2]),
        np.maximum(np.maximum(y[0], y[1]), y[2]),
    )
    good &= (high_x >= 0) & (low_x <= width - 1) & (high_y >= 0) & (low_y <= height - 1)
    # A triangle between two rows or two columns of samples is seen by none.
    good &= (np.floor(high_y) >= low_y) & (np.floor(high_x) >= low_x)
    if keep is not None:
        good &= (keep.take(a) > 0.0) | (keep.take(b) > 0.0) | (keep.take(c) > 0.0)
    chosen = np.flatnonzero(good)
    a, b, c = a.take(chosen), b.take(chosen), c.take(chosen)
    z = np.stack([points[2].take(a), points[2].take(b), points[2].take(c)])
    cut = (
        None
        if keep is None
        else np.stack([keep.take(a), keep.take(b), keep.take(c)]).astype(np.float64)
    )
    before = z.max(0) < 0.0
    if not before.all():
        chosen = chosen[before]
        z = z[:, before]
        cut = None if cut is None else cut[:, before]
    return chosen, x.take(chosen, axis=1), y.take(chosen, axis=1), z, cut


def _planes(x: Floats, y: Floats, z: Floats, cut: Floats | None) -> tuple[Floats, Floats | None]:
    x1, y1, x2, y2 = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    inverse = 1.0 / (x1 * y2 - x2 * y1)
    a1, b1 = y2 * inverse, -x2 * inverse
    a2, b2 = -y1 * inverse, x1 * inverse
    out = np.empty((9, x.shape[1]))
    out[0], out[1], out[2] = a1, b1, -(a1 * x[0] + b1 * y[0])
    out[3], out[4], out[5] = a2, b2, -(a2 * x[0] + b2 * y[0])
    out[6:9] = _linear(out, z)
    return out, None if cut is None else _linear(out, cut)


def _linear(planes: Floats, values: Floats) -> Floats:
    """Factors (3, t) on x, on y and a constant of what has these values (3, t) at the corners."""
    out = planes[0:3] * (values[1] - values[0]) + planes[3:6] * (values[2] - values[0])
    out[2] += values[0]
    return np.asarray(out)


def _spans(
    x: Floats, y: Floats, width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Runs of samples inside the triangles: triangle, row, first column, column after the last."""
    # The three corners in order of y, by exchanges.
    for one, two in ((0, 1), (1, 2), (0, 1)):
        swap = y[one] > y[two]
        y[one], y[two] = np.where(swap, y[two], y[one]), np.where(swap, y[one], y[two])
        x[one], x[two] = np.where(swap, x[two], x[one]), np.where(swap, x[one], x[two])
    (x0, x1, x2), (y0, y1, y2) = x, y
    top = np.maximum(np.ceil(y0), 0).astype(np.int64)
    low = np.minimum(np.ceil(y2), height).astype(np.int64)
    counts = np.maximum(low - top, 0)
    tri = np.repeat(np.arange(x.shape[1]), counts)
    row = np.arange(len(tri)) - (np.cumsum(counts) - counts - top).take(tri)
    long_slope = (x2 - x0) / np.maximum(y2 - y0, 1e-12)
    upper = (x1 - x0) / np.maximum(y1 - y0, 1e-12)
    lower = (x2 - x1) / np.maximum(y2 - y1, 1e-12)
    edge = (x0 - long_slope * y0).take(tri) + long_slope.take(tri) * row
    # Rows above the middle corner take the upper short edge, the others the lower one.
    which = tri + (row >= y1.take(tri)) * x.shape[1]
    slopes = np.concatenate([upper, lower])
    starts = np.concatenate([x0 - upper * y0, x1 - lower * y1])
    other = starts.take(which) + slopes.take(which) * row
    first = np.maximum(np.ceil(np.minimum(edge, other)), 0).astype(np.int64)
    last = np.minimum(np.ceil(np.maximum(edge, other)), width).astype(np.int64)
    some = np.flatnonzero(last > first)
    return tri.take(some), row.take(some), first.take(some), last.take(some)
