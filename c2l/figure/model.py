"""Background, upper and lower of a photo without labels, from place priors and its colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.colours import colour_codes, sharpen
from c2l.figure.guided import guided_filter
from c2l.figure.place import Places, place_evidence, place_prior
from c2l.figure.waist import mean_row_prior, predicted_prior, upper_rows

# Sides of the grids on which colours are compared: with a place prior, and with a prediction. On
# labelled training photos the coarser one was better for the former, the finer one for the latter.
# Fixed, so that the colour codes take 2 and 8 MiB per photo of any size.
FIGURE_SIDE = 32
SHARP_SIDE = 64
# Factor on the log-odds of a prediction: the best of 1, 1.5 and 2 on synthetic people.
PREDICTION_GAIN = 2.0
# Incremented when the figure of a photo changes, so that no cache or run mixes two versions.
FIGURE_VERSION = 2


def figure_evidence(images_B3HW: Tensor) -> Tensor:
    """Evidence of each photo for each place of its figure, see ``place_evidence``.

    Args:
        images_B3HW: (B, 3, H, W) uint8.

    Returns:
        (B, spreads, columns) float32 nats.
    """
    height, width = _grid(images_B3HW, FIGURE_SIDE)
    return place_evidence(colour_codes(images_B3HW, height, width), height, width)


def figure_parts(images_B3HW: Tensor, places: Places) -> Tensor:
    """Background, upper and lower of each photo, from place and colour and without training.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        places: distribution of the places of figures in the data set.

    Returns:
        (B, 3, H, W) float32 probabilities.
    """
    height, width = _grid(images_B3HW, FIGURE_SIDE)
    codes = colour_codes(images_B3HW, height, width)
    found = places.find(place_evidence(codes, height, width))
    figure = sharpen(codes, place_prior(*found, height, width))
    upper = upper_rows(figure, codes, mean_row_prior(figure))
    return _to_edges(images_B3HW, figure, upper[:, :, None].expand_as(figure))


def sharpen_parts(images_B3HW: Tensor, parts_B3HW: Tensor) -> Tensor:
    """Sharpen a prediction of background, upper and lower by the colours and edges of its photo.

    The prediction replaces the place prior. Its log-odds are doubled, because it derives from
    soft guesses and is less certain than it should be.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        parts_B3HW: (B, 3, h, w) float32 probabilities on any grid.

    Returns:
        (B, 3, H, W) float32 probabilities.
    """
    height, width = _grid(images_B3HW, SHARP_SIDE)
    codes = colour_codes(images_B3HW, height, width)
    parts = F.interpolate(parts_B3HW.float(), (height, width), mode="bilinear")
    prior = torch.sigmoid(PREDICTION_GAIN * torch.logit((1 - parts[:, 0]).clamp(0.02, 0.98)))
    figure = sharpen(codes, prior)
    smooth = F.avg_pool2d(parts, 3, 1, 1, count_include_pad=False)
    upper = smooth[:, 1] / (smooth[:, 1] + smooth[:, 2]).clamp_min(1e-6)
    rows = upper_rows(figure, codes, predicted_prior(figure, upper))
    return _to_edges(images_B3HW, figure, rows[:, :, None].expand_as(figure))


def part_labels(parts_3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of each pixel at a given size, (height, width) uint8: an index into ``PARTS``."""
    full = F.interpolate(parts_3HW[None], size, mode="bilinear")[0]
    part = torch.where(full[1] >= full[2], 1, 2)
    return torch.where(full[0] >= 0.5, 0, part).to(torch.uint8)


def _grid(images_B3HW: Tensor, side: int) -> tuple[int, int]:
    height, width = images_B3HW.shape[-2:]
    return min(side, height), min(side, width)


def _to_edges(images_B3HW: Tensor, figure_Bhw: Tensor, upper_Bhw: Tensor) -> Tensor:
    """Background, upper and lower at the size of the photos, aligned with their edges."""
    parts = torch.stack([1 - figure_Bhw, figure_Bhw * upper_Bhw, figure_Bhw * (1 - upper_Bhw)], 1)
    full = F.interpolate(parts, images_B3HW.shape[-2:], mode="bilinear")
    full = guided_filter(images_B3HW.float() / 255, full).clamp(0, 1)
    return full / full.sum(1, True).clamp_min(1e-6)
