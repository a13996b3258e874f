"""Brushes for textures: noise of given spectra, strewn shapes, courses of stones, letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from c2l.synth.arrays import Floats, smoothstep

SIZE = 256  # texels per side, a power of 2
TAU = 2.0 * np.pi
Rng = np.random.Generator
# Shares of the second and third colour, and brightness around 1; each (SIZE, SIZE) or a number.
Channels = tuple[Any, Any, Any]

Y, X = (np.arange(SIZE) / SIZE)[:, None], (np.arange(SIZE) / SIZE)[None, :]
_F = np.fft.fftfreq(SIZE, 1 / SIZE)


def noise(rng: Rng, slope: float = 0.0, *, across: float = 1.0, low: float = 0.0) -> Floats:
    """Tiling noise of mean 0 and deviation 1 whose amplitude falls as frequency ** -slope.

    Args:
        rng: source of the noise.
        slope: 0 for white noise, 1 for the spectrum of photographs, 2 for clouds.
        across: above 1 stretches it downwards, below 1 sideways.
        low: frequencies below this many per tile are left out.
    """
    f = np.hypot(_F[:, None] * across, _F[None, :] / across)
    gain = np.maximum(f, 1.0) ** -slope * (f > low) * (f > 0)
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * gain).real
    return np.asarray(field / field.std())


def band(rng: Rng, frequency: float, *, across: float = 1.0, width: float = 0.35) -> Floats:
    """Tiling noise around one frequency, in periods per tile."""
    f = np.hypot(_F[:, None] * across, _F[None, :] / across) / frequency
    gain = np.exp(-(np.log(np.maximum(f, 1e-6)) ** 2) / (2.0 * width**2))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * gain).real
    return np.asarray(field / field.std())


def on(field: Any, at: float = 0.0, soft: float = 0.15) -> Floats:
    """1 where the field is above `at`, 0 below, with a soft step."""
    return smoothstep(at - soft, at + soft, np.asarray(field))


def wave(x: Any, soft: float = 0.25) -> Floats:
    """Stripes of period 1."""
    return on(np.sin(x * TAU), 0.0, soft)


def grain(rng: Rng, amount: float = 0.05) -> Floats:
    """Brightness of a woven surface."""
    return np.asarray(1.0 + amount * noise(rng, 0.4))


Painter = Callable[[ImageDraw.ImageDraw, Rng, float, float, float], None]


def scatter(rng: Rng, count: int, sizes: tuple[float, float], paint: Painter) -> Floats:
    """Shapes strewn over a tile that wraps around; returns the values painted, 0 to 1.

    Args:
        rng: source of places and sizes.
        count: number of shapes.
        sizes: smallest and largest radius in texels; small ones are more frequent.
        paint: draws one shape in mode L, given the pen, rng, x, y and its radius.
    """
    image = Image.new("L", (3 * SIZE, 3 * SIZE))
    pen = ImageDraw.Draw(image)
    for _ in range(count):
        x, y = rng.random(2) * SIZE
        radius = sizes[0] * (sizes[1] / sizes[0]) ** (rng.random() ** 2)
        state = rng.bit_generator.state
        for dx in (SIZE, 2 * SIZE, 0) if x < radius * 1.5 or x > SIZE - radius * 1.5 else (SIZE,):
            for dy in (
                (SIZE, 2 * SIZE, 0) if y < radius * 1.5 or y > SIZE - radius * 1.5 else (SIZE,)
            ):
                rng.bit_generator.state = state  # the copies across the border are the same shape
                paint(pen, rng, x + dx, y + dy, radius)
    middle = image.crop((SIZE, SIZE, 2 * SIZE, 2 * SIZE))
    return np.asarray(middle, dtype=np.float64) / 255.0


def disc(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), fill=int(rng.integers(1, 256)))


def white_disc(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), fill=255)


def box(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    w, h = r * rng.uniform(0.3, 1.0, 2)
    pen.rectangle((x - w, y - h, x + w, y + h), fill=int(rng.integers(1, 256)))


def blade(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    lean = rng.normal(0.0, 0.35) * r
    tip, half = (x + lean, y - r), max(0.08 * r, 0.7)
    fill = int(rng.integers(1, 256))
    pen.polygon([(x - half, y + r), tip, (x + half, y + r)], fill=fill)


def leaf(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    angle, slim = rng.random() * TAU, rng.uniform(0.25, 0.6)
    c, s = np.cos(angle), np.sin(angle)
    shape = ((-1, 0), (-0.3, slim), (0.5, slim * 0.8), (1, 0), (0.5, -slim * 0.8), (-0.3, -slim))
    points = [(x + r * (p * c - q * s), y + r * (p * s + q * c)) for p, q in shape]
    pen.polygon(points, fill=int(rng.integers(1, 256)))


def petal(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    turn, count = rng.random() * TAU, int(rng.integers(4, 8))
    for k in range(count):
        a = turn + k * TAU / count
        cx, cy, q = x + 0.55 * r * np.cos(a), y + 0.55 * r * np.sin(a), 0.42 * r
        pen.ellipse((cx - q, cy - q, cx + q, cy + q), fill=150)
    q = 0.25 * r
    pen.ellipse((x - q, y - q, x + q, y + q), fill=255)


def triangle(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    angles = rng.random(3) * TAU
    points = [(x + r * np.cos(a), y + r * np.sin(a)) for a in angles]
    pen.polygon(points, fill=int(rng.integers(1, 256)))


def bystander(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    body = int(rng.integers(1, 256))
    pen.ellipse((x - r * 0.8, y, x + r * 0.8, y + 3 * r), fill=body)
    q = r * 0.45
    pen.ellipse((x - q, y - q, x + q, y + q), fill=int(rng.integers(120, 220)))


def scribble(pen: ImageDraw.ImageDraw, rng: Rng, x: float, y: float, r: float) -> None:
    points = np.cumsum(rng.normal(0.0, r * 0.5, (6, 2)), axis=0) + np.array((x, y))
    pen.line([tuple(p) for p in points], fill=int(rng.integers(80, 256)), width=max(1, int(r / 6)))


def letters(rng: Rng, rows: int, columns: int) -> Floats:
    """Marks in rows that look like text from afar, 1 on ink."""
    image = Image.new("L", (SIZE, SIZE))
    pen = ImageDraw.Draw(image)
    tall, wide = SIZE / rows, SIZE / columns
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.14:
                continue
            x0, y0 = column * wide + 0.14 * wide, row * tall + 0.22 * tall
            x1, y1 = x0 + 0.68 * wide, y0 + 0.56 * tall
            spots = [
                (x0, y0),
                (x1, y0),
                (x1, y1),
                (x0, y1),
                (x0, (y0 + y1) / 2),
                (x1, (y0 + y1) / 2),
            ]
            order = rng.permutation(6)[: int(rng.integers(3, 5))]
            pen.line([spots[i] for i in order], fill=255, width=max(1, int(0.13 * wide)))
    return np.asarray(image, dtype=np.float64) / 255.0


def courses(rng: Rng, rows: int, columns: int, shift: float, joint: float) -> tuple[Floats, Floats]:
    """Bricks, slabs or planks: 1 in the joints, and a random number 0 to 1 per stone."""
    row = np.floor(Y * rows).astype(int)
    x = X * columns + shift * (row % 2)
    column = np.floor(x).astype(int) % columns
    stone = rng.random((rows, columns))[row, column]
    edge_y = np.minimum(Y * rows - row, 1 - (Y * rows - row)) * columns / rows
    edge_x = np.minimum(x - np.floor(x), 1 - (x - np.floor(x)))
    gap = smoothstep(joint, joint * 0.5, np.minimum(edge_x, edge_y))
    return gap, stone
