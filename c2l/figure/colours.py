"""Figure and background of a photo by its colours: soft histograms fitted to a prior."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Levels of the soft colour histogram in luma and both chroma channels.
LEVELS = (8, 8, 8)
# Chroma uses less of its range than luma; this gain spreads it over all levels.
CHROMA_GAIN = 2.0
ROUNDS = 5
COLOUR_WEIGHT = 1.4
# Pseudo-count of each colour, so that a rare colour does not decide.
SMOOTHING = 0.5
YUV = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
# The outer ring counts as background where the prior of the figure is below this.
RING_PRIOR = 0.2
# Lower bound of the prior, and the weight of the ring in the figure's histogram.
MIN_WEIGHT = 0.02


def colour_codes(images_B3HW: Tensor, height: int, width: int) -> Tensor:
    """Trilinear weights of each grid pixel in the cells of a YUV histogram.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        height, width: size of the grid.

    Returns:
        (B, height * width, 512) float32; each row sums to 1.
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


def sharpen(codes_BPM: Tensor, priors_BHW: Tensor, *, rounds: int = ROUNDS) -> Tensor:
    """Sharpen a prior of the figure by the colours of the photo.

    Expectation maximisation with two colour histograms per photo, of figure and background: the
    current probabilities weight the pixels in the histograms, and the histograms and the prior
    give new probabilities. The outer ring counts as background unless the prior expects the
    figure there.

    Args:
        codes_BPM: from ``colour_codes``.
        priors_BHW: (B, H, W) float in (0, 1), prior probability of the figure; or (J, B, H, W)
            with J independent hypotheses.
        rounds: iterations.

    Returns:
        Float32 probability of the figure, in the shape of ``priors_BHW``.
    """
    priors_JBHW = priors_BHW.float().view(-1, *priors_BHW.shape[-3:])
    hypotheses, batch, height, width = priors_JBHW.shape
    ring = torch.zeros(height, width, dtype=torch.bool, device=priors_BHW.device)
    side, top = max(1, width // 12), max(1, height // 16)
    ring[:top] = ring[:, :side] = ring[:, -side:] = True
    background_ring = ring & (priors_JBHW < RING_PRIOR)
    logit = torch.logit(priors_JBHW.clamp(MIN_WEIGHT, 1 - MIN_WEIGHT))
    figure = priors_JBHW
    whole_B1M = codes_BPM.sum(1, keepdim=True)
    for _ in range(rounds):
        weights = figure.masked_fill(background_ring, MIN_WEIGHT).flatten(2).transpose(0, 1)
        inside_BJM = weights @ codes_BPM + SMOOTHING
        outside_BJM = whole_B1M - inside_BJM + 2 * SMOOTHING
        inside_BJM = inside_BJM / inside_BJM.sum(2, True)
        outside_BJM = outside_BJM / outside_BJM.sum(2, True)
        fit = (codes_BPM @ torch.cat([inside_BJM, outside_BJM], 1).transpose(1, 2)).log()
        evidence_BPJ = fit[..., :hypotheses] - fit[..., hypotheses:]
        evidence = evidence_BPJ.permute(2, 0, 1).reshape(hypotheses, batch, height, width)
        figure = torch.sigmoid(logit + COLOUR_WEIGHT * evidence)
        figure = F.avg_pool2d(figure, 3, 1, 1, count_include_pad=False)
    return figure.view(priors_BHW.shape)


def figure_information(codes_BPM: Tensor, figures_JBHW: Tensor) -> Tensor:
    """Mutual information between the colour of a pixel and whether it belongs to the figure.

    Args:
        codes_BPM: from ``colour_codes``.
        figures_JBHW: (J, B, H, W) probability of the figure.

    Returns:
        (B, J) float32 nats per pixel.
    """
    inside = figures_JBHW.flatten(2).transpose(0, 1) @ codes_BPM
    whole = codes_BPM.sum(1, keepdim=True)
    return region_information(inside, whole)


def region_information(region_M: Tensor, whole_M: Tensor) -> Tensor:
    """Mutual information between the colour of a pixel and whether it lies in a region.

    Args:
        region_M: (..., M) colour histogram of the region.
        whole_M: (..., M) colour histogram of the region and the rest.

    Returns:
        (...,) nats per unit of weight in ``whole_M``.
    """
    total = _log_likelihood(region_M) + _log_likelihood(whole_M - region_M)
    total = total - _log_likelihood(whole_M)
    return total / whole_M.sum(-1).clamp_min(1e-6)


def _log_likelihood(histograms_M: Tensor) -> Tensor:
    """Sum of n log(n / N) over the colours of each histogram, (...,)."""
    counts = histograms_M.clamp_min(0)
    total = counts.sum(-1)
    return torch.xlogy(counts, counts).sum(-1) - torch.xlogy(total, total)
