"""The transforms P and G of the two views (Eq. 5), batched, on any device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.nn.views import BLUR_SIGMA, ViewParameters
from c2l.runtime.device import send

# ITU-R BT.601 luma, as torchvision and Pillow use it.
LUMA = (0.299, 0.587, 0.114)
# RGB to YIQ; a hue shift is a rotation of (I, Q).
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
# Side of the photos that blur sigmas refer to, the training size of PiCIE and C^2L. On smaller
# photos the same sigma in pixels would blur more.
BLUR_SIDE = 320


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _scaled_identity(scale: Tensor) -> Tensor:
    return torch.eye(3).expand(len(scale), 3, 3) * scale[:, None, None]


def _hue_rotation(turns: Tensor) -> Tensor:
    to_yiq = torch.tensor(YIQ)
    angle = turns * (2 * math.pi)
    rotation = torch.zeros(len(turns), 3, 3)
    rotation[:, 0, 0] = 1
    rotation[:, 1, 1] = rotation[:, 2, 2] = angle.cos()
    rotation[:, 1, 2] = -angle.sin()
    rotation[:, 2, 1] = angle.sin()
    shifted: Tensor = torch.linalg.inv(to_yiq) @ rotation @ to_yiq
    return shifted


def colour_transform(
    parameters: ViewParameters, view: int, mean_luma: Tensor
) -> tuple[Tensor, Tensor]:
    """Brightness, contrast, saturation, hue and grey as one affine colour map per image.

    Only the mean luma depends on the pixels; the rest is computed on the host and copied once.

    Args:
        parameters: transforms of B images.
        view: 0 or 1.
        mean_luma: (B,) float32 mean luma of each image, in [0, 1].

    Returns:
        (B, 3, 3) matrices and (B, 3, 1) offsets, float32 on the device of ``mean_luma``:
        ``rgb' = matrix @ rgb + offset``.
    """
    pick = {
        name: _tensor(getattr(parameters, name)[:, view])
        for name in ("brightness", "contrast", "saturation", "hue", "grey")
    }
    luma = torch.tensor(LUMA).expand(3, 3)
    saturation = _scaled_identity(pick["saturation"]) + (
        (1 - pick["saturation"])[:, None, None] * luma
    )
    tint = _hue_rotation(pick["hue"]) @ saturation
    grey = pick["grey"][:, None, None]
    tint = grey * (luma @ tint) + (1 - grey) * tint
    matrix = tint @ _scaled_identity(pick["brightness"] * pick["contrast"])
    # Contrast is relative to the mean luma of the brightened image.
    pull = torch.stack([pick["brightness"], 1 - pick["contrast"]], 1)
    known = send(torch.cat([matrix.flatten(1), tint.flatten(1), pull], 1), mean_luma.device)
    offset = (mean_luma * known[:, 18] * known[:, 19])[:, None, None]
    matrix, tint = (known[:, i : i + 9].reshape(-1, 3, 3) for i in (0, 9))
    return matrix, tint @ offset.expand(-1, 3, 1)


def gaussian_blur(images_B3HW: Tensor, sigma_B: NDArray[np.float32], max_sigma: float) -> Tensor:
    """Separable Gaussian blur with one sigma per image and replicated borders.

    Args:
        images_B3HW: (B, 3, H, W) float.
        sigma_B: (B,) float32 in pixels, on the host; 0 leaves an image unchanged.
        max_sigma: the largest possible sigma; kernels extend three times as far.
    """
    blurred_indices = np.flatnonzero(sigma_B > 0)
    if not len(blurred_indices):
        return images_B3HW
    chosen = send(torch.from_numpy(blurred_indices), images_B3HW.device)
    batch = images_B3HW[chosen]
    count, channels, height, width = batch.shape
    # The kernel is cut to the size of the image.
    radius = min(math.ceil(3 * max_sigma), height - 1, width - 1)
    offsets = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (offsets / torch.from_numpy(sigma_B[blurred_indices])[:, None]) ** 2)
    taps = send((taps / taps.sum(1, keepdim=True)).repeat_interleave(channels, 0), batch.device)
    taps = taps.to(batch.dtype)
    flat = batch.reshape(1, count * channels, height, width)
    flat = F.pad(flat, (radius, radius, radius, radius), mode="replicate")
    flat = F.conv2d(flat, taps[:, None, None, :], groups=count * channels)
    flat = F.conv2d(flat, taps[:, None, :, None], groups=count * channels)
    blurred = images_B3HW.clone()
    blurred[chosen] = flat.reshape(count, channels, height, width)
    return blurred


def photometric(images_B3HW: Tensor, parameters: ViewParameters, view: int) -> Tensor:
    """P_i of one view: colour jitter and blur, drawn independently for each view.

    Args:
        images_B3HW: (B, 3, H, W) uint8.
        parameters: transforms of the same B images.
        view: 0 or 1.

    Returns:
        (B, 3, H, W) float32 in [0, 1].
    """
    x = images_B3HW.float().div_(255)
    luma = send(torch.tensor(LUMA), x.device)
    mean_luma = torch.einsum("bcp,c->b", x.flatten(2), luma) / (x.shape[2] * x.shape[3])
    matrix, offset = colour_transform(parameters, view, mean_luma)
    coloured = torch.baddbmm(offset, matrix, x.flatten(2)).clamp_(0, 1).view_as(x)
    scale = x.shape[-1] / BLUR_SIDE
    sigma = parameters.blur[:, view] * np.float32(scale)
    return gaussian_blur(coloured, sigma, BLUR_SIGMA[1] * scale)


def _interpolation(start_B: Tensor, side_B: Tensor, flip_B: Tensor, size: int) -> Tensor:
    """(B, size, size) float32 matrices that resample [start, start + side] linearly."""
    steps = (torch.arange(size, device=start_B.device) + 0.5) / size
    steps = torch.where(flip_B[:, None], 1 - steps, steps)
    source = (start_B[:, None] + side_B[:, None] * steps) * size - 0.5
    cells = torch.arange(size, device=start_B.device)
    # Hat functions give linear interpolation; clamping replicates the border.
    return (1 - (source.clamp(0, size - 1)[:, :, None] - cells).abs()).clamp_(min=0)


def geometric(maps_BCHW: Tensor, parameters: ViewParameters) -> Tensor:
    """G_i: square crop, resize and horizontal flip, shared by both views.

    An axis-aligned crop is separable: bilinear resampling is two matrix products. So is its
    backward pass, without the scatter-add of ``grid_sample``.

    Args:
        maps_BCHW: (B, C, H, W) float: images, or their feature maps on any grid.
        parameters: transforms of the same B images.

    Returns:
        (B, C, H, W) in the same dtype. Channels-last maps with more channels than columns stay
        channels last.
    """
    channels, height, width = maps_BCHW.shape[-3:]
    drawn = np.column_stack([parameters.crop, parameters.flip])
    side, top, left, flipped = send(_tensor(drawn), maps_BCHW.device).unbind(1)
    flip = flipped > 0
    rows = _interpolation(top, side, torch.zeros_like(flip), height).to(maps_BCHW.dtype)
    columns = _interpolation(left, side, flip, width).to(maps_BCHW.dtype)
    # The order of the two products lets broadcasting copy the smaller operand.
    if channels > width and maps_BCHW.is_contiguous(memory_format=torch.channels_last):
        maps_BHWC = maps_BCHW.permute(0, 2, 3, 1)
        down = torch.bmm(rows, maps_BHWC.flatten(2)).view_as(maps_BHWC)
        return (columns[:, None] @ down).permute(0, 3, 1, 2)
    across = torch.bmm(maps_BCHW.flatten(1, 2), columns.transpose(1, 2))
    return rows[:, None] @ across.view_as(maps_BCHW)
