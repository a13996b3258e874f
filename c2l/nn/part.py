"""The part contrastive module: one vector a part and view, matched and contrasted (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.assignment import assign_batch

READINGS = ("map", "pooled", "assigned", "global")


class PartContrastiveModule(nn.Module):
    """A 1x1 convolution, a grouped convolution, and N part vectors of each view.

    The paper leaves open how the grouped convolution's output becomes g_0..g_k:

    - ``map``: N spatial maps; g_i is map i over the H x W positions of the aligned views.
    - ``pooled``: the maps are soft masks; g_i is the mask-weighted mean of the reduced features.
    - ``assigned``: no weights of its own; g_i is the mean, over the pixels that clustering gave
      to part i, of the features that are clustered, so N = K.
    - ``global``: each group's output averaged over the image. Near-orthogonal at initialisation
      whatever the image shows, so it teaches little; kept for comparison.

    Args:
        dim: channels of the features m.
        parts: N, the number of parts.
        reading: one of the four.
        reduced: channels a group has after the 1x1 convolution.
    """

    def __init__(self, dim: int, parts: int, reading: str, *, reduced: int = 16) -> None:
        super().__init__()
        self.reading, self.parts = reading, parts
        if reading == "assigned":
            return
        outputs = parts * reduced if reading == "global" else parts
        self.reduce = nn.Conv2d(dim, parts * reduced, 1)
        self.group = nn.Conv2d(parts * reduced, outputs, 1, groups=parts)

    def forward(
        self, features_BCHW: Tensor, clustered_BCHW: Tensor, labels_BHW: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Part vectors of one view.

        Args:
            features_BCHW: (B, C, H, W) the features m, on the grid both views share.
            clustered_BCHW: (B, C, H, W) the normalised features y that are clustered.
            labels_BHW: (B, H, W) integer cluster of each pixel (``assigned`` only).

        Returns:
            (B, N, D) float32 vectors of unit length and (B, N) bool: which parts occur.
        """
        if self.reading == "assigned":
            if labels_BHW is None:
                raise ValueError("the reading 'assigned' needs the pixels' clusters")
            vectors, present = pool_by_label(clustered_BCHW, labels_BHW, self.parts)
            return F.normalize(vectors, dim=-1), present
        reduced = F.relu(self.reduce(features_BCHW))
        maps = self.group(reduced).float()
        if self.reading == "map":
            # Centred: a constant shared by all maps would make them alike whatever they show.
            vectors = maps.flatten(2)
            vectors = vectors - vectors.mean(-1, keepdim=True)
        elif self.reading == "pooled":
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
        (B, N, C) float32, zero where a label does not occur, and (B, N) bool: where it does.
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
    present: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """InfoNCE between matched parts of two views (Eq. 1), a mean over parts.

    Parts are matched an image at a time by the Hungarian method on detached cosine similarity.
    The other N - 1 parts of the other view of the same image are the negatives.

    Args:
        queries_BND: (B, N, D) unit vectors g of one view.
        keys_BND: (B, N, D) unit vectors t of the other.
        tau: temperature.
        present: (B, N) bool for each view; a part absent from a view is neither a query, a
            positive nor a negative.

    Returns:
        Scalar float32; 0 where no part occurs in both views.
    """
    similarity = queries_BND.float() @ keys_BND.float().transpose(1, 2)
    if present is None:
        match = assign_batch(similarity.detach())
        return F.cross_entropy((similarity / tau).flatten(0, 1), match.flatten())
    both = present[0][:, :, None] & present[1][:, None, :]
    match = assign_batch(similarity.detach().masked_fill(~both, -2.0))
    valid = both.gather(2, match[..., None]).squeeze(-1)
    logits = (similarity / tau).masked_fill(~present[1][:, None, :], -torch.inf)
    logits = torch.where(valid[..., None], logits, torch.zeros_like(logits))
    losses = F.cross_entropy(logits.flatten(0, 1), match.flatten(), reduction="none")
    weights = valid.flatten().float()
    return (losses * weights).sum() / weights.sum().clamp_min(1)
