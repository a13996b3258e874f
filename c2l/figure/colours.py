"""Figure and ground of a photo by its own colours: soft histograms, fitted to a prior in rounds."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Levels of the soft colour histogram in luma and each chroma.
LEVELS = (8, 8, 8)
# Chroma spans less of its range than luma does; this stretch fills the levels evenly.
CHROMA_GAIN = 2.0
ROUNDS = 5
COLOUR_WEIGHT = 1.4
# A pseudo-count, so that a colour seen once does not decide.
SMOOTHING = 0.5
YUV = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
# The outer ring speaks for the ground wherever the prior gives the figure less than this.
OPEN = 0.2
# What a pixel says for the figure at least: of a prior, and in the ring.
LEAST = 0.02


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


def sharpen(codes_BPM: Tensor, priors_BHW: Tensor, *, rounds: int = ROUNDS) -> Tensor:
    """Fit figure and ground colours of each photo to a prior, in turns with the pixels' labels.

    Expectation maximisation with the photo's own colour histograms: the prior says which pixels
    speak for which side, the histograms then say where the colours fit better. The outer ring
    speaks for the ground, but where the prior expects the figure there.

    Args:
        codes_BPM: from ``colour_codes``.
        priors_BHW: (B, H, W) float in (0, 1), probability of the figure; or (J, B, H, W), each
            fitted on its own.
        rounds: of fitting.

    Returns:
        Float32 probability of the figure, shaped as the priors.
    """
    priors_JBHW = priors_BHW.float().view(-1, *priors_BHW.shape[-3:])
    hypotheses, batch, height, width = priors_JBHW.shape
    ring = torch.zeros(height, width, dtype=torch.bool, device=priors_BHW.device)
    side, top = max(1, width // 12), max(1, height // 16)
    ring[:top] = ring[:, :side] = ring[:, -side:] = True
    shut = ring & (priors_JBHW < OPEN)
    logit = torch.logit(priors_JBHW.clamp(LEAST, 1 - LEAST))
    figure = priors_JBHW
    whole_B1M = codes_BPM.sum(1, keepdim=True)
    for _ in range(rounds):
        speaks = figure.masked_fill(shut, LEAST).flatten(2).transpose(0, 1)
        inside_BJM = speaks @ codes_BPM + SMOOTHING
        outside_BJM = whole_B1M - inside_BJM + 2 * SMOOTHING
        inside_BJM = inside_BJM / inside_BJM.sum(2, True)
        outside_BJM = outside_BJM / outside_BJM.sum(2, True)
        fit = (codes_BPM @ torch.cat([inside_BJM, outside_BJM], 1).transpose(1, 2)).log()
        evidence_BPJ = fit[..., :hypotheses] - fit[..., hypotheses:]
        evidence = evidence_BPJ.permute(2, 0, 1).reshape(hypotheses, batch, height, width)
        figure = torch.sigmoid(logit + COLOUR_WEIGHT * evidence)
        figure = F.avg_pool2d(figure, 3, 1, 1, count_include_pad=False)
    return figure.view(priors_BHW.shape)


def information(codes_BPM: Tensor, figures_JBHW: Tensor) -> Tensor:
    """Mutual information of a pixel's side, figure or ground, and its colour.

    Args:
        codes_BPM: from ``colour_codes``.
        figures_JBHW: (J, B, H, W) probability of the figure.

    Returns:
        (B, J) float32 nats.
    """
    inside = figures_JBHW.flatten(2).transpose(0, 1) @ codes_BPM
    whole = codes_BPM.sum(1, keepdim=True)
    return shared_information(inside, whole)


def shared_information(one_M: Tensor, whole_M: Tensor) -> Tensor:
    """Mutual information of the side that something lies on and its colour.

    Args:
        one_M: (..., M) colours of one side.
        whole_M: (..., M) colours of both sides.

    Returns:
        (...,) nats for each unit of the whole's weight.
    """
    coded = _coded(one_M) + _coded(whole_M - one_M) - _coded(whole_M)
    return coded / whole_M.sum(-1).clamp_min(1e-6)


def _coded(histograms_M: Tensor) -> Tensor:
    """Sum of n log(n / N) over the colours of each histogram, (...,)."""
    counts = histograms_M.clamp_min(0)
    total = counts.sum(-1)
    return torch.xlogy(counts, counts).sum(-1) - torch.xlogy(total, total)
