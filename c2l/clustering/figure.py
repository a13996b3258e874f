"""Figure and ground of a photo without labels: a place prior, sharpened by its own colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Levels of the soft colour histogram in luma and each chroma.
LEVELS = (8, 8, 8)
# Chroma spans less of its range than luma does; this stretch fills the levels evenly.
CHROMA_GAIN = 2.0
ROUNDS = 5
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


def sharpen_sides(codes_BPM: Tensor, sides_B3HW: Tensor) -> Tensor:
    """Sharpen a prediction of ground, upper and lower to the photo's own colours.

    The prediction takes the place prior's place, with its log-odds doubled: shares of clusters
    are shares of soft guesses, and so less certain than they should be.

    Args:
        codes_BPM: from ``colour_codes``.
        sides_B3HW: (B, 3, H, W) float32, summing to 1 over the three.

    Returns:
        (B, 3, H, W) float32, summing to 1 over the three.
    """
    prior = torch.sigmoid(SIDES_GAIN * torch.logit((1 - sides_B3HW[:, 0]).clamp(0.02, 0.98)))
    figure = sharpen(codes_BPM, prior)
    smooth = F.avg_pool2d(sides_B3HW, 3, 1, 1, count_include_pad=False)
    upper = smooth[:, 1] / (smooth[:, 1] + smooth[:, 2]).clamp_min(1e-6)
    return torch.stack([1 - figure, figure * upper, figure * (1 - upper)], 1)


def split_rows(figure_BHW: Tensor) -> Tensor:
    """Ground, upper and lower targets from a figure: it is halved at its own mean row.

    Args:
        figure_BHW: (B, H, W) probability of the figure.

    Returns:
        (B, 3, H, W) float32, summing to 1 over the three.
    """
    height = figure_BHW.shape[1]
    rows = (torch.arange(height, device=figure_BHW.device) + 0.5) / height
    middle = (figure_BHW * rows[:, None]).sum((1, 2)) / figure_BHW.sum((1, 2)).clamp_min(1e-6)
    upper = torch.sigmoid((middle[:, None] - rows) / 0.03)[:, :, None]
    return torch.stack([1 - figure_BHW, figure_BHW * upper, figure_BHW * (1 - upper)], 1)
