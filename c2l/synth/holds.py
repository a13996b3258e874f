"""Directions and places on a body that things are put at."""

from __future__ import annotations

import numpy as np

from c2l.synth.arrays import Floats, unit
from c2l.synth.skeleton import Body
from c2l.synth.solids import UP


def flat(v: Floats) -> Floats:
    """The direction along the floor."""
    flat = v * (1.0, 0.0, 1.0)
    return unit(flat + 1e-6)


def axes(body: Body) -> tuple[Floats, Floats]:
    """Directions along the floor to a seated body's left and to its front."""
    front = flat(body.pelvis_frame[:, 2])
    return np.cross(UP, front), front


def grip(body: Body, side: int) -> Floats:
    """The middle of a hand."""
    arm = body.arms[side]
    return np.asarray(arm.end - arm.frame[2][:, 1] * 0.5 * body.build.length["hand"])


def both_hands(body: Body, side: int, reach: float = 0.7) -> Floats:
    """The point between the hands, or one hand where they are more than `reach` metres apart."""
    one, two = grip(body, 1), grip(body, -1)
    near = float(np.linalg.norm(one - two)) <= reach
    return np.asarray((one + two) / 2 if near else grip(body, side))
