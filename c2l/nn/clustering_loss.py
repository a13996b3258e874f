"""The clustering loss of PiCIE with its class weights (Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


def class_weights(counts_K: Tensor, kind: str) -> Tensor | None:
    """Weights of the clustering loss from the cluster sizes.

    Args:
        counts_K: (K,) pixels of each cluster.
        kind: ``none``; ``frequency``, proportional to size, as in PiCIE's code; or ``inverse``,
            as in PiCIE's text. Inverse weights push clusters to equal size, which is wrong for
            photos that are mostly background.

    Returns:
        (K,) float32 with mean 1, or None.
    """
    if kind == "none":
        return None
    counts = counts_K.float()
    weights = counts if kind == "frequency" else torch.where(counts > 0, 1 / counts, 0.0)
    return weights / weights.mean().clamp_min(1e-12)


@dataclass(frozen=True)
class Target:
    """The clustering target of the pixels of a view.

    Attributes:
        labels: (B, H, W) integer pseudo-labels z.
        centroids: (K, C) float32 mu.
        weights: (K,) class weights, or None.
    """

    labels: Tensor
    centroids: Tensor
    weights: Tensor | None

    def total(self) -> Tensor:
        """Sum of the pixels' weights, which the mean of the loss divides by."""
        if self.weights is None:
            return torch.tensor(float(self.labels.numel()), device=self.labels.device)
        return self.weights[self.labels.flatten().long()].sum()


def cluster_logits(features_BCHW: Tensor, targets: Sequence[Target]) -> tuple[Tensor, ...]:
    """Inner products of the pixels' features with the centroids of each target.

    One matrix product computes them for all targets with pixels as rows, so channels-last
    features are not copied.

    Args:
        features_BCHW: (B, C, H, W) normalised features y.
        targets: of K clusters each.

    Returns:
        (B * H * W, K) float32 per target.
    """
    points_PC = features_BCHW.permute(0, 2, 3, 1).flatten(0, 2).float()
    logits = points_PC @ torch.cat([target.centroids for target in targets]).T
    return torch.split(logits, [len(target.centroids) for target in targets], dim=1)


def clustering_loss(logits_PK: Tensor, target: Target) -> Tensor:
    """Cross-entropy of pixels against frozen centroids: L_clust of Eq. 7, a float32 scalar."""
    return cross_entropy(logits_PK, target.labels.flatten().long(), target.weights)


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Cross-entropy, a mean weighted by the labels' classes.

    Args:
        logits: (P, K) or (B, K, H, W) float32.
        labels: (P,) or (B, H, W) int64.
        weights: (K,) float32, or None.

    Returns:
        Float32 scalar.
    """
    if logits.device.type == "cpu":
        return F.cross_entropy(logits, labels, weights)
    return parallel_cross_entropy(logits, labels, weights)


def parallel_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """The same by a sum over pixels, in a fixed order.

    On a GPU torch's own mean adds maps atomically, in no fixed order, and rows in one block of
    threads, whatever their number.
    """
    if logits.ndim == 4:
        logits, labels = logits.permute(0, 2, 3, 1).flatten(0, 2), labels.flatten()
    losses = F.cross_entropy(logits, labels, weights, reduction="none")
    return losses.mean() if weights is None else losses.sum() / weights[labels].sum()
