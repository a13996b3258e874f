"""What hands hold: phones, cups, books, bats, rackets, balls, umbrellas, boxes and more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from c2l.synth import palette
from c2l.synth.animals import draw_dog
from c2l.synth.arrays import Floats, unit, vec
from c2l.synth.chance import Rng, between, chance, one_of, pick
from c2l.synth.holds import axes, both_hands, grip
from c2l.synth.materials import cloth, plain, stuff
from c2l.synth.mesh import Mesh, tube_points
from c2l.synth.skeleton import SIDES, Body
from c2l.synth.solids import UP, add, ball, blob, block, disc, ring, rod

Holding = Callable[[Mesh, Rng, Body, int], None]


def _phone(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    frame = body.arms[side].frame[2]
    at = grip(body, side) + frame[:, 2] * 0.014
    glass = plain(vec(0.05, 0.05, 0.06) if chance(rng, 0.7) else palette.cloth(rng), gloss=0.6)
    add(mesh, block(at, frame[:, 1], frame[:, 2], (0.037, 0.074, 0.005), 8.0), glass)


def _camera(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    frame = body.head_frame
    at = both_hands(body, side, 0.4)
    dark = plain(vec(0.06, 0.06, 0.065), gloss=0.3)
    add(mesh, block(at, frame[:, 1], frame[:, 2], (0.065, 0.042, 0.03), 5.0), dark)
    add(
        mesh,
        rod([at, at + frame[:, 2] * between(rng, 0.05, 0.16)], between(rng, 0.028, 0.045), 10),
        dark,
    )


def _cup(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side) + body.arms[side].frame[2][:, 2] * 0.02
    radius, tall = between(rng, 0.028, 0.045), between(rng, 0.04, 0.07)
    add(mesh, rod([at - UP * tall, at + UP * tall], (radius * 0.8, radius), 10), stuff(rng))


def _bottle(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side)
    way = unit(UP + 0.3 * rng.normal(size=3))
    glass = plain(palette.cloth(rng), gloss=0.8)
    add(
        mesh,
        rod(
            [at - way * 0.1, at + way * 0.06, at + way * 0.1, at + way * 0.15],
            (0.032, 0.032, 0.014, 0.012),
            10,
        ),
        glass,
    )


def _book(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    """A book, a paper or a tablet held in one or both hands."""
    middle = both_hands(body, side, 0.6)
    face = unit(body.head - middle)
    up = unit(np.cross(face, body.chest_frame[:, 0]))
    large = between(rng, 0.08, 0.26)
    page = (
        plain(
            vec(0.9, 0.89, 0.85), texture="text", second=vec(0.25, 0.25, 0.27), period=large * 1.2
        )
        if chance(rng, 0.6)
        else stuff(rng)
    )
    add(mesh, block(middle, up, face, (large, large * between(rng, 0.6, 1.4), 0.008), 9.0), page)


def _laptop(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    middle = both_hands(body, side) - UP * 0.03
    _, front = axes(body)
    case = plain(one_of(rng, (vec(0.75, 0.75, 0.76), vec(0.1, 0.1, 0.11))), gloss=0.3)
    add(mesh, block(middle, UP, front, (0.17, 0.01, 0.12), 8.0), case)
    up = unit(UP + 0.3 * front)
    add(mesh, block(middle + front * 0.13 + up * 0.11, up, front, (0.17, 0.11, 0.006), 8.0), case)


def _ball(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    radius = between(rng, 0.033, 0.125)
    at = grip(body, side) + body.arms[side].frame[2][:, 2] * radius
    if chance(rng, 0.25):  # in the air
        at = at + rng.normal(0.0, 0.4, 3) + UP * 0.3
    add(mesh, ball(at, (radius, radius, radius)), cloth(rng, plain=0.6, folds=(0, 0)))


def _swung(rng: Rng, body: Body, side: int) -> tuple[Floats, Floats]:
    """Where a stick is held, and where it points."""
    arm = body.arms[side]
    lower = unit(arm.end - arm.middle)
    return grip(body, side), unit(
        lower * between(rng, 0.2, 1.0) + rng.normal(size=3) * 0.6 + UP * between(rng, -0.3, 0.9)
    )


def _bat(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at, way = _swung(rng, body, side)
    long = between(rng, 0.6, 1.1)
    add(
        mesh,
        rod(
            [at - way * 0.1, at + way * long * 0.4, at + way * long],
            (0.014, 0.018, between(rng, 0.018, 0.035)),
            8,
        ),
        stuff(rng),
    )


def _racket(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at, way = _swung(rng, body, side)
    frame = plain(palette.cloth(rng), gloss=0.4)
    add(mesh, rod([at - way * 0.08, at + way * 0.3], 0.014), frame)
    normal = unit(np.cross(way, rng.normal(size=3)))
    middle = at + way * 0.44
    add(mesh, ring(middle, normal, 0.14, 0.010), frame)
    across = np.cross(normal, way)
    string = plain(vec(0.85, 0.85, 0.8))
    for k in (-0.08, -0.027, 0.027, 0.08):
        reach = float(np.sqrt(0.14**2 - k**2))
        add(
            mesh,
            rod(
                [middle + across * k - way * reach, middle + across * k + way * reach], 0.0025, 4, 3
            ),
            string,
        )
        add(
            mesh,
            rod(
                [middle + way * k - across * reach, middle + way * k + across * reach], 0.0025, 4, 3
            ),
            string,
        )


def _frisbee(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side) - body.arms[side].frame[2][:, 1] * 0.1
    add(mesh, disc(at, UP + 0.4 * rng.normal(size=3), 0.13, 0.012), plain(palette.cloth(rng)))


def _umbrella(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side)
    way = unit(UP + 0.25 * rng.normal(size=3) * (1.0, 0.2, 1.0))
    top = at + way * between(rng, 0.55, 0.75)
    add(mesh, rod([at - way * 0.1, top], 0.008), plain(vec(0.1, 0.1, 0.1)))
    radius = between(rng, 0.4, 0.6)
    path = np.stack([top - way * radius * k for k in (0.5, 0.36, 0.14, 0.02, 0.0)])
    radii = np.array((1.0, 0.8, 0.45, 0.1, 0.01))[:, None] * radius * np.ones(2)
    from_ = tube_points(path, radii, unit(np.cross(way, (0.3, 0.2, 1.0)))[None], 8, 16)
    add(mesh, from_, cloth(rng, plain=0.6, folds=(0, 0.2)), both=True)


def _pole(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    """A cane, a broom, a flag's pole."""
    at = grip(body, side)
    low = at * (1.0, 0.0, 1.0) + rng.normal(0.0, 0.12, 3) * (1.0, 0.0, 1.0)
    way = unit(at - low)
    add(mesh, rod([low, at + way * between(rng, 0.05, 0.9)], between(rng, 0.01, 0.018)), stuff(rng))


