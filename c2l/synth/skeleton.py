"""Bodies and poses: joints in three dimensions, seen by a camera from any side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth.noise import Floats
from c2l.synth.streams import pick

# Lengths in body heights (crown to floor), after common figure-drawing proportions.
HIP, WAIST, CHEST, CHIN = 0.522, 0.615, 0.825, 0.872
UPPER_ARM, FOREARM, HAND = 0.165, 0.14, 0.078
THIGH, SHIN, ANKLE, FOOT = 0.240, 0.230, 0.042, 0.105

LEFT, RIGHT = 1, -1  # the person's own sides

ARM_TARGETS: dict[str, tuple[float, float, float]] = {
    # Wrist (out to the side, up, forward) in body heights.
    "hip": (0.105, 0.595, 0.03),
    "pocket": (0.115, 0.53, 0.03),
    "crossed": (-0.055, 0.70, 0.12),
    "phone": (0.065, 0.86, 0.09),
    "raised": (0.17, 1.08, 0.0),
    "wave": (0.24, 0.93, 0.05),
    "carry": (0.13, 0.63, 0.14),
    "clasp": (0.012, 0.54, 0.11),
    "strap": (0.075, 0.74, 0.10),
    "behind": (0.02, 0.56, -0.10),
}
_ARM_WEIGHTS = (3.0, 2.0, 0.0, 0.9, 0.7, 0.7, 1.5, 0.0, 1.2, 0.5)


@dataclass(frozen=True)
class Build:
    """Half widths of a body, in body heights."""

    shoulder: float
    waist: float
    hip: float
    limb: float  # factor on the thickness of arms and legs
    head: float  # factor on the size of the head


@dataclass(frozen=True)
class Skeleton:
    """Joints of a posed body as the camera sees them.

    `joints` maps a name to (x, y, depth) in body heights: x to the right and y down in the
    picture from the point on the floor between the feet, depth towards the camera. Names of
    limbs end in `+` for the person's left and `-` for the right.
    """

    joints: dict[str, tuple[float, float, float]]
    yaw: float  # radians; 0 faces the camera, positive turns to the person's left
    build: Build
    arms: dict[int, str]  # pose of each arm by side


def sample_build(rng: np.random.Generator) -> Build:
    """A random body."""
    heavy = float(rng.beta(2.0, 4.0))
    broad = rng.uniform(-1.0, 1.0)
    return Build(
        shoulder=0.098 + 0.010 * broad + 0.012 * heavy + rng.uniform(-0.004, 0.004),
        waist=0.065 + 0.008 * broad + 0.030 * heavy,
        hip=0.085 - 0.006 * broad + 0.020 * heavy + rng.uniform(-0.003, 0.005),
        limb=0.96 + 0.06 * broad + 0.30 * heavy,
        head=rng.uniform(0.95, 1.12),
    )


def _bend(root: Floats, tip: Floats, a: float, b: float, pole: Floats) -> tuple[Floats, Floats]:
    """Middle joint and reached tip of two bones of lengths a, b from `root` towards `tip`."""
    reach = tip - root
    distance = float(np.linalg.norm(reach))
    span = min(max(distance, abs(a - b) + 0.01), (a + b) * 0.999)
    along = reach / max(distance, 1e-6)
    x = (a * a - b * b + span * span) / (2.0 * span)
    off = pole - along * float(pole @ along)
    off = off / max(float(np.linalg.norm(off)), 1e-6)
    height = max(a * a - x * x, 0.0) ** 0.5
    return root + along * x + off * height, root + along * span


def _arm_kinds(rng: np.random.Generator) -> dict[int, str]:
    both = pick(rng, ("", "crossed", "clasp", "down"), (6.0, 0.8, 0.7, 2.5))
    if both:
        return {LEFT: both, RIGHT: both}
    kinds = (*ARM_TARGETS, "down")
    weights = (*_ARM_WEIGHTS, 7.0)
    return {side: pick(rng, kinds, weights) for side in (LEFT, RIGHT)}


def _wrist(rng: np.random.Generator, kind: str, shoulder: Floats, side: int) -> Floats:
    if kind == "down":
        out, forward = rng.uniform(0.03, 0.10), rng.uniform(-0.05, 0.10)
        drop = np.array([side * out, -rng.uniform(0.28, 0.305), forward])
        return np.asarray(shoulder + drop)
    x, y, z = ARM_TARGETS[kind]
    jitter = rng.uniform(-0.018, 0.018, 3)
    lift = -0.03 if kind == "crossed" and side == LEFT else 0.0
    return np.asarray(np.array([side * x, y + lift, z]) + jitter)


def _ankles(rng: np.random.Generator, stance: str) -> dict[int, Floats]:
    gap = rng.uniform(0.045, 0.085)
    feet = {side: np.array([side * gap, ANKLE, 0.0]) for side in (LEFT, RIGHT)}
    lead = pick(rng, (LEFT, RIGHT))
    if stance == "walk":
        stride = rng.uniform(0.06, 0.14)
        feet[lead] = np.array([lead * gap * 0.5, ANKLE, stride])
        feet[-lead] = np.array([-lead * gap * 0.5, ANKLE + stride * 0.35, -stride * 1.15])
    elif stance == "contrapposto":
        forward = rng.uniform(0.0, 0.07)
        feet[lead] += np.array([lead * rng.uniform(0.0, 0.06), 0.0, forward])
    elif stance == "wide":
        feet = {side: p + np.array([side * rng.uniform(0.03, 0.07), 0, 0])
                for side, p in feet.items()}  # fmt: skip
    elif stance == "crossed":
        feet[lead] = np.array([-lead * rng.uniform(0.0, 0.03), ANKLE, 0.06])
    return feet


def _view(rng: np.random.Generator) -> float:
    kind = pick(rng, ("front", "quarter", "side", "back"), (5.0, 3.6, 0.9, 1.6))
    sign = pick(rng, (-1.0, 1.0))
    low, high = {
        "front": (0.0, 22.0), "quarter": (22.0, 55.0), "side": (55.0, 90.0), "back": (140.0, 180.0),
    }[kind]  # fmt: skip
    return float(np.deg2rad(sign * rng.uniform(low, high)))


def sample_skeleton(rng: np.random.Generator, pitch: float) -> Skeleton:
    """A random body in a random pose, seen from `pitch` radians above."""
    build = sample_build(rng)
    stance = pick(rng, ("stand", "contrapposto", "walk", "wide", "crossed"), (3, 4, 3, 1, 0.8))
    sway = rng.uniform(-0.03, 0.03) * (1.6 if stance == "contrapposto" else 0.6)
    sink = rng.uniform(0.0, 0.003) + (0.010 if stance == "walk" else 0.0)
    pelvis = np.array([sway, HIP - sink, 0.0])
    lean = np.array([-sway * rng.uniform(0.3, 1.1), 0.0, rng.uniform(-0.02, 0.03)])
    chest = pelvis + np.array([0.0, CHEST - HIP, 0.0]) + lean
    body: dict[str, Floats] = {
        "pelvis": pelvis,
        "waist": pelvis + (chest - pelvis) * ((WAIST - HIP) / (CHEST - HIP)),
        "chest": chest,
    }
    nod = np.array([rng.uniform(-0.012, 0.012), 0.0, rng.uniform(0.0, 0.015)])
    body["chin"] = chest + np.array([0.0, CHIN - CHEST, 0.012]) + nod
    body["crown"] = body["chin"] + np.array([nod[0] * 1.5, (1.0 - CHIN) * build.head, -0.004])
    kinds = _arm_kinds(rng)
    ankles = _ankles(rng, stance)
    drop = rng.uniform(-0.012, 0.012) - sway * 0.25
    for side, tag in ((LEFT, "+"), (RIGHT, "-")):
        shoulder = chest + np.array([side * build.shoulder, -0.034 + side * drop, 0.0])
        wrist = _wrist(rng, kinds[side], shoulder, side)
        drooping = kinds[side] in ("phone", "strap", "crossed", "clasp", "carry")
        pole = np.array([side * 0.5, -1.0, -0.4] if drooping else [side * 1.0, -0.5, -0.8])
        elbow, wrist = _bend(shoulder, wrist, UPPER_ARM, FOREARM, pole)
        straight = (wrist - elbow) / FOREARM
        relaxed = np.array([0.0, -0.5, 0.2]) if kinds[side] in ("hip", "down", "carry") else 0.0
        body[f"shoulder{tag}"], body[f"elbow{tag}"], body[f"wrist{tag}"] = shoulder, elbow, wrist
        body[f"hand{tag}"] = wrist + HAND * (straight + relaxed)
        hip = pelvis + np.array([side * build.hip * 0.54, -0.01 - side * sway * 0.2, 0.0])
        knee, ankle = _bend(hip, ankles[side], THIGH, SHIN, np.array([side * 0.25, 0.0, 1.0]))
        turn = np.deg2rad(rng.uniform(5.0, 35.0))
        toe = ankle + FOOT * np.array([side * np.sin(turn), 0.0, np.cos(turn)])
        toe[1] = max(0.012, ankle[1] - 0.03)
        body[f"hip{tag}"], body[f"knee{tag}"], body[f"ankle{tag}"] = hip, knee, ankle
        body[f"toe{tag}"] = toe
    yaw = _view(rng)
    return Skeleton(_project(body, yaw, pitch), yaw, build, kinds)


def _project(
    body: dict[str, Floats], yaw: float, pitch: float
) -> dict[str, tuple[float, float, float]]:
    c, s = float(np.cos(yaw)), float(np.sin(yaw))
    cp, sp = float(np.cos(pitch)), float(np.sin(pitch))
    joints = {}
    for name, (x, y, z) in body.items():
        depth = -x * s + z * c
        joints[name] = (float(x * c + z * s), float(-(y * cp - depth * sp)), float(depth))
    return joints
