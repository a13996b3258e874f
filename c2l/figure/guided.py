"""The guided filter: aligns a soft mask with the edges of its photo."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Radius of the window, as a fraction of the side of the photo. The best of 1/32 to 3/16 on labelled
# training photos.
RADIUS = 3 / 32
# Regularisation, in squared intensities; 3e-4 and 1e-2 were not better.
EPSILON = 1e-3


def guided_filter(
    guides_B3HW: Tensor, masks_BCHW: Tensor, *, radius: float = RADIUS, side: int = 0
) -> Tensor:
    """Filter masks so that in every window each mask is an affine function of the colour.

    He, Sun and Tang, "Guided Image Filtering" (TPAMI 2013), Eqs. 14 to 16. Box means are two
    products with band matrices, so the cost does not grow with the radius. With ``side``, the
    affine functions are found on a coarser grid and brought to the guide's size (He and Sun, "Fast
    Guided Filter", 2015).

    Args:
        guides_B3HW: (B, 3, H, W) float32 photos in [0, 1].
        masks_BCHW: (B, C, h, w) float32; of the guides' size without ``side``, else of any.
        radius: of the window, as a fraction of the side of the photo.
        side: of the grid on which the affine functions are found; 0 for the guides' own.

    Returns:
        (B, C, H, W) float32; values may lie slightly outside the range of the mask.
    """
    guides = guides_B3HW
    if side:
        size = (min(side, guides.shape[2]), min(side, guides.shape[3]))
        guides = F.interpolate(guides_B3HW, size, mode="bilinear", antialias=True)
        masks_BCHW = F.interpolate(masks_BCHW, size, mode="bilinear")
    height, width = guides.shape[-2:]
    down = _band(height, max(1, round(radius * height)), guides.device)
    across = _band(width, max(1, round(radius * width)), guides.device).T

    def mean(x: Tensor) -> Tensor:
        return down @ (x @ across)

    def full(x: Tensor) -> Tensor:
        return F.interpolate(x, guides_B3HW.shape[2:], mode="bilinear") if side else x

    guide = mean(guides)
    first, second = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]
    products = guides[:, first] * guides[:, second]
    inverse = _inverse(mean(products) - guide[:, first] * guide[:, second])
    filtered = []
    for mask in masks_BCHW.unbind(1):
        mask = mask[:, None]
        average = mean(mask)
        covariance = mean(guides * mask) - guide * average
        slope = (inverse * covariance[:, None]).sum(2)
        offset = average - (slope * guide).sum(1, True)
        filtered.append((full(mean(slope)) * guides_B3HW).sum(1, True) + full(mean(offset)))
    return torch.cat(filtered, 1)


def _band(size: int, radius: int, device: torch.device) -> Tensor:
    """(size, size) float32 matrix that averages over the window around each position."""
    position = torch.arange(size, device=device)
    window = ((position[:, None] - position).abs() <= radius).float()
    return window / window.sum(1, True)


def _inverse(covariance_B6HW: Tensor) -> Tensor:
    """Inverse of symmetric 3 x 3 matrices plus ``EPSILON`` I, (B, 3, 3, H, W), by cofactors."""
    a, b, c, d, e, f = covariance_B6HW.unbind(1)
    a, d, f = a + EPSILON, d + EPSILON, f + EPSILON
    first = [d * f - e * e, c * e - b * f, b * e - c * d]
    second = [first[1], a * f - c * c, b * c - a * e]
    third = [first[2], second[2], a * d - b * b]
    determinant = a * first[0] + b * first[1] + c * first[2]
    rows = torch.stack([torch.stack(row, 1) for row in (first, second, third)], 1)
    return rows / determinant[:, None, None]
