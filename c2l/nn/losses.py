"""The clustering loss of PiCIE with its class weights (Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


def class_weights(counts_K: Tensor, kind: str) -> Tensor | None:
    """Weights of the clustering loss from the clusters' sizes.

    Args:
        counts_K: (K,) pixels of each cluster.
        kind: ``none``; ``frequency``, proportional to the size as PiCIE's program has it; or
            ``inverse``, as its text reads. Inverse weights drive clusters to equal size, which
            a scene that is mostly background does not have.

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
    """What the pixels of a view are trained on.

    Attributes:
        labels: (B, H, W) integer pseudo-labels z.
        centroids: (K, C) float32 mu.
        weights: (K,) class weights or None.
    """

    labels: Tensor
    centroids: Tensor
    weights: Tensor | None


def clustering_losses(features_BCHW: Tensor, targets: Sequence[Target]) -> list[Tensor]:
    """Cross-entropy of pixels against frozen centroids: L_clust of Eq. 7, one for each target.

    Logits are plain inner products. Those of all targets are one product, and pixels are rows
    in it: nothing larger than the logits is copied where the features are channels last.

    Args:
        features_BCHW: (B, C, H, W) normalised features y.
        targets: the view's own, and with the cross-view loss the other's.

    Returns:
        Scalars, float32.
    """
    points_PC = features_BCHW.permute(0, 2, 3, 1).flatten(0, 2).float()
    logits = points_PC @ torch.cat([target.centroids for target in targets]).T
    each = torch.split(logits, [len(target.centroids) for target in targets], dim=1)
    return [
        F.cross_entropy(one, target.labels.flatten().long(), target.weights)
        for one, target in zip(each, targets, strict=True)
    ]
