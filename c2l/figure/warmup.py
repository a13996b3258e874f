"""The label-free warm-up: the network learns to predict the figures of the photos."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.schema import PARTS

# Cosines lie in [-1, 1]; a temperature of 0.1 lets the softmax come close to 0 and 1.
TEMPERATURE = 0.1


class FigureHead(nn.Module):
    """Prototypes of background, upper and lower, compared with the features by cosine.

    Each figure is a guess with errors of its own; a network that sees many of them under random
    crops and colours learns what they have in common: people. The head compares the unit-length
    features y with prototypes instead of using a linear layer, so that the parts become clusters
    that k-means can find.

    Args:
        dim: channels of the features y.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(len(PARTS), dim))

    def forward(self, clustered_BCHW: Tensor) -> Tensor:
        """(B, 3, H, W) logits from unit-length features y."""
        prototypes = F.normalize(self.prototypes, dim=1)
        return torch.einsum("bchw,kc->bkhw", clustered_BCHW.float(), prototypes) / TEMPERATURE


def figure_loss(logits_B3HW: Tensor, targets_B3HW: Tensor) -> Tensor:
    """Cross-entropy with soft targets that sum to 1, averaged over pixels."""
    return -(targets_B3HW * logits_B3HW.float().log_softmax(1)).sum(1).mean()


def warmup_rate(rate: float, step: int, steps: int) -> float:
    """Learning rate at ``step`` of ``steps``: half a cosine from ``rate`` to ``rate`` / 100.

    It depends only on the step, so that a resumed run has the same rates.
    """
    return rate * max(0.5 * (1 + math.cos(math.pi * step / max(steps, 1))), 0.01)
