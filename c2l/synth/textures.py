"""The bank of tiling textures that every surface takes its pattern and grain from.

A texture is painted once per process, when it is first used. Each texel holds how much of a
material's second and third colour it takes, and a factor on brightness (128 is 1). All lie in
one flat array in three sizes, so that one gather reads the texels of a whole picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats
from c2l.synth.brushes import SIZE
from c2l.synth.cloths import BODY, CLOTHS
from c2l.synth.surfaces import SURFACES

TILES = {**CLOTHS, **BODY, **SURFACES}
SIZES = (SIZE, SIZE // 4, SIZE // 16)
_STRIDE = sum(size * size for size in SIZES)
NAMES = tuple(TILES)


class Textures:
    """All textures, each painted when it is first asked for."""

    def __init__(self) -> None:
        self.texels = np.zeros(len(NAMES) * _STRIDE, dtype=np.uint32)
        self._done: set[str] = set()

    def place(self, name: str, pixel: float) -> tuple[int, int]:
        """Where a texture lies, in the size that suits its use.

        Args:
            name: one of `NAMES`.
            pixel: how many periods of the texture one sample of the picture covers.

        Returns:
            index of its first texel, and its number of texels per side.
        """
        if name not in self._done:
            self._paint(name)
        level = 0 if pixel * SIZE < 2.5 else 1 if pixel * SIZE < 10.0 else 2
        return NAMES.index(name) * _STRIDE + sum(s * s for s in SIZES[:level]), SIZES[level]

    def _paint(self, name: str) -> None:
        # Seeded by its name, so that a new texture changes no other.
        rng = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
        channels = np.stack([np.broadcast_to(c, (SIZE, SIZE)) for c in TILES[name](rng)], axis=2)
        channels = np.clip(channels * np.array((255.0, 255.0, 128.0)) + 0.5, 0, 255)
        start = NAMES.index(name) * _STRIDE
        for size in SIZES:
            n = SIZE // size
            small = channels.reshape(size, n, size, n, 3).mean(axis=(1, 3)).astype(np.uint32)
            packed = small[..., 0] | small[..., 1] << 8 | small[..., 2] << 16
            self.texels[start : start + size * size] = packed.ravel()
            start += size * size
        self._done.add(name)


@lru_cache(maxsize=1)
def bank() -> Textures:
    """This process's textures."""
    return Textures()


def read(first: NDArray[np.int32], size: NDArray[np.int32], u: Floats, v: Floats) -> Floats:
    """Texels at coordinates in periods: (n, 3) float32 shares and brightness.

    Args:
        first: (n,) indices from `Textures.place`.
        size: (n,) sizes from `Textures.place`.
        u: (n,) coordinates across.
        v: (n,) coordinates along.
    """
    column = np.floor(u * size).astype(np.int32) & (size - 1)
    row = np.floor(v * size).astype(np.int32) & (size - 1)
    packed = bank().texels.take(first + row * size + column)
    return unpack(packed)


def unpack(packed: NDArray[np.uint32]) -> Floats:
    """Channels (n, 3) float32 of packed texels: two shares in 0 to 1, brightness around 1."""
    scale = np.array((1 / 255.0, 1 / 255.0, 1 / 128.0), dtype=np.float32)
    return np.asarray(packed.view(np.uint8).reshape(-1, 4)[:, :3] * scale)


def whole(name: str, level: int = 0) -> Floats:
    """One texture (size, size, 3) float32, as `unpack` has it."""
    first, _ = bank().place(name, 0.0)
    first += sum(s * s for s in SIZES[:level])
    size = SIZES[level]
    return unpack(bank().texels[first : first + size * size]).reshape(size, size, 3)


def names(kinds: Sequence[str]) -> Sequence[str]:
    """The names given, checked against the bank."""
    missing = [name for name in kinds if name not in TILES]
    if missing:
        raise KeyError(f"no such texture: {missing}")
    return kinds
