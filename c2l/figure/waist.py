"""Where a figure is split into upper and lower: the row at which its colours change most."""

from __future__ import annotations

import torch
from torch import Tensor

from c2l.figure.colours import shared_information

# Nats of log-odds for each nat of information between a pixel's side and its colour. Compared at
# 3 to 50 on labelled training photos; from 20 on it makes little difference.
COLOUR_CHANGE = 30.0
# Of the waist around the figure's mean row where nothing else is known, of the photo's height.
SPREAD = 0.15
# Each figure pixel of a prediction speaks for the rows that agree with it.
PREDICTED = 4.0
# Softness of a split at a known row, of the photo's height.
SOFTNESS = 0.02


def mean_row_prior(figure_BHW: Tensor) -> Tensor:
    """Log-probability of the waist below each row, from the figure's mean row alone.

    Args:
        figure_BHW: (B, H, W) probability of the figure.

    Returns:
        (B, H) float32, up to a constant.
    """
    middle, edge = _places(figure_BHW)
    weight = figure_BHW.sum(2)
    mean = (weight * middle).sum(1, True) / weight.sum(1, True).clamp_min(1e-6)
    return -0.5 * ((edge - mean) / SPREAD).square()


def predicted_prior(figure_BHW: Tensor, upper_BHW: Tensor) -> Tensor:
    """Log-probability of the waist below each row, from a prediction of upper and lower.

    Args:
        figure_BHW: (B, H, W) probability of the figure.
        upper_BHW: (B, H, W) probability of upper where there is figure.

    Returns:
        (B, H) float32, up to a constant.
    """
    upper = upper_BHW.clamp(0.02, 0.98)
    above = (figure_BHW * upper.log()).sum(2).cumsum(1)
    below = (figure_BHW * (1 - upper).log()).sum(2)
    agreement = above + below.sum(1, True) - below.cumsum(1)
    return PREDICTED * agreement / figure_BHW.sum((1, 2)).clamp_min(1e-6)[:, None]


def upper_rows(figure_BHW: Tensor, codes_BPM: Tensor, log_prior_BH: Tensor) -> Tensor:
    """How likely each row is above the waist.

    Clothes change their colours at the waist: for each row, the information between a figure
    pixel's side of it and its colour, with what is known beforehand. All rows are weighed, not
    the best one alone, so that an even figure is split softly.

    Args:
        figure_BHW: (B, H, W) probability of the figure.
        codes_BPM: (B, H * W, M) colours as ``colours.colour_codes`` gives them.
        log_prior_BH: (B, H) log-probability of the waist below each row.

    Returns:
        (B, H) float32 in [0, 1], falling from row to row.
    """
    batch, height, width = figure_BHW.shape
    colours = torch.einsum("bhw,bhwm->bhm", figure_BHW, codes_BPM.view(batch, height, width, -1))
    above = colours.cumsum(1)
    waist = (COLOUR_CHANGE * shared_information(above, above[:, -1:]) + log_prior_BH).softmax(1)
    middle, edge = _places(figure_BHW)
    return waist @ torch.sigmoid((edge[:, None] - middle) / SOFTNESS)


def _places(figure_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Middle and lower edge of each row in [0, 1], (H,) both."""
    height = figure_BHW.shape[1]
    rows = torch.arange(height, device=figure_BHW.device)
    return (rows + 0.5) / height, (rows + 1) / height