def _parcel(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    """A box, a basket, a bundle before the body."""
    middle = both_hands(body, side, 0.7)
    front = body.chest_frame[:, 2]
    half = (between(rng, 0.08, 0.22), between(rng, 0.04, 0.16), between(rng, 0.06, 0.14))
    middle = middle + front * (half[2] * 0.8)
    if chance(rng, 0.3):
        add(mesh, blob(rng, middle, half, 0.15), cloth(rng, plain=0.4))
    else:
        add(mesh, block(middle, body.chest_frame[:, 1], front, half), stuff(rng))


def _plate(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side) + UP * 0.03
    add(mesh, disc(at, UP, between(rng, 0.08, 0.16), 0.008), stuff(rng))
    add(mesh, blob(rng, at + UP * 0.02, (0.07, 0.03, 0.07), 0.2), stuff(rng))


def _microphone(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    at = grip(body, side)
    way = unit(body.head - body.head_frame[:, 1] * 0.05 - at)
    dark = plain(vec(0.1, 0.1, 0.1))
    add(mesh, rod([at - way * 0.08, at + way * 0.09], 0.014), dark)
    add(mesh, ball(at + way * 0.11, (0.026, 0.026, 0.026)), plain(vec(0.3, 0.3, 0.3)))


def _guitar(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    frame = body.chest_frame
    left = frame[:, 0] * side
    middle = body.waist + frame[:, 2] * 0.17 - left * 0.1
    wood = stuff(rng)
    up = unit(left + 0.25 * frame[:, 1])
    add(mesh, block(middle, up, frame[:, 2], (0.16, 0.2, 0.045), 2.4), wood)
    add(
        mesh,
        rod([middle + up * 0.15, middle + up * 0.75], (0.03, 0.024), 6),
        plain(palette.leather(rng)),
    )


def _leash(mesh: Mesh, rng: Rng, body: Body, side: int) -> None:
    """A dog on a leash."""
    at = grip(body, side)
    place = at * (1.0, 0.0, 1.0) + np.array((between(rng, -0.7, 0.7), 0.0, between(rng, 0.0, 0.6)))
    draw_dog(mesh, rng, place)
    add(
        mesh,
        rod([at, (at + place) / 2 - UP * 0.05, place + UP * 0.35], 0.006, 4),
        plain(palette.leather(rng)),
    )


# What a hand that reaches so may hold, and how often; `none` for an empty hand.
HELD: dict[str, dict[str, float]] = {
    "ear": {"phone": 5.0, "none": 1.0},
    "phone": {"phone": 4.0, "book": 1.0, "cup": 0.5, "none": 1.0},
    "camera": {"camera": 4.0, "phone": 1.0},
    "mouth": {"cup": 2.0, "bottle": 1.5, "microphone": 1.0, "none": 1.0},
    "chin": {"none": 6.0, "phone": 0.4},
    "book": {"book": 4.0, "laptop": 0.6, "plate": 0.6, "parcel": 0.6, "guitar": 0.5},
    "carry": {"parcel": 3.0, "book": 1.0, "plate": 1.0, "none": 1.0, "guitar": 0.4, "ball": 0.5},
    "table": {"none": 4.0, "laptop": 1.2, "cup": 0.7, "book": 0.7},
    "lap": {"none": 5.0, "laptop": 1.0, "book": 1.0, "phone": 0.6, "parcel": 0.6},
    "swing": {"racket": 2.0, "bat": 2.5, "ball": 0.6, "none": 1.0},
    "throw": {"ball": 2.0, "racket": 1.5, "frisbee": 1.0, "bat": 1.0, "none": 0.6},
    "raised": {"none": 3.0, "racket": 1.0, "ball": 0.8, "umbrella": 0.8, "phone": 0.4,
        "frisbee": 0.4},
    "wave": {"none": 3.0, "umbrella": 2.0, "cup": 0.5, "ball": 0.5},
    "ahead": {"none": 3.0, "frisbee": 0.6, "ball": 0.6, "phone": 0.8, "bat": 0.4},
    "post": {"pole": 2.0, "none": 3.0, "bat": 0.5},
    "any": {"none": 5.0, "racket": 0.8, "bat": 0.7, "ball": 0.6, "cup": 0.5, "bottle": 0.6,
        "book": 0.4, "umbrella": 0.4},
    "fore": {"none": 6.0, "bottle": 0.5, "phone": 0.6, "pole": 0.4, "cup": 0.4, "umbrella": 0.4},
    "loose": {"none": 6.0, "bottle": 0.6, "phone": 0.4, "racket": 0.4, "ball": 0.4, "leash": 0.6,
        "bat": 0.3},
    "down": {"none": 9.0, "bottle": 0.5, "leash": 0.4, "book": 0.3, "pole": 0.3},
    "knee": {"none": 7.0, "bottle": 0.5, "phone": 0.6, "cup": 0.5},
}  # fmt: skip
_HOLD: dict[str, Holding] = {
    "phone": _phone, "camera": _camera, "cup": _cup, "bottle": _bottle, "book": _book,
    "laptop": _laptop, "ball": _ball, "bat": _bat, "racket": _racket, "frisbee": _frisbee,
    "umbrella": _umbrella, "pole": _pole, "parcel": _parcel, "plate": _plate,
    "microphone": _microphone, "guitar": _guitar, "leash": _leash,
}  # fmt: skip
_BOTH = {"camera", "book", "laptop", "parcel", "guitar"}  # held once, by both hands


def draw_held(mesh: Mesh, rng: Rng, body: Body) -> None:
    """What the hands hold."""
    done: set[str] = set()
    for side in SIDES:
        kinds = HELD.get(body.hands[side])
        thing = pick(rng, kinds) if kinds else "none"
        if thing != "none" and not (thing in _BOTH and done):
            _HOLD[thing](mesh, rng, body, side)
            done.add(thing)
