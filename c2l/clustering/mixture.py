"""A Gaussian mixture whose components share one covariance, by sums over batches of points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

# Added to the covariance's diagonal, as a share of its mean: points of unit length have none
# along their mean.
RIDGE = 1e-3
# Points whose products are summed in float32 before they enter a float64 sum.
CHUNK = 1 << 14


@dataclass(frozen=True)
class Discriminant:
    """What decides between the components: ``score_k(x) = weights_k . x + bias_k``.

    The score is the log of the component's weight and density, less what all share, so that a
    softmax over the components is the posterior.

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
    """What a maximisation step needs of the points and their responsibilities.

    Args:
        components: K.
        channels: C.
        device: of the points.
    """

    def __init__(self, components: int, channels: int, device: torch.device) -> None:
        self._sizes = torch.zeros(components, dtype=torch.float64, device=device)
        self._sums = torch.zeros(components, channels, dtype=torch.float64, device=device)
        self._outer = torch.zeros(channels, channels, dtype=torch.float64, device=device)

    def add(self, points_PC: Tensor, responsibilities_PK: Tensor) -> None:
        """Count a batch; a point's responsibilities sum to 1."""
        for start in range(0, len(points_PC), CHUNK):
            points = points_PC[start : start + CHUNK].float()
            shares = responsibilities_PK[start : start + CHUNK].float()
            self._sizes += shares.sum(0, dtype=torch.float64)
            self._sums += (shares.T @ points).double()
            self._outer += (points.T @ points).double()

    def fit(self) -> Discriminant:
        """The maximisation step.

        ``S = E[x x'] - sum_k pi_k m_k m_k'``, since the responsibilities of a point sum to 1.
        A component without points keeps a mean of 0 and is never chosen.
        """
        total = self._sizes.sum().clamp_min(1e-12)
        shares = self._sizes / total
        means = self._sums / self._sizes.clamp_min(1e-12)[:, None]
        covariance = self._outer / total - (shares[:, None] * means).T @ means
        ridge = RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
        covariance += ridge * torch.eye(len(covariance), dtype=torch.float64, device=shares.device)
        weights = torch.linalg.solve(covariance, means.T).T
        bias = shares.log() - (weights * means).sum(1) / 2
        return Discriminant(weights.float(), bias.float(), means.float(), shares.float())


def expectation_maximisation(
    start: Discriminant, batches: Iterable[Iterable[Tensor]]
) -> Discriminant:
    """Iterations from a first fit.

    Args:
        start: the first fit.
        batches: for each iteration all points, each batch (P, C).
    """
    found = start
    for iteration in batches:
        sums = MixtureSums(len(found.bias), found.weights.shape[1], found.weights.device)
        for points in iteration:
            sums.add(points, found.scores(points).softmax(1))
        found = sums.fit()
    return found
