"""The transforms of the views equal those of torchvision, SciPy and grid_sample."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import functional as T

from c2l.nn.augment import LUMA, colour_transform, gaussian_blur, geometric, photometric
from c2l.nn.views import view_parameters


def photos(count: int, size: int = 24, low: int = 0, high: int = 256) -> Tensor:
    random = np.random.default_rng(count + size)
    return torch.from_numpy(random.integers(low, high, (count, 3, size, size), dtype=np.uint8))


def luma(images: Tensor) -> Tensor:
    return (images * torch.tensor(LUMA).view(3, 1, 1)).sum(-3)


def test_neutral_parameters_change_nothing(make_views: Any) -> None:
    images = photos(3)
    out = photometric(images, make_views(3), 0)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, images.float() / 255, atol=1e-6, rtol=0)


# Mid-tones, so that nothing is clamped and the steps compose without loss.
@pytest.mark.parametrize(
    ("name", "factor"),
    [(n, f) for n in ("brightness", "contrast", "saturation") for f in (0.7, 0.9, 1.3)],
)
def test_factors_equal_torchvisions(make_views: Any, name: str, factor: float) -> None:
    images = photos(4, low=80, high=160)
    expected = getattr(T, f"adjust_{name}")(images.float() / 255, factor)
    assert float(expected.min()) > 0
    assert float(expected.max()) < 1
    out = photometric(images, make_views(4, **{name: factor}), 1)
    # torchvision rounds its luma weights to four digits.
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=0)


def test_colours_are_clamped_to_their_range(make_views: Any) -> None:
    images = photos(2)
    out = photometric(images, make_views(2, brightness=1.3), 0)
    torch.testing.assert_close(out, (images.float() / 255 * 1.3).clamp(0, 1), atol=1e-5, rtol=0)


def test_grey_equals_torchvisions(make_views: Any) -> None:
    images = photos(3)
    out = photometric(images, make_views(3, grey=True), 0)
    expected = T.rgb_to_grayscale(images.float() / 255, num_output_channels=3)
    torch.testing.assert_close(out, expected, atol=2e-4, rtol=0)


def test_brightness_contrast_and_saturation_are_applied_in_this_order(make_views: Any) -> None:
    images = photos(3, low=90, high=150)
    views = make_views(3, brightness=1.2, contrast=0.75, saturation=0.8)
    expected = images.float() / 255
    for name, factor in (("brightness", 1.2), ("contrast", 0.75), ("saturation", 0.8)):
        expected = getattr(T, f"adjust_{name}")(expected, factor)
    torch.testing.assert_close(photometric(images, views, 0), expected, atol=5e-4, rtol=0)


@pytest.mark.parametrize("turns", [-0.1, 0.03, 0.1])
def test_hue_keeps_luma_and_grey(make_views: Any, turns: float) -> None:
    images = photos(3, low=100, high=150)
    out = photometric(images, make_views(3, hue=turns), 0)
    torch.testing.assert_close(luma(out), luma(images.float() / 255), atol=1e-5, rtol=0)
    assert float((out - images.float() / 255).abs().max()) > 0.005
    grey = torch.full((1, 3, 4, 4), 99, dtype=torch.uint8)
    same = photometric(grey, make_views(1, hue=turns), 0)
    torch.testing.assert_close(same, grey.float() / 255, atol=1e-5, rtol=0)


def test_hue_turns_around_the_colour_circle(make_views: Any) -> None:
    # A muted red: by HSV its hue moves by about the requested angle.
    red = torch.tensor([150, 110, 110], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    angles = []
    for turns in (-0.1, 0.1):
        r, g, b = photometric(red, make_views(1, hue=turns), 0)[0, :, 0, 0].tolist()
        angles.append((colorsys.rgb_to_hsv(r, g, b)[0] + 0.5) % 1 - 0.5)
    assert abs(angles[0] - angles[1]) == pytest.approx(0.2, abs=0.06)


def test_opposite_hue_shifts_cancel(make_views: Any) -> None:
    mean = torch.tensor([0.5])
    there, _ = colour_transform(make_views(1, hue=0.07), 0, mean)
    back, _ = colour_transform(make_views(1, hue=-0.07), 0, mean)
    torch.testing.assert_close((there @ back)[0], torch.eye(3), atol=1e-5, rtol=0)


def test_each_view_has_its_own_colours(make_views: Any) -> None:
    images = photos(2, low=80, high=160)
    views = make_views(2, brightness=[[1.2, 0.8], [1.0, 0.9]])
    x = images.float() / 255
    for view, factors in ((0, (1.2, 1.0)), (1, (0.8, 0.9))):
        expected = x * torch.tensor(factors).view(2, 1, 1, 1)
        torch.testing.assert_close(photometric(images, views, view), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.3, 2.0])
def test_blur_equals_scipys(sigma: float) -> None:
    images = torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    out = gaussian_blur(images, np.array([sigma, sigma], np.float32), 2.0)
    expected = gaussian_filter(
        images.double().numpy(), (0, 0, sigma, sigma), mode="nearest", radius=(0, 0, 6, 6)
    )
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_blur_keeps_the_sum_and_skips_images_without_sigma() -> None:
    images = torch.zeros(3, 3, 32, 32)
    images[:, :, 16, 16] = 1
    out = gaussian_blur(images, np.array([0.0, 1.5, 0.0], np.float32), 2.0)
    assert torch.equal(out[[0, 2]], images[[0, 2]])
    torch.testing.assert_close(out[1].sum((1, 2)), torch.ones(3))
    assert float(out[1, 0, 16, 16]) < 0.1


def test_blur_of_an_image_narrower_than_its_kernel_stays_finite() -> None:
    out = gaussian_blur(torch.rand(1, 3, 3, 2), np.array([2.0], np.float32), 2.0)
    assert out.shape == (1, 3, 3, 2)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("size", [160, 320, 480])
def test_blur_scales_with_the_size_of_the_photo(make_views: Any, size: int) -> None:
    """Sigma is in pixels of a photo of side 320."""
    images = photos(1, size=size)
    out = photometric(images, make_views(1, blur=1.5), 0)
    sigma = 1.5 * size / 320
    expected = gaussian_filter(
        images.double().numpy() / 255, (0, 0, sigma, sigma), mode="nearest", truncate=6
    )
    np.testing.assert_allclose(out, expected, atol=6e-3)
    assert float((out - images.float() / 255).abs().mean()) > 5e-3


def grid_sample_crop(maps: Tensor, crop: Any, flip: bool) -> Tensor:
    """Crop, resize and flip of one image by torch's resampling."""
    height, width = maps.shape[-2:]
    side, top, left = (float(v) for v in crop)
    across = (torch.arange(width, dtype=torch.float64) + 0.5) / width
    down = (torch.arange(height, dtype=torch.float64) + 0.5) / height
    across = 1 - across if flip else across
    x, y = 2 * (left + side * across) - 1, 2 * (top + side * down) - 1
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)
    return F.grid_sample(
        maps[None].double(), grid[None], "bilinear", "border", align_corners=False
    )[0].float()


