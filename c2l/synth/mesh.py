"""Surfaces in space: bent tubes and sheets, gathered into one mesh of triangles per picture.

Space is in metres: x to the right, y up, z towards the viewer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats, cross, unit
from c2l.synth.materials import Material


@lru_cache(maxsize=1024)
def curve(points: int, samples: int, start: float = 0.0, stop: float = -1.0) -> Floats:
    """Weights (samples, points) of a Catmull-Rom curve through points numbered 0, 1, ...

    Args:
        points: number of points, at least 2.
        samples: number of samples, evenly from `start` to `stop`.
        start: number, or a share between two numbers, of the first sample.
        stop: that of the last; -1 for the last point.
    """
    at = np.linspace(start, points - 1.0 if stop < 0 else stop, samples)
    first = np.minimum(at.astype(int), points - 2)
    t = at - first
    weights = np.zeros((samples, points + 2))
    rows = np.arange(samples)
    for k, w in enumerate(
        (
            -0.5 * t + t**2 - 0.5 * t**3,
            1.0 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2.0 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        )
    ):
        np.add.at(weights, (rows, first + k), w)
    # Beyond its ends the curve goes on straight: p[-1] = 2 p[0] - p[1].
    inner = weights[:, 1:-1].copy()
    inner[:, 0] += 2.0 * weights[:, 0]
    inner[:, 1] -= weights[:, 0]
    inner[:, -1] += 2.0 * weights[:, -1]
    inner[:, -2] -= weights[:, -1]
    return inner


@lru_cache(maxsize=256)
def _circle(sides: int, exponent: float) -> tuple[Floats, Floats, Floats]:
    """Angles from the front, and where they lie across and to the front on a superellipse."""
    angle = np.linspace(-np.pi, np.pi, sides, endpoint=False)
    s, c = np.sin(angle), np.cos(angle)
    power = 2.0 / exponent
    return angle, np.sign(s) * np.abs(s) ** power, np.sign(c) * np.abs(c) ** power


@lru_cache(maxsize=256)
def _triangles(rings: int, sides: int, closed: bool) -> NDArray[np.int32]:
    """Corners (n, 3) of a grid's triangles; the first edge runs across, the second along."""
    across = sides if closed else sides - 1
    i = np.arange(rings - 1)[:, None] * (sides + closed) + np.arange(across)[None, :]
    below = i + sides + closed
    one = np.stack([i, i + 1, below], axis=-1)
    two = np.stack([below + 1, below, i + 1], axis=-1)
    return np.concatenate([one.reshape(-1, 3), two.reshape(-1, 3)]).astype(np.int32)


@dataclass
class Sheet:
    """A grid of points in space with what it is made of.

    `points` is (rings, sides, 3): sides run across (around, when `closed`), rings along. `across`
    and `along` are texture coordinates in metres, (rings, sides) or what broadcasts to it. `keep`
    (rings, sides) is negative where the surface is cut away. `crease` weighs the folds.
    """

    points: Floats
    label: int
    material: int
    closed: bool = True
    both_sides: bool = False
    across: Floats | None = None
    along: Floats | None = None
    keep: Floats | None = None
    crease: float = 1.0


@dataclass(frozen=True)
class Triangles:
    """A finished mesh of V points and T triangles.

    `surface` is (V, 6): unit normal, texture coordinates across and along in metres, strength of
    folds. `keep` is (V,), above 0 where the surface is. `corner` is (T, 3) indices; `label`,
        `material` are (T,);
    `both_sides` is (T,) bool.
    """

    point: Floats
    surface: Floats
    keep: Floats
    corner: NDArray[np.int32]
    label: NDArray[np.uint8]
    material: NDArray[np.int32]
    both_sides: NDArray[np.bool_]


def tube_points(
    path: Floats,
    radii: Floats,
    front: Floats,
    rings: int,
    sides: int,
    *,
    exponent: float = 2.0,
    bump: Floats | None = None,
    span: tuple[float, float] = (0.0, -1.0),
) -> Floats:
    """Points (..., rings, sides, 3) of tubes around curves.

    Args:
        path: (..., k, 3) points the middle runs through.
        radii: (k, 2) half width and half depth at each, or (k, 3): width, front, back; may have
            the leading axes of `path`.
        front: (..., k, 3) or (..., 1, 3) direction that the front of the section looks.
        rings: number of sections.
        sides: points of a section.
        exponent: 2 for ellipses, above for squarer sections.
        bump: (rings, sides) factors on the radius.
        span: the part of the path that is covered, by numbers of its points; see `curve`.
    """
    w = curve(path.shape[-2], rings, *span)
    middle, r = w @ path, np.maximum(w @ radii, 1e-4)
    ahead = w @ front if front.shape[-2] > 1 else front
    tangent: Floats = np.empty_like(middle)
    tangent[..., 1:-1, :] = middle[..., 2:, :] - middle[..., :-2, :]
    tangent[..., 0, :] = middle[..., 1, :] - middle[..., 0, :]
    tangent[..., -1, :] = middle[..., -1, :] - middle[..., -2, :]
    tangent = unit(tangent)
    ahead = unit(ahead - tangent * (tangent * ahead).sum(-1, keepdims=True))
    side = cross(tangent, ahead)
    _, sine, cosine = _circle(sides, exponent)
    a = r[..., 0, None] * sine
    if r.shape[-1] == 2:
        b = r[..., 1, None] * cosine
    else:
        b = np.where(cosine > 0, r[..., 1, None], r[..., 2, None]) * cosine
    if bump is not None:
        a, b = a * bump, b * bump
    return np.asarray(
        middle[..., None, :]
        + a[..., None] * side[..., None, :]
        + b[..., None] * ahead[..., None, :]
    )


