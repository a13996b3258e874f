"""A Gaussian mixture with one shared covariance, fitted from sums over batches of points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from c2l.runtime.ranks import ALONE, Ranks

# Added to the diagonal of the covariance, relative to its mean: points of unit length have hardly
# any variance along their mean.
RIDGE = 1e-3
# Points that are summed in float32 before they are added to a float64 sum.
CHUNK = 1 << 14
# Over several ranks, sums of a chunk are rounded to this part of 1.
FRACTION = 1 << 20


@dataclass(frozen=True)
class Discriminant:
    """The linear discriminant of a mixture: ``score_k(x) = weights_k . x + bias_k``.

    The score is the log of mixing weight times density, up to a term common to all components,
    so a softmax over the scores is the posterior.

    Attributes:
        weights: (K, C) float32.
        bias: (K,) float32.
        means: (K, C) float32 means of the components.
        shares: (K,) float32 mixing weights.
    """

    weights: Tensor
    bias: Tensor
    means: Tensor
    shares: Tensor

    def scores(self, points_PC: Tensor) -> Tensor:
        """(P, K) float32."""
        return torch.addmm(self.bias, points_PC.float(), self.weights.T)


class MixtureSums:
    """Sufficient statistics of a maximisation step.

    Args:
        components: K.
        channels: C.
        device: of the points.
        ranks: that share the points; sums over several are the same for any number of them.
    """

    def __init__(
        self, components: int, channels: int, device: torch.device, ranks: Ranks = ALONE
    ) -> None:
        self.shape, self.device, self._ranks = (components, channels), device, ranks
        self._sizes = torch.zeros(components, dtype=torch.float64, device=device)
        self._sums = torch.zeros(components, channels, dtype=torch.float64, device=device)
        self._outer = torch.zeros(channels, channels, dtype=torch.float64, device=device)

    def add(self, points_PC: Tensor, responsibilities_PK: Tensor) -> None:
        """Add a batch of points; the responsibilities of each point sum to 1."""
        for start in range(0, len(points_PC), CHUNK):
            points = points_PC[start : start + CHUNK].float()
            shares = responsibilities_PK[start : start + CHUNK].float()
            self._sizes += self._exact(shares.sum(0, dtype=torch.float64))
            self._sums += self._exact((shares.T @ points).double())
            self._outer += self._exact((points.T @ points).double())

    def _exact(self, sums: Tensor) -> Tensor:
        """Rounded so that adding up to 2^33 is exact, and so does not depend on the order."""
        return sums if self._ranks.alone else (sums * FRACTION).round() / FRACTION

    def fit(self) -> Discriminant:
        """The maximisation step.

        The covariance is ``E[x x'] - sum_k pi_k m_k m_k'``, since the responsibilities of each
        point sum to 1. A component without points has mean 0 and is never chosen.
        """
        sizes, sums, outer = map(self._ranks.sum, (self._sizes, self._sums, self._outer))
        total = sizes.sum().clamp_min(1e-12)
        shares = sizes / total
        means = sums / sizes.clamp_min(1e-12)[:, None]
        covariance = outer / total - (shares[:, None] * means).T @ means
        ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
        covariance += ridge * torch.eye(len(covariance), dtype=torch.float64, device=shares.device)
        weights = torch.linalg.solve(covariance, means.T).T
        bias = shares.log() - (weights * means).sum(1) / 2
        return Discriminant(weights.float(), bias.float(), means.float(), shares.float())


def expectation_maximisation(
    start: Discriminant, batches: Iterable[Iterable[Tensor]], ranks: Ranks = ALONE
) -> Discriminant:
    """Iterations of expectation maximisation.

    Args:
        start: the initial fit.
        batches: for each iteration, batches of all points, each (P, C).
        ranks: that share the points.
    """
    found = start
    for iteration in batches:
        sums = MixtureSums(len(found.bias), found.weights.shape[1], found.weights.device, ranks)
        for points in iteration:
            sums.add(points, found.scores(points).softmax(1))
        found = sums.fit()
    return found
