"""Pictures printed or sewn on clothes: words, numbers, marks, buttons, pockets and seams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from c2l.synth import palette
from c2l.synth.arrays import Floats
from c2l.synth.chance import Rng, between, chance, one_of, pick
from c2l.synth.materials import Material
from c2l.synth.textures import whole

TEXELS = 64


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (TEXELS, TEXELS))
    return image, ImageDraw.Draw(image)


def ink(colour: Floats, alpha: float = 1.0) -> tuple[int, int, int, int]:
    """A colour for the pen."""
    r, g, b = (int(np.clip(c * 255.0, 0, 255)) for c in colour)
    return r, g, b, int(alpha * 255)


def _array(image: Image.Image) -> Floats:
    """The picture with its first row at the bottom, as texture coordinates rise."""
    return np.asarray(image, dtype=np.float32)[::-1] / np.float32(255.0)


def _letters(
    pen: ImageDraw.ImageDraw,
    rng: Rng,
    box: tuple[float, float, float, float],
    count: int,
    fill: tuple[int, int, int, int],
) -> None:
    """Marks that look like a word."""
    x0, y0, x1, y1 = box
    wide = (x1 - x0) / count
    width = max(2, round(wide * 0.22))
    for n in range(count):
        a, b = x0 + n * wide + 0.12 * wide, x0 + (n + 0.86) * wide
        spots = [(a, y0), (b, y0), (b, y1), (a, y1), (a, (y0 + y1) / 2), (b, (y0 + y1) / 2)]
        order = rng.permutation(6)[: int(rng.integers(3, 6))]
        pen.line([spots[i] for i in order], fill=fill, width=width, joint="curve")


def _words(pen: ImageDraw.ImageDraw, rng: Rng, fill: tuple[int, int, int, int]) -> None:
    rows = int(rng.integers(1, 4))
    tall = between(rng, 10, 18)
    for row in range(rows):
        y = 32 + (row - rows / 2) * tall * 1.25
        margin = between(rng, 2, 14)
        _letters(pen, rng, (margin, y, 64 - margin, y + tall), int(rng.integers(3, 9)), fill)


def _number(pen: ImageDraw.ImageDraw, rng: Rng, fill: tuple[int, int, int, int]) -> None:
    if chance(rng, 0.6):
        _letters(pen, rng, (8, 2, 56, 12), int(rng.integers(4, 9)), fill)
    _letters(pen, rng, (12, 18, 52, 62), int(rng.integers(1, 3)), fill)


def _mark(pen: ImageDraw.ImageDraw, rng: Rng, fill: tuple[int, int, int, int]) -> None:
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(14, 50, 2)
        r = between(rng, 6, 24)
        kind = int(rng.integers(4))
        if kind == 0:
            pen.ellipse((x - r, y - r, x + r, y + r), outline=fill, width=int(rng.integers(2, 8)))
        elif kind == 1:
            pen.ellipse((x - r, y - r, x + r, y + r * 0.8), fill=fill)
        elif kind == 2:
            pen.rectangle((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=fill)
        else:
            a = rng.random(4) * 6.28
            pen.polygon(
                [(x + r * float(np.cos(t)), y + r * float(np.sin(t))) for t in a], fill=fill
            )


def chest_print(rng: Rng, cloth: Material, size: float) -> Material:
    """A word, a number, a mark or a photograph on the chest."""
    kind = pick(rng, {"words": 3, "number": 1.5, "mark": 2, "photo": 1, "small": 1, "band": 1})
    return _on_trunk(rng, cloth, size, kind, 0.0)


def back_print(rng: Rng, cloth: Material, size: float) -> Material:
    """A name and a number on the back; the cloth's seam runs there, so it wraps around."""
    return _on_trunk(rng, cloth, size, "number", 0.0)


def _on_trunk(rng: Rng, cloth: Material, size: float, kind: str, middle: float) -> Material:
    image, pen = _canvas()
    fill = ink(palette.cloth(rng), between(rng, 0.75, 1.0))
    draw: dict[str, Callable[[ImageDraw.ImageDraw, Rng, tuple[int, int, int, int]], None]] = {
        "words": _words, "number": _number, "mark": _mark, "small": _mark, "band": _words,
    }  # fmt: skip
    half, top, tall = (
        between(rng, 0.05, 0.085) * size,
        -between(rng, 0.06, 0.10) * size,
        between(rng, 0.06, 0.15) * size,
    )
    if kind == "photo":
        picture = _photo(rng)
    else:
        if kind == "band":
            pen.rectangle((0, 0, 64, 64), fill=ink(palette.cloth(rng)))
            half, tall = 0.4 * size, between(rng, 0.03, 0.08) * size
        draw[kind](pen, rng, fill)
        picture = _array(image)
    if kind == "small":
        middle, half, tall = 0.045 * size, 0.018 * size, 0.03 * size
    if kind == "number":
        tall = between(rng, 0.12, 0.18) * size
    return replace(cloth, picture=picture, spot=(middle - half, top - tall, middle + half, top))


