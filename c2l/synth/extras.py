"""Draws what people carry and add: belts, scarves and bags."""

from __future__ import annotations

import numpy as np

from c2l.synth import figure as fig
from c2l.synth.canvas import Patch
from c2l.synth.figure import Figure, between
from c2l.synth.noise import vec
from c2l.synth.shapes import Point, limb, sheet
from c2l.synth.textures import shade_cloth


def draw_belt(f: Figure) -> None:
    """A belt around the waist."""
    o, b = f.outfit, f.skeleton.build
    if o.belt is None:
        return
    waist, pelvis = f.at("waist"), f.at("pelvis")
    top, low = between(waist, pelvis, 0.02), between(waist, pelvis, 0.26)
    half = f.width(b.waist + 0.009 + o.loose * 0.5, 0.07 + o.loose * 0.5)
    band = sheet(f.canvas, top, low, (0.0, 1.0), (half, half * 1.06), hem=0.0)
    colour = np.tile(o.belt, (band.v.size, 1))
    buckle = np.abs(band.v - f.turn * 0.6) < 0.10
    if f.facing > 0.0:
        colour[buckle] = vec(0.72, 0.66, 0.48)
    f.canvas.paint(band, colour, fig.BELT, gloss=0.3, contact=0.3)


def draw_scarf(f: Figure) -> None:
    """A scarf wound around the neck, with an end hanging down."""
    o, u = f.outfit, f.unit
    if o.scarf is None:
        return
    chin, chest = f.at("chin"), f.at("chest")
    mid = between(chin, chest, 0.75)
    if f.facing > 0.0:
        x = mid[0] + f.rng.uniform(-0.03, 0.03) * u
        drop = f.rng.uniform(0.10, 0.26) * u
        end: Point = (x + f.rng.uniform(-0.015, 0.015) * u, mid[1] + drop)
        tail = limb(f.canvas, [(x, mid[1]), end], [0.020 * u, 0.026 * u], cut=(False, True))
        _paint(f, tail)
    half = f.width(0.052, 0.058)
    for dy, scale in ((0.022, 1.12), (-0.004, 0.96)):
        y = mid[1] + dy * u
        left, right = (mid[0] - half * scale, y - 0.008 * u), (mid[0] + half * scale, y - 0.008 * u)
        ring = limb(f.canvas, [left, (mid[0], y + 0.010 * u), right], [0.018 * u] * 3)
        _paint(f, ring)


def _paint(f: Figure, shape: Patch) -> None:
    cloth = f.outfit.scarf
    if cloth is not None:
        f.canvas.paint(shape, shade_cloth(cloth, shape, stretch=1.0), fig.SCARF)


def _box(f: Figure, top: Point, width: float, height: float, flare: float) -> None:
    u, cloth = f.unit, f.outfit.bag_cloth
    low = (top[0], top[1] + height * u)
    half = width * u / 2.0
    shape = sheet(
        f.canvas, top, low, (0.0, 0.12, 0.85, 1.0),
        (half * 0.86, half, half * (1.0 + flare), half * (0.92 + flare)), hem=0.04, flat=0.5,
    )  # fmt: skip
    colour = shade_cloth(cloth, shape)
    colour[(np.abs(shape.s - 0.32) < 0.022) & (np.abs(shape.v) < 0.92)] *= 0.6
    f.canvas.paint(shape, colour, fig.BAG, gloss=cloth.gloss)


def _strap(f: Figure, points: list[Point], thick: float = 0.0055) -> None:
    shape = limb(f.canvas, points, [thick * f.unit] * len(points))
    f.canvas.paint(shape, f.outfit.bag_cloth.base * 0.85, fig.BAG, contact=0.3)


def draw_bag(f: Figure, *, behind: bool) -> None:
    """The bag; `behind` draws what lies behind the body, otherwise what lies before it."""
    o, u = f.outfit, f.unit
    side = 1 if o.loose > 0.009 else -1
    hanging = [s for s in (side, -side) if f.skeleton.arms[s] in ("down", "carry", "clasp")]
    side = hanging[0] if hanging else side
    tag, other = fig.TAGS[side], fig.TAGS[-side]
    if o.bag == "backpack":
        _backpack(f, behind)
        return
    if o.bag == "none" or behind:
        return
    if o.bag in ("hand", "tote") and hanging:
        hand = between(f.at("wrist" + tag), f.at("hand" + tag), 0.6)
        wide, high = (0.13, 0.15) if o.bag == "tote" else (0.12, 0.085)
        lift = 0.035 if o.bag == "hand" else 0.07
        top = (hand[0], hand[1] + lift * u)
        _strap(f, [(top[0] - 0.028 * u, top[1]), hand, (top[0] + 0.028 * u, top[1])])
        _box(f, top, wide, high, 0.06)
        return
    hip, shoulder = f.at("hip" + tag), f.at("shoulder" + tag)
    out = 1.0 if hip[0] > f.at("pelvis")[0] else -1.0
    top = (hip[0] + out * 0.05 * u, hip[1] - 0.03 * u)
    start = f.at("shoulder" + other) if o.bag == "shoulder" else shoulder
    start = between(start, f.at("chest"), 0.35)
    _strap(f, [(start[0], start[1] - 0.02 * u), top])
    wide, high = (0.115, 0.085) if o.bag == "shoulder" else (0.13, 0.14)
    _box(f, top, wide, high, 0.0)


def _backpack(f: Figure, behind: bool) -> None:
    u, chest, waist = f.unit, f.at("chest"), f.at("waist")
    if behind and f.facing > 0.0 and abs(f.turn) > 0.3:
        x = chest[0] - f.turn * 0.10 * u
        _box(f, (x, chest[1] + 0.01 * u), 0.10 + 0.06 * f.facing, 0.22, 0.05)
    elif not behind and f.facing <= 0.0:
        x = chest[0] - f.turn * 0.05 * u
        _box(f, (x, chest[1] + 0.01 * u), 0.17, 0.22, 0.05)
    elif not behind:
        for tag in fig.TAGS.values():
            p = between(f.at("shoulder" + tag), chest, 0.32)
            _strap(f, [(p[0], p[1] - 0.012 * u), (p[0], between(chest, waist, 0.62)[1])], 0.008)
