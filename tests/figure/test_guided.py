"""The guided filter equals its definition and aligns masks with edges."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from c2l.figure.guided import EPSILON, guided_filter


def by_definition(
    guide: NDArray[np.float64], mask: NDArray[np.float64], radius: int
) -> NDArray[np.float64]:
    """He et al.: a linear regression in each window, averaged over the windows of a pixel."""
    height, width = mask.shape
    slopes, offsets = np.zeros((height, width, 3)), np.zeros((height, width))

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(0, row - radius), row + radius + 1),
            slice(max(0, column - radius), column + radius + 1),
        )

    for row in range(height):
        for column in range(width):
            where = window(row, column)
            colours, values = guide[:, where[0], where[1]].reshape(3, -1), mask[where].ravel()
            spread = np.cov(colours, bias=True) + EPSILON * np.eye(3)
            joint = ((colours - colours.mean(1, keepdims=True)) * values).mean(1)
            slopes[row, column] = np.linalg.solve(spread, joint)
            offsets[row, column] = values.mean() - slopes[row, column] @ colours.mean(1)
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            where = window(row, column)
            slope, offset = slopes[where].reshape(-1, 3).mean(0), offsets[where].mean()
            result[row, column] = slope @ guide[:, row, column] + offset
    return result


def test_it_equals_the_regressions_of_its_definition() -> None:
    generator = np.random.default_rng(0)
    # 3/32 of both sides is a radius of 2.
    guides = generator.random((2, 3, 20, 20))
    masks = generator.random((2, 2, 20, 20))
    found = guided_filter(torch.from_numpy(guides).float(), torch.from_numpy(masks).float())
    for photo in range(2):
        for channel in range(2):
            expected = by_definition(guides[photo], masks[photo, channel], 2)
            np.testing.assert_allclose(found[photo, channel].numpy(), expected, atol=2e-4)


def test_a_blurred_mask_gets_the_edge_of_its_photo() -> None:
    guide = torch.full((1, 3, 64, 64), 0.2)
    guide[..., 32:] = 0.8
    ramp = ((torch.arange(64) - 24) / 16).clamp(0, 1).expand(1, 1, 64, 64)
    sharp = guided_filter(guide, ramp)[0, 0, 32]
    assert float(sharp[32] - sharp[31]) > 5 * float(ramp[0, 0, 32, 32] - ramp[0, 0, 32, 31])


def test_a_photo_of_one_colour_gives_the_mean_of_the_window() -> None:
    mask = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    even = guided_filter(torch.full((1, 3, 32, 32), 0.5), mask)
    assert float(even.std()) < 0.2 * float(mask.std())
    assert abs(float(even.mean() - mask.mean())) < 0.05


def test_a_coarse_grid_aligns_coarse_masks_with_edges_of_the_whole_photo() -> None:
    guide = torch.full((1, 3, 64, 64), 0.2)
    guide[..., 31:] = 0.8  # not at an edge of the coarse grid's cells
    soft = ((torch.arange(16) - 4) / 8).clamp(0, 1).expand(1, 1, 16, 16)
    masks = torch.cat([soft, 1 - soft], 1)
    found = guided_filter(guide, masks, side=32)
    assert found.shape == (1, 2, 64, 64)
    row = found[0, 0, 32]
    assert float(row[31] - row[30]) > 5 * float((row[30] - row[29]).abs())
    # The filter is linear and keeps constants: what summed to 1 still does.
    torch.testing.assert_close(found.sum(1), torch.ones(1, 64, 64))
