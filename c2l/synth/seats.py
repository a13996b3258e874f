"""What people sit and lie on: chairs, benches, steps, sofas, rocks, mats."""

from __future__ import annotations

import numpy as np

from c2l.synth import palette
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.holds import axes
from c2l.synth.materials import cloth, plain, stuff
from c2l.synth.mesh import Mesh
from c2l.synth.mounts import bicycle, horse, motorbike
from c2l.synth.skeleton import Body
from c2l.synth.solids import UP, add, blob, block, disc, rod


def draw_seat(mesh: Mesh, rng: Rng, body: Body) -> None:
    """What a body sits, lies or rides on."""
    if body.seat in ("chair", "low"):
        kinds = {
            _chair: 4.0,
            _bench: 2.0,
            _box: 2.0,
            _sofa: 2.0,
            _stool: 1.0,
            _rock: 0.7,
            _steps: 1.5,
        }
        if body.seat == "low":
            kinds = {_steps: 3.0, _box: 2.0, _bench: 1.0, _rock: 1.5}
        pick(rng, kinds)(mesh, rng, body)
    elif body.seat == "saddle":
        pick(rng, {bicycle: 3.0, motorbike: 2.0, horse: 1.4, _box: 0.4})(mesh, rng, body)
    elif body.seat == "floor" and chance(rng, 0.35):
        _mat(mesh, rng, body)


def _top(body: Body) -> float:
    """Height of what carries the pelvis."""
    return float(body.pelvis[1]) - 0.078 * body.build.thick


def _chair(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    top, size = _top(body), body.build.stature
    material, frame = stuff(rng), stuff(rng)
    half = between(rng, 0.12, 0.15) * size
    middle = body.pelvis * (1.0, 0.0, 1.0) + front * 0.04 * size + UP * (top - 0.02)
    add(mesh, block(middle, UP, front, (half, 0.025, half)), material)
    high = between(rng, 0.15, 0.33) * size
    back = middle - front * (half + 0.01) + UP * high * 0.6
    add(mesh, block(back, UP, front, (half, high * 0.55, 0.02)), material)
    for x in (-0.9, 0.9):
        for z in (-0.9, 0.9):
            foot = middle + left * half * x * 1.1 + front * half * z * 1.1
            add(mesh, rod([foot, foot - UP * (foot[1])], 0.016), frame)
    if chance(rng, 0.35):
        for x in (-1.1, 1.1):
            arm = middle + left * half * x + UP * 0.13 * size
            add(mesh, rod([arm - front * half, arm + front * half], 0.018), frame)


def _stool(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    middle = body.pelvis * (1.0, 0.0, 1.0) + UP * (_top(body) - 0.03)
    add(mesh, disc(middle, UP, between(rng, 0.15, 0.22), 0.03), stuff(rng))
    leg = stuff(rng)
    for a in (0.5, 2.6, 4.7):
        way = left * np.cos(a) + front * np.sin(a)
        add(mesh, rod([middle + way * 0.1, middle * (1.0, 0.0, 1.0) + way * 0.22], 0.018), leg)


def _bench(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    top = _top(body)
    wide = between(rng, 0.5, 1.4)
    middle = body.pelvis * (1.0, 0.0, 1.0) + left * between(rng, -0.4, 0.4) + UP * (top - 0.03)
    material = stuff(rng)
    add(mesh, block(middle, UP, front, (wide, 0.03, 0.22)), material)
    for x in (-0.8, 0.8):
        leg = middle + left * wide * x - UP * top * 0.5
        add(mesh, block(leg, UP, front, (0.04, top * 0.48, 0.18)), material)
    if chance(rng, 0.6):
        for y in (0.18, 0.36)[: int(rng.integers(1, 3))]:
            add(
                mesh, block(middle - front * 0.25 + UP * y, UP, front, (wide, 0.07, 0.02)), material
            )


def _box(mesh: Mesh, rng: Rng, body: Body) -> None:
    """A wall, a crate or a ledge."""
    left, front = axes(body)
    top = max(_top(body), 0.05)
    wide, deep = between(rng, 0.25, 1.8), between(rng, 0.14, 0.4)
    middle = (
        body.pelvis * (1.0, 0.0, 1.0)
        + left * between(rng, -0.3, 0.3) * wide
        - front * (deep - 0.16)
    )
    add(mesh, block(middle + UP * top * 0.5, UP, front, (wide, top * 0.5, deep), 8.0), stuff(rng))


def _steps(mesh: Mesh, rng: Rng, body: Body) -> None:
    _, front = axes(body)
    top = max(_top(body), 0.08)
    material = stuff(rng)
    rise, deep = between(rng, 0.14, 0.2), between(rng, 0.26, 0.4)
    for k in range(-int(top / rise), 3):
        height = top + k * rise
        if height > 0.03:
            middle = body.pelvis * (1.0, 0.0, 1.0) - front * (k * deep + deep * 0.5 - 0.2)
            add(
                mesh,
                block(
                    middle + UP * height * 0.5, UP, front, (2.0, height * 0.5, deep * 0.52), 10.0
                ),
                material,
            )


def _sofa(mesh: Mesh, rng: Rng, body: Body) -> None:
    left, front = axes(body)
    top = _top(body)
    material = cloth(rng, plain=0.6, folds=(0.2, 0.8))
    wide = between(rng, 0.4, 1.0)
    middle = body.pelvis * (1.0, 0.0, 1.0) + left * between(rng, -0.5, 0.5) * (wide - 0.35)
    add(mesh, block(middle + UP * top * 0.5, UP, front, (wide, top * 0.52, 0.34), 4.0), material)
    back = middle - front * 0.36 + UP * (top + 0.2)
    add(mesh, block(back, UP, front, (wide, between(rng, 0.2, 0.42), 0.12), 4.0), material)
    for x in (-1.0, 1.0):
        add(
            mesh,
            block(
                middle + left * wide * x + UP * (top * 0.5 + 0.1),
                UP,
                front,
                (0.1, top * 0.5 + 0.12, 0.38),
                4.0,
            ),
            material,
        )


def _rock(mesh: Mesh, rng: Rng, body: Body) -> None:
    top = max(_top(body), 0.06)
    middle = body.pelvis * (1.0, 0.0, 1.0) + UP * top * 0.35
    material = plain(palette.wall(rng), texture="stains", second=palette.wall(rng), period=0.8)
    add(
        mesh,
        blob(rng, middle, (between(rng, 0.3, 0.7), top * 0.7, between(rng, 0.3, 0.5)), 0.10),
        material,
    )


def _mat(mesh: Mesh, rng: Rng, body: Body) -> None:
    """A towel, a blanket, a mattress."""
    _, front = axes(body)
    thick = 0.01 if chance(rng, 0.7) else between(rng, 0.03, 0.12)
    middle = body.waist * (1.0, 0.0, 1.0) + UP * (0.004 + thick * 0.3)
    half = (between(rng, 0.35, 0.9), thick, between(rng, 0.5, 1.1))
    add(mesh, block(middle, UP, front, half, 8.0), cloth(rng, plain=0.4, folds=(0.1, 0.6)))
