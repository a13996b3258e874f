"""The clustering loss of PiCIE with its class weights (Eq. 7)."""

from __future__ import annotations

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


def clustering_loss(
    features_BCHW: Tensor, labels_BHW: Tensor, centroids_KC: Tensor, weights_K: Tensor | None
) -> Tensor:
    """Cross-entropy of pixels against frozen centroids: L_clust of Eq. 7.

    Args:
        features_BCHW: (B, C, H, W) normalised features y.
        labels_BHW: (B, H, W) integer pseudo-labels z.
        centroids_KC: (K, C) float32 centroids mu; logits are plain inner products.
        weights_K: (K,) class weights or None.

    Returns:
        Scalar float32.
    """
    logits = torch.einsum("bchw,kc->bkhw", features_BCHW.float(), centroids_KC)
    return F.cross_entropy(logits, labels_BHW.long(), weights_K)
