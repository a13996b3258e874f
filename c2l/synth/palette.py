"""The colours of people, clothes and places, drawn with the frequencies of a street photograph."""

from __future__ import annotations

import colorsys

import numpy as np

from c2l.synth.noise import Floats
from c2l.synth.streams import pick

Colour = Floats  # (3,) float32 in 0 to 1

_SKINS = (
    (0.93, 0.77, 0.68), (0.89, 0.70, 0.58), (0.80, 0.60, 0.46),
    (0.66, 0.46, 0.33), (0.48, 0.32, 0.23), (0.34, 0.23, 0.18),
)  # fmt: skip
_HAIRS = (
    (0.07, 0.06, 0.06), (0.14, 0.09, 0.07), (0.25, 0.16, 0.10), (0.38, 0.24, 0.14),
    (0.72, 0.56, 0.34), (0.83, 0.72, 0.52), (0.45, 0.18, 0.10), (0.62, 0.61, 0.60),
    (0.62, 0.30, 0.42),
)  # fmt: skip


def rgb(h: float, s: float, v: float) -> Colour:
    """A colour from hue, saturation and value, each 0 to 1."""
    return np.array(colorsys.hsv_to_rgb(h % 1.0, s, v), dtype=np.float32)


def jitter(rng: np.random.Generator, base: tuple[float, float, float], amount: float) -> Colour:
    """`base` with each channel and the whole shifted a little."""
    shift = rng.uniform(-amount, amount) + rng.uniform(-amount, amount, 3) * 0.4
    return np.clip(np.array(base) + shift, 0.02, 0.98).astype(np.float32)


def skin(rng: np.random.Generator) -> Colour:
    """A skin colour."""
    i = int(rng.integers(len(_SKINS) - 1))
    t = rng.random()
    low, high = np.array(_SKINS[i]), np.array(_SKINS[i + 1])
    mixed = low + (high - low) * t
    return jitter(rng, (mixed[0], mixed[1], mixed[2]), 0.02)


def hair(rng: np.random.Generator) -> Colour:
    """A hair colour."""
    return jitter(rng, pick(rng, _HAIRS, (4, 4, 3.5, 2, 1.4, 0.9, 0.8, 0.7, 0.25)), 0.025)


def cloth(rng: np.random.Generator, *, dark: float = 1.0) -> Colour:
    """A colour of clothes; `dark` weighs black and dark ones."""
    kind = pick(
        rng,
        ("black", "grey", "white", "navy", "earth", "pastel", "strong", "muted"),
        (2.2 * dark, 1.4, 1.6 / dark, 1.4 * dark, 1.9, 1.2, 1.2, 1.8),
    )
    u = rng.random
    if kind == "black":
        return rgb(u(), 0.12 * u(), 0.07 + 0.10 * u())
    if kind == "grey":
        return rgb(u(), 0.08 * u(), 0.25 + 0.45 * u())
    if kind == "white":
        return rgb(0.05 + 0.1 * u(), 0.10 * u(), 0.84 + 0.13 * u())
    if kind == "navy":
        return rgb(0.58 + 0.08 * u(), 0.35 + 0.35 * u(), 0.17 + 0.25 * u())
    if kind == "earth":
        return rgb(0.05 + 0.07 * u(), 0.25 + 0.40 * u(), 0.28 + 0.52 * u())
    if kind == "pastel":
        return rgb(u(), 0.15 + 0.25 * u(), 0.72 + 0.22 * u())
    if kind == "strong":
        return rgb(u(), 0.5 + 0.35 * u(), 0.45 + 0.42 * u())
    return rgb(u(), 0.2 + 0.3 * u(), 0.3 + 0.35 * u())


def leather(rng: np.random.Generator) -> Colour:
    """A colour of shoes, bags and belts."""
    if rng.random() < 0.3:
        return cloth(rng)
    bases = ((0.08, 0.07, 0.07), (0.26, 0.15, 0.09), (0.50, 0.31, 0.17), (0.85, 0.84, 0.82))
    return jitter(rng, pick(rng, bases, (5, 2, 2, 1)), 0.04)


def wall(rng: np.random.Generator) -> Colour:
    """A colour of walls and other built things, as varied as that of clothes."""
    if rng.random() < 0.35:
        return cloth(rng)
    u = rng.random
    return rgb(0.02 + 0.12 * u() if u() < 0.7 else u(), 0.05 + 0.35 * u(), 0.25 + 0.65 * u())


def foliage(rng: np.random.Generator) -> Colour:
    """A colour of leaves and grass."""
    u = rng.random
    return rgb(0.16 + 0.17 * u(), 0.25 + 0.45 * u(), 0.18 + 0.42 * u())
