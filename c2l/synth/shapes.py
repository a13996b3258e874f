"""The surfaces bodies and clothes are made of: bent tapered limbs, sheets and ellipses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2l.synth.canvas import Canvas, Patch
from c2l.synth.noise import Floats

Point = tuple[float, float]


def _grid(canvas: Canvas, low: Point, high: Point) -> tuple[int, int, Floats, Floats]:
    y0, y1, x0, x1 = canvas.window(low, high)
    ys = np.arange(y0, y1, dtype=np.float32)[:, None]
    xs = np.arange(x0, x1, dtype=np.float32)[None, :]
    return y0, x0, ys, xs


def smooth(points: Sequence[float], values: Sequence[float], at: Floats) -> Floats:
    """A smooth curve through (point, value) knots, read at any coordinates (n,)."""
    dense = np.linspace(points[0], points[-1], 49)
    curve = np.interp(dense, points, values)
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    padded = np.pad(curve, 2, mode="reflect", reflect_type="odd")
    return np.interp(at, dense, np.convolve(padded, kernel, mode="valid")).astype(np.float32)


def limb(
    canvas: Canvas,
    points: Sequence[Point],
    radii: Sequence[float],
    *,
    cut: tuple[bool, bool] = (False, False),
) -> Patch:
    """A bent round limb.

    Args:
        canvas: gives the size of the picture and of the body.
        points: joints (x, y) in pixels, at least two.
        radii: half the thickness at each joint in pixels.
        cut: whether the start and the end are cut off straight instead of rounded.
    """
    most = max(radii)
    xs_, ys_ = [p[0] for p in points], [p[1] for p in points]
    low, high = (min(xs_) - most, min(ys_) - most), (max(xs_) + most, max(ys_) + most)
    y0, x0, ys, xs = _grid(canvas, low, high)
    shape = (ys.shape[0], xs.shape[1])
    best = np.full(shape, np.inf, dtype=np.float32)
    ex, ey, side, along, radius = (np.zeros(shape, dtype=np.float32) for _ in range(5))
    walked, last = 0.0, len(points) - 2
    for i in range(last + 1):
        (px, py), (qx, qy) = points[i], points[i + 1]
        dx, dy = qx - px, qy - py
        length = max((dx * dx + dy * dy) ** 0.5, 1e-3)
        ux, uy = dx / length, dy / length
        raw = (xs - px) * ux + (ys - py) * uy
        t = np.clip(raw, 0.0, length)
        r = radii[i] + (radii[i + 1] - radii[i]) / length * t
        rx, ry = (xs - px - t * ux) / r, (ys - py - t * uy) / r
        f = rx * rx + ry * ry
        if cut[0] and i == 0:
            f = np.where(raw < 0.0, np.inf, f)
        if cut[1] and i == last:
            f = np.where(raw > length, np.inf, f)
        near = f < best
        best = np.where(near, f, best)
        ex, ey = np.where(near, rx, ex), np.where(near, ry, ey)
        side = np.where(near, ry * ux - rx * uy, side)
        # Round ends run on past the joints, or a pattern would smear over them.
        run = np.clip(raw, 0.0 if i else -most, length if i < last else length + most)
        along, radius = np.where(near, walked + run, along), np.where(near, r, radius)
        walked += length
    mask = best < 1.0
    nz = np.sqrt(np.clip(1.0 - best[mask], 0.0, 1.0))
    v = side[mask]
    return Patch(
        y0, x0, mask, ex[mask], ey[mask], nz,
        along[mask] / canvas.unit,
        np.arcsin(np.clip(v, -1.0, 1.0)) * radius[mask] / canvas.unit,
        along[mask] / np.float32(max(walked, 1e-3)), v,
    )  # fmt: skip


def sheet(
    canvas: Canvas,
    start: Point,
    end: Point,
    knots: Sequence[float],
    left: Sequence[float],
    right: Sequence[float] | None = None,
    *,
    hem: float = 0.0,
    tilt: tuple[float, float] = (0.0, 0.0),
    bulge: float = 0.0,
    flat: float = 0.85,
) -> Patch:
    """A rounded sheet around a straight axis, such as a torso, a skirt or a head.

    Args:
        canvas: gives the size of the picture and of the body.
        start: where the axis starts (x, y) in pixels.
        end: where it ends.
        knots: places along the axis, rising from 0 to 1.
        left: half width in pixels to the left of the axis at each knot.
        right: the same to the right; `left` without it.
        hem: how far the end curves down in the middle, as a share of the length.
        tilt: slope of the start and of the end (rise over half width, as a share of length).
        bulge: how much the surface also bends along the axis.
        flat: how far the normals turn away at the sides, 0 to 1.
    """
    right = left if right is None else right
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    ux, uy = dx / length, dy / length
    most = max(*left, *right)
    low = (min(start[0], end[0]) - most, min(start[1], end[1]) - most * 0.6)
    high = (max(start[0], end[0]) + most, max(start[1], end[1]) + most * 0.6)
    y0, x0, ys, xs = _grid(canvas, low, high)
    s0 = ((xs - start[0]) * ux + (ys - start[1]) * uy) / length
    across = (xs - start[0]) * uy - (ys - start[1]) * ux  # grows to the right for a downward axis
    bent = s0 - (tilt[0] * (1.0 - s0) + tilt[1] * s0) * across / most
    table = np.linspace(0.0, 1.0, 257, dtype=np.float32)
    lefts, rights = smooth(knots, left, table), smooth(knots, right, table)
    at = np.clip(bent * 256.0, 0, 256).astype(np.int32)
    lo, hi = -lefts[at], rights[at]
    v2 = (2.0 * across - lo - hi) / np.maximum(hi - lo, 1e-3)
    mask = (np.abs(v2) < 1.0) & (bent > 0.0) & (bent < 1.0 + hem * (1.0 - v2 * v2) - max(hem, 0.0))
    v, s, wide = v2[mask], bent[mask], across[mask]
    turn = flat * v * np.abs(v)
    lengthwise = bulge * (2.0 * s - 1.0)
    nx, ny = turn * uy + lengthwise * ux, -turn * ux + lengthwise * uy
    nz = np.sqrt(np.clip(1.0 - nx * nx - ny * ny, 0.02, 1.0))
    unit = canvas.unit
    return Patch(y0, x0, mask, nx, ny, nz, s * np.float32(length / unit), wide / unit, s, v)


def ellipse(
    canvas: Canvas, centre: Point, half: tuple[float, float], *, angle: float = 0.0
) -> Patch:
    """An ellipsoid seen from any side; `half` axes (across, along) in pixels, angle in radians."""
    most = max(half)
    low, high = (centre[0] - most, centre[1] - most), (centre[0] + most, centre[1] + most)
    y0, x0, ys, xs = _grid(canvas, low, high)
    c, s = float(np.cos(angle)), float(np.sin(angle))
    p = ((xs - centre[0]) * c + (ys - centre[1]) * s) / max(half[0], 0.5)
    q = (-(xs - centre[0]) * s + (ys - centre[1]) * c) / max(half[1], 0.5)
    f = p * p + q * q
    mask: NDArray[np.bool_] = f < 1.0
    p, q = np.broadcast_to(p, f.shape)[mask], np.broadcast_to(q, f.shape)[mask]
    nx, ny = p * c - q * s, p * s + q * c
    nz = np.sqrt(np.clip(1.0 - f[mask], 0.0, 1.0))
    a, b = (q + 1.0) * np.float32(half[1] / canvas.unit), p * np.float32(half[0] / canvas.unit)
    return Patch(y0, x0, mask, nx, ny, nz, a, b, (q + 1.0) / 2.0, p)
