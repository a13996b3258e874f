"""Composes a drawing from a seed and an index: place, light, people, things, camera, film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats
from c2l.synth.camera import FRAMINGS, Camera, aim
from c2l.synth.chance import Part, Rng, between, chance, log_between, pick, stream
from c2l.synth.film import develop
from c2l.synth.grounds import PLACES, draw_ground, sample_place
from c2l.synth.light import Shadows, sample_light
from c2l.synth.mesh import Mesh
from c2l.synth.obstacles import draw_before
from c2l.synth.person import Person, draw_person, sample_person
from c2l.synth.render import SAMPLES, Shot, render
from c2l.synth.skeleton import spin
from c2l.synth.things import draw_things

Picture = NDArray[np.uint8]

_EMPTY = 0.015  # share of drawings without people
_LEAST = 0.012  # share of a picture that people take at least, or it is taken again
_COUNTS = {1: 6.2, 2: 2.0, 3: 0.9, 4: 0.5, 5: 0.4}
# How far people are turned from the camera, in degrees, and how often.
_TURNS = {(0, 25): 5.0, (25, 60): 3.4, (60, 120): 2.0, (120, 180): 1.8}
_SAFE = {name: float(name in ("full", "tight", "hips")) for name in FRAMINGS}


def draw(seed: int, index: int, width: int, height: int) -> tuple[Picture, Picture]:
    """A drawing with its labels, a pure function of the arguments.

    Args:
        seed: seed of the set, >= 0.
        index: index of the drawing in the set, >= 0.
        width: width in pixels.
        height: height in pixels.

    Returns:
        picture (H, W, 3) uint8 RGB, and labels (H, W) uint8 of ATR's 18 label ids.
    """
    layers = draw_layers(seed, index, width, height)
    return layers.picture, layers.shot.labels


@dataclass(frozen=True)
class Layers:
    """A drawing taken apart.

    `picture` is (H, W, 3) uint8; `shot` is what is seen of people and things, `ground` (H, W, 3)
    float32 the light of the place behind them; `place` and `framing` are names.
    """

    picture: Picture
    shot: Shot
    ground: Floats
    place: str
    framing: str


def draw_layers(seed: int, index: int, width: int, height: int) -> Layers:
    """As `draw`, with what it is composed of."""
    layout = stream(seed, index, Part.LAYOUT)
    place = sample_place(layout)
    light = sample_light(layout, PLACES[place].light)
    people = _people(layout, seed, index, place)
    empty = chance(layout, _EMPTY)
    things = [stream(seed, index, Part.THINGS + n) for n in range(len(people))]
    for safe in (False, True):
        camera, framing = aim(
            layout, [p.body for p in people], width, height, _SAFE if safe else {}
        )
        mesh = _mesh(people, things, place, camera, framing, empty=empty, clear=safe)
        triangles = mesh.finish()
        shadows = Shadows(triangles, light)
        shot = render(triangles, mesh, camera, light, shadows, width, height)
        if empty or (shot.labels > 0).mean() >= _LEAST:
            break
    defocus = log_between(layout, 0.4, 6.0) * width / 160 if chance(layout, 0.6) else 0.0
    share = between(layout, 0.4, 0.9) if chance(layout, 0.3) else 0.0
    ground = draw_ground(
        stream(seed, index, Part.GROUND), place, width, height, camera, light, shadows, triangles,
        _worn(people), share, defocus,
    )  # fmt: skip
    scene = ground * (1.0 - shot.cover[..., None]) + shot.light
    picture = develop(stream(seed, index, Part.FILM), scene, shot.labels > 0)
    return Layers(picture, shot, ground, place, framing)


def _people(rng: Rng, seed: int, index: int, place: str) -> list[Person]:
    """The people, the one whom the picture is about first."""
    warm = between(rng, *PLACES[place].warm)
    people = []
    gap, yaw = between(rng, 0.32, 0.75), _yaw(rng)
    for n in range(pick(rng, _COUNTS)):
        own = stream(seed, index, Part.PERSON + n)
        dressed = float(np.clip(warm + own.normal(0.0, 0.1), 0.0, 1.0))
        person = sample_person(own, warm=dressed, child=chance(own, 0.16))
        turn, x, z = yaw, 0.0, 0.0
        if n:
            turn = yaw + float(own.normal(0.0, 25.0)) if chance(own, 0.7) else _yaw(own)
            x = (n + 1) // 2 * (1 if n % 2 else -1) * gap * between(own, 0.7, 1.3)
            z = between(own, -0.5, 0.25)
        person.body.move(spin(turn), np.array((x, 0.0, z)))
        people.append(person)
    return people


def _yaw(rng: Rng) -> float:
    return between(rng, *pick(rng, _TURNS)) * (1 if chance(rng, 0.5) else -1)


def _mesh(
    people: Sequence[Person], things: Sequence[Rng], place: str, camera: Camera, framing: str,
    *, empty: bool, clear: bool,
) -> Mesh:  # fmt: skip
    """People and things; `empty` leaves out the people, `clear` what stands before them."""
    mesh = Mesh()
    close = clear or framing in ("chest", "head")
    for person, own in zip(people, things, strict=True):
        if not empty:
            draw_person(mesh, person, _detail(person, camera))
        draw_things(mesh, own, person.body, place, camera.place, close=close)
    if not mesh.sheets:
        draw_before(mesh, things[0], people[0].body, camera.place)
    return mesh


def _detail(person: Person, camera: Camera) -> float:
    """See `Figure`: from how tall the person would stand in the picture."""
    away = max(float((person.body.chest - camera.place) @ -camera.turn[2]), 0.3)
    tall = camera.zoom / away * person.body.build.stature * SAMPLES
    return float(np.clip(tall / 300.0, 0.12, 2.0))


def _worn(people: Sequence[Person]) -> list[Floats]:
    """Colours of clothes, skin and hair, which places may share."""
    materials = [
        m
        for p in people
        for m in (
            p.outfit.top_cloth,
            p.outfit.bottom_cloth,
            p.outfit.coat_cloth,
            p.skin,
            p.hair.material,
        )
    ]
    return [m.colour for m in materials]
