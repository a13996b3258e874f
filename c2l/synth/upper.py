"""Draws what is above the waist: the trunk's clothes, coats, arms and sleeves."""

from __future__ import annotations

import numpy as np

from c2l.synth import figure as fig
from c2l.synth.canvas import Patch
from c2l.synth.figure import Figure, between
from c2l.synth.legs import pleats, skin_colour
from c2l.synth.noise import Floats
from c2l.synth.shapes import Point, limb, sheet
from c2l.synth.textures import Cloth, shade_cloth


def _tilt(f: Figure) -> float:
    """Slope of the shoulders in the picture (downward to the right is positive)."""
    (xl, yl), (xr, yr) = f.at("shoulder+"), f.at("shoulder-")
    span = xl - xr
    return float(np.clip((yl - yr) / span, -0.25, 0.25)) if abs(span) > 0.05 * f.unit else 0.0


def trunk(f: Figure, loose: float, hem: Point, hem_wide: float) -> Patch:
    """The surface of a garment from the base of the neck to `hem`.

    Args:
        f: the person.
        loose: how far it stands off the body, in body heights.
        hem: middle of its lower border in pixels.
        hem_wide: half its width there in pixels.
    """
    b, u = f.skeleton.build, f.unit
    neck = f.at("chest")
    start = (neck[0], neck[1] - 0.012 * u)
    length = max(hem[1] - start[1], 1.0)
    waist_at = float(np.clip((f.at("waist")[1] - start[1]) / length, 0.3, 0.92))
    shoulder = f.width(b.shoulder + 0.018 + loose * 0.6, 0.062 + loose)
    chest = f.width(b.shoulder * 0.93 + loose, 0.078 + loose)
    waist = f.width(b.waist + loose * 1.2 + 0.003, 0.064 + loose)
    shape = 0.215 * u / length
    knots = [0.0, 0.08 * shape, 0.18 * shape, 0.42 * shape, waist_at]
    wide = [f.width(0.036, 0.036), shoulder * 0.70, shoulder, chest, waist]
    if waist_at < 0.9:
        hip_at = waist_at + (1.0 - waist_at) * min(0.085 * u / (length * (1 - waist_at)), 0.9)
        knots += [hip_at]
        wide += [f.width(b.hip + loose + 0.008, 0.08 + loose)]
    return sheet(
        f.canvas, start, hem, [*knots, 1.0], [*wide, hem_wide], hem=0.03,
        tilt=(_tilt(f) * shoulder / length, f.rng.uniform(-0.02, 0.02)),
    )  # fmt: skip


def draw_top(f: Figure, label: int) -> None:
    """The t-shirt, shirt or sweater, or the upper half of a dress."""
    o, b = f.outfit, f.skeleton.build
    waist, pelvis = f.at("waist"), f.at("pelvis")
    if label == fig.DRESS or o.tucked:
        hem, wide = between(waist, pelvis, 0.12), f.width(b.waist + 0.006, 0.068)
    else:
        hem = between(waist, pelvis, 0.75 + 18.0 * o.loose)
        wide = f.width(b.hip + 0.008 + o.loose, 0.078 + o.loose)
    shape = trunk(f, o.loose, hem, wide)
    cloth = o.top_cloth
    colour = shade_cloth(cloth, shape)
    if o.top == "shirt" and f.facing > 0.2:
        line = np.abs(shape.v - f.turn * 0.55) < 0.035
        colour[line] *= 0.82
    f.canvas.paint(shape, colour, label, gloss=cloth.gloss)
    if f.facing > 0.15:
        _neckline(f, shape)


def _neckline(f: Figure, shape: Patch) -> None:
    """Bare skin below the neck, cut into the garment and labelled as the face's skin."""
    o = f.outfit
    deep = {"tank": 0.055, "dress": 0.05, "tshirt": 0.028, "shirt": 0.04}.get(o.top, 0.018)
    wide = 0.04 if o.top in ("tank", "dress", "tshirt") else 0.026
    x = shape.b - 0.03 * f.turn
    inside = (shape.a < deep * (1.0 - (x / wide) ** 2) + 0.012) & (np.abs(x) < wide)
    skin = shape.keep(inside)
    f.canvas.paint(skin, skin_colour(f, skin, 0.92), fig.FACE, contact=0.0)


