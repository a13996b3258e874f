"""What stands before people and hides a part of them: tables, rails, plants, bicycles, posts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from c2l.synth import palette
from c2l.synth.animals import draw_dog
from c2l.synth.arrays import Floats, unit, vec
from c2l.synth.chance import Rng, between, chance, one_of, pick
from c2l.synth.holds import axes, flat
from c2l.synth.materials import cloth, plain, stuff
from c2l.synth.mesh import Mesh
from c2l.synth.mounts import wheel
from c2l.synth.prints import screen_picture
from c2l.synth.skeleton import Body
from c2l.synth.solids import UP, add, blob, block, disc, ring, rod


def draw_before(mesh: Mesh, rng: Rng, body: Body, camera: Floats) -> None:
    """Something that stands before a person and hides a part of it."""
    way = flat(camera - body.pelvis)
    seated = body.seat == "chair"
    kinds: dict[Callable[[Mesh, Rng, Body, Floats], None], float] = {
        _table: 3.0 if seated else 1.0, _rail: 1.4, _counter: 1.0, _plant: 1.0, _dog: 0.8,
        _crate: 1.0, _pram: 0.5, _parked: 0.6, _post: 0.8, _screen: 0.5,
    }  # fmt: skip
    pick(rng, kinds)(mesh, rng, body, way)


def _before(body: Body, way: Floats, low: float, high: float, rng: Rng) -> Floats:
    side = np.cross(UP, way)
    return np.asarray(
        body.pelvis * (1.0, 0.0, 1.0)
        + way * between(rng, low, high)
        + side * between(rng, -0.35, 0.35)
    )


def _table(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    if body.seat == "chair" and chance(rng, 0.7):
        way = axes(body)[1]
    middle = _before(body, way, 0.45, 0.65, rng)
    high = float(body.chest[1]) - between(rng, 0.14, 0.22) * body.build.stature
    high = max(high, 0.3)
    material = stuff(rng)
    half = (between(rng, 0.4, 1.2), 0.02, between(rng, 0.22, 0.4))
    if chance(rng, 0.3):
        add(mesh, disc(middle + UP * high, UP, half[2] * 1.3, 0.02), material)
    else:
        add(mesh, block(middle + UP * high, UP, way, half, 9.0), material)
    add(mesh, rod([middle + UP * high, middle], 0.04), material)
    side = np.cross(UP, way)
    for _ in range(int(rng.integers(0, 6))):
        at = (
            middle
            + UP * (high + 0.03)
            + side * between(rng, -0.4, 0.4)
            + way * between(rng, -0.1, 0.2)
        )
        kind = int(rng.integers(4))
        if kind == 0:
            add(
                mesh,
                rod([at, at + UP * between(rng, 0.06, 0.26)], (0.04, 0.03), 8),
                plain(palette.cloth(rng), gloss=0.6),
            )
        elif kind == 1:
            add(mesh, disc(at, UP, between(rng, 0.06, 0.16), 0.012), stuff(rng))
        elif kind == 2:
            tall = between(rng, 0.02, 0.22)
            add(
                mesh,
                block(
                    at + UP * tall,
                    UP,
                    way,
                    (between(rng, 0.05, 0.2), tall, between(rng, 0.01, 0.1)),
                    7.0,
                ),
                screen_picture(rng, stuff(rng)),
            )
        else:
            add(
                mesh,
                blob(rng, at + UP * 0.03, (between(rng, 0.04, 0.12), 0.05, 0.08), 0.15),
                stuff(rng),
            )


def _rail(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    middle, side = _before(body, way, 0.3, 1.2, rng), np.cross(UP, way)
    metal, high = stuff(rng), between(rng, 0.6, 1.15)
    for y in np.linspace(high, 0.15, int(rng.integers(1, 6))):
        add(
            mesh,
            rod(
                [middle - side * 3 + UP * y, middle + side * 3 + UP * y], between(rng, 0.012, 0.035)
            ),
            metal,
        )
    if chance(rng, 0.5):
        for x in np.arange(-2.4, 2.5, between(rng, 0.14, 0.6)):
            add(mesh, rod([middle + side * x, middle + side * x + UP * high], 0.012, 5, 3), metal)


def _counter(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    middle = _before(body, way, 0.4, 0.8, rng)
    high = between(rng, 0.45, 0.66) * body.build.stature
    add(
        mesh,
        block(middle + UP * high * 0.5, UP, way, (between(rng, 0.25, 1.5), high * 0.5, 0.2), 9.0),
        stuff(rng),
    )


def _plant(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    green = plain(
        palette.foliage(rng),
        texture=one_of(rng, ("leaves", "foliage", "bush", "grass")),
        second=palette.foliage(rng),
        period=0.8,
    )
    for _ in range(int(rng.integers(1, 5))):
        middle = _before(body, way, 0.3, 1.4, rng) + np.cross(UP, way) * rng.normal(0, 0.4)
        tall = between(rng, 0.1, 0.6)
        add(
            mesh,
            blob(rng, middle + UP * tall * 0.6, (between(rng, 0.15, 0.5), tall, 0.3), 0.3),
            green,
        )


def _dog(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    draw_dog(mesh, rng, _before(body, way, 0.3, 0.9, rng))


def _crate(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    for _ in range(int(rng.integers(1, 4))):
        middle, tall = _before(body, way, 0.35, 1.2, rng), between(rng, 0.1, 0.4)
        add(
            mesh,
            block(
                middle + UP * tall,
                UP,
                unit(way + 0.5 * rng.normal(size=3) * (1, 0, 1)),
                (between(rng, 0.1, 0.4), tall, between(rng, 0.1, 0.3)),
            ),
            stuff(rng),
        )


def _pram(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    front = axes(body)[1]
    left = np.cross(UP, front)
    middle = body.pelvis * (1.0, 0.0, 1.0) + front * 0.7
    add(mesh, blob(rng, middle + UP * 0.6, (0.22, 0.2, 0.36), 0.06), cloth(rng, plain=0.7))
    for x in (-0.24, 0.24):
        for z in (-0.3, 0.3):
            add(
                mesh,
                ring(middle + left * x + front * z + UP * 0.13, left, 0.11, 0.018, 14),
                plain(vec(0.08, 0.08, 0.08)),
            )
        add(
            mesh,
            rod(
                [
                    middle + left * x - front * 0.45 + UP * 1.0,
                    middle + left * x + front * 0.3 + UP * 0.2,
                ],
                0.012,
            ),
            plain(vec(0.6, 0.6, 0.6)),
        )


def _parked(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    """A bicycle that leans there."""
    middle, side = _before(body, way, 0.35, 0.9, rng), np.cross(UP, way)
    paint = plain(palette.cloth(rng), gloss=0.5)
    hubs = [middle + side * x + UP * 0.34 for x in (-0.52, 0.52)]
    for hub in hubs:
        wheel(mesh, rng, hub, way, 0.33, 0.018)
    seat, head, crank = (
        middle - side * 0.2 + UP * 0.85,
        middle + side * 0.38 + UP * 0.85,
        middle - side * 0.05 + UP * 0.3,
    )
    for a, b in (
        (seat, crank),
        (crank, head),
        (seat, head),
        (crank, hubs[0]),
        (seat, hubs[0]),
        (head, hubs[1]),
    ):
        add(mesh, rod([a, b], 0.015), paint)
    add(
        mesh,
        block(seat + UP * 0.06, UP, side, (0.06, 0.025, 0.12), 2.5),
        plain(vec(0.08, 0.07, 0.07)),
    )
    add(
        mesh,
        rod([head + UP * 0.15 - way * 0.22, head + UP * 0.2, head + UP * 0.15 + way * 0.22], 0.014),
        paint,
    )


def _post(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    middle = _before(body, way, 0.35, 1.2, rng)
    add(
        mesh,
        rod([middle, middle + UP * between(rng, 0.8, 4.0)], between(rng, 0.02, 0.09), 10),
        stuff(rng),
    )


def _screen(mesh: Mesh, rng: Rng, body: Body, way: Floats) -> None:
    """A screen, an easel or a sign."""
    middle = _before(body, way, 0.4, 0.9, rng)
    high = between(rng, 0.4, 0.75) * body.build.stature
    half = (between(rng, 0.15, 0.5), between(rng, 0.12, 0.35), 0.02)
    add(mesh, block(middle + UP * high, UP, way, half, 9.0), stuff(rng))
    add(mesh, rod([middle + UP * high, middle], 0.03), stuff(rng))
