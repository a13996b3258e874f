"""What a person wears: a consistent choice from the wardrobe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from c2l.synth import palette
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.headwear import GLASSES, HATS, sample_hat_cloth
from c2l.synth.materials import Material, cloth, leather, plain
from c2l.synth.skeleton import Build
from c2l.synth.wardrobe import BAGS, BOTTOMS, COATS, SHOES, TOPS


@dataclass(frozen=True)
class Outfit:
    """Everything that decides a person's looks beside body, pose and head."""

    top: str
    top_cloth: Material
    sleeve: float
    ease: float
    hang: float
    neck: str
    hem: float
    tucked: bool
    dress: bool
    bottom: str
    bottom_cloth: Material
    end: float
    leg_ease: float
    flare: float
    coat: str
    coat_cloth: Material
    coat_hem: float
    coat_ease: float
    coat_open: float  # half angle of the opening of its front in radians, 0 when buttoned up
    shoe: str
    shoe_cloth: Material
    tights: Material | None
    socks: Material | None
    belt: Material | None
    scarf: str
    scarf_cloth: Material
    bag: str
    bag_cloth: Material
    hat: str
    hat_cloth: Material
    glasses: str
    tie: Material | None
    gloves: Material | None
    headphones: Material | None


# Probability of what photographs show seldom, higher than there, so that it is learned.
RARE = {
    "hat": 0.30,
    "glasses": 0.30,
    "belt": 0.42,
    "scarf": 0.20,
    "bag": 0.34,
    "dress": 0.30,
    "skirt": 1.5,
}


def sample_outfit(rng: Rng, build: Build, *, warm: float) -> Outfit:
    """A random outfit.

    Args:
        rng: source of choices.
        build: the body.
        warm: 0 in winter, 1 on the beach.
    """
    group = 2 if build.child else 0 if build.curvy > 0.25 else 1
    dress = group != 1 and chance(rng, RARE["dress"])
    top_name = _top_name(rng, group, warm, dress)
    top = TOPS[top_name]
    bottom_name = _bottom_name(rng, group, warm, dress)
    bottom = BOTTOMS[bottom_name]
    top_cloth = _cloth(rng, top.plain, top.texture)
    bottom_cloth = (
        top_cloth
        if dress
        else _cloth(rng, bottom.plain, bottom.texture, dark=bottom.kind == "trousers")
    )
    if not dress and chance(rng, 0.06):
        bottom_cloth = top_cloth
    coated = chance(rng, 0.62 - 0.55 * warm) and top_name not in ("bikini", "none")
    coat_name = pick(rng, {n: c.often for n, c in COATS.items()}) if coated else "none"
    coat = COATS.get(coat_name, COATS["jacket"])
    bare = bottom.kind == "skirt" or bottom.end[1] < 6
    tucked = (
        not dress
        and bottom.kind != "briefs"
        and chance(rng, top.tuck if bottom.kind != "skirt" else 0.6)
    )
    coat_cloth = (
        bottom_cloth
        if coat_name == "blazer" and chance(rng, 0.35)
        else _cloth(rng, coat.plain, coat.texture, dark=True)
    )
    scarf_odds = RARE["scarf"] * (1.6 - 1.4 * warm)
    hat = pick(rng, HATS) if chance(rng, RARE["hat"]) else "none"
    visible_belt = tucked or dress or coat_name in ("coat", "trench", "robe") or top.hem[0] > 6
    return Outfit(
        top=top_name, top_cloth=top_cloth, sleeve=between(rng, *pick(rng, top.sleeves)),
        ease=between(rng, *top.ease), hang=between(rng, *top.hang), neck=pick(rng, top.neck),
        hem=between(rng, *top.hem), tucked=tucked, dress=dress, bottom=bottom_name,
        bottom_cloth=bottom_cloth, end=between(rng, *bottom.end),
        leg_ease=between(rng, *bottom.ease), flare=between(rng, *bottom.flare),
        coat=coat_name, coat_cloth=coat_cloth, coat_hem=between(rng, *coat.hem),
        coat_ease=between(rng, *coat.ease),
        coat_open=between(rng, 0.12, 1.0) if chance(rng, coat.open) else 0.0,
        shoe=_shoe(rng, group, warm), shoe_cloth=_shoe_cloth(rng),
        tights=_tights(rng) if bare and group != 1 and chance(rng, 0.38 - 0.3 * warm) else None,
        socks=plain(palette.cloth(rng), texture="rib", period=0.1) if chance(rng, 0.55) else None,
        belt=leather(rng) if chance(rng, RARE["belt"] * (1.4 if visible_belt else 0.5)) else None,
        scarf=pick(rng, {"loop": 3.0, "tied": 3.0, "hanging": 1.6, "shawl": 1.0,
            "neckerchief": 1.0}) if chance(rng, scarf_odds) else "none",
        scarf_cloth=cloth(rng, plain=0.45, folds=(0.6, 1.3)),
        bag=pick(rng, BAGS) if chance(rng, RARE["bag"]) else "none", bag_cloth=leather(rng),
        hat=hat, hat_cloth=sample_hat_cloth(rng, hat),
        glasses=pick(rng, GLASSES) if chance(rng, RARE["glasses"]) else "none",
        tie=cloth(rng, plain=0.4, folds=(0.0, 0.2)) if top_name == "shirt" and chance(rng,
            0.3) else None,
        gloves=plain(palette.dark_cloth(rng), texture="leather") if chance(rng,
            0.10 - 0.09 * warm) else None,
        headphones=plain(palette.leather(rng), gloss=0.3) if hat == "none" and chance(rng,
            0.03) else None,
    )  # fmt: skip


