"""Figure and ground of a photo without labels: a place prior, sharpened by its own colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.guided import guided_filter
from c2l.clustering.waist import mean_row_prior, predicted_prior, upper_rows

# Levels of the soft colour histogram in luma and each chroma.
LEVELS = (8, 8, 8)
# Chroma spans less of its range than luma does; this stretch fills the levels evenly.
CHROMA_GAIN = 2.0
ROUNDS = 5
# Grids on which colours are compared, coarse where place decides and finer where a prediction does:
# 32 and 64 were the better of the two on labelled training photos. Fixed, so that the memory of
# the codes (2 and 8 MiB a photo) does not grow with the photos.
FIGURE_SIDE = 32
SHARP_SIDE = 64
# Compared at 1, 1.5 and 2 on synthetic people.
SIDES_GAIN = 2.0
COLOUR_WEIGHT = 1.4
# A pseudo-count, so that a colour seen once does not decide.
SMOOTHING = 0.5
YUV = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


def centre_prior(height: int, width: int) -> Tensor:
    """How likely a pixel is the person's, from its place in the photo alone.

    A Gaussian over the columns with sigma 0.16 of the width, fading at the top and at the very
    bottom: people are photographed upright and mostly near the middle.

    Returns:
        (height, width) float32 in [0.02, 0.87].
    """
    rows = ((torch.arange(height) + 0.5) / height)[:, None]
    columns = (torch.arange(width) + 0.5) / width
    across = torch.exp(-0.5 * ((columns - 0.5) / 0.16) ** 2)
    down = torch.minimum(rows / 0.12, (1.02 - rows) / 0.08).clamp(0, 1)
    return 0.85 * across * down + 0.02


def colour_codes(images_B3HW: Tensor, height: int, width: int) -> Tensor:
    """Soft membership of every grid pixel in the cells of a YUV histogram.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        height, width: of the grid.

    Returns:
        (B, height * width, 512) float32, rows summing to 1 (trilinear weights).
    """
    small = F.interpolate(images_B3HW.float() / 255, (height, width), mode="area")
    to_yuv = torch.tensor(YUV, device=small.device)
    yuv = torch.einsum("ij,bjp->bip", to_yuv, small.flatten(2))
    weights = []
    for channel, levels in enumerate(LEVELS):
        value = yuv[:, channel]
        unit = value if channel == 0 else (CHROMA_GAIN * value + 0.5).clamp(0, 1)
        cells = torch.arange(levels, device=unit.device)
        weights.append((1 - (unit[..., None] * (levels - 1) - cells).abs()).clamp(min=0))
    first = weights[0][..., :, None] * weights[1][..., None, :]
    return (first.flatten(2)[..., :, None] * weights[2][..., None, :]).flatten(2)


def sharpen(codes_BPM: Tensor, prior_BHW: Tensor, *, rounds: int = ROUNDS) -> Tensor:
    """Fit figure and ground colours of each photo to a prior, in turns with the pixels' labels.

    Expectation maximisation with the photo's own colour histograms: the prior says which pixels
    speak for which side, the histograms then say where the colours fit better. The outer ring
    always speaks for the ground.

    Args:
        codes_BPM: from ``colour_codes``.
        prior_BHW: (B, H, W) float in (0, 1), probability of the figure.
        rounds: of fitting.

    Returns:
        (B, H, W) float32 probability of the figure.
    """
    batch, height, width = prior_BHW.shape
    ring = torch.zeros(height, width, dtype=torch.bool, device=prior_BHW.device)
    side, top = max(1, width // 12), max(1, height // 16)
    ring[:top] = ring[:, :side] = ring[:, -side:] = True
    logit = torch.logit(prior_BHW.float().clamp(0.02, 0.98))
    figure = prior_BHW.float()
    for _ in range(rounds):
        speaks = figure.masked_fill(ring, 0.02).flatten(1)[:, None]
        inside = (speaks @ codes_BPM).squeeze(1) + SMOOTHING
        outside = ((1 - speaks) @ codes_BPM).squeeze(1) + SMOOTHING
        inside, outside = inside / inside.sum(1, True), outside / outside.sum(1, True)
        likelihood = torch.stack([inside, outside], 2)
        fit = (codes_BPM @ likelihood).log()
        evidence = (fit[..., 0] - fit[..., 1]).view(batch, height, width)
        figure = torch.sigmoid(logit + COLOUR_WEIGHT * evidence)
        figure = F.avg_pool2d(figure[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    return figure


def figure_sides(images_B3HW: Tensor) -> Tensor:
    """Ground, upper and lower of each photo from its own place and colour; nothing is learned.

    Args:
        images_B3HW: (B, 3, H, W) uint8.

    Returns:
        (B, 3, H, W) float32, summing to 1 over the three.
    """
    height, width = _grid(images_B3HW, FIGURE_SIDE)
    codes = colour_codes(images_B3HW, height, width)
    prior = centre_prior(height, width).to(images_B3HW.device)
    figure = sharpen(codes, prior.expand(len(images_B3HW), -1, -1))
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
