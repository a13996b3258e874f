"""The colours of people, clothes and places, about as often as photographs have them."""

from __future__ import annotations

import colorsys

import numpy as np

from c2l.synth.arrays import Floats
from c2l.synth.chance import Rng, pick

Colour = Floats  # (3,) float32 in 0 to 1

_SKINS = (
    (0.96, 0.83, 0.76), (0.93, 0.76, 0.66), (0.88, 0.69, 0.56), (0.78, 0.58, 0.44),
    (0.64, 0.44, 0.32), (0.47, 0.31, 0.23), (0.31, 0.21, 0.16),
)  # fmt: skip
_HAIRS = {
    (0.06, 0.05, 0.05): 4.0, (0.13, 0.09, 0.07): 4.0, (0.24, 0.16, 0.10): 3.0,
    (0.40, 0.26, 0.15): 2.0, (0.66, 0.48, 0.28): 1.6, (0.83, 0.70, 0.48): 1.2,
    (0.92, 0.84, 0.66): 0.6, (0.45, 0.18, 0.09): 0.8, (0.60, 0.59, 0.58): 0.9,
    (0.85, 0.84, 0.82): 0.8, (0.62, 0.25, 0.42): 0.2, (0.25, 0.35, 0.60): 0.15,
}  # fmt: skip
_LEATHERS = {
    (0.07, 0.06, 0.06): 5.0, (0.26, 0.15, 0.09): 2.0, (0.50, 0.31, 0.17): 2.0,
    (0.90, 0.89, 0.87): 1.8, (0.72, 0.60, 0.45): 0.8,
}  # fmt: skip
# Ranges of hue, saturation and value, and how often each is worn.
_CLOTHS: dict[tuple[float, float, float, float, float, float], float] = {
    (0.00, 1.00, 0.00, 0.15, 0.04, 0.16): 2.4,  # black
    (0.00, 1.00, 0.00, 0.08, 0.22, 0.70): 1.6,  # grey
    (0.04, 0.16, 0.00, 0.10, 0.84, 0.98): 1.9,  # white
    (0.57, 0.67, 0.35, 0.75, 0.14, 0.42): 1.6,  # navy
    (0.55, 0.65, 0.15, 0.60, 0.45, 0.85): 1.0,  # light blue
    (0.04, 0.13, 0.25, 0.65, 0.28, 0.80): 1.8,  # earth
    (0.95, 1.03, 0.60, 0.95, 0.45, 0.90): 1.0,  # red
    (0.00, 1.00, 0.12, 0.40, 0.72, 0.96): 1.3,  # pastel
    (0.00, 1.00, 0.55, 0.95, 0.40, 0.95): 1.3,  # strong
    (0.00, 1.00, 0.15, 0.50, 0.25, 0.60): 1.8,  # muted
    (0.17, 0.28, 0.20, 0.55, 0.22, 0.50): 0.6,  # olive
}
_WALLS: dict[tuple[float, float, float, float, float, float], float] = {
    (0.02, 0.14, 0.03, 0.40, 0.30, 0.95): 4.0,  # cream to brown
    (0.00, 1.00, 0.00, 0.10, 0.15, 0.98): 3.0,  # grey
    (0.00, 1.00, 0.10, 0.55, 0.30, 0.90): 1.5,
    (0.00, 1.00, 0.05, 0.40, 0.03, 0.25): 1.0,  # dark
}


def rgb(h: float, s: float, v: float) -> Colour:
    """A colour from hue, saturation and value, each 0 to 1."""
    return np.array(colorsys.hsv_to_rgb(h % 1.0, s, v), dtype=np.float32)


def jitter(rng: Rng, base: tuple[float, float, float], amount: float) -> Colour:
    """`base` with each channel and the whole shifted a little."""
    shift = rng.uniform(-amount, amount) + rng.uniform(-amount, amount, 3) * 0.4
    return np.clip(np.array(base) + shift, 0.02, 0.98).astype(np.float32)


def _from(rng: Rng, ranges: dict[tuple[float, float, float, float, float, float], float]) -> Colour:
    h0, h1, s0, s1, v0, v1 = pick(rng, ranges)
    a, b, c = rng.random(3)
    return rgb(h0 + (h1 - h0) * a, s0 + (s1 - s0) * b, v0 + (v1 - v0) * c)


def skin(rng: Rng) -> Colour:
    """A skin colour."""
    at = rng.random() * (len(_SKINS) - 1)
    low, high = np.array(_SKINS[int(at)]), np.array(_SKINS[int(at) + 1])
    r, g, b = low + (high - low) * (at % 1.0)
    return jitter(rng, (r, g, b), 0.03)


def hair(rng: Rng) -> Colour:
    """A hair colour."""
    return jitter(rng, pick(rng, _HAIRS), 0.025)


def cloth(rng: Rng) -> Colour:
    """A colour of clothes."""
    return _from(rng, _CLOTHS)


def dark_cloth(rng: Rng) -> Colour:
    """A colour of trousers, suits and coats: mostly dark."""
    colour = cloth(rng)
    return colour * np.float32(0.3 + 0.5 * rng.random()) if colour.mean() > 0.3 else colour


def denim(rng: Rng) -> Colour:
    """A colour of jeans."""
    return rgb(rng.uniform(0.56, 0.63), rng.uniform(0.12, 0.62), rng.uniform(0.14, 0.75))


def leather(rng: Rng) -> Colour:
    """A colour of shoes, bags and belts."""
    return cloth(rng) if rng.random() < 0.35 else jitter(rng, pick(rng, _LEATHERS), 0.04)


def wall(rng: Rng) -> Colour:
    """A colour of walls and other built things, as varied as that of clothes."""
    return cloth(rng) if rng.random() < 0.3 else _from(rng, _WALLS)


def foliage(rng: Rng) -> Colour:
    """A colour of leaves and grass, autumn included."""
    low, high = (0.16, 0.36) if rng.random() < 0.8 else (0.04, 0.16)
    return rgb(rng.uniform(low, high), rng.uniform(0.2, 0.75), rng.uniform(0.18, 0.75))
