"""What people ride and stand on: bicycles, motorbikes, horses, skis, boards."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette, solids
from c2l.synth.arrays import Floats, vec
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.holds import axes, flat, grip
from c2l.synth.materials import Material, cloth, plain
from c2l.synth.mesh import Mesh
from c2l.synth.skeleton import SIDES, Body
from c2l.synth.solids import UP, add, ball, blob, block, disc, ring, rod


def wheel(mesh: Mesh, rng: Rng, at: Floats, across: Floats, radius: float, thick: float) -> None:
    tyre = plain(vec(0.06, 0.06, 0.065))
    add(mesh, ring(at, across, radius, thick), tyre)
    steel = plain(vec(0.6, 0.6, 0.62), gloss=0.5)
    turn = rng.random() * 3.14
    one = np.cross(across, UP)
    for a in turn + np.linspace(0.0, np.pi, 5)[:-1]:
        way = (np.cos(a) * one + np.sin(a) * UP) * radius
        add(mesh, rod([at - way, at + way], 0.005, 4, 3), steel)


def bicycle(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    size = body.build.stature
    base = body.pelvis * (1.0, 0.0, 1.0)
    paint = plain(palette.cloth(rng), gloss=0.5)
    radius = 0.19 * size
    rear, fore = base - front * 0.2 * size + UP * radius, base + front * 0.42 * size + UP * radius
    wheel(mesh, rng, rear, left, radius, 0.018)
    wheel(mesh, rng, fore, left, radius, 0.018)
    seat = body.pelvis - UP * 0.09 * size
    head = body.pelvis * (1.0, 0.0, 1.0) + front * 0.33 * size + UP * float(seat[1])
    crank = base + front * 0.05 * size + UP * radius * 0.95
    for a, b in (
        (seat, crank),
        (crank, head),
        (seat, head),
        (crank, rear),
        (seat, rear),
        (head, fore),
    ):
        add(mesh, rod([a, b], 0.014), paint)
    add(
        mesh,
        block(seat + UP * 0.01, UP, front, (0.05, 0.025, 0.12), 2.5),
        plain(vec(0.08, 0.07, 0.07)),
    )
    _bars(mesh, body, head + UP * 0.08, paint)


def _bars(mesh: Mesh, body: Body, head: Floats, material: Material) -> None:
    """Handlebars between the hands, or where they would be."""
    left, _ = axes(body)
    ends = [
        grip(body, s)
        if float(np.linalg.norm(grip(body, s) - head)) < 0.5
        else head + left * 0.24 * s + UP * 0.05
        for s in SIDES
    ]
    add(mesh, rod([ends[0], head, ends[1]], 0.014), material)


def motorbike(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    size = body.build.stature
    base = body.pelvis * (1.0, 0.0, 1.0)
    paint = plain(palette.cloth(rng), gloss=0.7)
    dark = plain(vec(0.08, 0.08, 0.09), gloss=0.4)
    radius = 0.17 * size
    for shift in (-0.3, 0.45):
        at = base + front * shift * size + UP * radius
        add(mesh, ring(at, left, radius * 0.8, 0.07), dark)
        add(mesh, disc(at, left, radius * 0.6, 0.03), plain(vec(0.5, 0.5, 0.52), gloss=0.6))
    seat = body.pelvis - UP * 0.11 * size
    add(mesh, block(seat - front * 0.1 * size, UP, front, (0.12, 0.06, 0.3 * size), 3.0), dark)
    add(
        mesh,
        blob(rng, seat + front * 0.22 * size + UP * 0.02, (0.14, 0.12, 0.16 * size), 0.05),
        paint,
    )
    add(
        mesh,
        blob(rng, base + UP * radius * 1.4 + front * 0.06 * size, (0.14, 0.16, 0.18 * size), 0.12),
        dark,
    )
    add(
        mesh,
        blob(
            rng, base + front * 0.43 * size + UP * (float(seat[1]) + 0.1), (0.13, 0.14, 0.1), 0.05
        ),
        paint,
    )
    _bars(mesh, body, base + front * 0.32 * size + UP * (float(seat[1]) + 0.18), dark)


def horse(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    base = body.pelvis * (1.0, 0.0, 1.0)
    high = float(body.pelvis[1]) - 0.08 * body.build.thick
    coat = plain(palette.hair(rng), texture="fur", second=palette.hair(rng), period=1.2, soft=0.3)
    trunk = base + UP * (high - 0.22)
    add(mesh, solids.ball(trunk, (0.24, 0.27, 0.75), UP, front, 14), coat)
    neck = trunk + front * 0.6
    head = neck + front * 0.4 + UP * 0.5
    add(mesh, rod([neck, neck + front * 0.2 + UP * 0.28, head], (0.2, 0.15, 0.1), 10), coat)
    add(
        mesh,
        rod(
            [head, head + front * 0.25 - UP * 0.12, head + front * 0.42 - UP * 0.26],
            (0.11, 0.09, 0.07),
            10,
        ),
        coat,
    )
    for x in (-0.13, 0.13):
        for z in (-0.55, 0.5):
            hip = trunk + left * x + front * z - UP * 0.05
            add(
                mesh,
                rod(
                    [
                        hip,
                        hip - UP * (high - 0.22) * 0.5 + front * between(rng, -0.15, 0.15),
                        hip * (1.0, 0.0, 1.0),
                    ],
                    (0.11, 0.065, 0.05),
                    8,
                ),
                coat,
            )
    add(
        mesh,
        block(body.pelvis - UP * 0.1, UP, front, (0.2, 0.05, 0.26), 3.0),
        plain(palette.leather(rng)),
    )


def draw_underfoot(mesh: Mesh, rng: Rng, body: Body, *, snow: bool, water: bool) -> None:
    """Skis, boards and skates; what suits the place, if anything."""
    if body.seat not in ("", "jump") or not (snow or water or chance(rng, 0.12)):
        return
    kind = pick(rng, {"ski": 3.0, "board": 2.0, "none": 1.5}) if snow else "board"
    material = cloth(rng, plain=0.5, folds=(0.0, 0.0))
    soles = [
        leg.end - leg.frame[2][:, 1] * (body.build.length["ankle"] + 0.012)
        for leg in (body.legs[s] for s in SIDES)
    ]
    if kind == "ski":
        for leg, sole in zip((body.legs[s] for s in SIDES), soles, strict=True):
            front = leg.frame[2][:, 2]
            add(
                mesh,
                block(sole + front * 0.12, leg.frame[2][:, 1], front, (0.045, 0.012, 0.85), 3.0),
                material,
            )
        for side in SIDES:
            hand = grip(body, side)
            low = hand * (1.0, 0.0, 1.0) + rng.normal(0.0, 0.15, 3) * (1.0, 0.0, 1.0)
            add(
                mesh,
                rod([hand + UP * 0.05, low if hand[1] < 1.4 else hand - UP * 1.1], 0.01),
                plain(vec(0.3, 0.3, 0.32)),
            )
    elif kind == "board":
        way = flat(
            soles[1] - soles[0]
            if float(np.linalg.norm(soles[1] - soles[0])) > 0.2
            else body.pelvis_frame[:, 2]
        )
        middle = (soles[0] + soles[1]) / 2
        long = between(rng, 0.38, 0.5) if not (snow or water) else between(rng, 0.7, 1.1)
        add(
            mesh,
            block(middle - UP * 0.01, UP, way, (0.11 if long < 0.6 else 0.2, 0.015, long), 3.0),
            material,
        )
        if long < 0.6:
            for end in (-0.28, 0.28):
                add(
                    mesh,
                    ball(middle + way * end - UP * 0.05, (0.12, 0.03, 0.03)),
                    plain(vec(0.85, 0.8, 0.6)),
                )
