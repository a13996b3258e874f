"""The layer a figure is painted on: surfaces are shaded, labelled and stacked back to front."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from c2l.synth.noise import Floats, vec


@dataclass(frozen=True)
class Light:
    """The light of a scene: one key light, a fill from the sky and a little from the floor."""

    direction: tuple[float, float, float]  # towards the light: x right, y down, z to the camera
    key: tuple[float, float, float]
    fill: tuple[float, float, float]
    wrap: float

    def shade(self, nx: Floats, ny: Floats, nz: Floats, gloss: float = 0.0) -> Floats:
        """Light (n, 3) on surfaces with the given unit normals, each (n,)."""
        lx, ly, lz = self.direction
        facing = nx * lx + ny * ly + nz * lz
        lambert = np.clip((facing + self.wrap) / (1.0 + self.wrap), 0.0, None)
        sky = 0.72 - 0.28 * ny
        rim = 0.55 + 0.45 * np.sqrt(np.clip(nz, 0.0, 1.0))
        lit = lambert[:, None] * vec(*self.key) + (sky * rim)[:, None] * vec(*self.fill)
        if gloss > 0.0:
            half = np.clip(nx * lx * 0.6 + ny * ly * 0.6 + nz * (lz + 1.0) * 0.6, 0.0, 1.0)
            lit = lit + (gloss * half**24)[:, None]
        return np.asarray(lit, dtype=np.float32)


@dataclass(frozen=True)
class Patch:
    """A visible surface: where it lies, and its normals and texture coordinates.

    `mask` is (h, w) bool with its top left pixel at (`y`, `x`). The others are (n,) float32, one
    value for each True of the mask in row order: unit normal `nx`, `ny`, `nz`; texture
    coordinates `a` along and `b` across in body heights; `s` 0 to 1 along, `v` -1 to 1 across.
    """

    y: int
    x: int
    mask: NDArray[np.bool_]
    nx: Floats
    ny: Floats
    nz: Floats
    a: Floats
    b: Floats
    s: Floats
    v: Floats

    def keep(self, where: NDArray[np.bool_]) -> Patch:
        """The part of the surface where (n,) `where` is True."""
        mask = self.mask.copy()
        mask[self.mask] = where
        names = ("nx", "ny", "nz", "a", "b", "s", "v")
        return replace(self, mask=mask, **{name: getattr(self, name)[where] for name in names})


class Canvas:
    """Colours (H, W, 3) float32 and labels (H, W) uint8 of one figure, 0 where it is absent."""

    def __init__(self, height: int, width: int, unit: float, light: Light) -> None:
        self.rgb = np.zeros((height, width, 3), dtype=np.float32)
        self.label = np.zeros((height, width), dtype=np.uint8)
        self.unit = unit  # pixels in one body height
        self.light = light

    def window(
        self, low: tuple[float, float], high: tuple[float, float]
    ) -> tuple[int, int, int, int]:
        """Rows and columns (y0, y1, x0, x1) of a box with room for its contact shadow, clipped."""
        pad = 0.02 * self.unit + 1.0
        height, width = self.label.shape
        y0, x0 = max(int(low[1] - pad), 0), max(int(low[0] - pad), 0)
        y1, x1 = min(int(high[1] + pad) + 1, height), min(int(high[0] + pad) + 1, width)
        return y0, max(y1, y0), x0, max(x1, x0)

    def paint(
        self,
        patch: Patch,
        colour: Floats,
        label: int,
        *,
        contact: float = 0.45,
        gloss: float = 0.0,
    ) -> None:
        """Lay a surface over what is there.

        Args:
            patch: the surface.
            colour: (n, 3) or (3,) colour in 0 to 1 before light.
            label: label of its pixels.
            contact: how strongly it darkens what lies under its border.
            gloss: strength of the highlight.
        """
        if not patch.mask.any():
            return
        h, w = patch.mask.shape
        rows, columns = slice(patch.y, patch.y + h), slice(patch.x, patch.x + w)
        rgb, labels = self.rgb[rows, columns], self.label[rows, columns]
        if contact > 0.0 and labels.any():
            rgb *= (1.0 - contact * self._halo(patch.mask))[:, :, None]
        lit = self.light.shade(patch.nx, patch.ny, patch.nz, gloss)
        rgb[patch.mask] = colour * lit
        labels[patch.mask] = label

    def _halo(self, mask: NDArray[np.bool_]) -> Floats:
        lx, ly, _ = self.light.direction
        reach = 0.008 * self.unit
        image = Image.fromarray(mask.astype(np.uint8) * 255)
        soft = image.filter(ImageFilter.BoxBlur(0.011 * self.unit))
        shifted = np.asarray(soft, dtype=np.float32) / np.float32(255.0)
        dy, dx = round(-ly * reach), round(-lx * reach)
        return np.roll(shifted, (dy, dx), axis=(0, 1))

    def tint(self, patch: Patch, factor: Floats) -> None:
        """Multiply the colours under a surface by (n,) or (n, 3) factors; labels stay."""
        h, w = patch.mask.shape
        rgb = self.rgb[patch.y : patch.y + h, patch.x : patch.x + w]
        rgb[patch.mask] *= factor if factor.ndim == 2 else factor[:, None]
