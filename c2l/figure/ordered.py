"""Hair, skin, clothes and shoes of a photo's figure, by their order from top to bottom."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.colours import COLOUR_WEIGHT, colour_codes
from c2l.figure.model import SHARP_SIDE

# What the ids are, as ATR's labels: left and right are the person's own, who faces the camera.
ORDERED = (
    *("background", "hair", "face", "left-arm", "right-arm", "left-leg", "right-leg"),
    *("upper-clothes", "pants", "left-shoe", "right-shoe"),
)
HAIR, FACE, ARM, LEG, UPPER, PANTS, SHOE = 1, 2, 3, 5, 7, 8, 9
# Shares of a figure's pixels above its top and below its bottom.
EDGE = 0.02
# Rows from 0 at the top of the figure to 1 at its bottom: the middle of the face with its standard
# deviations in rows and columns, and where hair ends and shoes begin, with the softness of both.
FACE_ROW, FACE_SPREADS = 0.1, (0.03, 0.05)
HAIR_ROW, HAIR_SOFTNESS = 0.14, 0.04
SHOE_ROW, SHOE_SOFTNESS = 0.91, 0.02
# Weights of hair, face and shoes at their places and of skin anywhere, where clothes have 1. With
# these and the rows above, mIoU on CCP's 13 classes was 19.9 on 100 labelled training photos, and
# 19.5 to 20.1 with others near them.
EXPECTED, ANYWHERE = 3.0, 0.2
# Pseudo-count of each colour, so that hair and shoes, a few pixels, have colours of their own.
SMOOTHING = 1 / 64
ROUNDS = 3


def ordered_labels(images_B3HW: Tensor, parts_B3HW: Tensor) -> Tensor:
    """Finer parts of each photo's figure, without training or labels.

    Where hair, face, clothes and shoes are in an upright figure is a prior. Each part's colours are
    learned from its place, the skin's from the face, and then decide: expectation maximisation, as
    in ``colours.sharpen``. Skin is face, arm or leg by its height.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        parts_B3HW: (B, 3, H, W) float32 from ``figure_parts``.

    Returns:
        (B, H, W) uint8 indices into ``ORDERED``.
    """
    height, width = (min(SHARP_SIDE, side) for side in images_B3HW.shape[-2:])
    codes_BPM = colour_codes(images_B3HW, height, width)
    parts = F.interpolate(parts_B3HW, (height, width), mode="area")
    figure = 1 - parts[:, :1]
    upper = parts[:, 1] / figure[:, 0].clamp_min(1e-6)
    extent = _extent(figure[:, 0])
    down, across = _positions(extent, height, width)
    away = ((down - FACE_ROW) / FACE_SPREADS[0]).square() + (across / FACE_SPREADS[1]).square()
    face = torch.exp(-0.5 * away)
    head = torch.sigmoid((HAIR_ROW - down) / HAIR_SOFTNESS).expand_as(face)
    feet = torch.sigmoid((down - SHOE_ROW) / SHOE_SOFTNESS).expand_as(face)
    skin = EXPECTED * face + ANYWHERE
    clothes = ((1 - head) * upper, (1 - feet) * (1 - upper))
    prior = torch.stack([EXPECTED * head, skin, *clothes, EXPECTED * feet], 1) + 1e-3
    prior = prior / prior.sum(1, True)
    found = torch.cat([prior[:, :1], prior[:, 1:2] * face[:, None], prior[:, 2:]], 1)
    for _ in range(ROUNDS):
        colours = (found * figure).flatten(2) @ codes_BPM + SMOOTHING
        colours = colours / colours.sum(2, True)
        fit = (codes_BPM @ colours.transpose(1, 2)).log().transpose(1, 2).view_as(prior)
        found = (prior.log() + COLOUR_WEIGHT * fit).softmax(1)
    return _named(F.interpolate(found, images_B3HW.shape[-2:], mode="bilinear"), parts_B3HW, extent)


def _named(found_B5HW: Tensor, parts_B3HW: Tensor, extent: tuple[Tensor, ...]) -> Tensor:
    """Indices into ``ORDERED`` from hair, skin, upper, lower and shoes."""
    down, across = _positions(extent, *found_B5HW.shape[-2:])
    right = (across < 0).long()
    limb = torch.where(parts_B3HW[:, 1] >= parts_B3HW[:, 2], ARM, LEG) + right
    skin = torch.where(down < 2 * FACE_ROW, FACE, limb)
    part = found_B5HW.argmax(1)
    others = torch.tensor((HAIR, FACE, UPPER, PANTS, SHOE), device=part.device)[part]
    chosen = torch.where(part == 1, skin, others + right * (part == 4))
    return torch.where(parts_B3HW[:, 0] >= 0.5, 0, chosen).to(torch.uint8)


def _extent(figure_BHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Top, height and middle column of each figure, relative to the photo, each (B, 1, 1)."""
    _, height, width = figure_BHW.shape
    rows = figure_BHW.sum(2)
    above = rows.cumsum(1) / rows.sum(1, True).clamp_min(1e-6)
    top, bottom = ((above < share).sum(1) / height for share in (EDGE, 1 - EDGE))
    columns = (torch.arange(width, device=figure_BHW.device) + 0.5) / width
    middle = figure_BHW.sum(1) @ columns / rows.sum(1).clamp_min(1e-6)
    tall = (bottom - top).clamp_min(1 / height)
    return top[:, None, None], tall[:, None, None], middle[:, None, None]


def _positions(extent: tuple[Tensor, ...], height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows from a figure's top and columns from its middle, both in its heights.

    Returns:
        (B, height, 1) and (B, 1, width) float32.
    """
    top, tall, middle = extent
    rows = ((torch.arange(height, device=top.device) + 0.5) / height)[:, None]
    columns = (torch.arange(width, device=top.device) + 0.5) / width
    return (rows - top) / tall, (columns - middle) / tall