def _photo(rng: Rng) -> Floats:
    texture = whole(
        one_of(
            rng, ("photo-print", "floral-large", "patches", "triangles", "scribbles", "tie-dye")
        ),
        1,
    )
    colours = [palette.cloth(rng) for _ in range(3)]
    rgb = colours[0] + (colours[1] - colours[0]) * texture[..., :1]
    rgb = rgb + (colours[2] - rgb) * texture[..., 1:2]
    picture = np.ones((TEXELS, TEXELS, 4), dtype=np.float32)
    picture[..., :3] = np.clip(rgb * texture[..., 2:], 0, 1)
    return picture


@lru_cache(maxsize=32)
def _seams(kind: str, number: int) -> Floats:
    """Seams, buttons and pockets in black and white, one of several by number."""
    rng = np.random.Generator(np.random.Philox(key=[number, len(kind)]))
    image, pen = _canvas()
    dark, light = (0, 0, 0, int(rng.integers(60, 150))), (255, 255, 255, int(rng.integers(50, 140)))
    {"shirt": _shirt_seams, "coat": _coat_seams, "trousers": _trouser_seams}[kind](
        pen, rng, dark, light
    )
    return _array(image)


def _shirt_seams(
    pen: ImageDraw.ImageDraw, rng: Rng, dark: tuple[int, ...], light: tuple[int, ...]
) -> None:
    pen.line((34, 0, 34, 64), fill=dark, width=1)
    pen.line((29, 0, 29, 64), fill=dark, width=1)
    for y in range(3, 64, int(rng.integers(6, 11))):
        pen.ellipse((31, y, 33, y + 2), fill=light if rng.random() < 0.5 else dark)
    if rng.random() < 0.6:
        for x in ((40, 52), (12, 24))[: int(rng.integers(1, 3))]:
            pen.rectangle((x[0], 16, x[1], 30), outline=dark)


def _coat_seams(
    pen: ImageDraw.ImageDraw, rng: Rng, dark: tuple[int, ...], light: tuple[int, ...]
) -> None:
    pen.line((32, 0, 32, 64), fill=dark, width=1)
    rows = int(rng.integers(5, 12))
    double = rng.random() < 0.3
    for y in range(14, 60, rows):
        for x in (28, 37) if double else (34,):
            pen.ellipse((x, y, x + 2, y + 2), fill=dark if rng.random() < 0.7 else light)
    if rng.random() < 0.7:
        y, flap = int(rng.integers(38, 50)), int(rng.integers(1, 5))
        pen.rectangle((8, y, 20, y + flap), outline=dark, width=1)
        pen.rectangle((44, y, 56, y + flap), outline=dark, width=1)
    if rng.random() < 0.4:
        pen.line((20, 0, 16, 64), fill=dark)
        pen.line((44, 0, 48, 64), fill=dark)


def _trouser_seams(
    pen: ImageDraw.ImageDraw, rng: Rng, dark: tuple[int, ...], light: tuple[int, ...]
) -> None:
    pen.line((32, 0, 32, 50), fill=dark, width=1)
    pen.line((0, 10, 64, 10), fill=dark, width=1)
    for x, way in ((14, -1), (50, 1)):
        pen.line((x, 10, x + way * 9, 28), fill=dark, width=2)
    for x in (4, 60):
        pen.rectangle((x - 4, 22, x + 4, 44), outline=dark)


def _seamed(
    cloth: Material, kind: str, number: int, spot: tuple[float, float, float, float]
) -> Material:
    return replace(cloth, picture=_seams(kind, number), spot=spot)


def shirt_front(rng: Rng, cloth: Material, size: float, *, short: bool) -> Material:
    """Buttons, a placket and pockets."""
    low = -0.12 if short else -0.34
    return _seamed(
        cloth, "shirt", int(rng.integers(10)), (-0.13 * size, low * size, 0.13 * size, -0.01 * size)
    )


def coat_front(rng: Rng, cloth: Material, size: float, *, open_: bool) -> Material:
    """The buttons, seams and pockets of a coat."""
    return _seamed(
        cloth,
        "coat",
        int(rng.integers(10)),
        (-0.16 * size, -0.42 * size, 0.16 * size, -0.02 * size),
    )


def trouser_front(rng: Rng, cloth: Material, size: float, *, jeans: bool) -> Material:
    """The fly and the pockets of trousers."""
    if not jeans and chance(rng, 0.5):
        return cloth
    return _seamed(
        cloth,
        "trousers",
        int(rng.integers(10)),
        (-0.17 * size, -0.40 * size, 0.17 * size, -0.21 * size),
    )


def screen_picture(rng: Rng, material: Material) -> Material:
    """A thing with a picture, a label or a screen on its front."""
    if chance(rng, 0.5):
        return material
    return replace(material, picture=_photo(rng), spot=(-0.15, 0.0, 0.15, 0.3))
