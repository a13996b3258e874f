"""The warm-up compares features with prototypes; its rate depends only on the step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from c2l.figure.warmup import TEMPERATURE, FigureHead, figure_loss, warmup_rate


def test_logits_are_cosines_over_the_temperature() -> None:
    torch.manual_seed(0)
    head = FigureHead(5)
    y = F.normalize(torch.randn(2, 5, 3, 4), dim=1)
    with torch.no_grad():
        logits = head(y)
    assert logits.shape == (2, 3, 3, 4)
    for k in range(3):
        prototype = head.prototypes[k].detach()
        cosine = (y * (prototype / prototype.norm()).view(5, 1, 1)).sum(1)
        torch.testing.assert_close(logits[:, k], cosine / TEMPERATURE)


def test_loss_is_the_mean_cross_entropy_with_soft_targets() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 3, 4, 5))
    targets = random.dirichlet([1.0] * 3, size=(2, 4, 5)).transpose(0, 3, 1, 2)
    losses = []
    for b in range(2):
        for y in range(4):
            for x in range(5):
                values = logits[b, :, y, x]
                log = values - np.log(np.exp(values).sum())
                losses.append(-(targets[b, :, y, x] * log).sum())
    loss = figure_loss(torch.from_numpy(logits), torch.from_numpy(targets))
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)


def test_loss_of_hard_targets_is_the_usual_cross_entropy() -> None:
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    hard = F.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(figure_loss(logits, hard), F.cross_entropy(logits, labels))


def test_rate_falls_along_half_a_cosine_to_a_hundredth() -> None:
    rates = [warmup_rate(2.0, step, 10) for step in range(11)]
    expected = [max(1 + math.cos(math.pi * s / 10), 0.02) for s in range(11)]
    assert rates == pytest.approx(expected)
    assert rates[0] == 2.0
    assert rates[10] == pytest.approx(0.02)
    assert warmup_rate(1.0, 0, 0) == 1.0
