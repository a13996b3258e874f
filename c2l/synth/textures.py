"""Cloth: colours and patterns over the texture coordinates of a surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c2l.synth.canvas import Patch
from c2l.synth.noise import Floats, sample, smoothstep
from c2l.synth.palette import Colour, cloth, rgb
from c2l.synth.streams import pick

PATTERNS = (
    "plain", "stripes", "bars", "checks", "dots", "floral", "denim", "knit", "herringbone",
    "blotches",
)  # fmt: skip


@dataclass(frozen=True)
class Cloth:
    """A material.

    Args:
        pattern: one of `PATTERNS`.
        base: main colour.
        second: second colour of a pattern.
        third: a third one, for flowers and checks.
        scale: size of the pattern's period in body heights.
        folds: strength of the folds.
        gloss: strength of the highlight.
        offset: where in the noise fields it lies.
    """

    pattern: str
    base: Colour
    second: Colour
    third: Colour
    scale: float
    folds: float
    gloss: float
    offset: tuple[float, float]


def sample_cloth(rng: np.random.Generator, kind: str, *, plain: float = 0.5) -> Cloth:
    """A random material for a garment.

    Args:
        rng: source of choices.
        kind: `jeans` and `knit` are always made of denim and wool; others take any pattern.
        plain: probability that it has no pattern.
    """
    if kind == "jeans":
        hue = rng.uniform(0.57, 0.63)
        pattern = "denim"
        base = rgb(hue, rng.uniform(0.15, 0.6), rng.uniform(0.18, 0.68))
    elif kind == "knit":
        pattern, base = pick(rng, ("knit", "knit", "bars")), cloth(rng)
    else:
        pattern = "plain" if rng.random() < plain else pick(rng, PATTERNS[1:])
        base = cloth(rng, dark=1.6 if kind in ("coat", "trousers") else 1.0)
    return Cloth(
        pattern=pattern,
        base=base,
        second=cloth(rng),
        third=cloth(rng),
        scale=float(np.exp(rng.uniform(np.log(0.018), np.log(0.06)))),
        folds=rng.uniform(0.05, 0.15),
        gloss=rng.uniform(0.0, 0.25) if rng.random() < 0.3 else 0.0,
        offset=(rng.random(), rng.random()),
    )


def plain_cloth(base: Colour, *, gloss: float = 0.0, folds: float = 0.08) -> Cloth:
    """A material of one colour."""
    return Cloth("plain", base, base, base, 0.03, folds, gloss, (0.3, 0.7))


def _amount(material: Cloth, a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """How much of the second and of the third colour each point takes, 0 to 1 each."""
    p, q = a / material.scale, b / material.scale
    none = np.zeros_like(a)
    match material.pattern:
        case "stripes":  # along the body
            return smoothstep(0.1, 0.3, np.sin(q * 6.283)), none
        case "bars":  # around the body
            return smoothstep(-0.1, 0.15, np.sin(p * 6.283)), none
        case "checks":
            u, w = smoothstep(-0.1, 0.1, np.sin(p * 4.0)), smoothstep(-0.1, 0.1, np.sin(q * 4.0))
            line = smoothstep(0.93, 0.98, np.sin(p * 4.0 + 1.5)) + smoothstep(
                0.93, 0.98, np.sin(q * 4.0 + 1.5)
            )
            return 0.5 * (u + w), np.clip(line, 0.0, 0.8)
        case "dots":
            row = np.floor(p)
            x = q + 0.5 * (row % 2) - np.floor(q + 0.5 * (row % 2)) - 0.5
            y = p - row - 0.5
            return 1.0 - smoothstep(0.22, 0.30, np.sqrt(x * x + y * y)), none
        case "floral":
            f = sample("medium", a * 2.2 * 0.03 / material.scale, b * 2.2 * 0.03 / material.scale)
            g = sample("medium", b * 2.6 * 0.03 / material.scale + 0.4, a * 2.6)
            return smoothstep(0.5, 0.7, f), smoothstep(0.8, 1.0, g)
        case "herringbone":
            zig = np.abs((q * 0.8) % 2.0 - 1.0)
            return 0.6 * smoothstep(-0.2, 0.2, np.sin((p * 1.6 + zig) * 9.0)), none
        case "blotches":
            f = sample("medium", a * 3.0 * 0.03 / material.scale, b * 3.0 * 0.03 / material.scale)
            return smoothstep(0.1, 0.3, f), smoothstep(1.0, 1.15, f)
        case _:
            return none, none


def shade_cloth(material: Cloth, patch: Patch, *, stretch: float = 2.0) -> Floats:
    """Colours (n, 3) of a surface made of `material`, before light.

    Args:
        material: the cloth.
        patch: the surface.
        stretch: how much longer folds run along the surface than across it.
    """
    a, b = patch.a, patch.b
    oa, ob = material.offset
    second, third = _amount(material, a, b)
    colour = material.base + second[:, None] * (material.second - material.base)
    colour = colour + third[:, None] * (material.third - colour)
    fold = sample("relief", a * (0.8 / stretch) + oa + b * 0.3, b * 1.0 + ob)
    valley = sample("medium", a * (0.9 / stretch) + ob - b * 0.5, b * 1.3 + oa)
    fold = fold - 1.8 * np.exp(-((valley / 0.22) ** 2)) + 0.4  # thin dark creases
    grain = sample("fine", a * 3.0 + ob, b * 3.0 + oa)
    factor = 1.0 + material.folds * fold + 0.025 * grain
    if material.pattern == "denim":
        twill = np.sin((a + b) * 900.0)
        worn = sample("large", a * 0.9 + oa, b * 0.9 + ob)
        factor = factor * (1.0 + 0.04 * twill + 0.05 * grain + 0.05 * worn)
        factor = factor * (1.0 + 0.25 * (1.0 - patch.v * patch.v) - 0.12)
    elif material.pattern == "knit":
        rib = np.sin(b * 380.0) * (0.6 + 0.4 * np.sin(a * 260.0 + 1.5 * np.sin(b * 380.0)))
        factor = factor * (1.0 + 0.13 * rib + 0.05 * grain)
    lit = np.clip(colour * np.clip(factor, 0.35, 1.6)[:, None], 0.0, 1.0)
    return np.asarray(lit, dtype=np.float32)
