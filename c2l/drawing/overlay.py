"""A photo with its parts tinted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.errors import UsageError

# The background loses half its colour and some light, so that the person stands out.
_BACKGROUND_GREY = 0.5
_BACKGROUND_LIGHT = 0.82
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# One contour pixel for this many pixels of the shorter side.
_CONTOUR_SCALE = 240


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    opacity: float,
    *,
    background: int | None = 0,
    contour: bool = True,
) -> NDArray[np.uint8]:
    """Tint the parts of a photo and outline them.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 part ids; ids without a colour (255, ignore) stay untouched.
        colours: (n, 3) uint8 RGB of parts 0 to n-1.
        opacity: of the tint, 0 (photo only) to 1 (colour only).
        background: the part that is dimmed and not tinted; None tints every part.
        contour: outline the tinted parts in their own colour.

    Returns:
        (H, W, 3) uint8 RGB; the arguments are left as they are.

    Raises:
        UsageError: shapes that do not fit each other, or an opacity outside 0..1.
    """
    if image.shape != (*mask.shape, 3) or colours.ndim != 2 or colours.shape[1] != 3:
        raise UsageError(
            f"expected an image (H, W, 3), a mask (H, W) and colours (n, 3), found "
            f"{image.shape}, {mask.shape} and {colours.shape}"
        )
    if not 0 <= opacity <= 1:
        raise UsageError(f"expected an opacity from 0 to 1, found {opacity}")
    # One row for each of the 256 ids a mask can have.
    colour = np.zeros((256, 3), dtype=np.float32)
    colour[: len(colours)] = colours[:256]
    strength = np.zeros(256, dtype=np.float32)
    strength[: len(colours)] = opacity
    if background is not None:
        strength[background] = 0
    alpha = strength[mask][..., None]
    blended = image * (1 - alpha) + colour[mask] * alpha
    if background is not None:
        blended = _dim(blended, mask == background)
    if contour and opacity > 0:
        edge = _inner_edge(mask, max(1, round(min(mask.shape) / _CONTOUR_SCALE)))
        edge &= strength[mask] > 0
        blended[edge] = colour[mask[edge]]
    return np.rint(blended).clip(0, 255).astype(np.uint8)


def _dim(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    pixels = image[where]
    grey = (pixels @ _LUMA)[:, None]
    image[where] = (pixels + (grey - pixels) * _BACKGROUND_GREY) * _BACKGROUND_LIGHT
    return image


def _inner_edge(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """The pixels with another id within ``width`` steps left, right, up or down."""
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
    """A photo whose longer side has at most so many pixels, (h, w, 3) uint8."""
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(picture)
