"""What a person wears: a consistent choice of garments, hair and things carried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth import palette
from c2l.synth.palette import Colour
from c2l.synth.streams import pick
from c2l.synth.textures import Cloth, plain_cloth, sample_cloth

# Where a sleeve ends: 0 none, 1 on the upper arm, 2 below the elbow, 3 at the wrist.
SLEEVES = {"tank": 0, "tshirt": 1, "shirt": 3, "sweater": 3}


@dataclass(frozen=True)
class Outfit:
    """Everything that decides a person's looks beside body and pose; lengths in body heights."""

    skin: Colour
    hair: Colour
    hair_style: str  # short, bob, long, bun, ponytail, afro, shaved
    top: str  # tank, tshirt, shirt, sweater, or none with a dress
    top_cloth: Cloth
    sleeve: int
    loose: float  # extra width of the top
    tucked: bool
    coat: str  # none, jacket, coat
    coat_cloth: Cloth
    coat_open: float  # half width of its opening as a share of its width; 0 is buttoned up
    bottom: str  # trousers, jeans, leggings, shorts, skirt, dress
    bottom_cloth: Cloth
    length: float  # height of a skirt's or a dress's hem above the floor
    flare: float
    wide_leg: float
    tights: Colour | None
    shoe: str  # flat, boot, heel, trainer
    shoe_colour: Colour
    belt: Colour | None
    scarf: Cloth | None
    bag: str  # none, shoulder, hand, tote, backpack
    bag_cloth: Cloth
    hat: str  # none, beanie, cap, brim
    hat_cloth: Cloth
    glasses: bool


def _top(rng: np.random.Generator, dress: bool) -> tuple[str, int, Cloth]:
    top = pick(rng, ("tank", "tshirt", "shirt", "sweater"), (1.2, 2.6, 3.0, 2.6))
    sleeve = SLEEVES[top]
    if top == "shirt" and rng.random() < 0.3:
        sleeve = 2
    if dress:
        top, sleeve = "dress", pick(rng, (0, 1, 2, 3), (3, 3, 1, 2))
    kind = "knit" if top == "sweater" and rng.random() < 0.7 else top
    return top, sleeve, sample_cloth(rng, kind, plain=0.42)


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """A random outfit."""
    bottom = pick(
        rng,
        ("trousers", "jeans", "leggings", "shorts", "skirt", "dress"),
        (2.8, 2.6, 0.9, 1.4, 2.2, 2.2),
    )
    top, sleeve, top_cloth = _top(rng, bottom == "dress")
    coat = pick(rng, ("none", "jacket", "coat"), (5.0, 2.4, 1.8))
    kind = "jeans" if bottom == "jeans" or (bottom == "shorts" and rng.random() < 0.5) else bottom
    bottom_cloth = top_cloth if bottom == "dress" else sample_cloth(rng, kind, plain=0.62)
    bare = bottom in ("skirt", "dress", "shorts")
    length = pick(rng, (0.36, 0.29, 0.20, 0.10), (2.5, 3.0, 1.6, 0.7)) + rng.uniform(-0.03, 0.03)
    tights = palette.cloth(rng, dark=4.0) * 0.8 if bare and rng.random() < 0.28 else None
    return Outfit(
        skin=palette.skin(rng),
        hair=palette.hair(rng),
        hair_style=pick(
            rng,
            ("short", "bob", "long", "bun", "ponytail", "afro", "shaved"),
            (3.0, 2.0, 4.0, 1.3, 1.2, 0.5, 0.5),
        ),
        top=top,
        top_cloth=top_cloth,
        sleeve=sleeve,
        loose=rng.uniform(0.0, 0.018) + (0.006 if top == "sweater" else 0.0),
        tucked=bottom in ("skirt", "trousers") and rng.random() < 0.5,
        coat=coat,
        coat_cloth=sample_cloth(rng, "jeans" if rng.random() < 0.12 else "coat", plain=0.68),
        coat_open=rng.uniform(0.10, 0.42) if rng.random() < 0.68 else 0.0,
        bottom=bottom,
        bottom_cloth=bottom_cloth,
        length=length,
        flare=rng.uniform(0.0, 0.09),
        wide_leg=float(rng.beta(1.5, 3.5)),
        tights=tights,
        shoe=pick(rng, ("flat", "boot", "heel", "trainer"), (2.4, 2.4, 2.0, 2.0)),
        shoe_colour=palette.leather(rng),
        belt=palette.leather(rng) if rng.random() < 0.3 else None,
        scarf=sample_cloth(rng, "knit" if rng.random() < 0.4 else "scarf", plain=0.4)
        if rng.random() < (0.28 if coat != "none" else 0.08)
        else None,
        bag=pick(rng, ("none", "shoulder", "hand", "tote", "backpack"), (5.5, 1.8, 1.3, 1.0, 0.5)),
        bag_cloth=plain_cloth(palette.leather(rng), gloss=0.2)
        if rng.random() < 0.75
        else sample_cloth(rng, "bag", plain=0.2),
        hat=pick(rng, ("none", "beanie", "cap", "brim"), (8.0, 0.7, 0.6, 0.8)),
        hat_cloth=sample_cloth(rng, "knit" if rng.random() < 0.4 else "hat", plain=0.75),
        glasses=rng.random() < 0.25,
    )
