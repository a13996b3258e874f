"""Small drawn photos and their masks, for tests of how data sets are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.uint8]
HEIGHT, WIDTH = 96, 64
_COLOURS = np.array([[235, 235, 235], [200, 40, 40], [40, 40, 200]], np.uint8)


def mask(number: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Ids 0 ground, 1 upper, 2 lower of one drawn person; another for each number."""
    draw = np.random.default_rng(number)
    y, x = draw.integers(6, 20), draw.integers(6, 24)
    ids = np.zeros((height, width), np.uint8)
    ids[y : y + 34, x : x + 28] = 1
    ids[y + 34 : y + 64, x + 4 : x + 22] = 2
    return ids


def photo(number: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """The picture of ``mask(number)``, with noise, so that it has many colours."""
    noise = np.random.default_rng(100 + number).integers(-12, 12, (height, width, 3))
    return np.clip(_COLOURS[mask(number, height, width)] + noise, 0, 255).astype(np.uint8)


def save(path: Path, pixels: Array, **options: Any) -> Path:
    """An image file of some pixels, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def photos(folder: Path, name: str = "p{}.jpg", *, count: int = 6) -> None:
    """Photos p0 to p5, by default."""
    for number in range(count):
        save(folder / name.format(number), photo(number))


def masks(
    folder: Path,
    name: str = "p{}.png",
    *,
    count: int = 6,
    change: Callable[[Array], Array] = lambda ids: ids,
) -> None:
    """The masks of these photos, changed."""
    for number in range(count):
        save(folder / name.format(number), change(mask(number)))


def indexed(path: Path, ids: Array, colours: list[int]) -> Path:
    """An indexed PNG with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids).convert("P")
    image.putdata(ids.ravel().tolist())
    image.putpalette(colours)
    image.save(path)
    return path
