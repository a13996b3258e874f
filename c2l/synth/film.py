"""What the camera makes of the light: exposure, tone, grain, blur, and how the file was kept."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from c2l.synth import palette
from c2l.synth.arrays import Floats, dot, vec
from c2l.synth.chance import Rng, between, chance, log_between


def develop(rng: Rng, light: Floats, subject: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The photograph (H, W, 3) uint8 of light (H, W, 3).

    Args:
        rng: source of choices.
        light: what falls on the film; changed in place.
        subject: (H, W) bool, what it is exposed for.
    """
    h, w = light.shape[:2]
    light = _lens(rng, light)
    shown = light[subject] if subject.sum() > 40 else light.reshape(-1, 3)
    # Half for the people, half for the whole, as light meters do.
    level = 0.6 * float(np.percentile(shown[::3], 85)) + 0.4 * float(
        np.percentile(light[::2, ::2], 80)
    )
    wanted = 0.54 * 2.0 ** float(np.clip(rng.normal(0.0, 0.42), -1.3, 0.9))
    gain = np.clip(wanted / max(level, 1e-3), 0.3, 4.0)
    image = np.sqrt(np.maximum(light * np.float32(gain), 0.0))
    image = np.where(image > 0.7, 0.7 + 0.3 * np.tanh((image - 0.7) / 0.38), image)
    image = _tone(rng, image)
    image = _grain(rng, image)
    out = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return _kept(rng, out, w, h)


def _lens(rng: Rng, light: Floats) -> Floats:
    """Softness, shake, dark corners, flare."""
    h, w = light.shape[:2]
    unit_ = w / 160.0
    kind = rng.random()
    if kind < 0.08:
        light = _shake(rng, light, between(rng, 1.0, 6.0) * unit_)
    elif kind < 0.35:
        light = ndimage.gaussian_filter(
            light, (*(between(rng, 0.3, 1.2) * max(unit_, 0.6),) * 2, 0), truncate=2.5
        )
    if chance(rng, 0.4):
        ys, xs = (
            np.linspace(-1, 1, h, dtype=np.float32)[:, None],
            np.linspace(-1, 1, w, dtype=np.float32),
        )
        light = (
            light
            * (
                1.0
                - np.float32(between(rng, 0.1, 0.7)) * np.clip(0.5 * (xs**2 + ys**2), 0, 1) ** 1.5
            )[..., None]
        )
    if chance(rng, 0.05):  # light in the lens
        ys, xs = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)
        x, y, r = between(rng, 0, w), between(rng, 0, h * 0.6), between(rng, 0.2, 0.9) * w
        glow = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / r**2)[..., None]
        light = light + glow * vec(1.0, 0.9, 0.75) * np.float32(between(rng, 0.1, 0.8))
    return np.asarray(light, dtype=np.float32)


def _shake(rng: Rng, light: Floats, long: float) -> Floats:
    turn = rng.random() * np.pi
    steps = max(2, round(long))
    total = np.zeros_like(light)
    for k in range(steps):
        t = (k - (steps - 1) / 2) * long / steps
        dy, dx = round(t * np.sin(turn)), round(t * np.cos(turn))
        total += np.roll(light, (dy, dx), axis=(0, 1))
    return np.asarray(total / steps)


def _tone(rng: Rng, image: Floats) -> Floats:
    """White balance, contrast, colour, black and white, old prints."""
    if chance(rng, 0.6):
        image = image * (1.0 + rng.normal(0.0, 0.05, 3)).astype(np.float32)
    if chance(rng, 0.08):
        image = image * (0.7 + 0.45 * palette.rgb(rng.random(), between(rng, 0.2, 0.6), 1.0))
    strength = between(rng, -0.3, 0.55)
    x = np.clip(image, 0, 1)
    image = image + np.float32(strength) * (x * x * (3.0 - 2.0 * x) - x)
    if chance(rng, 0.15):  # haze, or a faded print
        floor, top = between(rng, 0.05, 0.3), between(rng, 0.7, 0.95)
        image = floor + image * (top - floor)
    grey = dot(image, vec(0.30, 0.59, 0.11))
    kind = rng.random()
    if kind < 0.10:
        image = np.repeat(grey[..., None], 3, axis=2)
        if chance(rng, 0.35):
            image = image * (vec(1.08, 0.98, 0.82) if chance(rng, 0.7) else vec(0.9, 0.98, 1.1))
    elif kind < 0.75:
        saturation = np.float32(log_between(rng, 0.55, 1.6))
        image = grey[..., None] + (image - grey[..., None]) * saturation
    return np.asarray(image, dtype=np.float32)


def _grain(rng: Rng, image: Floats) -> Floats:
    amount = log_between(rng, 0.002, 0.014) if chance(rng, 0.85) else between(rng, 0.014, 0.05)
    h, w = image.shape[:2]
    fine = rng.standard_normal((h, w, 3), dtype=np.float32)
    if chance(rng, 0.4):  # clumps, as of film and of smoothed noise
        fine = ndimage.uniform_filter(fine, (2, 2, 1)) * 1.8
    luma = fine[..., :1]
    noise = 0.55 * fine + 0.75 * luma
    return np.asarray(
        image + np.float32(amount) * noise * (0.6 + 0.6 * np.sqrt(np.clip(image, 0, 1)))
    )


def _kept(rng: Rng, image: NDArray[np.uint8], w: int, h: int) -> NDArray[np.uint8]:
    """How the file was stored: sizes it went through, compression."""
    picture = Image.fromarray(image)
    if chance(rng, 0.15):  # made smaller and large again
        factor = between(rng, 0.35, 0.8)
        small = picture.resize(
            (max(8, round(w * factor)), max(8, round(h * factor))), Image.Resampling.BOX
        )
        picture = small.resize(
            (w, h), Image.Resampling.BICUBIC if chance(rng, 0.7) else Image.Resampling.BILINEAR
        )
    elif chance(rng, 0.25):  # sharpened
        soft = np.asarray(ndimage.uniform_filter(np.asarray(picture, dtype=np.float32), (3, 3, 1)))
        sharp = image + np.float32(between(rng, 0.3, 1.0)) * (image - soft)
        picture = Image.fromarray(np.clip(sharp, 0, 255).astype(np.uint8))
    if chance(rng, 0.5):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(30, 96)))
        picture = Image.open(buffer)
    return np.asarray(picture.convert("RGB"))
