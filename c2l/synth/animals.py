"""Animals beside people."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.arrays import Floats
from c2l.synth.chance import Rng, between
from c2l.synth.materials import plain
from c2l.synth.mesh import Mesh
from c2l.synth.solids import UP, add, ball, rod


def draw_dog(mesh: Mesh, rng: Rng, at: Floats) -> None:
    """A dog that stands on the floor."""
    coat = plain(palette.hair(rng), texture="fur", second=palette.hair(rng), period=0.5, soft=0.3)
    turn, size = rng.random() * 6.28, between(rng, 0.5, 1.2)
    way = np.array((np.cos(turn), 0.0, np.sin(turn)))
    left = np.cross(UP, way)
    trunk = at + UP * 0.42 * size
    add(mesh, ball(trunk, (0.12 * size, 0.13 * size, 0.32 * size), UP, way), coat)
    head = trunk + way * 0.38 * size + UP * 0.16 * size
    add(mesh, rod([trunk + way * 0.22 * size, head], (0.09 * size, 0.08 * size), 8), coat)
    add(mesh, ball(head, (0.085 * size, 0.08 * size, 0.1 * size), UP, way), coat)
    add(
        mesh,
        ball(
            head + way * 0.12 * size - UP * 0.03 * size,
            (0.04 * size, 0.04 * size, 0.08 * size),
            UP,
            way,
        ),
        coat,
    )
    for x in (-0.07, 0.07):
        for z in (-0.24, 0.22):
            leg = trunk + left * x * size + way * z * size
            add(mesh, rod([leg, leg * (1.0, 0.0, 1.0)], (0.05 * size, 0.03 * size), 6), coat)