def angles(sides: int) -> Floats:
    """The angles (sides,) at which a tube's points lie: 0 in front, positive to its own left."""
    return _circle(sides, 2.0)[0]


class Mesh:
    """Gathers the sheets of a picture and their materials."""

    def __init__(self) -> None:
        self.sheets: list[Sheet] = []
        self.materials: list[Material] = []
        self._numbers: dict[int, int] = {}

    def material(self, material: Material) -> int:
        """The number of a material, which is added when it is new."""
        known = self._numbers.get(id(material))
        if known is None:
            known = self._numbers[id(material)] = len(self.materials)
            self.materials.append(material)
        return known

    def add(self, sheet: Sheet) -> None:
        """Add a sheet."""
        self.sheets.append(sheet)

    def finish(self) -> Triangles:
        """All sheets as one mesh with normals and texture coordinates."""
        groups: dict[tuple[int, int, bool], list[Sheet]] = defaultdict(list)
        for sheet in self.sheets:
            groups[(*sheet.points.shape[:2], sheet.closed)].append(sheet)
        parts = [_build(group, *shape) for shape, group in groups.items()]
        offsets = np.cumsum([0] + [len(part.point) for part in parts])
        fields = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Triangles.__dataclass_fields__
            if name != "corner"
        }
        corner = np.concatenate([p.corner + o for p, o in zip(parts, offsets[:-1], strict=True)])
        return Triangles(corner=corner.astype(np.int32), **fields)


def _build(group: list[Sheet], rings: int, sides: int, closed: bool) -> Triangles:
    points = np.stack([sheet.points for sheet in group]).astype(np.float32)
    count = len(group)
    if closed:  # the seam's points come twice, with both texture coordinates
        wide = np.concatenate([points[:, :, -1:], points, points[:, :, :2]], axis=2)
        across = wide[:, :, 2:] - wide[:, :, :-2]
        points = wide[:, :, 1:-1]
    else:
        across = np.empty_like(points)
        across[:, :, 1:-1] = points[:, :, 2:] - points[:, :, :-2]
        across[:, :, 0] = points[:, :, 1] - points[:, :, 0]
        across[:, :, -1] = points[:, :, -1] - points[:, :, -2]
    along = np.empty_like(points)
    along[:, 1:-1] = points[:, 2:] - points[:, :-2]
    along[:, 0] = points[:, 1] - points[:, 0]
    along[:, -1] = points[:, -1] - points[:, -2]
    normal = unit(cross(across, along))
    columns = points.shape[2]
    step = np.sqrt((np.diff(points, axis=1) ** 2).sum(-1)).mean(2)
    v = np.concatenate([np.zeros((count, 1)), np.cumsum(step, axis=1)], axis=1)
    round_ = np.sqrt((np.diff(points, axis=2) ** 2).sum(-1)).sum(2).mean(1)
    u = round_[:, None] * np.linspace(-0.5, 0.5, columns)[None, :]
    surface = np.empty((count, rings, columns, 6), dtype=np.float32)
    surface[..., :3], surface[..., 3], surface[..., 4] = normal, u[:, None, :], v[:, :, None]
    keep = np.ones((count, rings, columns), dtype=np.float32)
    for n, sheet in enumerate(group):
        surface[n, ..., 5] = sheet.crease
        if sheet.across is not None:
            surface[n, ..., 3] = _with_seam(sheet.across, closed)
        if sheet.along is not None:
            surface[n, ..., 4] = _with_seam(sheet.along, closed)
        if sheet.keep is not None:
            keep[n] = _with_seam(sheet.keep, closed)
    corner = _triangles(rings, sides, closed)
    each, size = len(corner), rings * columns
    corners = (corner[None] + (np.arange(count) * size)[:, None, None]).reshape(-1, 3)

    def spread(name: str, dtype: type) -> NDArray[np.generic]:
        return np.repeat(np.array([getattr(sheet, name) for sheet in group], dtype=dtype), each)

    return Triangles(
        point=points.reshape(-1, 3),
        surface=surface.reshape(-1, 6),
        keep=keep.ravel(),
        corner=corners,
        label=spread("label", np.uint8),  # type: ignore[arg-type]
        material=spread("material", np.int32),  # type: ignore[arg-type]
        both_sides=spread("both_sides", np.bool_),  # type: ignore[arg-type]
    )


def _with_seam(values: Floats, closed: bool) -> Floats:
    if not closed or values.shape[-1] == 1:
        return values
    return np.concatenate([values, values[..., :1]], axis=-1)
