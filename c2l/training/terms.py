"""The terms of the training loss (Eq. 8): adding one is one function and one row of ``TERMS``."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from c2l.nn.clustering_loss import Target, cluster_logits, clustering_loss
from c2l.nn.network import ParsingNetwork
from c2l.nn.part import part_contrastive_loss
from c2l.options import FitOptions
from c2l.runtime.device import precision
from c2l.runtime.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Batch:
    """What a term of the loss can use: both views of a batch.

    Attributes:
        net: with the modules S and C.
        options: of the run.
        m: (B, C, h, w) float32 features of each view.
        y: (B, C, h, w) float32 of unit length, S(m).
        code: scalar loss of S's sparse code in each view.
        targets: labels, centroids and class weights of each view.
        ranks: that share the batch. A term is this rank's part of the mean over all images: the
            parts add up to it, and their gradients to its gradient.
    """

    net: ParsingNetwork
    options: FitOptions
    m: Sequence[Tensor]
    y: Sequence[Tensor]
    code: Sequence[Tensor]
    targets: Sequence[Target]
    ranks: Ranks = ALONE

    def total(self, weight: Tensor) -> Tensor:
        """Sum of a weight over the ranks that have images."""
        return self.ranks.sum(weight if self.ranks.share else torch.zeros_like(weight))

    def part_of_mean(self, mean: Tensor, target: Target) -> Tensor:
        """This rank's part of a mean over the pixels of all ranks, by their class weights."""
        if self.ranks.alone:
            return mean
        weight = target.total()
        share = weight / self.total(weight).clamp_min(1e-12)
        return mean * (share if self.ranks.share else 0.0)

    def targets_of(self, view: int) -> Sequence[Target]:
        """The targets that a view is trained on: its own, with ``--cross-view`` both views'."""
        return self.targets if self.options.cross_view else self.targets[view : view + 1]

    @cached_property
    def logits(self) -> list[tuple[Tensor, ...]]:
        """Inner products of y with the centroids, computed once for all terms.

        Of each view, for each of ``targets_of`` it: (B * h * w, K) float32.
        """
        return [cluster_logits(y, self.targets_of(view)) for view, y in enumerate(self.y)]


def view_loss(batch: Batch) -> Tensor:
    """L_view (Eq. 7): each view against its own labels, with ``--cross-view`` the other's too.

    A mean over views and labels, as PiCIE's program has it.
    """
    losses = [
        batch.part_of_mean(clustering_loss(logits, target), target)
        for view, of_view in enumerate(batch.logits)
        for logits, target in zip(of_view, batch.targets_of(view), strict=True)
    ]
    return torch.stack(losses).mean()


def part_loss(batch: Batch) -> Tensor:
    """L_r (Eq. 1): the part vectors of one view against those of the other; 0 without C."""
    net, options = batch.net, batch.options
    device = batch.y[0].device
    if net.part is None:
        return torch.zeros((), device=device)
    with precision(device, options.amp):
        (g, in_g), (t, in_t) = (
            net.part(m, y, target.labels)
            for m, y, target in zip(batch.m, batch.y, batch.targets, strict=True)
        )
    loss = part_contrastive_loss(g, t, options.tau, (in_g, in_t), batch.total)
    return loss if batch.ranks.share else loss * 0


def code_loss(batch: Batch) -> Tensor:
    """L_c (Eq. 4): the sparse code in S, a mean over the views; 0 without one."""
    first, second = batch.code
    mean = (first + second) / 2
    # Every image has as many positions.
    return mean if batch.ranks.alone else mean * batch.ranks.share


@dataclass(frozen=True)
class Term:
    """A term of the loss.

    Attributes:
        name: in the metrics, as ``loss_NAME`` and ``gradient_NAME``.
        option: field of the run's options that holds its weight; None for the weight 1.
        function: the term itself, a float32 scalar.
    """

    name: str
    option: str | None
    function: Callable[[Batch], Tensor]

    def weight(self, options: FitOptions) -> float:
        """Its weight in a run."""
        return float(getattr(options, self.option)) if self.option else 1.0


TERMS = (
    Term("view", None, view_loss),
    Term("part", "part_weight", part_loss),
    Term("code", "pixel_weight", code_loss),
)


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    Attributes:
        terms: by name, unweighted.
        weighted: the same, each times its weight.
        total: sum of the weighted terms, in the order of ``TERMS``.
    """

    terms: dict[str, Tensor]
    weighted: dict[str, Tensor]
    total: Tensor


def loss_of(batch: Batch) -> Loss:
    """L_total of a batch (Eq. 8); a term of weight 0 is not computed."""
    weights = {term: term.weight(batch.options) for term in TERMS}
    terms = {term.name: term.function(batch) for term, weight in weights.items() if weight}
    weighted = {term.name: weights[term] * terms[term.name] for term in TERMS if weights[term]}
    return Loss(terms, weighted, functools.reduce(operator.add, weighted.values()))


def gradient_norms(
    terms: dict[str, Tensor], features: Sequence[Tensor], ranks: Ranks = ALONE
) -> dict[str, float]:
    """L2 norm of each term's gradient on the features, which is all that reaches the backbone.

    The norm on the backbone's parameters would take a backward pass of the whole network per term.

    Args:
        terms: scalar losses of one graph, which is kept; one that no feature enters has the
            norm 0.
        features: what the terms are computed from.
        ranks: of which each has its part of the features.
    """
    norms = dict.fromkeys(terms, 0.0)
    for name, term in terms.items():
        if term.requires_grad:
            grads = torch.autograd.grad(term, features, retain_graph=True, allow_unused=True)
            found = [grad for grad in grads if grad is not None]
            norms[name] = float(torch.nn.utils.get_total_norm(found)) if found else 0.0
    if ranks.alone:
        return norms
    squares = torch.tensor([*norms.values()], dtype=torch.float64).square()
    return dict(zip(norms, ranks.sum(squares).sqrt().tolist(), strict=True))
