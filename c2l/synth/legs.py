"""Draws what is below the waist: legs, shoes, trousers, shorts and skirts."""

from __future__ import annotations

import numpy as np

from c2l.synth import figure as fig
from c2l.synth.canvas import Patch
from c2l.synth.figure import Figure, between
from c2l.synth.noise import Floats, sample, vec
from c2l.synth.shapes import Point, limb, sheet
from c2l.synth.textures import Cloth, plain_cloth, shade_cloth


def skin_colour(f: Figure, patch: Patch, tint: float = 1.0) -> Floats:
    """Colours (n, 3) of bare skin over a surface."""
    mottle = 1.0 + 0.03 * sample("small", patch.a * 2.0, patch.b * 2.0)
    return np.asarray(f.outfit.skin * (tint * mottle)[:, None], dtype=np.float32)


def draw_leg(f: Figure, side: int) -> None:
    """One bare or stockinged leg."""
    tag, u, k = fig.TAGS[side], f.unit, f.skeleton.build.limb
    hip, knee, ankle = f.at("hip" + tag), f.at("knee" + tag), f.at("ankle" + tag)
    calf = between(knee, ankle, 0.32)
    calf = (calf[0] - 0.004 * u * f.turn, calf[1])
    shape = limb(
        f.canvas,
        [hip, between(hip, knee, 0.35), knee, calf, between(knee, ankle, 0.85), ankle],
        [0.052 * u * k, 0.049 * u * k, 0.032 * u * k, 0.033 * u * k, 0.019 * u * k, 0.018 * u * k],
    )
    if f.outfit.tights is None:
        colour = skin_colour(f, shape)
    else:
        edge = (0.75 + 0.25 * np.abs(shape.v))[:, None]
        colour = (f.outfit.tights * edge + f.outfit.skin * (1.0 - edge)).astype(np.float32)
    f.canvas.paint(shape, colour, fig.LEFT_LEG if side > 0 else fig.RIGHT_LEG)


def draw_shoe(f: Figure, side: int) -> None:
    """One shoe or boot."""
    o, tag, u = f.outfit, fig.TAGS[side], f.unit
    label = fig.LEFT_SHOE if side > 0 else fig.RIGHT_SHOE
    ankle, toe = f.at("ankle" + tag), f.at("toe" + tag)
    cloth = plain_cloth(o.shoe_colour, gloss=0.0 if o.shoe == "trainer" else 0.35)
    rise = 0.020 * u if o.shoe == "heel" else 0.006 * u
    heel: Point = (ankle[0] - (toe[0] - ankle[0]) * 0.22, ankle[1] + 0.024 * u - rise * 0.5)
    ball = between(heel, toe, 0.66)
    ball = (ball[0], ball[1] + 0.004 * u)
    thick = {"flat": 0.019, "boot": 0.023, "heel": 0.016, "trainer": 0.024}[o.shoe] * u
    tip = (toe[0], toe[1] + 0.004 * u)
    if o.shoe == "heel":
        stick = limb(f.canvas, [heel, (heel[0], heel[1] + 0.036 * u)], [0.008 * u, 0.004 * u])
        f.canvas.paint(stick, cloth.base, label, contact=0.0)
    if o.shoe == "boot":
        shaft = limb(
            f.canvas, [between(ankle, f.at("knee" + tag), 0.38), ankle, heel],
            [0.030 * u, 0.024 * u, 0.022 * u], cut=(True, False),
        )  # fmt: skip
        f.canvas.paint(shaft, shade_cloth(cloth, shaft), label, gloss=cloth.gloss)
    shoe = limb(f.canvas, [heel, ball, tip], [thick * 0.95, thick, thick * 0.66])
    bare = o.shoe == "heel" and o.tights is None
    colour = shade_cloth(cloth, shoe)
    if o.shoe == "trainer":
        sole = shoe.ny > 0.55
        colour[sole] = vec(0.86, 0.86, 0.84)
    elif not bare:
        colour[shoe.ny > 0.62] *= 0.45
    if bare:
        instep = (shoe.s > 0.15) & (shoe.s < 0.60) & (shoe.ny < 0.2)
        colour[instep] = f.outfit.skin
    f.canvas.paint(shoe, colour, label, gloss=cloth.gloss, contact=0.3)


