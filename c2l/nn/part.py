"""The part contrastive module (section 3.2): part vectors, matched and contrasted across views."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.assignment import assign_batch


class PartContrastiveModule(nn.Module):
    """A 1x1 convolution, a grouped convolution, and N part vectors for each view.

    The paper does not say how the output of the grouped convolution becomes g_0..g_k. Readouts:

    - ``map``: N spatial maps; g_i is map i, flattened over the H x W positions.
    - ``pooled``: the maps are soft masks; g_i is the mask-weighted mean of the reduced features.
    - ``assigned``: no parameters; g_i is the mean of the clustered features y over the pixels
      assigned to cluster i, so N = K.
    - ``global``: the output of each group, averaged over the image. These vectors are nearly
      orthogonal at initialisation for any image, so the loss teaches little.

    Args:
        dim: channels of the features m.
        parts: N, the number of parts.
        readout: one of the four.
        reduced: channels per group after the 1x1 convolution.
    """

    def __init__(self, dim: int, parts: int, readout: str, *, reduced: int = 16) -> None:
        super().__init__()
        self.readout, self.parts = readout, parts
        if readout == "assigned":
            return
        outputs = parts * reduced if readout == "global" else parts
        self.reduce = nn.Conv2d(dim, parts * reduced, 1)
        self.group = nn.Conv2d(parts * reduced, outputs, 1, groups=parts)

    def forward(
        self, features_BCHW: Tensor, clustered_BCHW: Tensor, labels_BHW: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Part vectors of one view.

        Args:
            features_BCHW: (B, C, H, W) features m, on the common grid of both views.
            clustered_BCHW: (B, C, H, W) normalised features y, which are clustered.
            labels_BHW: (B, H, W) integer cluster of each pixel, for ``assigned``.

        Returns:
            (B, N, D) float32 vectors of unit length, and (B, N) bool: the parts that occur.
        """
        if self.readout == "assigned":
            if labels_BHW is None:
                raise ValueError("the readout 'assigned' needs the clusters of the pixels")
            vectors, present = pool_by_label(clustered_BCHW, labels_BHW, self.parts)
            return F.normalize(vectors, dim=-1), present
        reduced = F.relu(self.reduce(features_BCHW))
        maps = self.group(reduced).float()
        if self.readout == "map":
            # Centred: a common offset would make all maps similar.
            vectors = maps.flatten(2)
            vectors = vectors - vectors.mean(-1, keepdim=True)
        elif self.readout == "pooled":
            masks = maps.flatten(2).softmax(1)
            masks = masks / masks.sum(-1, keepdim=True).clamp_min(1e-6)
            vectors = masks @ reduced.float().flatten(2).transpose(1, 2)
        else:
            vectors = maps.mean((2, 3)).unflatten(1, (self.parts, -1))
        present = torch.ones(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
        return F.normalize(vectors, dim=-1), present


def pool_by_label(features_BCHW: Tensor, labels_BHW: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Mean feature of each label in each image.

    Returns:
        (B, N, C) float32, zero for labels that do not occur, and (B, N) bool: those that occur.
    """
    masks = F.one_hot(labels_BHW.flatten(1).long(), parts).float()
    sizes = masks.sum(1)
    with torch.autocast(features_BCHW.device.type, enabled=False):
        sums = masks.transpose(1, 2) @ features_BCHW.float().flatten(2).transpose(1, 2)
    return sums / sizes.clamp_min(1)[..., None], sizes > 0


def part_contrastive_loss(
    queries_BND: Tensor,
    keys_BND: Tensor,
    tau: float,
    present: tuple[Tensor, Tensor],
    total: Callable[[Tensor], Tensor] = lambda count: count,
) -> Tensor:
    """InfoNCE between matched parts of two views (Eq. 1), averaged over parts.

    The parts of each image are matched by the Hungarian method on detached cosine similarity.
    Negatives are the other N - 1 parts of the same image in the other view.

    Args:
        queries_BND: (B, N, D) unit vectors g of one view.
        keys_BND: (B, N, D) unit vectors t of the other view.
        tau: temperature.
        present: (B, N) bool for each view; an absent part is neither query, positive nor
            negative.
        total: from the number of matched parts here to that of the whole batch, of which these
            images may be a part.

    Returns:
        Float32 scalar, these images' part of the mean; 0 if no part occurs in both views.
    """
    similarity = queries_BND.float() @ keys_BND.float().transpose(1, 2)
    both = present[0][:, :, None] & present[1][:, None, :]
    match = assign_batch(similarity.detach().masked_fill(~both, -2.0))
    valid = both.gather(2, match[..., None]).squeeze(-1)
    logits = (similarity / tau).masked_fill(~present[1][:, None, :], -torch.inf)
    logits = torch.where(valid[..., None], logits, torch.zeros_like(logits))
    losses = F.cross_entropy(logits.flatten(0, 1), match.flatten(), reduction="none")
    weights = valid.flatten().float()
    return (losses * weights).sum() / total(weights.sum()).clamp_min(1)
