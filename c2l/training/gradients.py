"""How hard each loss term pulls at the features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gradients_by_term(terms: dict[str, Tensor], features: Sequence[Tensor]) -> dict[str, float]:
    """L2 norm of each loss term's gradient on the features, all that it tells the backbone.

    On the backbone's parameters it would take a backward pass of the whole network a term.

    Args:
        terms: scalar losses of one graph, which is kept; one that no feature enters has the
            norm 0.
        features: what the terms are computed from.
    """
    norms = dict.fromkeys(terms, 0.0)
    for name, term in terms.items():
        if term.requires_grad:
            grads = torch.autograd.grad(term, features, retain_graph=True, allow_unused=True)
            found = [grad for grad in grads if grad is not None]
            norms[name] = float(torch.nn.utils.get_total_norm(found)) if found else 0.0
    return norms
