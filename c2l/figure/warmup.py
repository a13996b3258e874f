"""A start without labels: the network learns what the photos' own figures have in common."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Ground, upper part of the figure, lower part of the figure.
SIDES = 3
# Cosines span [-1, 1]; a tenth lets the softmax be certain.
TEMPERATURE = 0.1


class FigureHead(nn.Module):
    """A prototype each for ground, upper and lower, compared with the features by cosine.

    Each photo's figure is a guess from place and colour (``clustering.figure``), wrong in its
    own way; a network that sees many of them under random crops and colours keeps what they
    share, which is people. Prototypes on the unit-length features that are clustered, not a
    free linear layer, so that what is learned is where k-means looks for it.

    Args:
        dim: channels of the features y.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(SIDES, dim))

    def forward(self, clustered_BCHW: Tensor) -> Tensor:
        """(B, 3, H, W) logits from unit-length features y."""
        prototypes = F.normalize(self.prototypes, dim=1)
        return torch.einsum("bchw,kc->bkhw", clustered_BCHW.float(), prototypes) / TEMPERATURE


def figure_loss(logits_B3HW: Tensor, targets_B3HW: Tensor) -> Tensor:
    """Cross-entropy with soft targets that sum to 1, a mean over pixels."""
    return -(targets_B3HW * logits_B3HW.float().log_softmax(1)).sum(1).mean()


def warmup_rate(rate: float, step: int, steps: int) -> float:
    """Learning rate after ``step`` of ``steps``: half a cosine from ``rate`` to near zero.

    A function of the step alone, so that a resumed run has the same.
    """
    return rate * max(0.5 * (1 + math.cos(math.pi * step / max(steps, 1))), 0.01)
