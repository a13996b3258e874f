"""A person on a canvas: the posed body in pixels, with what every drawing step needs of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth.canvas import Canvas
from c2l.synth.outfit import Outfit
from c2l.synth.shapes import Point
from c2l.synth.skeleton import Skeleton

# ATR's labels.
BACKGROUND, HAT, HAIR, SUNGLASSES, UPPER, SKIRT, PANTS, DRESS, BELT = range(9)
LEFT_SHOE, RIGHT_SHOE, FACE, LEFT_LEG, RIGHT_LEG, LEFT_ARM, RIGHT_ARM, BAG, SCARF = range(9, 18)

TAGS = {1: "+", -1: "-"}


@dataclass(frozen=True)
class Figure:
    """A dressed, posed body placed on a canvas.

    Args:
        canvas: what it is drawn on.
        skeleton: its pose.
        outfit: its clothes.
        origin: where the point between its feet lies (x, y) in pixels.
        rng: source of small variations while drawing.
    """

    canvas: Canvas
    skeleton: Skeleton
    outfit: Outfit
    origin: Point
    rng: np.random.Generator

    @property
    def unit(self) -> float:
        """Pixels in one body height."""
        return self.canvas.unit

    @property
    def facing(self) -> float:
        """1 when the body faces the camera, -1 when it turns its back."""
        return float(np.cos(self.skeleton.yaw))

    @property
    def turn(self) -> float:
        """-1 to 1: how far the front of the body points to the right in the picture."""
        return float(np.sin(self.skeleton.yaw))

    def at(self, name: str) -> Point:
        """A joint in pixels."""
        x, y, _ = self.skeleton.joints[name]
        return self.origin[0] + x * self.unit, self.origin[1] + y * self.unit

    def depth(self, name: str) -> float:
        """Depth of a joint in body heights; larger is nearer to the camera."""
        return self.skeleton.joints[name][2]

    def width(self, across: float, thick: float) -> float:
        """Half width in pixels of a body section with these half axes, as it is turned."""
        return self.unit * float(np.hypot(across * self.facing, thick * self.turn))

    def by_depth(self, joint: str) -> tuple[int, int]:
        """The sides (1 left, -1 right) of a paired joint, the farther one first."""
        return (1, -1) if self.depth(joint + "+") < self.depth(joint + "-") else (-1, 1)


def between(p: Point, q: Point, t: float) -> Point:
    """The point at share `t` of the way from p to q."""
    return p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t