def draw_trousers(f: Figure) -> None:
    """Trousers, jeans, leggings or shorts, with the seat between the legs."""
    o, u, k = f.outfit, f.unit, f.skeleton.build.limb
    wide = 0.0 if o.bottom == "leggings" else 0.003 + 0.012 * o.wide_leg
    hem = 0.0 if o.bottom == "leggings" else 0.006 + 0.040 * o.wide_leg**1.5
    far, near = f.by_depth("knee")
    for side in (far, near):
        tag = fig.TAGS[side]
        hip, knee, ankle = f.at("hip" + tag), f.at("knee" + tag), f.at("ankle" + tag)
        if o.bottom == "shorts":
            stop = 0.42 + 0.5 * o.wide_leg
            points = [hip, between(hip, knee, stop * 0.5), between(hip, knee, stop)]
            radii = [0.056 * k + wide, 0.053 * k + wide, 0.049 * k + hem * 0.6]
        else:
            end = between(knee, ankle, 1.06 - 0.10 * (o.length > 0.3))
            points = [hip, between(hip, knee, 0.4), knee, between(knee, ankle, 0.4), end]
            radii = [0.056 * k + wide, 0.051 * k + wide, 0.036 * k + wide + hem * 0.4]
            radii += [0.033 * k + wide + hem * 0.6, 0.022 * k + hem]
        shape = limb(f.canvas, points, [r * u for r in radii], cut=(False, True))
        _cloth(f, shape, o.bottom_cloth, fig.PANTS, stretch=1.3)
    _seat(f, o.bottom_cloth, fig.PANTS)


def _seat(f: Figure, cloth: Cloth, label: int) -> None:
    b, pelvis, waist = f.skeleton.build, f.at("pelvis"), f.at("waist")
    end = between(waist, pelvis, 1.55)
    wide = f.width(b.waist + 0.004, 0.066), f.width(b.hip + 0.012, 0.082)
    shape = sheet(
        f.canvas, waist, end, (0.0, 0.35, 0.7, 1.0), (wide[0], wide[1] * 0.97, wide[1], wide[1]),
        hem=0.28,
    )  # fmt: skip
    _cloth(f, shape, cloth, label, contact=0.1)


def _cloth(
    f: Figure, shape: Patch, cloth: Cloth, label: int, *, stretch: float = 2.0, contact: float = 0.4
) -> None:
    colour = shade_cloth(cloth, shape, stretch=stretch)
    f.canvas.paint(shape, colour, label, gloss=cloth.gloss, contact=contact)


def pleats(patch: Patch, count: float, strength: float, phase: float) -> Floats:
    """Factors (n,) of light on the hanging folds of a skirt or a coat, stronger further down."""
    angle = np.arcsin(np.clip(patch.v, -0.999, 0.999))
    wobble = sample("large", patch.a * 0.25 + phase, patch.b * 0.8)
    wave = np.sin(angle * count + wobble * 1.3 + phase * 6.0)
    return np.asarray(1.0 + strength * wave * np.clip(patch.s * 1.3, 0.0, 1.0))


def draw_skirt(f: Figure, label: int) -> None:
    """A skirt, or the lower half of a dress, from the waist to the outfit's hem."""
    o, u, b = f.outfit, f.unit, f.skeleton.build
    waist, pelvis = f.at("waist"), f.at("pelvis")
    left, right = _leg_span(f, o.length)
    centre = (left[0] + right[0]) / 2.0
    spread = abs(right[0] - left[0]) / 2.0 + 0.042 * u
    end = (centre * 0.7 + pelvis[0] * 0.3, max(left[1], right[1]))
    hips = f.width(b.hip + 0.014, 0.085)
    hem = max(spread, hips * 0.86) + o.flare * u * (0.45 - o.length) * 2.4
    total = max(end[1] - waist[1], 1.0)
    hip_at = min((pelvis[1] - waist[1]) * 1.1 / total, 0.6)
    knots = (0.0, hip_at * 0.5, hip_at, 1.0)
    top = f.width(b.waist + 0.004, 0.066)
    shape = sheet(
        f.canvas, waist, end, knots, (top, (top + hips) / 2, hips * 0.99, hem),
        hem=0.05, tilt=(0.0, f.rng.uniform(-0.02, 0.02)),
    )  # fmt: skip
    folds = pleats(shape, 5.0 + 60.0 * o.flare, 0.06 + 1.6 * o.flare, o.bottom_cloth.offset[0])
    colour = np.clip(shade_cloth(o.bottom_cloth, shape) * folds[:, None], 0.0, 1.0)
    f.canvas.paint(shape, colour.astype(np.float32), label, gloss=o.bottom_cloth.gloss)


def _leg_span(f: Figure, height: float) -> tuple[Point, Point]:
    """Where both legs cross a height above the floor, the one further left first."""
    spots = []
    for tag in fig.TAGS.values():
        hip, knee, ankle = f.at("hip" + tag), f.at("knee" + tag), f.at("ankle" + tag)
        t = (0.515 - height) / (0.515 - 0.28)
        spot = between(hip, knee, t) if t < 1.0 else between(knee, ankle, (0.28 - height) / 0.24)
        spots.append(spot)
    return (spots[0], spots[1]) if spots[0][0] < spots[1][0] else (spots[1], spots[0])
