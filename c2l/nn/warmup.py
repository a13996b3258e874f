"""A self-supervised start for a backbone without weights: where in the photo does a pixel lie?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.data.views import ViewParameters

# Rows and columns of the grid whose cells are told apart.
CELLS = 8


class PositionHead(nn.Module):
    """Logits of the cell of the whole photo that each pixel of a crop comes from.

    People are photographed upright and whole, so what is told apart by its place in the photo
    is head, trunk, legs and surroundings; random crops keep the network from reading the place
    off the image border. Related to position prediction of patches (Doersch et al., ICCV 2015).

    Args:
        dim: channels of the features m.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.classify = nn.Conv2d(dim, CELLS * CELLS, 1)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """(B, 64, H, W) logits."""
        logits: Tensor = self.classify(features_BCHW)
        return logits


def position_targets(parameters: ViewParameters, height: int, width: int) -> Tensor:
    """The cell of each feature pixel after the geometric transform.

    Returns:
        (B, height, width) int64 in [0, 64), row-major over the photo's 8 x 8 cells.
    """
    side, top, left = parameters.crop[:, :1], parameters.crop[:, 1:2], parameters.crop[:, 2:]
    steps = (np.arange(width) + 0.5)[None] / width
    across = left + side * np.where(parameters.flip[:, None], 1 - steps, steps)
    down = top + side * (np.arange(height) + 0.5)[None] / height
    rows = np.minimum((down * CELLS).astype(np.int64), CELLS - 1)
    columns = np.minimum((across * CELLS).astype(np.int64), CELLS - 1)
    return torch.from_numpy(rows[:, :, None] * CELLS + columns[:, None, :])


def position_loss(logits_BKHW: Tensor, targets_BHW: Tensor) -> Tensor:
    """Cross-entropy over cells, a mean over pixels."""
    return F.cross_entropy(logits_BKHW.float(), targets_BHW)
