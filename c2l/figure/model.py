"""Figure and ground of a photo without labels: where people stand, sharpened by its colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.colours import colour_codes, sharpen
from c2l.figure.guided import guided_filter
from c2l.figure.place import Places, place_evidence, place_prior
from c2l.figure.waist import mean_row_prior, predicted_prior, upper_rows

# Grids on which colours are compared, coarse where place decides and finer where a prediction does:
# 32 and 64 were the better of the two on labelled training photos. Fixed, so that the memory of
# the codes (2 and 8 MiB a photo) does not grow with the photos.
FIGURE_SIDE = 32
SHARP_SIDE = 64
# Compared at 1, 1.5 and 2 on synthetic people.
SIDES_GAIN = 2.0
# Raised wherever what is guessed of a photo changes, so that neither a cache nor a run mixes two.
GUESS = 2


def figure_evidence(images_B3HW: Tensor) -> Tensor:
    """What each photo says for each place of its figure, for ``Places.learn``.

    Args:
        images_B3HW: (B, 3, H, W) uint8.

    Returns:
        (B, spreads, columns) float32 nats.
    """
    height, width = _grid(images_B3HW, FIGURE_SIDE)
    return place_evidence(colour_codes(images_B3HW, height, width), height, width)


def figure_sides(images_B3HW: Tensor, places: Places) -> Tensor:
    """Ground, upper and lower of each photo from its own place and colour; nothing is trained.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        places: where the figures of such photos are.

    Returns:
        (B, 3, H, W) float32, summing to 1 over the three.
    """
    height, width = _grid(images_B3HW, FIGURE_SIDE)
    codes = colour_codes(images_B3HW, height, width)
    found = places.find(place_evidence(codes, height, width))
    figure = sharpen(codes, place_prior(*found, height, width))
    upper = upper_rows(figure, codes, mean_row_prior(figure))
    return _to_edges(images_B3HW, figure, upper[:, :, None].expand_as(figure))


def sharpen_sides(images_B3HW: Tensor, sides_B3HW: Tensor) -> Tensor:
    """Sharpen a prediction of ground, upper and lower to each photo's own colours and edges.

    The prediction takes the place prior's place, with its log-odds doubled: shares of clusters
    are shares of soft guesses, and so less certain than they should be.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        sides_B3HW: (B, 3, h, w) float32, summing to 1 over the three, on any grid.

    Returns:
        (B, 3, H, W) float32, summing to 1 over the three.
    """
    height, width = _grid(images_B3HW, SHARP_SIDE)
    codes = colour_codes(images_B3HW, height, width)
    sides = F.interpolate(sides_B3HW.float(), (height, width), mode="bilinear")
    prior = torch.sigmoid(SIDES_GAIN * torch.logit((1 - sides[:, 0]).clamp(0.02, 0.98)))
    figure = sharpen(codes, prior)
    smooth = F.avg_pool2d(sides, 3, 1, 1, count_include_pad=False)
    upper = smooth[:, 1] / (smooth[:, 1] + smooth[:, 2]).clamp_min(1e-6)
    rows = upper_rows(figure, codes, predicted_prior(figure, upper))
    return _to_edges(images_B3HW, figure, rows[:, :, None].expand_as(figure))


def side_labels(sides_3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of every pixel at a photo's own size: 0 ground, 1 upper, 2 lower.

    Returns:
        (height, width) uint8.
    """
    full = F.interpolate(sides_3HW[None], size, mode="bilinear")[0]
    part = torch.where(full[1] >= full[2], 1, 2)
    return torch.where(full[0] >= 0.5, 0, part).to(torch.uint8)


def _grid(images_B3HW: Tensor, side: int) -> tuple[int, int]:
    height, width = images_B3HW.shape[-2:]
    return min(side, height), min(side, width)


def _to_edges(images_B3HW: Tensor, figure_Bhw: Tensor, upper_Bhw: Tensor) -> Tensor:
    """Ground, upper and lower at the photos' size, following their edges."""
    sides = torch.stack([1 - figure_Bhw, figure_Bhw * upper_Bhw, figure_Bhw * (1 - upper_Bhw)], 1)
    full = F.interpolate(sides, images_B3HW.shape[-2:], mode="bilinear")
    full = guided_filter(images_B3HW.float() / 255, full).clamp(0, 1)
    return full / full.sum(1, True).clamp_min(1e-6)
