"""Smooth noise fields that tile, made once a process, from which all surfaces take their grain."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.floating[Any]]

SIZE = 512
_SIGMAS = {"fine": 1.2, "small": 5.0, "medium": 14.0, "large": 36.0}
_OFFSET = 64.0  # keeps coordinates positive, so that truncation is the floor


def vec(*values: float) -> Floats:
    """The values as a float32 array, mostly a colour."""
    return np.array(values, dtype=np.float32)


def _smooth(rng: np.random.Generator, sigma: float) -> Floats:
    white = rng.standard_normal((SIZE, SIZE))
    f = np.fft.fftfreq(SIZE)
    gain = np.exp(-2.0 * (np.pi * sigma) ** 2 * (f[:, None] ** 2 + f[None, :] ** 2))
    field = np.fft.ifft2(np.fft.fft2(white) * gain).real
    field = (field - field.mean()) / field.std()
    return np.asarray(field, dtype=np.float32)


@lru_cache(maxsize=1)
def bank() -> dict[str, Floats]:
    """Tiling fields (512, 512) float32 of mean 0 and deviation 1, by name.

    `fine`, `small`, `medium`, `large` by grain; `cloud` sums them; `relief` is the slope of a
    smooth field, which looks like light on folds.
    """
    rng = np.random.Generator(np.random.Philox(key=20240))
    fields = {name: _smooth(rng, sigma) for name, sigma in _SIGMAS.items()}
    cloud = (
        fields["large"] + 0.5 * fields["medium"] + 0.28 * fields["small"] + 0.12 * fields["fine"]
    )
    fields["cloud"] = np.asarray(cloud / cloud.std(), dtype=np.float32)
    soft = fields["medium"] + 0.35 * fields["small"]
    slope = soft - np.roll(soft, (3, 5), axis=(0, 1))
    fields["relief"] = np.asarray(slope / slope.std(), dtype=np.float32)
    return fields


def sample(name: str, a: Floats, b: Floats) -> Floats:
    """Values of a field at coordinates where 1.0 is one period; any (broadcast) shape."""
    i = ((a + _OFFSET) * SIZE).astype(np.int32) & (SIZE - 1)
    j = ((b + _OFFSET) * SIZE).astype(np.int32) & (SIZE - 1)
    return np.asarray(bank()[name][i, j])


def blur(image: Floats, radius: float) -> Floats:
    """Gaussian-like blur of (H, W) or (H, W, 3) values in 0 to 1, through 8 bits."""
    if radius < 0.15:
        return image
    eight = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    blurred = Image.fromarray(eight).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, dtype=np.float32) / np.float32(255.0)


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """0 below `low`, 1 above `high`, a smooth ramp between (also for low > high)."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))
