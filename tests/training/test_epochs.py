"""The loss of a batch is made of the terms that Eq. 7 and 8 name, each view on its own labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.nn.losses import Target
from c2l.options import FitOptions
from c2l.training.epochs import _losses


class Network:
    """Features are normalised and nothing else; L_c is their mean."""

    part = None

    def embed(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return F.normalize(features, dim=1), features.mean()


def batch() -> tuple[list[Tensor], list[Target]]:
    torch.manual_seed(0)
    m = [torch.randn(2, 5, 3, 4) for _ in (0, 1)]
    targets = [
        Target(torch.randint(0, 3, (2, 3, 4), dtype=torch.uint8), torch.randn(3, 5), torch.rand(3))
        for _ in (0, 1)
    ]
    return m, targets


@pytest.mark.parametrize("cross_view", [True, False])
def test_each_view_is_trained_on_its_own_labels_and_with_cross_view_on_both(
    cross_view: bool,
) -> None:
    m, targets = batch()
    job: Any = SimpleNamespace(
        trainer=SimpleNamespace(net=Network()),
        options=FitOptions(cross_view=cross_view, amp="off"),
        device=torch.device("cpu"),
    )
    terms = _losses(job, m, targets)
    losses = []
    for view in (0, 1):
        for other in (0, 1):
            if cross_view or view == other:
                target = targets[other]
                y = F.normalize(m[view], dim=1)
                logits = torch.einsum("bchw,kc->bkhw", y, target.centroids)
                losses.append(F.cross_entropy(logits, target.labels.long(), target.weights))
    torch.testing.assert_close(terms["view"], torch.stack(losses).mean())
    torch.testing.assert_close(terms["code"], (m[0].mean() + m[1].mean()) / 2)
    assert float(terms["part"]) == 0
