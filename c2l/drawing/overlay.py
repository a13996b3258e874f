"""Photos with tinted parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.errors import UsageError

# Saturation and brightness of the background, reduced to make the person stand out.
_BACKGROUND_SATURATION = 0.5
_BACKGROUND_BRIGHTNESS = 0.82
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# The shorter side of the photo per pixel of contour width.
_CONTOUR_SCALE = 240


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    opacity: float,
    *,
    background: bool = True,
) -> NDArray[np.uint8]:
    """Tint the parts of a photo and outline them in their colours.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 part ids; ids without a colour, such as 255 (ignore), stay unchanged.
        colours: (n, 3) uint8 RGB of parts 0 to n-1.
        opacity: of the tint, from 0 (photo only) to 1 (colour only).
        background: part 0 is the background, which is dimmed instead of tinted.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: the shapes do not fit each other, or the opacity is outside 0..1.
    """
    if image.shape != (*mask.shape, 3) or colours.ndim != 2 or colours.shape[1] != 3:
        raise UsageError(
            f"expected an image (H, W, 3), a mask (H, W) and colours (n, 3), found "
            f"{image.shape}, {mask.shape} and {colours.shape}"
        )
    if not 0 <= opacity <= 1:
        raise UsageError(f"expected an opacity from 0 to 1, found {opacity}")
    # One row for each id that a mask can have.
    colour = np.zeros((256, 3), dtype=np.float32)
    colour[: len(colours)] = colours[:256]
    strength = np.zeros(256, dtype=np.float32)
    strength[: len(colours)] = opacity
    if background:
        strength[0] = 0
    alpha = strength[mask][..., None]
    blended = image * (1 - alpha) + colour[mask] * alpha
    if background:
        blended = _dim(blended, mask == 0)
    if opacity > 0:
        edge = inner_edge(mask, max(1, round(min(mask.shape) / _CONTOUR_SCALE)))
        edge &= strength[mask] > 0
        blended[edge] = colour[mask[edge]]
    return np.rint(blended).clip(0, 255).astype(np.uint8)


def _dim(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    pixels = image[where]
    grey = (pixels @ _LUMA)[:, None]
    image[where] = (pixels + (grey - pixels) * _BACKGROUND_SATURATION) * _BACKGROUND_BRIGHTNESS
    return image


def inner_edge(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Pixels with another id within ``width`` pixels to the left, right, top or bottom."""
    edge = np.zeros(mask.shape, dtype=bool)
    for step in range(1, width + 1):
        across = mask[:, step:] != mask[:, :-step]
        edge[:, step:] |= across
        edge[:, :-step] |= across
        down = mask[step:] != mask[:-step]
        edge[step:] |= down
        edge[:-step] |= down
    return edge


def reduced(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """The photo with a longer side of at most ``longest`` pixels, (h, w, 3) uint8."""
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(picture)
