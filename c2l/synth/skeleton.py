"""Bodies and how they are posed: proportions, and joints in space for a row of angles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from c2l.synth.arrays import Floats, unit
from c2l.synth.chance import Rng, between, chance

LEFT, RIGHT = 1, -1  # the person's own sides
SIDES = (LEFT, RIGHT)

# Lengths in statures of an adult and of a two-year-old, after common figure-drawing proportions.
_LENGTHS = {
    "head": (0.130, 0.205), "thigh": (0.245, 0.185), "shin": (0.235, 0.190),
    "ankle": (0.042, 0.045), "trunk": (0.298, 0.335), "neck": (0.054, 0.030),
    "upper_arm": (0.168, 0.140), "forearm": (0.145, 0.120), "hand": (0.104, 0.090),
    "foot": (0.150, 0.145), "shoulder": (0.107, 0.103), "hip": (0.052, 0.050),
}  # fmt: skip


@dataclass(frozen=True)
class Build:
    """A body's proportions in metres, and its shape.

    `heavy`, `broad`, `curvy` are 0 to 1: fat, shoulders and muscles, breast and hips; `child` is
    0 for adults and 1 for a two-year-old; `old` is 0 to 1.
    """

    stature: float
    length: Mapping[str, float]
    heavy: float
    broad: float
    curvy: float
    child: float
    old: float

    @property
    def thick(self) -> float:
        """Factor on the thickness of limbs."""
        return self.stature * (0.93 + 0.12 * self.broad + 0.34 * self.heavy + 0.12 * self.child)


def sample_build(rng: Rng, *, child: bool) -> Build:
    """A random body."""
    young = between(rng, 0.15, 1.0) if child else 0.0
    woman = chance(rng, 0.5)
    heavy = float(rng.beta(1.4, 3.6))
    stature = (1.65 if woman else 1.77) + float(rng.normal(0.0, 0.07))
    stature = stature * (1.0 - young) + 0.86 * young
    length = {name: stature * (a + (b - a) * young) for name, (a, b) in _LENGTHS.items()}
    stretch = float(np.clip(rng.normal(1.0, 0.03), 0.93, 1.08))
    for name in ("thigh", "shin"):
        length[name] *= stretch
    length["head"] *= between(rng, 0.93, 1.08)
    length["shoulder"] *= (0.94 if woman else 1.04) + between(rng, -0.06, 0.06) + 0.06 * heavy
    return Build(
        stature=stature,
        length=length,
        heavy=heavy,
        broad=float(np.clip((0.25 if woman else 0.65) + rng.normal(0.0, 0.2), 0.0, 1.0))
        * (1.0 - young),
        curvy=(between(rng, 0.3, 1.0) if woman else between(rng, 0.0, 0.2)) * (1.0 - young) ** 2,
        child=young,
        old=between(rng, 0.3, 1.0) if not child and chance(rng, 0.18) else 0.0,
    )


def flex(angle: float) -> Floats:
    """Rotation in degrees about a frame's own side axis: up goes to the front."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array(((1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)))


def roll(angle: float) -> Floats:
    """Rotation in degrees about a frame's own front axis: up goes to its left."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array(((c, s, 0.0), (-s, c, 0.0), (0.0, 0.0, 1.0)))


def spin(angle: float) -> Floats:
    """Rotation in degrees about a frame's own up axis: the front goes to its left."""
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array(((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)))


@dataclass
class Limb:
    """An arm (shoulder, elbow, wrist) or a leg (hip, knee, ankle).

    `frame` are the frames of the upper part, the lower part, and the hand or foot; their columns
    are side, up and front, where up runs from the end to the root.
    """

    root: Floats
    middle: Floats
    end: Floats
    frame: tuple[Floats, Floats, Floats]


@dataclass
class Body:
    """A posed body in space, in metres, standing on the floor y = 0 unless it is lifted.

    Frames (3, 3) have the columns side (its left), up and front.
    """

    build: Build
    pelvis: Floats
    waist: Floats
    chest: Floats
    head: Floats
    pelvis_frame: Floats
    chest_frame: Floats
    head_frame: Floats
    arms: dict[int, Limb] = field(default_factory=dict)
    legs: dict[int, Limb] = field(default_factory=dict)
    hands: dict[int, str] = field(default_factory=dict)
    seat: str = ""

    def limbs(self) -> list[Limb]:
        """Both arms, then both legs."""
        return [*self.arms.values(), *self.legs.values()]

    def move(self, turn: Floats, shift: Floats) -> None:
        """Rotate everything about the origin, then shift it."""
        for name in ("pelvis", "waist", "chest", "head"):
            setattr(self, name, turn @ getattr(self, name) + shift)
        for name in ("pelvis_frame", "chest_frame", "head_frame"):
            setattr(self, name, turn @ getattr(self, name))
        for limb in self.limbs():
            limb.root, limb.middle, limb.end = (
                turn @ p + shift for p in (limb.root, limb.middle, limb.end)
            )
            limb.frame = tuple(turn @ f for f in limb.frame)  # type: ignore[assignment]

    def joints(self) -> dict[str, Floats]:
        """What shows how far the body reaches, by name."""
        up, size = self.head_frame[:, 1], self.build.length["head"]
        points = {
            "crown": self.head + up * 0.55 * size,
            "chin": self.head - up * 0.5 * size,
            "chest": self.chest,
            "waist": self.waist,
            "pelvis": self.pelvis,
        }
        for side in SIDES:
            arm, leg, tag = self.arms[side], self.legs[side], "+" if side == LEFT else "-"
            points |= {
                f"shoulder{tag}": arm.root, f"elbow{tag}": arm.middle,
                f"hand{tag}": arm.end - arm.frame[2][:, 1] * 0.7 * self.build.length["hand"],
                f"hip{tag}": leg.root, f"knee{tag}": leg.middle,
                f"heel{tag}": leg.end - leg.frame[2][:, 1] * self.build.length["ankle"],
                f"toe{tag}": leg.end - leg.frame[2][:, 1] * self.build.length["ankle"]
                + leg.frame[2][:, 2] * 0.75 * self.build.length["foot"],
            }  # fmt: skip
        return points


