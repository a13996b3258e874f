"""Bilinear resizing that a GPU can differentiate in a fixed order."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def resize(maps_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps at another size, bilinearly, as ``F.interpolate`` without aligned corners.

    A GPU's backward pass of ``F.interpolate`` adds gradients atomically, in the maps' precision and
    in no fixed order. Two matrix products, which sum in float32, take their place there.

    Args:
        maps_BCHW: (B, C, H, W) float.
        size: height and width of the result.

    Returns:
        (B, C, *size) in the same dtype; channels-last maps stay channels last.
    """
    if maps_BCHW.device.type == "cpu":
        return F.interpolate(maps_BCHW, size, mode="bilinear")
    return resize_by_products(maps_BCHW, size)


def resize_by_products(maps_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """The same as two products with matrices of hat functions."""
    batch, channels, height, width = maps_BCHW.shape
    rows, columns = (
        _hats(count, to, maps_BCHW) for count, to in zip((height, width), size, strict=True)
    )
    # Pixels as rows of channels: both products then read and write channels-last memory.
    maps_BHWC = maps_BCHW.permute(0, 2, 3, 1)
    down = (rows @ maps_BHWC.reshape(batch, height, width * channels)).view(
        batch, size[0], width, channels
    )
    return (columns @ down).permute(0, 3, 1, 2)


def _hats(count: int, to: int, like: Tensor) -> Tensor:
    """(to, count) matrix that resamples ``count`` values linearly, its border replicated."""
    cells = torch.arange(count, device=like.device)
    source = (torch.arange(to, device=like.device) + 0.5) * (count / to) - 0.5
    source = source.clamp(0, count - 1)
    return (1 - (source[:, None] - cells).abs()).clamp_(min=0).to(like.dtype)
