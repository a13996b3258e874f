"""One dressed person: body, head and clothes, chosen at random and put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from c2l.synth import labels, palette
from c2l.synth.body import draw_arms, draw_trunk
from c2l.synth.chance import Rng, chance
from c2l.synth.extras import draw_bag, draw_belt, draw_scarf
from c2l.synth.figure import Figure
from c2l.synth.hair import Hair, draw_hair, sample_hair
from c2l.synth.head import Face, draw_beard, draw_head, head_of, sample_face
from c2l.synth.headwear import COVERING, draw_glasses, draw_hat, draw_headphones
from c2l.synth.lower import draw_lower
from c2l.synth.materials import Material
from c2l.synth.mesh import Mesh
from c2l.synth.outfit import Outfit, sample_outfit
from c2l.synth.poses import sample_body
from c2l.synth.skeleton import Body, sample_build
from c2l.synth.upper import draw_coat, draw_top
from c2l.synth.wardrobe import TOPS


@dataclass
class Person:
    """A person before it is drawn."""

    body: Body
    skin: Material
    face: Face
    hair: Hair
    outfit: Outfit
    rng: Rng


def sample_person(
    rng: Rng, *, warm: float, child: bool, poses: Mapping[str, float] | None = None
) -> Person:
    """A random person around the origin, facing +z.

    Args:
        rng: source of every choice, kept for the small ones of the drawing.
        warm: 0 in winter, 1 on the beach.
        child: whether it is one.
        poses: weights of poses by name, or none for the usual ones.
    """
    build = sample_build(rng, child=child)
    body = sample_body(rng, build, poses)
    tone = palette.skin(rng)
    skin = Material(
        tone, np.clip(tone * (1.05, 0.94, 0.92), 0, 1).astype(np.float32), tone, texture="skin",
        period=0.5, offset=(rng.random(), rng.random()), gloss=rng.uniform(0.02, 0.22), soft=0.45,
    )  # fmt: skip
    colour = palette.hair(rng)
    if build.old and chance(rng, build.old):
        colour = np.full(3, rng.uniform(0.5, 0.9), dtype=np.float32)
    group = 2 if build.child else 0 if build.curvy > 0.25 else 1
    face = sample_face(rng, tone, colour, child=build.child, curvy=build.curvy, old=build.old)
    hair = sample_hair(rng, colour, group=group, old=build.old)
    return Person(body, skin, face, hair, sample_outfit(rng, build, warm=warm), rng)


def draw_person(mesh: Mesh, person: Person, detail: float) -> None:
    """Add a person to a mesh.

    Args:
        mesh: takes the surfaces.
        person: who is drawn.
        detail: see `Figure`.
    """
    figure = Figure(mesh, person.body, person.rng, detail)
    outfit, skin = person.outfit, person.skin
    head = head_of(figure, person.face)
    top = TOPS[outfit.top]
    bare = not outfit.dress and (top.hem[0] > 6 or outfit.top == "none")
    draw_trunk(figure, skin, labels.FACE, bare)
    draw_arms(figure, skin, outfit.gloves)
    draw_lower(figure, outfit, skin)
    draw_top(figure, outfit)
    draw_coat(figure, outfit)
    draw_belt(figure, outfit)
    draw_head(figure, head, skin)
    draw_beard(figure, head, person.hair.material)
    if outfit.hat != "veil":
        draw_hair(figure, head, person.hair, flat=outfit.hat in COVERING)
    if outfit.hat != "none":
        cloth = outfit.hat_cloth
        if outfit.hat == "hood":
            cloth = outfit.coat_cloth if outfit.coat != "none" else outfit.top_cloth
        draw_hat(figure, head, outfit.hat, cloth)
    if outfit.glasses != "none":
        draw_glasses(figure, head, outfit.glasses, person.rng)
    if outfit.headphones is not None:
        draw_headphones(figure, head, outfit.headphones)
    draw_scarf(figure, outfit)
    draw_bag(figure, outfit)
