"""All that is drawn around a person and labelled background."""

from __future__ import annotations

from c2l.synth.arrays import Floats
from c2l.synth.chance import Rng, chance
from c2l.synth.held import draw_held
from c2l.synth.mesh import Mesh
from c2l.synth.mounts import draw_underfoot
from c2l.synth.obstacles import draw_before
from c2l.synth.seats import draw_seat
from c2l.synth.skeleton import Body


def draw_things(
    mesh: Mesh, rng: Rng, body: Body, place: str, camera: Floats, *, close: bool
) -> None:
    """All things around one person.

    Args:
        mesh: takes them.
        rng: source of choices.
        body: the person's.
        place: name of the place.
        camera: (3,) where the camera stands.
        close: whether it sees little more than the head, which nothing hides then.
    """
    if chance(rng, 0.92):
        draw_seat(mesh, rng, body)
    draw_underfoot(mesh, rng, body, snow=place == "snow", water=place == "water")
    draw_held(mesh, rng, body)
    if chance(rng, 0.16) and not close:
        draw_before(mesh, rng, body, camera)
