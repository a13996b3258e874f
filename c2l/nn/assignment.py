"""Optimal one-to-one assignment for a batch of small score matrices."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from c2l.runtime.device import send

# Up to this size all permutations are tried: 5! = 120 cost less than a copy to the host.
MAX_BRUTE_FORCE = 5


@lru_cache(maxsize=8)
def _permutations(size: int) -> Tensor:
    return torch.tensor(list(permutations(range(size))), dtype=torch.int64)


def assign_batch(scores_BNN: Tensor) -> Tensor:
    """The permutation of columns with the largest total score, for each matrix.

    Args:
        scores_BNN: (B, N, N) float; no gradient is propagated.

    Returns:
        (B, N) int64: row i is matched to column ``result[:, i]``; any permutation where scores are
        not finite.
    """
    size = scores_BNN.shape[-1]
    if size > MAX_BRUTE_FORCE:
        return _hungarian(scores_BNN)
    orders = send(_permutations(size), scores_BNN.device)
    rows = torch.arange(size, device=scores_BNN.device)
    totals = scores_BNN[:, rows, orders].sum(-1)
    return orders[totals.argmax(1)]


def _hungarian(scores_BNN: Tensor) -> Tensor:
    from scipy.optimize import linear_sum_assignment

    # scipy refuses what is not finite; a loss of such scores is not finite either, and says so.
    matrices = scores_BNN.detach().double().nan_to_num(0, 0, 0).cpu().numpy()
    columns = np.stack([linear_sum_assignment(m, maximize=True)[1] for m in matrices])
    return torch.from_numpy(columns.astype(np.int64)).to(scores_BNN.device)