def bend(root: Floats, tip: Floats, a: float, b: float, pole: Floats) -> tuple[Floats, Floats]:
    """Middle joint and reached tip of two bones of lengths a, b from `root` towards `tip`."""
    reach = tip - root
    distance = float(np.sqrt(reach @ reach))
    span = min(max(distance, abs(a - b) + 0.01, 0.35 * (a + b)), (a + b) * 0.995)
    along = reach / max(distance, 1e-6)
    x = (a * a - b * b + span * span) / (2.0 * span)
    off = unit(pole - along * float(pole @ along))
    return root + along * x + off * max(a * a - x * x, 0.0) ** 0.5, root + along * span


def frame_along(up: Floats, front: Floats) -> Floats:
    """A frame whose up is given and whose front is as near as can be to the one given."""
    u = unit(up)
    f = front - u * float(front @ u)
    if float(f @ f) < 1e-8:
        f = np.array((0.0, u[2], -u[1])) + 1e-3
        f = f - u * float(f @ u)
    f = unit(f)
    side = np.array(
        (u[1] * f[2] - u[2] * f[1], u[2] * f[0] - u[0] * f[2], u[0] * f[1] - u[1] * f[0])
    )
    return np.stack([side, u, f], axis=1)


def posed(
    build: Build,
    angles: Mapping[str, float],
) -> Body:
    """A body in a pose, without arms, facing +z, its pelvis at the origin.

    Args:
        build: the body.
        angles: degrees. `lean`, `tilt` turn the pelvis forward and to its left; `bend`,
            `side`, `twist` the chest from there; `nod`, `cock`, `look` the head from there;
            `flex+`, `spread+`, `turn+`, `knee+`, `point+` the left leg, the same with - the
            right one. What is missing is 0.
    """
    get = angles.get
    size = build.length
    pelvis = np.zeros(3)
    frame = flex(get("lean", 0.0)) @ roll(get("tilt", 0.0))
    half = (
        flex(get("bend", 0.0) * 0.4) @ roll(get("side", 0.0) * 0.4) @ spin(get("twist", 0.0) * 0.4)
    )
    waist = pelvis + frame[:, 1] * size["trunk"] * 0.32
    chest_frame = frame @ half @ half
    chest_frame = (
        chest_frame
        @ flex(get("bend", 0.0) * 0.2)
        @ roll(get("side", 0.0) * 0.2)
        @ spin(get("twist", 0.0) * 0.2)
    )
    middle = frame @ half
    chest = waist + middle[:, 1] * size["trunk"] * 0.34 + chest_frame[:, 1] * size["trunk"] * 0.34
    head_frame = (
        chest_frame @ flex(get("nod", 0.0)) @ roll(get("cock", 0.0)) @ spin(get("look", 0.0))
    )
    neck_up = unit(chest_frame[:, 1] + head_frame[:, 1] + 0.25 * chest_frame[:, 2])
    head = (
        chest + neck_up * size["neck"] + head_frame[:, 1] * 0.52 * size["head"]
        + head_frame[:, 2] * 0.04 * size["head"]
    )  # fmt: skip
    body = Body(build, pelvis, waist, chest, head, frame, chest_frame, head_frame)
    for side, tag in ((LEFT, "+"), (RIGHT, "-")):
        root = pelvis + frame @ (np.array((side, -0.12, 0.0)) * size["hip"])
        thigh = frame @ flex(-get(f"flex{tag}", 0.0)) @ roll(-side * get(f"spread{tag}", 0.0))
        thigh = thigh @ spin(side * get(f"turn{tag}", 0.0))
        knee = root - thigh[:, 1] * size["thigh"]
        shin = thigh @ flex(get(f"knee{tag}", 0.0))
        ankle = knee - shin[:, 1] * size["shin"]
        foot = shin @ flex(-get(f"point{tag}", 0.0))
        body.legs[side] = Limb(root, knee, ankle, (thigh, shin, foot))
    return body


def sole(body: Body) -> float:
    """Height of the lowest point of a body."""
    k = body.build.thick
    points = [
        (body.pelvis[1], 0.075), (body.chest[1], 0.06), (body.head[1], 0.055),
        *((leg.middle[1], 0.036) for leg in body.legs.values()),
        *((leg.end[1], 0.036) for leg in body.legs.values()),
    ]  # fmt: skip
    heights = [float(y) - r * k for y, r in points]
    for leg in body.legs.values():
        up, front = leg.frame[2][:, 1], leg.frame[2][:, 2]
        heel = leg.end - up * body.build.length["ankle"]
        heights += [float(heel[1]), float((heel + front * 0.7 * body.build.length["foot"])[1])]
    return min(heights)
