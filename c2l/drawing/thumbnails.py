"""Small pictures as data URIs: photos, layers of parts over them, and crops of a part."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from c2l.drawing.overlay import inner_edge

# Pixels of the longer side of a photo and of a crop.
PHOTO_SIDE = 400
CROP_SIDE = 112
# 24 photos of 400 pixels take 0.4 MB as WebP; as JPEG of like quality, 0.6 MB.
_FORMAT = ("WEBP", "webp") if features.check("webp") else ("JPEG", "jpeg")
_QUALITY = 74
# A dark veil over the background.
_VEIL = ((34, 36, 42), 0.42)
# An indexed PNG has a transparent entry, and two for each part.
_MOST_OUTLINED = 127


def photo_uri(photo: NDArray[np.uint8], side: int = PHOTO_SIDE) -> str:
    """A photo, reduced to ``side`` pixels.

    Args:
        photo: (H, W, 3) uint8 RGB.
        side: most pixels of the longer side.
    """
    image = Image.fromarray(np.ascontiguousarray(photo))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return _uri(image, *_FORMAT, quality=_QUALITY)


def layer_uri(
    mask: NDArray[np.uint8],
    colours: Sequence[Sequence[int]],
    opacity: float,
    *,
    background: bool,
) -> str:
    """A transparent picture of parts, to lie over their photo; an indexed PNG of a few kilobytes.

    Args:
        mask: (H, W) uint8 ids; those without a colour are transparent.
        colours: RGB of ids 0 to n-1.
        opacity: of the tint, 0..1; outlines are opaque, where there are up to 127 colours.
        background: id 0 is the background, which a dark veil covers.
    """
    small = _reduced(mask)
    known = small < len(colours)
    entries = np.where(known, small.astype(np.int64) + 1, 0)
    rgb = [(0, 0, 0), *(tuple(map(int, colour)) for colour in colours[:255])]
    alpha = [0.0, *([opacity] * (len(rgb) - 1))]
    if background and colours:
        rgb[1], alpha[1] = _VEIL
    if len(colours) <= _MOST_OUTLINED and opacity > 0:
        edge = inner_edge(small, 1) & known & ~((small == 0) & background)
        entries[edge] += len(colours)
        rgb += rgb[1:]
        alpha += [1.0] * len(colours)
    image = Image.fromarray(entries.astype(np.uint8))
    image.putpalette([value for colour in rgb for value in colour])
    return _uri(image, "PNG", "png", transparency=bytes(round(255 * a) for a in alpha))


def crop_uri(photo: NDArray[np.uint8], where: NDArray[np.bool_]) -> str:
    """The part of a photo in which ``where`` holds, the rest faded.

    Args:
        photo: (H, W, 3) uint8 RGB.
        where: (H, W) bool, true somewhere.
    """
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    pad = 2 + max(where.shape) // 50
    box = (
        slice(max(0, rows[0] - pad), rows[-1] + pad + 1),
        slice(max(0, columns[0] - pad), columns[-1] + pad + 1),
    )
    pixels, inside = photo[box], where[box]
    grey = pixels.mean(axis=2, keepdims=True)
    faded = 0.22 * grey + 0.78 * 150
    return photo_uri(
        np.where(inside[..., None], pixels, np.rint(faded)).astype(np.uint8), CROP_SIDE
    )


def _reduced(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask at the size of its photo's thumbnail."""
    height, width = mask.shape
    scale = min(1.0, PHOTO_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _uri(image: Image.Image, form: str, kind: str, **settings: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **settings)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
