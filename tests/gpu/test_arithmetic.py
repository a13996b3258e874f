"""What a GPU computes in another way than the CPU has the same values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from devices import on_each_device
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import (
    MiniBatchKMeans,
    assign,
    count_by_comparison,
    count_labels,
    products_of_halves,
    sums_by_label,
    sums_by_product,
)
from c2l.nn.clustering_loss import cross_entropy, parallel_cross_entropy
from c2l.nn.resize import resize, resize_by_products
from c2l.runtime.device import fetched, upload


def draw(*size: int, seed: int = 0) -> Tensor:
    """Normal float64 numbers on the CPU."""
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def units(points: int, channels: int = 32) -> Tensor:
    """Vectors of unit length in float64, as float16 holds them."""
    return F.normalize(draw(points, channels), dim=1).half().double()


def gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The result, and the gradient of its product with fixed random numbers, on the CPU."""
    x = x.detach().requires_grad_()
    result = function(x)
    weights = draw(*result.shape, seed=9).to(result)
    (result * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return result.detach().cpu().double(), x.grad.cpu().double()


@on_each_device
@pytest.mark.parametrize("way", [resize, resize_by_products])
@pytest.mark.parametrize("size", [(16, 24), (9, 7), (8, 12), (3, 40)])
def test_maps_are_resized_bilinearly(
    device: str, way: Callable[..., Tensor], size: tuple[int, int]
) -> None:
    maps = draw(2, 5, 8, 12)
    expected = gradient(lambda x: F.interpolate(x, size, mode="bilinear"), maps)
    given = maps.float().to(device).contiguous(memory_format=torch.channels_last)
    found = gradient(lambda x: way(x, size), given)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert way(given, size).is_contiguous(memory_format=torch.channels_last)


@on_each_device
@pytest.mark.parametrize("way", [cross_entropy, parallel_cross_entropy])
@pytest.mark.parametrize("shape", [(600,), (3, 10, 20)])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(
    device: str, way: Callable[..., Tensor], shape: tuple[int, ...], weighted: bool
) -> None:
    logits = draw(shape[0], 4, *shape[1:])
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, 4, shape))
    weights = torch.tensor([0.1, 2.0, 0.7, 0.0], dtype=torch.float64) if weighted else None
    expected = gradient(lambda x: F.cross_entropy(x, labels, weights), logits)
    there = None if weights is None else weights.float().to(device)
    found = gradient(lambda x: way(x, labels.to(device), there), logits.float().to(device))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@on_each_device
def test_products_of_half_precision_points_are_those_of_float32(device: str) -> None:
    points, centroids = units(500), F.normalize(draw(7, 32, seed=1), dim=1) / 3
    expected = points @ centroids.float().double().T
    found = products_of_halves(points.half().to(device), centroids.float().to(device))
    torch.testing.assert_close(found.cpu().double(), expected, atol=3e-7, rtol=0)
    # A centroid rounded to half precision would not do.
    rounded = points @ centroids.half().double().T
    assert float((rounded - expected).abs().max()) > 1e-5


@on_each_device
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("sums", [sums_by_label, sums_by_product])
def test_sums_and_counts_of_labels(
    device: str, dtype: torch.dtype, sums: Callable[..., Tensor]
) -> None:
    points, labels = units(900), torch.from_numpy(np.random.default_rng(2).integers(0, 11, 900))
    expected = torch.stack([points[labels == k].sum(0) for k in range(13)])
    there = points.to(device, dtype), labels.to(device)
    found = sums(*there, 13)
    torch.testing.assert_close(found.cpu().double(), expected, atol=2e-5, rtol=1e-5)
    assert torch.equal(found, sums(*there, 13))
    counts = torch.bincount(labels, minlength=13)
    for count in (count_labels, count_by_comparison):
        assert torch.equal(count(there[1], 13).cpu(), counts)
    many = count_labels(there[1], 300).cpu()
    assert torch.equal(many, torch.bincount(labels, minlength=300))


@on_each_device
@pytest.mark.parametrize("clusters", [3, 27, 300])
def test_a_pass_of_k_means_is_the_same_from_run_to_run(device: str, clusters: int) -> None:
    points = units(4000)
    start = points[:clusters].float()
    reference = MiniBatchKMeans.start(start)
    expected = reference.update(points.float())

    def found() -> tuple[Tensor, MiniBatchKMeans]:
        means = MiniBatchKMeans.start(start.to(device))
        return means.update(points.half().to(device)), means

    (labels, means), (again, same) = found(), found()
    assert torch.equal(labels, again)
    assert torch.equal(means.centroids, same.centroids)
    assert torch.equal(labels, assign(points.half().to(device), start.to(device)))
    # Scores that are equal up to rounding may go either way.
    assert float((labels.cpu() == expected).float().mean()) > 0.999
    torch.testing.assert_close(means.centroids.cpu(), reference.centroids, atol=2e-3, rtol=0)
    assert means.inertia == pytest.approx(reference.inertia, rel=1e-4)


@on_each_device
def test_what_goes_to_the_device_and_back_is_unchanged(device: str) -> None:
    arrays = [np.random.default_rng(n).integers(0, 256, (4, 5), dtype=np.uint8) for n in range(4)]
    place = torch.device(device)
    sent = ((n, upload(array, place)) for n, array in enumerate(arrays))
    for number, back in fetched((n, tensor + 1) for n, tensor in sent):
        np.testing.assert_array_equal(back, arrays[number] + np.uint8(1))
