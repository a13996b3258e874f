"""What surfaces are made of: colours, a texture, folds, gloss, and a picture printed on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth import palette
from c2l.synth.arrays import Floats
from c2l.synth.chance import Rng, chance, log_between, one_of
from c2l.synth.cloths import CLOTHS
from c2l.synth.palette import Colour


@dataclass(frozen=True)
class Material:
    """A material.

    Args:
        colour: its main colour.
        second: the second colour of its texture.
        third: the third one.
        texture: name of a texture of the bank.
        period: metres that one period of the texture covers.
        angle: by which the texture is turned, in radians.
        offset: where in the texture it lies, in periods.
        folds: strength of its folds, 0 for what is stiff.
        gloss: strength of its highlights.
        soft: how far light creeps around it, 0 to 1; skin, hair and wool are soft.
        glow: share of its colour that shines without light.
        picture: (h, w, 4) RGBA in 0 to 1 laid over it, or none.
        spot: where the picture lies in texture coordinates: across from, along from, across
            to, along to.
    """

    colour: Colour
    second: Colour
    third: Colour
    texture: str = "plain"
    period: float = 0.3
    angle: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    folds: float = 0.0
    gloss: float = 0.0
    soft: float = 0.2
    glow: float = 0.0
    picture: Floats | None = None
    spot: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


# How large one period of a cloth's texture is, in metres; what is missing is 0.15 to 0.6.
_PERIODS = {
    "plain": (0.2, 0.4), "marl": (0.1, 0.3), "denim": (0.15, 0.3), "knit": (0.12, 0.4),
    "cable": (0.2, 0.4), "rib": (0.08, 0.25), "quilt": (0.3, 0.6), "leather": (0.2, 0.5),
    "lace": (0.08, 0.2), "corduroy": (0.1, 0.2), "sequins": (0.15, 0.4), "mesh": (0.08, 0.2),
    "houndstooth": (0.1, 0.5), "herringbone": (0.08, 0.3), "camouflage": (0.4, 1.0),
    "tie-dye": (0.5, 1.5), "fur": (0.1, 0.4), "photo-print": (0.3, 1.0),
}  # fmt: skip
PATTERNS = tuple(name for name in CLOTHS if name not in ("plain", "marl", "denim", "leather"))
_FLAT = ("plain", "plain", "plain", "plain", "marl", "rib", "mesh")


def cloth(
    rng: Rng,
    *,
    plain: float = 0.5,
    texture: str = "",
    colour: Colour | None = None,
    folds: tuple[float, float] = (0.25, 1.0),
) -> Material:
    """A random material for a garment.

    Args:
        rng: source of choices.
        plain: probability of a cloth of one colour.
        texture: its texture; a random one without it.
        colour: its main colour; a random one without it.
        folds: range of the strength of its folds.
    """
    texture = texture or (one_of(rng, _FLAT) if chance(rng, plain) else one_of(rng, PATTERNS))
    main = palette.cloth(rng) if colour is None else colour
    if texture == "denim" and colour is None:
        main = palette.denim(rng)
    second = palette.cloth(rng) if texture != "denim" else np.minimum(main * 1.6 + 0.08, 1.0)
    if texture in ("marl", "fur") or chance(rng, 0.3):  # tone on tone
        second = np.clip(main * np.float32(rng.uniform(0.6, 1.5)) + np.float32(0.02), 0.0, 1.0)
    low, high = _PERIODS.get(texture, (0.15, 0.6))
    shiny = texture in ("sequins", "leather", "quilt", "diamonds") or chance(rng, 0.12)
    return Material(
        colour=main,
        second=second.astype(np.float32),
        third=palette.cloth(rng),
        texture=texture,
        period=log_between(rng, low, high),
        angle=float(rng.normal(0.0, 0.06)) if chance(rng, 0.9) else rng.random() * 6.28,
        offset=(rng.random(), rng.random()),
        folds=rng.uniform(*folds),
        gloss=rng.uniform(0.1, 0.7) if shiny else rng.uniform(0.0, 0.06),
        soft=0.3 if texture in ("knit", "cable", "fur", "marl") else 0.15,
    )


def plain(
    colour: Colour,
    *,
    texture: str = "plain",
    second: Colour | None = None,
    period: float = 0.3,
    gloss: float = 0.1,
    folds: float = 0.0,
    soft: float = 0.1,
    glow: float = 0.0,
) -> Material:
    """A material of one colour, or of two with a texture."""
    other = colour if second is None else second
    return Material(
        colour, other, other, texture=texture, period=period, gloss=gloss, folds=folds, soft=soft,
        glow=glow,
    )  # fmt: skip


def leather(rng: Rng) -> Material:
    """What shoes, bags and belts are made of."""
    if chance(rng, 0.2):
        return cloth(rng, plain=0.3, folds=(0.1, 0.4))
    colour = palette.leather(rng)
    second = np.clip(colour * np.float32(rng.uniform(0.4, 1.5)), 0.0, 1.0)
    return Material(
        colour, second, second, texture="leather", period=0.3, gloss=rng.uniform(0.0, 0.6),
        folds=rng.uniform(0.05, 0.3), offset=(rng.random(), rng.random()),
    )  # fmt: skip


def stuff(rng: Rng) -> Material:
    """What things are made of: wood, metal, plastic, paper, cloth."""
    kind = rng.random()
    if kind < 0.2:
        return cloth(rng, plain=0.4)
    colour, second = palette.wall(rng), palette.wall(rng)
    texture = one_of(
        rng, ("plain", "plain", "concrete", "wood", "planks", "stains", "text", "clutter", "marble")
    )
    if texture in ("wood", "planks"):
        colour = palette.jitter(
            rng, one_of(rng, ((0.55, 0.38, 0.24), (0.36, 0.24, 0.16), (0.75, 0.62, 0.46))), 0.06
        )
        second = colour * np.float32(0.6)
    return Material(
        colour, second, palette.wall(rng), texture=texture, period=log_between(rng, 0.2, 1.0),
        angle=float(rng.integers(4)) * 1.5708, offset=(rng.random(), rng.random()),
        gloss=rng.uniform(0.0, 0.5), folds=0.0,
    )  # fmt: skip
