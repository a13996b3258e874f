"""The loss is made of the terms that Eq. 7 and 8 name; a new term is one row."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.clustering_loss import Target
from c2l.nn.part import PartContrastiveModule, part_contrastive_loss
from c2l.options import FitOptions
from c2l.training import terms
from c2l.training.terms import Batch, Term, gradient_norms, loss_of

OPTIONS = FitOptions(amp="off", part_weight=0.5, pixel_weight=0.3)


class Network:
    """Has a part contrastive module or none."""

    def __init__(self, part: PartContrastiveModule | None = None) -> None:
        self.part = part


def fail(_: Batch) -> Tensor:
    raise AssertionError("computed")


def batch(options: FitOptions = OPTIONS, part: PartContrastiveModule | None = None) -> Batch:
    """Two images in both views, three clusters; L_c is the features' mean."""
    torch.manual_seed(0)
    m = [torch.randn(2, 5, 3, 4) for _ in (0, 1)]
    targets = [
        Target(torch.randint(0, 3, (2, 3, 4), dtype=torch.uint8), torch.randn(3, 5), torch.rand(3))
        for _ in (0, 1)
    ]
    net: Any = Network(part)
    y, code = [F.normalize(x, dim=1) for x in m], [x.mean() for x in m]
    return Batch(net, options, m, y, code, targets)


@pytest.mark.parametrize("cross_view", [True, False])
def test_each_view_is_trained_on_its_own_labels_and_with_cross_view_on_both(
    cross_view: bool,
) -> None:
    made = batch(replace(OPTIONS, cross_view=cross_view))
    terms = loss_of(made).terms
    expected = []
    for view in (0, 1):
        for other in (0, 1):
            if cross_view or view == other:
                target = made.targets[other]
                logits = torch.einsum("bchw,kc->bkhw", made.y[view], target.centroids)
                expected.append(F.cross_entropy(logits, target.labels.long(), target.weights))
    torch.testing.assert_close(terms["view"], torch.stack(expected).mean())
    torch.testing.assert_close(terms["code"], (made.m[0].mean() + made.m[1].mean()) / 2)
    assert float(terms["part"]) == 0


def test_the_part_term_contrasts_the_part_vectors_of_the_views() -> None:
    made = batch(part=PartContrastiveModule(5, 3, "assigned"))
    vectors: list[Tensor] = []
    for y, target in zip(made.y, made.targets, strict=True):
        masks = F.one_hot(target.labels.long(), 3).float().permute(0, 3, 1, 2)
        vectors.append(F.normalize(torch.einsum("bkhw,bchw->bkc", masks, y), dim=-1))
    there = torch.stack([v.norm(dim=-1) > 0 for v in vectors])
    expected = part_contrastive_loss(vectors[0], vectors[1], OPTIONS.tau, (there[0], there[1]))
    torch.testing.assert_close(loss_of(made).terms["part"], expected)


def test_the_loss_is_the_sum_of_the_terms_times_their_weights() -> None:
    loss = loss_of(batch(part=PartContrastiveModule(5, 3, "assigned")))
    view, part, code = (loss.terms[name] for name in ("view", "part", "code"))
    assert float(part) > 0
    torch.testing.assert_close(loss.total, view + 0.5 * part + 0.3 * code)
    torch.testing.assert_close(loss.weighted["part"], 0.5 * part)


def test_a_term_is_added_by_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    before = loss_of(batch())
    square = Term("square", "tau", lambda made: made.m[0].square().mean())
    monkeypatch.setattr(terms, "TERMS", (*terms.TERMS, square))
    after = loss_of(batch())
    assert list(after.terms) == [*before.terms, "square"]
    expected = before.total + OPTIONS.tau * batch().m[0].square().mean()
    torch.testing.assert_close(after.total, expected)


def test_a_term_of_weight_0_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [replace(term, function=fail) if term.option else term for term in terms.TERMS]
    monkeypatch.setattr(terms, "TERMS", rows)
    loss = loss_of(batch(replace(OPTIONS, part_weight=0.0, pixel_weight=0.0)))
    assert list(loss.terms) == list(loss.weighted) == ["view"]
    torch.testing.assert_close(loss.total, loss.terms["view"])


@pytest.mark.parametrize("cross_view", [True, False])
def test_a_term_sees_the_logits_of_every_target_that_a_view_is_trained_on(
    cross_view: bool,
) -> None:
    made = batch(replace(OPTIONS, cross_view=cross_view))
    for view, logits in enumerate(made.logits):
        seen = made.targets if cross_view else [made.targets[view]]
        assert list(made.targets_of(view)) == seen
        for values, target in zip(logits, seen, strict=True):
            expected = torch.einsum("bchw,kc->bhwk", made.y[view], target.centroids)
            torch.testing.assert_close(values, expected.flatten(0, 2))
    assert made.logits is made.logits


def test_gradients_of_terms_have_their_norms_and_leave_the_graph_for_the_step() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 4), nn.Linear(4, 2)
    views = [first(torch.arange(6.0).view(2, 3) + view).tanh() for view in (0, 1)]
    terms = {
        "a": second(views[0]).square().sum() + views[1].prod(),
        "constant": torch.zeros(()),
        "b": 3 * views[0].sum(),
        "elsewhere": second.weight.square().sum(),
    }
    norms = gradient_norms(terms, views)
    with torch.no_grad():
        parts = 2 * second(views[0]) @ second.weight, views[1].prod() / views[1]
    expected = math.sqrt(sum(float(part.square().sum()) for part in parts))
    assert norms["a"] == pytest.approx(expected)
    assert norms["b"] == pytest.approx(3 * math.sqrt(views[0].numel()))
    assert norms["constant"] == norms["elsewhere"] == 0
    sum(terms.values()).backward()  # type: ignore[union-attr, no-untyped-call]
    assert first.weight.grad is not None
