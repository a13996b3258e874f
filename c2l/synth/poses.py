"""What people do: rows of joint angles, and places that hands reach for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from c2l.synth.arrays import Floats, unit
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.skeleton import (
    LEFT,
    RIGHT,
    SIDES,
    Body,
    Build,
    Limb,
    bend,
    flex,
    frame_along,
    posed,
    sole,
)

# Angles with their spread, in degrees; see `skeleton.posed`. A name without + or - counts for
# both legs, each with a draw of its own.
Angles = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Reach:
    """Where a wrist goes: (out, up, front) in statures from a point of the body.

    `frame` names both the point and its axes: shoulder, chest, pelvis, head, knee, other (the
    other knee), or hang (from the shoulder, but down is down). `pole` is where the elbow points.
    """

    frame: str
    at: tuple[float, float, float]
    spread: float = 0.02
    pole: tuple[float, float, float] = (0.8, -0.6, -0.6)


REACHES: dict[str, Reach] = {
    "down": Reach("hang", (0.045, -0.300, 0.015), 0.02, (0.5, -0.2, -1.0)),
    "loose": Reach("hang", (0.07, -0.285, 0.05), 0.035, (0.7, -0.2, -1.0)),
    "fore": Reach("hang", (0.03, -0.26, 0.14), 0.03, (0.4, -0.6, -1.0)),
    "back": Reach("hang", (0.05, -0.28, -0.10), 0.03, (0.4, 0.0, -1.0)),
    "pump": Reach("shoulder", (0.0, -0.13, 0.14), 0.04, (0.4, -0.7, -1.0)),
    "hip": Reach("pelvis", (0.118, 0.085, 0.03), 0.012, (1.0, 0.0, -0.5)),
    "pocket": Reach("pelvis", (0.110, 0.010, 0.05), 0.012, (0.8, 0.0, -1.0)),
    "crossed": Reach("chest", (-0.070, -0.125, 0.10), 0.012, (0.9, -0.7, 0.2)),
    "clasp": Reach("pelvis", (0.012, 0.04, 0.11), 0.02, (1.0, 0.0, -0.3)),
    "behind": Reach("pelvis", (0.02, 0.05, -0.10), 0.02, (1.0, 0.0, -0.3)),
    "ear": Reach("head", (0.075, -0.03, 0.02), 0.01, (0.5, -1.0, 0.3)),
    "phone": Reach("chest", (0.03, -0.08, 0.17), 0.03, (0.6, -1.0, 0.0)),
    "chin": Reach("head", (0.03, -0.095, 0.06), 0.015, (0.4, -1.0, 0.3)),
    "hair": Reach("head", (0.06, 0.04, 0.03), 0.025, (1.0, -0.1, 0.3)),
    "nape": Reach("head", (0.035, -0.01, -0.08), 0.015, (1.0, 0.2, 0.4)),
    "mouth": Reach("head", (0.03, -0.07, 0.085), 0.012, (0.7, -1.0, 0.2)),
    "camera": Reach("head", (0.04, -0.02, 0.10), 0.012, (0.8, -1.0, 0.0)),
    "raised": Reach("shoulder", (0.05, 0.27, 0.03), 0.06, (1.0, 0.2, -0.2)),
    "wide": Reach("shoulder", (0.28, 0.03, 0.03), 0.06, (0.3, -0.6, -0.6)),
    "wave": Reach("shoulder", (0.12, 0.14, 0.09), 0.04, (0.8, -0.8, 0.0)),
    "ahead": Reach("shoulder", (0.0, -0.02, 0.28), 0.06, (0.5, -0.8, 0.0)),
    "throw": Reach("shoulder", (0.14, 0.10, -0.12), 0.05, (0.7, -0.6, -0.6)),
    "swing": Reach("chest", (0.02, -0.03, 0.22), 0.05, (0.9, -0.4, 0.0)),
    "lap": Reach("pelvis", (0.05, 0.05, 0.16), 0.03, (0.9, -0.2, -0.4)),
    "knee": Reach("knee", (-0.005, 0.045, -0.01), 0.015, (0.9, -0.2, -0.2)),
    "hug": Reach("other", (0.02, -0.02, 0.06), 0.015, (1.0, -0.2, 0.0)),
    "table": Reach("chest", (0.06, -0.19, 0.19), 0.03, (1.0, -0.5, -0.3)),
    "bars": Reach("chest", (0.12, -0.11, 0.25), 0.03, (0.8, -0.5, 0.0)),
    "prop": Reach("pelvis", (0.14, -0.03, -0.14), 0.03, (0.6, 0.0, -1.0)),
    "book": Reach("chest", (0.055, -0.13, 0.16), 0.02, (0.7, -1.0, -0.2)),
    "carry": Reach("chest", (0.045, -0.18, 0.14), 0.025, (0.7, -1.0, -0.4)),
    "strap": Reach("chest", (0.070, -0.06, 0.065), 0.012, (0.7, -1.0, -0.2)),
    "post": Reach("hang", (0.02, -0.28, 0.06), 0.02, (0.7, -0.2, -1.0)),
    "arm": Reach("chest", (-0.13, -0.14, 0.06), 0.02, (0.9, -0.6, 0.2)),
    "friend": Reach("chest", (0.25, -0.01, -0.02), 0.02, (0.3, -0.6, -0.6)),
    "any": Reach("shoulder", (0.12, -0.06, 0.12), 0.13, (0.8, -0.6, -0.5)),
}  # fmt: skip

# What both arms do, "left right" or one word for both, and how often.
_STANDING = {
    "down": 6, "loose": 4, "hip down": 1.5, "hip": 1.0, "pocket": 1.6, "pocket down": 1.6,
    "crossed": 1.8, "clasp": 1.6, "behind": 0.7, "ear down": 1.0, "ear pocket": 0.4, "phone": 0.6,
    "phone loose": 0.9, "chin arm": 0.4, "hair down": 0.8, "hair": 0.3, "mouth loose": 0.7,
    "camera": 0.5, "raised down": 0.4, "raised": 0.7, "wide": 0.7, "wave loose": 0.8,
    "ahead": 0.5, "ahead loose": 0.6, "strap loose": 1.0, "book": 0.7, "carry": 0.9,
    "carry down": 0.6, "arm down": 0.8, "friend down": 0.7, "any": 1.6, "any down": 1.2,
        "nape": 0.3,
}  # fmt: skip
_WALKING = {
    "fore back": 4, "down": 2, "fore down": 2, "ear down": 0.7, "phone down": 0.7,
    "pocket": 0.7, "strap down": 1.0, "carry down": 0.7, "any down": 0.7, "loose": 1,
}  # fmt: skip
_SPORT = {
    "swing": 2, "any": 2.5, "wide": 1.5, "pump": 1, "ahead": 1, "raised any": 1, "throw ahead": 1,
    "raised": 0.6, "throw any": 0.8, "swing any": 0.8,
}  # fmt: skip
_SEATED = {
    "lap": 3, "knee": 2, "table": 3, "lap chin": 0.6, "phone lap": 1.0, "phone": 1.0, "book": 1.2,
    "crossed": 1.0, "mouth lap": 0.8, "mouth table": 0.8, "prop": 0.6, "ear lap": 0.5, "any": 1.2,
    "any lap": 1.0, "wave lap": 0.4, "friend lap": 0.5, "hair lap": 0.4, "chin table": 0.6,
}  # fmt: skip
_FLOOR = {
    "knee": 2, "prop": 1.5, "prop knee": 1, "lap": 1.5, "hug": 1, "phone": 0.7, "book": 0.7,
    "any": 1, "ahead": 0.4,
}  # fmt: skip
_LOW = {"knee": 2, "ahead": 1, "post": 1.5, "any": 1.5, "table": 1, "carry": 1, "post knee": 1}
_LYING = {"down": 1.5, "nape": 1, "any": 2, "raised": 0.6, "wide": 1, "book": 0.7, "chin": 0.5}


@dataclass(frozen=True)
class Pose:
    """Something a body does: how often, with which angles and arms, and what it sits on."""

    often: float
    angles: Angles
    arms: Mapping[str, float] = field(default_factory=lambda: _STANDING)
    seat: str = ""  # chair, floor, saddle, or in the air: jump


_STAND = {
    "lean": (0, 3),
    "bend": (1, 4),
    "flex": (2, 4),
    "spread": (5, 3),
    "turn": (10, 8),
    "knee": (3, 4),
}
_SIT = {
    "lean": (-6, 8),
    "bend": (12, 10),
    "flex": (86, 8),
    "spread": (9, 8),
    "turn": (6, 8),
    "knee": (84, 14),
}

POSES: dict[str, Pose] = {
    "stand": Pose(9, _STAND),
    "hip-shot": Pose(6, {**_STAND, "tilt": (5, 3), "side": (-6, 4), "flex+": (14, 6),
        "knee+": (22, 8)}),
    "astride": Pose(2.5, {**_STAND, "spread": (14, 5)}),
    "crossed-legs": Pose(1, {**_STAND, "spread": (-4, 2), "flex+": (8, 3), "flex-": (-3, 2)}),
    "back-bend": Pose(0.6, {**_STAND, "lean": (-8, 4), "bend": (-14, 6)}),
    "walk": Pose(7, {"lean": (3, 3), "bend": (2, 3), "flex+": (24, 7), "knee+": (8, 6),
        "flex-": (-14, 6),
                     "knee-": (20, 12), "point-": (15, 8), "spread": (2, 2), "turn": (6, 5)},
                         _WALKING),
    "run": Pose(2.5, {"lean": (10, 6), "bend": (6, 5), "flex+": (55, 15), "knee+": (70, 25),
        "flex-": (-20, 10),
                      "knee-": (40, 30), "point": (25, 12), "spread": (3, 3)}, {"pump": 4,
                          "fore back": 2, "any": 2}),
    "ready": Pose(2.5, {"lean": (22, 12), "bend": (16, 10), "flex": (48, 14), "knee": (48, 16),
        "spread": (20, 8),
                        "turn": (14, 8), "nod": (-22, 10)}, _SPORT),
    "strike": Pose(2.5, {"lean": (6, 8), "bend": (8, 8), "twist": (28, 18), "side": (0, 8),
        "flex+": (26, 14),
                         "knee+": (24, 14), "flex-": (-8, 10), "knee-": (20, 14), "spread": (16,
                             6)}, _SPORT),
    "lunge": Pose(1, {"lean": (10, 10), "flex+": (70, 15), "knee+": (70, 18), "flex-": (-18, 8),
        "knee-": (20, 14),
                      "point-": (30, 10), "spread": (5, 4)}, _SPORT),
    "kick": Pose(0.8, {"lean": (-8, 8), "bend": (6, 6), "flex+": (75, 18), "knee+": (20, 16),
        "flex-": (-6, 6),
                       "knee-": (14, 8), "spread": (6, 5), "point+": (30, 12)}, _SPORT),
    "glide": Pose(1.8, {"lean": (34, 14), "bend": (14, 10), "twist": (0, 18), "flex": (70, 16),
        "knee": (66, 18),
                        "spread": (12, 9), "nod": (-24, 12)}, _SPORT),
    "jump": Pose(1.5, {"lean": (4, 14), "bend": (4, 10), "flex": (38, 32), "knee": (55, 32),
        "spread": (16, 12),
                       "point": (30, 14)}, {"raised": 2, "wide": 2, "any": 3, "raised any": 1},
                           "jump"),
    "dance": Pose(1.2, {"lean": (2, 10), "tilt": (0, 9), "bend": (2, 10), "side": (0, 12),
        "twist": (0, 16),
                        "flex": (18, 20), "knee": (22, 20), "spread": (10, 8)}, {"any": 3,
                            "raised": 1, "wide": 1}),
    "stoop": Pose(2, {"lean": (30, 14), "bend": (26, 10), "flex": (34, 12), "knee": (12, 10),
        "spread": (7, 5),
                      "nod": (-6, 14)}, _LOW),
    "bow": Pose(1.2, {"lean": (58, 18), "bend": (34, 12), "flex": (66, 18), "knee": (18, 14),
        "spread": (10, 7),
                      "nod": (-10, 20)}, {"post": 3, "ahead": 1, "any": 1, "knee": 1}),
    "squat": Pose(2.2, {"lean": (18, 10), "bend": (16, 10), "flex": (112, 12), "knee": (126, 14),
        "spread": (16, 10),
                        "turn": (14, 8), "point": (8, 6), "nod": (-12, 10)}, _LOW),
    "kneel": Pose(1, {"lean": (2, 8), "bend": (10, 10), "flex": (20, 25), "knee": (115, 18),
        "spread": (9, 5),
                      "point": (55, 10)}, _LOW),
    "half-kneel": Pose(1, {"lean": (4, 8), "bend": (10, 8), "flex+": (90, 8), "knee+": (92, 10),
        "flex-": (2, 8),
                           "knee-": (100, 10), "point-": (40, 10), "spread": (8, 5)}, _LOW),
    "crawl": Pose(0.6, {"lean": (82, 8), "bend": (4, 8), "flex": (82, 12), "knee": (88, 8),
        "spread": (8, 4),
                        "point": (55, 8), "nod": (-40, 14)}, {"post": 4, "ahead": 0.6}),
    "chair": Pose(7, _SIT, _SEATED, "chair"),
    "slouch": Pose(1.5, {**_SIT, "lean": (-28, 8), "bend": (24, 10), "flex": (72, 8), "knee": (62,
        18)}, _SEATED, "chair"),
    "knee-over": Pose(2, {**_SIT, "flex+": (98, 6), "turn+": (-18, 6), "spread+": (-8, 4),
        "knee+": (70, 14)}, _SEATED, "chair"),
    "forward": Pose(1.6, {**_SIT, "lean": (16, 8), "bend": (26, 10), "spread": (18, 8)},
        {"knee": 3, "clasp": 2, "table": 2, "phone": 1, "chin": 1}, "chair"),
    "step": Pose(1.8, {**_SIT, "lean": (0, 8), "flex": (104, 10), "knee": (98, 16)}, _SEATED,
        "low"),
    "ride": Pose(1.6, {"lean": (18, 14), "bend": (16, 8), "flex+": (76, 16), "knee+": (80, 20),
        "flex-": (48, 16),
                       "knee-": (56, 20), "spread": (13, 8), "nod": (-16, 8)}, {"bars": 6,
                           "bars any": 1}, "saddle"),
    "legs-out": Pose(1, {"lean": (-8, 10), "bend": (14, 10), "flex": (84, 8), "knee": (12, 12),
        "spread": (12, 8)}, _FLOOR, "floor"),
    "knees-up": Pose(1.5, {"lean": (-6, 8), "bend": (26, 8), "flex": (118, 8), "knee": (112, 14),
        "spread": (8, 8)}, _FLOOR, "floor"),
    "tailor": Pose(1.5, {"lean": (-4, 6), "bend": (20, 10), "flex": (88, 8), "spread": (40, 8),
        "turn": (48, 8),
                         "knee": (118, 8), "point": (40, 10)}, _FLOOR, "floor"),
    "aside": Pose(0.8, {"lean": (-4, 6), "tilt": (6, 4), "flex": (88, 10), "spread+": (25, 8),
        "spread-": (-10, 6),
                        "turn+": (-20, 8), "turn-": (40, 8), "knee": (105, 14), "point": (40,
                            10)}, _FLOOR, "floor"),
    "supine": Pose(1.2, {"lean": (-86, 6), "bend": (10, 10), "flex": (24, 24), "knee": (30, 30),
        "spread": (9, 6),
                         "point": (25, 10), "nod": (10, 16)}, _LYING, "floor"),
    "prone": Pose(0.8, {"lean": (84, 5), "bend": (-16, 10), "flex": (0, 6), "knee": (18, 25),
        "spread": (8, 6),
                        "point": (55, 10), "nod": (-28, 16)}, {"ahead": 2, "post": 1, "chin": 1,
                            "any": 1, "raised": 1}, "floor"),
    "on-side": Pose(0.9, {"tilt": (84, 6), "bend": (14, 10), "flex": (34, 24), "knee": (44, 28),
        "spread": (2, 5),
                          "point": (30, 10)}, {"any": 2, "chin": 1, "raised down": 1, "lap": 1},
                              "floor"),
    "handstand": Pose(0.15, {"lean": (180, 14), "bend": (-6, 8), "flex": (6, 18), "knee": (18,
        20), "spread": (10, 10),
                             "point": (40, 10)}, {"raised": 1}, "jump"),
}  # fmt: skip
_HEAD: Angles = {"nod": (4, 10), "cock": (0, 7), "look": (0, 20)}


def sample_body(rng: Rng, build: Build, poses: Mapping[str, float] | None = None) -> Body:
    """A body in a random pose, facing +z, on the floor or on its seat around the origin.

    Args:
        rng: source of choices.
        build: the body.
        poses: weights of poses by name; without it those of `POSES`.
    """
    name = pick(rng, poses or {name: pose.often for name, pose in POSES.items()})
    pose = POSES[name]
    body = posed(build, _draw(rng, pose.angles))
    body.seat = pose.seat
    _plant_feet(rng, body)
    words = pick(rng, pose.arms).split()
    names = words if len(words) == 2 else words * 2
    if chance(rng, 0.5):
        names.reverse()
    for side, reach in zip(SIDES, names, strict=True):
        add_arm(rng, body, side, reach)
    height = {
        "chair": between(rng, 0.24, 0.30),
        "low": between(rng, 0.12, 0.2),
        "saddle": between(rng, 0.42, 0.52),
    }
    lift = between(rng, 0.02, 0.35) * build.stature if pose.seat == "jump" else 0.0
    rise = lift - sole(body)
    if pose.seat in height:  # feet may hang, but not sink into the floor
        rise = max(rise, height[pose.seat] * build.stature - body.pelvis[1])
    body.move(np.eye(3), np.array((0.0, rise, 0.0)))
    return body


def _draw(rng: Rng, angles: Angles) -> dict[str, float]:
    drawn: dict[str, float] = {}
    for name, (mean, spread) in {**_HEAD, **angles}.items():
        both = name in ("flex", "spread", "turn", "knee", "point")
        for key in (f"{name}+", f"{name}-") if both else (name,):
            drawn[key] = mean + spread * float(rng.normal())
    if chance(rng, 0.5):  # the mirror image
        swap = {"+": "-", "-": "+"}
        drawn = {
            (k[:-1] + swap[k[-1]] if k[-1] in swap else k): (
                -v if k in ("tilt", "side", "twist", "cock", "look") else v
            )
            for k, v in drawn.items()
        }
    for key in ("knee+", "knee-"):
        drawn[key] = max(drawn.get(key, 0.0), 1.0)
    return drawn


def _plant_feet(rng: Rng, body: Body) -> None:
    """Turn feet whose shin is upright flat to the floor."""
    for leg in body.legs.values():
        shin, foot = leg.frame[1], leg.frame[2]
        upright = float(shin[1, 1])
        if upright > 0.75 and body.seat != "jump" and float(foot[1, 1]) > 0.6:
            front = foot[:, 2] * np.array((1.0, 0.15, 1.0))
            leg.frame = (leg.frame[0], shin, frame_along(np.array((0.0, 1.0, 0.0)), front))


def _target(body: Body, side: int, reach: Reach, root: Floats, at: Floats) -> Floats:
    out = at * np.array((side, 1.0, 1.0)) * body.build.stature
    if reach.frame == "hang":
        flat = body.chest_frame[:, 0].copy()
        frame = frame_along(np.array((0.0, 1.0, 0.0)), np.cross(flat, (0.0, 1.0, 0.0)) + 1e-3)
        return np.asarray(root + frame @ out)
    if reach.frame == "knee":
        return np.asarray(body.legs[side].middle + body.pelvis_frame @ out)
    if reach.frame == "other":
        return np.asarray(
            (body.legs[LEFT].middle + body.legs[RIGHT].middle) / 2 + body.chest_frame @ out
        )
    points = {
        "shoulder": (root, body.chest_frame), "chest": (body.chest, body.chest_frame),
        "pelvis": (body.pelvis, body.pelvis_frame), "head": (body.head, body.head_frame),
    }  # fmt: skip
    point, frame = points[reach.frame]
    return np.asarray(point + frame @ out)


def add_arm(rng: Rng, body: Body, side: int, name: str) -> None:
    """Let one arm reach for something.

    Args:
        rng: source of small differences.
        body: gets the arm.
        side: `LEFT` or `RIGHT`.
        name: one of `REACHES`.
    """
    reach, size = REACHES[name], body.build.length
    at = np.array(reach.at) + reach.spread * rng.normal(size=3)
    if name == "crossed" and side == RIGHT:
        at[1] -= 0.02
    frame = body.chest_frame
    root = body.chest + frame @ np.array(
        (side * size["shoulder"], -0.032 * body.build.stature, 0.0)
    )
    tip = _target(body, side, reach, root, at)
    lift = float(np.clip(unit(tip - root) @ frame[:, 1], 0.0, 1.0))  # raised arms lift the shoulder
    root = root + frame @ np.array(
        (-side * 0.25 * lift * size["shoulder"], 0.035 * lift * body.build.stature, 0.0)
    )
    pole = frame @ (np.array(reach.pole) * np.array((side, 1.0, 1.0)))
    elbow, wrist = bend(root, tip, size["upper_arm"], size["forearm"], pole)
    inner = unit(tip - elbow) - unit(elbow - root) + 0.2 * frame[:, 2]
    upper = frame_along(root - elbow, inner)
    lower = frame_along(elbow - wrist, inner)
    hand = lower @ flex(float(rng.normal(12.0, 14.0))) @ _palm(rng, side)
    body.arms[side] = Limb(root, elbow, wrist, (upper, lower, hand))
    body.hands[side] = name


def _palm(rng: Rng, side: int) -> Floats:
    angle = np.deg2rad(side * rng.normal(-45.0, 35.0))
    c, s = np.cos(angle), np.sin(angle)
    return np.array(((c, 0.0, s), (0.0, 1.0, 0.0), (-s, 0.0, c)))