def _top_name(rng: Rng, group: int, warm: float, dress: bool) -> str:
    weights = {name: top.often for name, top in TOPS.items()}
    for name in ("tank", "crop", "strapless", "off"):
        weights[name] *= (0.2 if group == 1 and name != "tank" else 1.0) * (0.25 + 1.2 * warm)
    for name in ("sweater", "hoodie", "turtle", "suit"):
        weights[name] *= 1.6 - 1.4 * warm
    weights["bikini"] *= (3.0 * warm**2) if group != 1 else 0.0
    weights["none"] *= (5.0 * warm**2) if group == 1 else 0.2 * warm * (group == 2)
    for name in ("blouse", "fitted"):
        weights[name] *= 0.2 if group == 1 else 1.0
    if dress:
        worn = (
            "tee",
            "fitted",
            "blouse",
            "tank",
            "strapless",
            "off",
            "sweater",
            "turtle",
            "shirt",
            "long-tee",
        )
        weights = {name: weights[name] for name in worn} | {"tank": 4.0, "fitted": 4.0}
    return pick(rng, weights)


def _bottom_name(rng: Rng, group: int, warm: float, dress: bool) -> str:
    weights = {}
    for name, bottom in BOTTOMS.items():
        weights[name] = bottom.often[group] * (RARE["skirt"] if bottom.kind == "skirt" else 1.0)
        if bottom.kind == "briefs":
            weights[name] *= 6.0 * warm**2
        if bottom.kind == "trousers" and bottom.end[1] < 5:
            weights[name] *= 0.3 + 1.6 * warm
        if dress and bottom.kind != "skirt":
            weights[name] = 0.0
    return pick(rng, weights)


def _cloth(
    rng: Rng, plain_: float, texture: Mapping[str, float], *, dark: bool = False
) -> Material:
    if chance(rng, plain_):
        colour = palette.dark_cloth(rng) if dark and chance(rng, 0.7) else None
        return cloth(rng, plain=1.0, colour=colour)
    return cloth(rng, plain=0.0, texture=pick(rng, texture) if texture else "")


def _shoe(rng: Rng, group: int, warm: float) -> str:
    weights = dict(SHOES)
    for name in ("heel", "strappy", "boot"):
        weights[name] *= 0.05 if group else 1.3
    for name in ("sandal", "flipflop", "bare", "strappy"):
        weights[name] *= 0.2 + 2.0 * warm**1.5
    for name in ("ankle", "boot", "wellies"):
        weights[name] *= 1.5 - 1.3 * warm
    return pick(rng, weights)


def _shoe_cloth(rng: Rng) -> Material:
    material = leather(rng)
    if chance(rng, 0.2):
        return cloth(rng, plain=0.3, folds=(0.0, 0.1))
    return material


def _tights(rng: Rng) -> Material:
    colour = palette.dark_cloth(rng) * np.float32(0.8) if chance(rng, 0.75) else palette.cloth(rng)
    return cloth(rng, plain=0.85, colour=colour, folds=(0.0, 0.05))
