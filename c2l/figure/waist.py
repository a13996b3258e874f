"""The waist: the row at which the colours of a figure change most."""

from __future__ import annotations

import torch
from torch import Tensor

from c2l.figure.colours import region_information

# Nats of log-odds per nat of mutual information between colour and position above or below the
# waist. Of 3 to 50, values from 20 on were equally good on labelled training photos.
COLOUR_WEIGHT = 30.0
# Standard deviation of the waist around the mean row of the figure, relative to the height.
SPREAD = 0.15
# Weight of the agreement with a prediction of upper and lower.
PREDICTION_WEIGHT = 4.0
# Softness of the split at a given waist, relative to the height.
SOFTNESS = 0.02


def mean_row_prior(figure_BHW: Tensor) -> Tensor:
    """Log-probability of a waist below each row, from the mean row of the figure.

    Args:
        figure_BHW: (B, H, W) probability of the figure.

    Returns:
        (B, H) float32, up to a constant.
    """
    middle, edge = _row_positions(figure_BHW)
    weight = figure_BHW.sum(2)
    mean = (weight * middle).sum(1, True) / weight.sum(1, True).clamp_min(1e-6)
    return -0.5 * ((edge - mean) / SPREAD).square()


def predicted_prior(figure_BHW: Tensor, upper_BHW: Tensor) -> Tensor:
    """Log-probability of a waist below each row, from a prediction of upper and lower.

    Args:
        figure_BHW: (B, H, W) probability of the figure.
        upper_BHW: (B, H, W) probability of upper given the figure.

    Returns:
        (B, H) float32, up to a constant.
    """
    upper = upper_BHW.clamp(0.02, 0.98)
    above = (figure_BHW * upper.log()).sum(2).cumsum(1)
    below = (figure_BHW * (1 - upper).log()).sum(2)
    agreement = above + below.sum(1, True) - below.cumsum(1)
    return PREDICTION_WEIGHT * agreement / figure_BHW.sum((1, 2)).clamp_min(1e-6)[:, None]


def upper_rows(figure_BHW: Tensor, codes_BPM: Tensor, log_prior_BH: Tensor) -> Tensor:
    """Probability of each row to lie above the waist.

    Clothes change colour at the waist: a row is a likely waist if position above or below it has
    much mutual information with the colour of the figure. The result averages over all possible
    waists, so a figure of one colour is split softly.

    Args:
        figure_BHW: (B, H, W) probability of the figure.
        codes_BPM: (B, H * W, M) colours, from ``colours.colour_codes``.
        log_prior_BH: (B, H) log-probability of a waist below each row.

    Returns:
        (B, H) float32 in [0, 1], decreasing from top to bottom.
    """
    batch, height, width = figure_BHW.shape
    colours = torch.einsum("bhw,bhwm->bhm", figure_BHW, codes_BPM.view(batch, height, width, -1))
    above = colours.cumsum(1)
    information = region_information(above, above[:, -1:])
    waist = (COLOUR_WEIGHT * information + log_prior_BH).softmax(1)
    middle, edge = _row_positions(figure_BHW)
    return waist @ torch.sigmoid((edge[:, None] - middle) / SOFTNESS)


def _row_positions(figure_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and lower edge of each row in [0, 1], each (H,)."""
    height = figure_BHW.shape[1]
    rows = torch.arange(height, device=figure_BHW.device)
    return (rows + 0.5) / height, (rows + 1) / height