def draw_arm(f: Figure, side: int, label: int) -> None:
    """One arm with its hand and sleeves; `label` is that of the top's sleeve."""
    o, tag, u = f.outfit, fig.TAGS[side], f.unit
    k = f.skeleton.build.limb
    joints = [f.at(name + tag) for name in ("shoulder", "elbow", "wrist", "hand")]
    shoulder, elbow, wrist, hand = joints
    skin_label = fig.LEFT_ARM if side > 0 else fig.RIGHT_ARM
    arm = limb(
        f.canvas,
        [shoulder, between(shoulder, elbow, 0.4), elbow, between(elbow, wrist, 0.3), wrist],
        [r * u * k for r in (0.025, 0.0275, 0.0215, 0.0225, 0.0150)],
    )
    f.canvas.paint(arm, skin_colour(f, arm), skin_label)
    palm = between(wrist, hand, 0.45)
    fingers = limb(
        f.canvas, [wrist, palm, hand], [0.0145 * u * k, 0.0185 * u, 0.009 * u]
    )  # fmt: skip
    f.canvas.paint(fingers, skin_colour(f, fingers, 0.97), skin_label, contact=0.25)
    if o.sleeve:
        thick = o.loose * 0.5 + (0.004 if o.sleeve == 3 else 0.008)
        _sleeve(f, joints, o.sleeve, thick, o.top_cloth, label)
    if o.coat != "none":
        _sleeve(f, joints, 3, 0.012 + o.loose * 0.5, o.coat_cloth, fig.UPPER)


def _sleeve(
    f: Figure, joints: list[Point], reach: int, thick: float, cloth: Cloth, label: int
) -> None:
    shoulder, elbow, wrist, _ = joints
    k, u = f.skeleton.build.limb, f.unit
    points = [shoulder, between(shoulder, elbow, 0.5)]
    radii = [0.026 * k + thick * 0.7, 0.030 * k + thick]
    if reach == 1:
        points[1] = between(shoulder, elbow, 0.62)
    else:
        stop = 0.35 if reach == 2 else 0.97
        points += [elbow, between(elbow, wrist, stop * 0.5), between(elbow, wrist, stop)]
        cuff = 0.022 if reach == 2 else 0.018
        radii += [0.026 * k + thick, 0.024 * k + thick, cuff * k + thick]
    shape = limb(f.canvas, points, [r * u for r in radii], cut=(False, True))
    colour = shade_cloth(cloth, shape, stretch=0.8)
    f.canvas.paint(shape, colour, label, gloss=cloth.gloss, contact=0.5)


def draw_coat(f: Figure) -> None:
    """A jacket to the hips or a coat to the knees, open or buttoned."""
    o, u, b = f.outfit, f.unit, f.skeleton.build
    waist, pelvis = f.at("waist"), f.at("pelvis")
    loose = 0.013 + o.loose
    if o.coat == "jacket":
        hem = between(waist, pelvis, 0.95)
        wide = f.width(b.hip + 0.012 + loose, 0.085 + loose)
    else:
        hem = between(waist, pelvis, 2.3 + 12.0 * o.flare)
        hem = (hem[0] + f.rng.uniform(-0.01, 0.01) * u, hem[1])
        wide = f.width(b.hip + 0.022 + loose + o.flare * 0.3, 0.10 + loose + o.flare * 0.3)
    shape = trunk(f, loose, hem, wide)
    front = f.turn * 0.7
    seam = shape.v - front
    if f.facing > 0.05 and o.coat_open > 0.0:
        gap = o.coat_open * (0.35 + 0.75 * shape.s) * max(f.facing, 0.35)
        shape = shape.keep(np.abs(seam) > gap)
        seam = shape.v - front
        edge = np.abs(np.abs(seam) - o.coat_open * (0.35 + 0.75 * shape.s) * max(f.facing, 0.35))
    else:
        edge = np.abs(seam) if f.facing > 0.05 else np.ones_like(shape.v)
    colour = shade_cloth(o.coat_cloth, shape)
    colour *= pleats(shape, 7.0, 0.07 + o.flare, o.coat_cloth.offset[1])[:, None]
    colour[edge < 0.03] *= 0.72
    _lapels(f, shape, edge, colour)
    f.canvas.paint(shape, np.clip(colour, 0, 1), fig.UPPER, gloss=o.coat_cloth.gloss)


def _lapels(f: Figure, shape: Patch, edge: Floats, colour: Floats) -> None:
    if f.facing < 0.05:
        return
    reach = 0.30 * (1.0 - shape.a / 0.17)
    lapel = (edge < reach) & (shape.a > 0.01)
    rim = lapel & (edge > reach - 0.035)
    colour[lapel] *= 1.12
    colour[rim] *= 0.62
