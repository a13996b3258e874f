"""Simple bodies that things are made of: boxes, rods, balls, discs, rings and blobs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from c2l.synth.arrays import Floats, unit
from c2l.synth.chance import Rng
from c2l.synth.labels import BACKGROUND
from c2l.synth.materials import Material
from c2l.synth.mesh import Mesh, Sheet, angles, tube_points

UP = np.array((0.0, 1.0, 0.0))
AHEAD = np.array((0.0, 0.0, 1.0))


def add(
    mesh: Mesh,
    points: Floats,
    material: Material,
    *,
    label: int = BACKGROUND,
    both: bool = False,
    closed: bool = True,
) -> None:
    """Add points (rings, sides, 3) to a mesh as a surface."""
    mesh.add(Sheet(points, label, mesh.material(material), closed, both))


def block(
    middle: Floats, up: Floats, front: Floats, half: tuple[float, float, float],
    exponent: float = 6.0, sides: int = 16,
) -> Floats:  # fmt: skip
    """Points (rings, sides, 3) of a box with rounded edges.

    Args:
        middle: (3,) its centre.
        up: (3,) unit vector along it.
        front: (3,) direction of its front.
        half: half its width, height and depth in metres.
        exponent: 2 for an oval section, above for a sharper one.
        sides: points of a section.
    """
    path = np.stack([middle + up * half[1] * t for t in (-1.0, -0.985, -0.9, 0.9, 0.985, 1.0)])
    grow = np.array((0.01, 0.95, 1.0, 1.0, 0.95, 0.01))[:, None]
    return tube_points(
        path, grow * np.array((half[0], half[2])), front[None], 11, sides, exponent=exponent
    )


def rod(
    points: Sequence[Floats], radius: float | Sequence[float], sides: int = 6, rings: int = 0
) -> Floats:
    """Points of a bent rod through points (3,)."""
    path = np.stack(list(points))
    radii = np.broadcast_to(
        np.asarray(radius, dtype=float).reshape(-1, 1), (len(path), 1)
    ) * np.ones(2)
    way = path[-1] - path[0]
    front = (
        np.array((way[2], 0.3 * abs(way[0]) + 0.01, -way[0]))
        if abs(way[1]) < 0.9 * np.linalg.norm(way)
        else AHEAD
    )
    return tube_points(path, radii, unit(front)[None], rings or 3 * len(path), sides)


def ball(
    middle: Floats,
    half: tuple[float, float, float],
    up: Floats = UP,
    front: Floats = AHEAD,
    sides: int = 12,
) -> Floats:
    """Points of an ellipsoid; `half` axes are across, up and to the front."""
    t = np.array((-1.0, -0.9, -0.6, 0.0, 0.6, 0.9, 1.0))
    path = middle + t[:, None] * up * half[1]
    radii = np.sqrt(np.maximum(1.0 - t**2, 1e-4))[:, None] * np.array((half[0], half[2]))
    return tube_points(path, radii, front[None], 10, sides)


def disc(middle: Floats, normal: Floats, radius: float, thick: float, sides: int = 18) -> Floats:
    """Points of a flat round body."""
    n = unit(normal)
    path = np.stack([middle + n * thick * t for t in (-1.0, -0.98, 0.98, 1.0)])
    radii = np.array((0.02, 1.0, 1.0, 0.02))[:, None] * radius * np.ones(2)
    front = unit(np.cross(n, np.array((0.3, 1.0, 0.2))))
    return tube_points(path, radii, front[None], 7, sides)


def ring(middle: Floats, normal: Floats, radius: float, thick: float, sides: int = 24) -> Floats:
    """Points of a wheel's rim or a hoop."""
    n = unit(normal)
    one = unit(np.cross(n, np.array((0.21, 0.97, 0.13))))
    two = np.cross(n, one)
    turn = np.linspace(0.0, 2.0 * np.pi, 9)
    path = middle + radius * (np.cos(turn)[:, None] * one + np.sin(turn)[:, None] * two)
    return tube_points(path, np.full((9, 2), thick), n[None], sides, 6)


def blob(rng: Rng, middle: Floats, half: tuple[float, float, float], rough: float) -> Floats:
    """Points of an uneven lump: a rock, a bush, an animal's body."""
    points = ball(middle, half, sides=14)
    shape = points.shape[:2]
    a = angles(14)[None, :]
    t = np.linspace(0.0, 6.0, shape[0])[:, None]
    wave = np.zeros(shape)
    for _ in range(4):
        turns, rises = int(rng.integers(1, 5)), rng.uniform(0.5, 2.5)
        wave += np.sin(turns * a + rises * t + rng.random() * 6.28)
    return np.asarray(middle + (points - middle) * (1.0 + rough * wave / 2.0)[..., None])
