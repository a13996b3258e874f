"""The random parameters of the two views, a pure function of seed, epoch and image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.runtime.streams import Purpose, stream

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

# Ranges and probabilities of PiCIE's code, with its two bugs fixed: it never applies grey, and
# scales the blur wrongly.
JITTER_PROBABILITY = 0.8
JITTER = 0.3
HUE = 0.1
GREY_PROBABILITY = 0.2
BLUR_PROBABILITY = 0.5
BLUR_SIGMA = (0.1, 2.0)
CROP_SIDE = (0.5, 1.0)
FLIP_PROBABILITY = 0.5


@dataclass(frozen=True)
class ViewParameters:
    """Parameters of the transforms of B images in two views.

    Attributes:
        brightness, contrast, saturation: (B, 2) float32 factors, 1 if not applied.
        hue: (B, 2) float32 shift in turns, 0 if not applied.
        grey: (B, 2) bool.
        blur: (B, 2) float32 sigma in pixels of a photo of side 320, 0 if not applied.
        crop: (B, 3) float32 side, top and left as fractions of the image, shared by both views.
        flip: (B,) bool, horizontal flip, shared by both views.
    """

    brightness: Floats
    contrast: Floats
    saturation: Floats
    hue: Floats
    grey: Bools
    blur: Floats
    crop: Floats
    flip: Bools


def view_parameters(
    seed: int, epoch: int, images: NDArray[np.int64], *, purpose: Purpose = Purpose.VIEWS
) -> ViewParameters:
    """Draw the parameters of both views of some images.

    Args:
        seed: seed of the run.
        epoch: clustering and training of one epoch see the same views.
        images: (B,) indices of the images in the data set.
        purpose: the random stream.
    """
    count = len(images)
    draws = np.empty((count, 24), dtype=np.float64)
    for row, image in enumerate(images):
        draws[row] = stream(seed, purpose, epoch, int(image)).random(24)
    photometric, geometric = draws[:, :20].reshape(count, 2, 10), draws[:, 20:]

    def jitter(column: int, low: float, high: float, neutral: float) -> Floats:
        on = photometric[..., column] < JITTER_PROBABILITY
        value = low + (high - low) * photometric[..., column + 1]
        return np.where(on, value, neutral).astype(np.float32)

    # Each jitter takes two draws, a switch and a strength. Grey and blur take one each: given that
    # it switches the blur on, the draw is again uniform and serves as its strength.
    grey_draw, blur_draw = photometric[..., 8], photometric[..., 9]
    blur_on = blur_draw < BLUR_PROBABILITY
    sigma = BLUR_SIGMA[0] + (BLUR_SIGMA[1] - BLUR_SIGMA[0]) * blur_draw / BLUR_PROBABILITY
    side = CROP_SIDE[0] + (CROP_SIDE[1] - CROP_SIDE[0]) * geometric[:, 0]
    top, left = (1 - side) * geometric[:, 1], (1 - side) * geometric[:, 2]
    return ViewParameters(
        brightness=jitter(0, 1 - JITTER, 1 + JITTER, 1.0),
        contrast=jitter(2, 1 - JITTER, 1 + JITTER, 1.0),
        saturation=jitter(4, 1 - JITTER, 1 + JITTER, 1.0),
        hue=jitter(6, -HUE, HUE, 0.0),
        grey=grey_draw < GREY_PROBABILITY,
        blur=np.where(blur_on, sigma, 0.0).astype(np.float32),
        crop=np.stack([side, top, left], axis=1).astype(np.float32),
        flip=geometric[:, 3] < FLIP_PROBABILITY,
    )
