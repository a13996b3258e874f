"""Tables of tops, trousers, skirts, coats, shoes and bags, with how often each is worn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Where sleeves end, as numbers of `figure.ARM_AT`; 0 is none.
_CAP, _SHORT, _ELBOW, _THREE, _LONG = (1.3, 2.0), (2.3, 3.4), (3.6, 4.6), (5.6, 7.4), (8.4, 9.0)


@dataclass(frozen=True)
class Top:
    """A garment for the trunk, worn next to the skin.

    Args:
        often: its weight.
        sleeves: weights of ranges where the sleeves end.
        ease: range of how far it stands off, in statures.
        hang: range of how straight it falls from the chest, 0 to 1.
        neck: weights of necklines, see `upper.NECKS`.
        hem: range of its lower end, a number of the column's points.
        plain: probability of a plain cloth.
        texture: weights of textures, or none for any.
        tuck: probability that it is worn in the trousers or the skirt.
    """

    often: float
    sleeves: Mapping[tuple[float, float], float]
    ease: tuple[float, float]
    hang: tuple[float, float]
    neck: Mapping[str, float]
    hem: tuple[float, float] = (4.6, 5.4)
    plain: float = 0.6
    texture: Mapping[str, float] = field(default_factory=dict)
    tuck: float = 0.3


_TEE, _SCOOP = (
    {"crew": 3, "v": 1, "scoop": 1},
    {"scoop": 2, "v": 2, "crew": 1, "boat": 1, "square": 0.6},
)
TOPS: dict[str, Top] = {
    "tee": Top(5, {_SHORT: 1}, (0.005, 0.02), (0.5, 1.0), _TEE),
    "fitted": Top(2, {_CAP: 1, _SHORT: 2, _THREE: 1, _LONG: 2}, (0.003, 0.007), (0.0, 0.5),
        _SCOOP, tuck=0.5),
    "long-tee": Top(1.6, {_LONG: 1}, (0.004, 0.015), (0.3, 0.9), _TEE),
    "shirt": Top(4, {_LONG: 3, _ELBOW: 1.2, _SHORT: 1.2}, (0.007, 0.02), (0.6, 1.0), {"shirt": 5,
        "open": 1.2, "shut": 1.2},
                 plain=0.35, texture={"gingham": 2, "tartan": 2, "pinstripes": 1.5, "stripes": 1,
                     "floral": 1.5, "denim": 1.2,
                                      "windowpane": 0.7, "dots-small": 0.7, "floral-large": 1,
                                          "print": 0.3}, tuck=0.4),
    "blouse": Top(1.6, {_LONG: 2, _THREE: 1, _CAP: 1, (0.0, 0.0): 0.5}, (0.008, 0.025), (0.6, 1.0),
                  {"v": 2, "shirt": 1, "scoop": 1, "high": 0.7, "boat": 0.5}, plain=0.5, tuck=0.5),
    "sweater": Top(3, {_LONG: 4, _THREE: 0.5}, (0.010, 0.026), (0.6, 1.0), {"crew": 3, "v": 1,
        "high": 1.2}, plain=0.3,
                   texture={"knit": 4, "cable": 2, "rib": 2, "bars": 2, "marl": 2, "bars-wide": 1,
                       "fur": 0.5, "zigzag": 0.4}, tuck=0.1),
    "hoodie": Top(2, {_LONG: 1}, (0.014, 0.03), (0.7, 1.0), {"hood": 1}, plain=0.8, tuck=0.0),
    "polo": Top(1.2, {_SHORT: 4, _LONG: 1}, (0.006, 0.016), (0.4, 0.9), {"shirt": 1}, plain=0.6,
        texture={"bars": 2, "bars-wide": 2, "uneven": 1}),
    "tank": Top(2, {(0.0, 0.0): 1}, (0.004, 0.014), (0.2, 0.9), {"tank": 3, "straps": 2,
        "racer": 1}),
    "strapless": Top(0.3, {(0.0, 0.0): 1}, (0.003, 0.006), (0.0, 0.3), {"bare": 1}, hem=(4.8,
        7.5), plain=0.6),
    "off": Top(0.4, {_SHORT: 1, _LONG: 1}, (0.006, 0.018), (0.3, 0.9), {"off": 1}),
    "crop": Top(0.9, {_SHORT: 1, (0.0, 0.0): 1, _LONG: 0.6}, (0.004, 0.016), (0.3, 1.0),
        {**_SCOOP, "tank": 1, "straps": 1}, hem=(6.8, 8.3), tuck=0.0),
    "jersey": Top(1.5, {_SHORT: 3, _ELBOW: 1, (0.0, 0.0): 0.8}, (0.012, 0.026), (0.7, 1.0),
        {"crew": 1, "v": 2}, plain=0.55,
                  texture={"stripes-wide": 2, "bars-wide": 2, "mesh": 2, "triangles": 1,
                      "uneven": 1}),
    "turtle": Top(1.0, {_LONG: 1}, (0.004, 0.014), (0.1, 0.7), {"high": 1}, plain=0.75, tuck=0.3),
    "bikini": Top(0.5, {(0.0, 0.0): 1}, (0.003, 0.004), (0.0, 0.1), {"straps": 1}, hem=(8.2, 8.6),
        tuck=0.0),
    "none": Top(0.6, {(0.0, 0.0): 1}, (0.0, 0.0), (0.0, 0.0), {"bare": 1}),
    "suit": Top(0.8, {_LONG: 1}, (0.016, 0.03), (0.8, 1.0), {"crew": 1, "high": 1}, plain=0.5,
        tuck=0.0,
                texture={"uneven": 1, "bars-wide": 1, "patches": 1, "triangles": 0.5, "quilt": 1}),
}  # fmt: skip


@dataclass(frozen=True)
class Bottom:
    """A garment for the legs.

    Args:
        often: weights for women, men and children.
        kind: trousers, skirt or briefs.
        end: range of its lower end: a number of `figure.LEG_AT`, or of the column for skirts.
        ease: range of how far it stands off at the thigh, in statures.
        flare: range of the same at its lower end.
        plain: probability of a plain cloth.
        texture: weights of textures, or none for any.
    """

    often: tuple[float, float, float]
    kind: str
    end: tuple[float, float]
    ease: tuple[float, float]
    flare: tuple[float, float]
    plain: float = 0.7
    texture: Mapping[str, float] = field(default_factory=dict)


_DENIM = {"denim": 1.0}
BOTTOMS: dict[str, Bottom] = {
    "jeans": Bottom((4, 5, 3), "trousers", (8.3, 9.0), (0.003, 0.012), (0.004, 0.018), 0.0, _DENIM),
    "skinny": Bottom((2, 0.7, 0.7), "trousers", (8.0, 9.0), (0.002, 0.004), (0.002, 0.005), 0.5,
        {"denim": 3, "leather": 0.5}),
    "trousers": Bottom((2, 4, 1.5), "trousers", (8.4, 9.0), (0.006, 0.018), (0.008, 0.026), 0.8,
                       {"pinstripes": 1, "windowpane": 0.6, "herringbone": 0.6, "camouflage": 0.6,
                           "corduroy": 1, "tartan": 0.4}),
    "wide": Bottom((1.4, 0.3, 0.2), "trousers", (7.6, 9.0), (0.010, 0.024), (0.03, 0.075), 0.6),
    "leggings": Bottom((1.6, 0.3, 1), "trousers", (6.0, 9.0), (0.0015, 0.003), (0.0015, 0.003),
        0.75),
    "sweats": Bottom((0.8, 1.4, 1.6), "trousers", (8.2, 8.8), (0.012, 0.026), (0.010, 0.024),
        0.85, {"stripes-wide": 1, "marl": 2}),
    "overalls": Bottom((0.4, 0.4, 0.6), "trousers", (8.2, 9.0), (0.008, 0.022), (0.008, 0.024),
        0.3, {"denim": 3, "corduroy": 1}),
    "baseball": Bottom((0.2, 0.8, 0.3), "trousers", (5.6, 8.6), (0.008, 0.018), (0.006, 0.014),
        0.7, {"pinstripes": 2}),
    "shorts": Bottom((2, 2.2, 2.5), "trousers", (2.0, 3.6), (0.008, 0.024), (0.012, 0.045), 0.5,
        {"denim": 2, "floral-large": 1, "camouflage": 0.5, "tartan": 0.5, "stripes-wide": 0.6}),
    "short-shorts": Bottom((1.4, 0.2, 0.5), "trousers", (1.1, 1.9), (0.003, 0.012), (0.006, 0.03),
        0.5, {"denim": 3}),
    "bermuda": Bottom((0.5, 1.4, 1), "trousers", (3.4, 4.6), (0.010, 0.022), (0.014, 0.04), 0.6,
        {"denim": 1, "camouflage": 0.5}),
    "mini": Bottom((2.4, 0, 1.6), "skirt", (3.1, 3.9), (0.004, 0.02), (0.01, 0.10), 0.45,
        {"denim": 1, "tartan": 1, "floral": 1, "leather": 0.6}),
    "knee": Bottom((2.0, 0.02, 0.8), "skirt", (1.9, 2.9), (0.003, 0.02), (0.0, 0.10), 0.45),
    "pencil": Bottom((1.0, 0, 0), "skirt", (1.8, 2.8), (0.003, 0.006), (0.0, 0.006), 0.6),
    "circle": Bottom((1.2, 0, 0.8), "skirt", (1.8, 3.4), (0.01, 0.03), (0.10, 0.22), 0.4),
    "midi": Bottom((1.5, 0.02, 0.3), "skirt", (0.8, 1.8), (0.004, 0.024), (0.02, 0.12), 0.45),
    "maxi": Bottom((1.2, 0.05, 0.2), "skirt", (0.05, 0.7), (0.006, 0.03), (0.03, 0.15), 0.45),
    "briefs": Bottom((0.5, 0.4, 0.4), "briefs", (0.0, 0.0), (0.002, 0.004), (0.0, 0.0), 0.5),
}  # fmt: skip


@dataclass(frozen=True)
class Coat:
    """What is worn over the top.

    Args:
        often: its weight.
        hem: range of its lower end, a number of the column's points.
        ease: range of how far it stands off, in statures.
        open: probability that its front is open.
        sleeves: whether it has sleeves.
        collar: lapels, collar, hood, stand, or none.
        plain: probability of a plain cloth.
        texture: weights of textures, or none for any.
    """

    often: float
    hem: tuple[float, float]
    ease: tuple[float, float]
    open: float
    sleeves: bool
    collar: str
    plain: float = 0.8
    texture: Mapping[str, float] = field(default_factory=dict)


COATS: dict[str, Coat] = {
    "blazer": Coat(3, (4.2, 4.9), (0.014, 0.022), 0.65, True, "lapels", 0.7, {"pinstripes": 1,
        "windowpane": 1, "herringbone": 1, "tartan": 0.5}),
    "jacket": Coat(2.4, (4.6, 5.8), (0.016, 0.030), 0.5, True, "stand", 0.7),
    "denim": Coat(1.2, (5.0, 6.2), (0.012, 0.024), 0.7, True, "collar", 0.0, {"denim": 1}),
    "leather": Coat(1.2, (5.0, 6.2), (0.012, 0.022), 0.6, True, "lapels", 0.0, {"leather": 1}),
    "puffer": Coat(1.4, (3.8, 5.6), (0.034, 0.06), 0.35, True, "hood", 0.1, {"quilt": 4,
        "diamonds": 1}),
    "coat": Coat(2.4, (1.6, 3.6), (0.020, 0.036), 0.45, True, "lapels", 0.6, {"herringbone": 1,
        "windowpane": 1, "tartan": 1, "marl": 2}),
    "trench": Coat(1.0, (1.4, 2.8), (0.018, 0.032), 0.5, True, "collar", 0.95),
    "parka": Coat(1.0, (3.0, 4.2), (0.026, 0.045), 0.4, True, "hood", 0.9),
    "cardigan": Coat(1.8, (2.8, 5.4), (0.012, 0.026), 0.9, True, "none", 0.2, {"knit": 3,
        "rib": 2, "cable": 1, "bars": 1, "marl": 1}),
    "zip-hoodie": Coat(1.4, (4.7, 5.4), (0.016, 0.030), 0.7, True, "hood", 0.9),
    "vest": Coat(1.0, (4.8, 6.2), (0.014, 0.034), 0.5, False, "none", 0.6, {"quilt": 2, "knit": 1,
        "denim": 1}),
    "fur": Coat(0.5, (3.0, 5.5), (0.034, 0.055), 0.6, True, "stand", 0.0, {"fur": 1}),
    "robe": Coat(0.5, (0.4, 2.0), (0.02, 0.04), 0.5, True, "none", 0.4),
}  # fmt: skip
SHOES: dict[str, float] = {
    "sneaker": 4.0, "flat": 2.0, "loafer": 1.6, "heel": 2.0, "ankle": 2.2, "boot": 1.6,
        "sandal": 1.4,
    "strappy": 0.8, "flipflop": 0.5, "bare": 1.2, "wellies": 0.4,
}  # fmt: skip
BAGS: dict[str, float] = {
    "shoulder": 1.4, "cross": 1.4, "hand": 1.6, "tote": 1.2, "backpack": 1.6, "clutch": 0.7,
        "waist": 0.4, "shopping": 0.6,
}  # fmt: skip
