"""A predictor as one module from a photo to its parts, which other programs run without c2l."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.figure.model import part_labels, sharpen_parts
from c2l.model.predictor import Predictor, aligned


class PhotoNetwork(nn.Module):
    """What a predictor finds in one photo of any size, with all that comes before and after.

    In full precision: a predictor of c2l may read features in bf16 where the machine has it.

    Args:
        predictor: on the CPU.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = replace(predictor, encoder=replace(predictor.encoder, amp="off"))
        self.net = predictor.encoder.net

    def forward(self, photo_HW3: Tensor) -> tuple[Tensor, Tensor]:
        """Score maps and labels at the photo's own size.

        Args:
            photo_HW3: (H, W, 3) uint8 RGB, upright.

        Returns:
            (names, H, W) float32, and (H, W) uint8 index into the names, int32 from 257 on.
        """
        predictor, size = self.predictor, (photo_HW3.shape[0], photo_HW3.shape[1])
        small = resized(photo_HW3, predictor.encoder.image_size)
        scores = predictor.classify(predictor.encoder.read(small / 255))
        if predictor.align:
            scores = aligned(small, scores)
        if predictor.sharpen is not None:
            parts = predictor.classifier.part_shares(scores, predictor.sharpen.shares)
            sharp = sharpen_parts(small, parts)
            return F.interpolate(sharp, size, mode="bilinear")[0], part_labels(sharp[0], size)
        full = predictor.grouped(F.interpolate(scores, size, mode="bilinear"))[0]
        return full, full.argmax(0).to(torch.uint8 if len(full) <= 256 else torch.int32)


def resized(photo_HW3: Tensor, side: int) -> Tensor:
    """A photo as Pillow resizes it: bilinear with antialiasing, rounded after each direction.

    Pillow shrinks the height before it enlarges the width, and else begins with the width. Its
    weights are fixed-point numbers: single values differ from these by 1.

    Args:
        photo_HW3: (H, W, 3) uint8.
        side: of the result.

    Returns:
        (1, 3, side, side) float32 whole numbers, 0 to 255.
    """
    height, width = photo_HW3.shape[0], photo_HW3.shape[1]
    # 1 where the width grows; arithmetic, since an exported graph has one path for all sizes.
    grows = torch.sym_min(torch.sym_max(side - width, 0), 1)
    first = height - torch.sym_max(height - side, 0) * grows
    x = photo_HW3.permute(2, 0, 1)[None].float()
    # Symbols while the graph is traced.
    sizes: list[Any] = [(first, width), (first, side), (side, side)]
    for size in sizes:
        x = (F.interpolate(x, size, mode="bilinear", antialias=True) + 0.5).floor()
    return x