@pytest.mark.parametrize("shape", [(4, 16, 16), (4, 9, 14), (19, 16, 16), (19, 9, 14)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_geometric_equals_grid_sample_with_replicated_borders(
    shape: tuple[int, int, int], layout: torch.memory_format
) -> None:
    parameters = view_parameters(1, 2, np.arange(12))
    assert 0 < parameters.flip.sum() < 12
    maps = torch.rand(12, *shape).contiguous(memory_format=layout).requires_grad_()
    weights = torch.rand(12, *shape)
    out = geometric(maps, parameters)
    (found,) = torch.autograd.grad(out, maps, weights)
    for b in range(12):
        one = maps[b].detach().requires_grad_()
        expected = grid_sample_crop(one, parameters.crop[b], bool(parameters.flip[b]))
        torch.testing.assert_close(out[b], expected, atol=1e-4, rtol=0)
        (gradient,) = torch.autograd.grad(expected, one, weights[b])
        torch.testing.assert_close(found[b], gradient, atol=1e-4, rtol=1e-4)
    if shape[0] > shape[2]:
        assert out.is_contiguous(memory_format=layout)


def test_a_full_crop_is_the_identity_and_a_flip_mirrors(make_views: Any) -> None:
    maps = torch.rand(2, 3, 8, 10)
    torch.testing.assert_close(geometric(maps, make_views(2)), maps, atol=1e-6, rtol=0)
    flipped = geometric(maps, make_views(2, flip=[True, False]))
    torch.testing.assert_close(flipped[0], maps[0].flip(-1), atol=1e-6, rtol=0)
    torch.testing.assert_close(flipped[1], maps[1], atol=1e-6, rtol=0)


def test_a_quarter_crop_of_a_ramp_is_a_quarter_of_the_ramp(make_views: Any) -> None:
    size = 16
    centres = (torch.arange(size) + 0.5) / size
    ramp = centres.expand(1, 1, size, size)
    out = geometric(ramp, make_views(1, crop=[0.5, 0.25, 0.25]))
    expected = (0.25 + 0.5 * centres).expand(size, size)
    torch.testing.assert_close(out[0, 0], expected, atol=1e-5, rtol=0)


def test_pointwise_linear_maps_commute_with_the_transform() -> None:
    parameters = view_parameters(5, 0, np.arange(4))
    images, weight = torch.rand(4, 3, 12, 12), torch.randn(7, 3)
    after = torch.einsum("dc,bchw->bdhw", weight, geometric(images, parameters))
    before = geometric(torch.einsum("dc,bchw->bdhw", weight, images), parameters)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_a_coarser_grid_is_cropped_at_the_same_place() -> None:
    """Cell averages of a smooth image commute with the crop."""
    parameters = view_parameters(9, 0, np.arange(6))
    y = (torch.arange(64)[:, None] + 0.5) / 64
    x = (torch.arange(64)[None] + 0.5) / 64
    image = torch.stack([x.expand(64, 64), y.expand(64, 64), x * y]).expand(6, 3, 64, 64)
    fine = F.avg_pool2d(geometric(image, parameters), 4)
    coarse = geometric(F.avg_pool2d(image, 4), parameters)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(fine[inner], coarse[inner], atol=2e-3, rtol=0)


def test_geometric_keeps_the_dtype_and_passes_a_gradient() -> None:
    parameters = view_parameters(0, 0, np.arange(2))
    assert geometric(torch.rand(2, 3, 8, 8).bfloat16(), parameters).dtype == torch.bfloat16
    maps = torch.rand(2, 3, 8, 8, requires_grad=True)
    geometric(maps, parameters).sum().backward()
    assert maps.grad is not None
    # Each row of the interpolation sums to one, so the gradient sums to the number of values.
    assert float(maps.grad.sum()) == pytest.approx(2 * 3 * 8 * 8, rel=1e-4)
