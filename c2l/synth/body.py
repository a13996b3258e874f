"""Bare skin: trunk, arms, hands, legs and feet."""

from __future__ import annotations

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats
from c2l.synth.chance import between, pick
from c2l.synth.figure import NECK, SEAT, Figure
from c2l.synth.materials import Material
from c2l.synth.mesh import tube_points
from c2l.synth.skeleton import SIDES, flex

_BARE = np.zeros((1, 1))


def draw_trunk(figure: Figure, skin: Material, label: int, bare: bool) -> None:
    """The skin of the trunk; only its top where clothes hide the rest."""
    start = SEAT + 0.2 if bare else 8.0
    rings = figure.rings(22 if bare else 9)
    points = figure.trunk(start, NECK, _BARE, rings, figure.sides(20))
    height = figure.height(start, NECK, rings)[:, None]
    figure.add(points, label, skin, along=height, crease=0.3)


def draw_arms(figure: Figure, skin: Material, gloves: Material | None) -> None:
    """Both arms and hands."""
    rings, sides = figure.rings(13), figure.sides(12)
    points = figure.arm(-1.0, _BARE, rings, sides)
    for side, part in zip(SIDES, points, strict=True):
        figure.add(part, labels.arm(side), skin)
        _hand(figure, side, gloves or skin, 0.004 * figure.size if gloves else 0.0)


_GRIPS = {"open": 3.0, "fist": 2.0, "flat": 1.5, "point": 0.4}
_CURL = {"open": 24.0, "fist": 82.0, "flat": 5.0, "point": 78.0}


def _hand(figure: Figure, side: int, skin: Material, ease: float) -> None:
    """Palm, fingers and thumb; a mitten where the hand is small in the picture."""
    arm, size, rng = figure.body.arms[side], figure.body.build.length["hand"], figure.rng
    k = figure.body.build.thick * (1.0 - 0.1 * figure.body.build.child)
    frame = arm.frame[2]
    grip = pick(rng, _GRIPS)
    curl = _CURL[grip] + between(rng, -8.0, 8.0)
    label = labels.arm(side)
    down = -frame[:, 1]
    steps = [arm.end, arm.end + down * 0.2 * size, arm.end + down * 0.46 * size]
    palm = np.stack(steps)
    wide = np.array(((0.0165, 0.0135), (0.0225, 0.0135), (0.0245, 0.0125))) * k + ease
    front = frame[:, 2][None]
    if figure.detail < 0.7:
        bent = frame @ flex(curl * 0.7)
        tip = palm[-1] - bent[:, 1] * 0.42 * size
        path = np.concatenate([palm, (palm[-1] + tip)[None] / 2, tip[None]])
        radii = np.concatenate([wide, np.array(((0.022, 0.012), (0.010, 0.006))) * k + ease])
        figure.add(tube_points(path, radii, front, 6, 8), label, skin)
        return
    figure.add(tube_points(palm, wide, front, 5, 10, exponent=2.6), label, skin)
    figure.add(_knuckles(palm[-1], frame, wide[-1]), label, skin)
    paths = [
        _finger(palm[-1], frame, k, size, n, curl if not (grip == "point" and n == 0) else 4.0)
        for n in range(4)
    ]
    thumb = arm.end + down * 0.16 * size + frame[:, 0] * side * 0.016 * k
    out = frame @ np.array((0.75 * side, -1.0, 0.45))
    bend = frame @ np.array((0.1 * side, -1.0, 0.5))
    tip = thumb + out * 0.2 * size
    paths.append(np.stack([thumb, tip, tip + bend * 0.14 * size, tip + bend * 0.22 * size]))
    radii = np.array(((0.0072, 0.0068), (0.0068, 0.0064), (0.0058, 0.0056), (0.0030, 0.0030)))
    for finger in tube_points(np.stack(paths), radii * k + ease, front[None], 6, 6):
        figure.add(finger, label, skin)


def _finger(root: Floats, frame: Floats, k: float, size: float, n: int, curl: float) -> Floats:
    across = frame[:, 0] * (n - 1.5) * 0.0118 * k
    long = (0.40, 0.46, 0.43, 0.34)[n] * size
    points, at = [root + across], root + across
    for part, share in ((1, 0.45), (2, 0.33), (2.6, 0.22)):
        direction = -(frame @ flex(curl * part * 0.6))[:, 1]
        at = at + direction * long * share
        points.append(at)
    return np.stack(points)


def _knuckles(at: Floats, frame: Floats, wide: Floats) -> Floats:
    path = np.stack([at + frame[:, 1] * wide[1], at, at - frame[:, 1] * wide[1]])
    radii = np.stack([wide, wide, wide * (0.8, 0.3)])
    return tube_points(path, radii, frame[:, 2][None], 4, 8)


def draw_legs(figure: Figure, skin: Material, start: float = 0.0) -> None:
    """Both legs from the hips, or from a number of `LEG_AT`, to the ankles."""
    points = figure.leg(-1.0, _BARE, figure.rings(16), figure.sides(14), start=start)
    for side, part in zip(SIDES, points, strict=True):
        figure.add(part, labels.leg(side), skin, crease=0.4)


# Along a foot from behind the heel: forward in foot lengths, half width, height of the instep
# and depth of the sole below the middle, in statures.
FOOT = np.array([
    (-0.27, 0.010, 0.012, 0.010), (-0.24, 0.0185, 0.026, 0.017), (-0.08, 0.0205, 0.036, 0.018),
    (0.20, 0.0220, 0.028, 0.018), (0.45, 0.0265, 0.016, 0.014), (0.62, 0.0245, 0.010, 0.011),
    (0.73, 0.012, 0.004, 0.006),
])  # fmt: skip


def foot_path(figure: Figure, side: int, lift: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """Middle (7, 3), radii (7, 3) and up (1, 3) of a foot.

    Args:
        figure: the body.
        side: which foot.
        lift: how far a heel raises the back of the foot, in statures.
    """
    leg, size = figure.body.legs[side], figure.size
    frame = leg.frame[2]
    up, front = frame[:, 1], frame[:, 2]
    base = leg.end - up * figure.body.build.length["ankle"]
    along = FOOT[:, :1] * figure.body.build.length["foot"]
    slope = np.interp(FOOT[:, 0], (-0.1, 0.42), (lift, 0.0))[:, None] * size
    path = base + front * along + up * (FOOT[:, 3:4] * size + slope)
    return path, FOOT[:, 1:] * (size, size, size), up[None]


def draw_feet(figure: Figure, skin: Material) -> None:
    """Bare feet, labelled as the legs."""
    for side in SIDES:
        path, radii, up = foot_path(figure, side)
        points = tube_points(path, radii, up, figure.rings(9), figure.sides(10))
        figure.add(points, labels.leg(side), skin)
