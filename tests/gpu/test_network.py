"""Network, losses, views and figures have the values of the CPU, in float64 where it has them."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from devices import GPU, needs_gpu, on_each_device
from drawn import photo
from torch import Tensor, nn

from c2l.artifacts.predictor import read_predictor
from c2l.clustering.mixture import MixtureSums, expectation_maximisation
from c2l.figure.model import figure_evidence, figure_parts, sharpen_parts
from c2l.figure.ordered import ordered_labels
from c2l.figure.place import Places
from c2l.model.build import build_network
from c2l.model.loading import load_predictor
from c2l.nn.augment import geometric, photometric
from c2l.nn.clustering_loss import Target
from c2l.nn.distort import distort, sample_distortion
from c2l.nn.network import ParsingNetwork
from c2l.nn.views import view_parameters
from c2l.options import FitOptions
from c2l.runtime.device import precision
from c2l.training.terms import TERMS, Batch

SIDE, BATCH, CLUSTERS = 64, 4, 4
OPTIONS = FitOptions(
    weights="none", fpn_dim=32, pixel_dim=8, clusters=CLUSTERS, attention_stride=2, image_size=SIDE
)
# The largest relative errors, in the L2 norm, in float32 and in bf16, whose numbers have 8 bits: of
# the features, of their gradients down to the first layer, of the losses and theirs. A CPU has a
# fifth to a half of these.
BOUNDS = {"off": (1e-5, 5e-4, 1e-4), "bf16": (0.02, 0.3, 0.02)}


def photos(count: int = BATCH) -> Tensor:
    """Drawn photos, (B, 3, S, S) uint8."""
    stacked = np.stack([photo(n, SIDE, SIDE) for n in range(count)])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2)


def require_close(found: Tensor, expected: Tensor, bound: float, what: str) -> None:
    """Compare by the L2 norm of the error."""
    expected = expected.detach()
    error = torch.linalg.vector_norm(found.detach().cpu().double() - expected)
    assert float(error) <= bound * float(torch.linalg.vector_norm(expected)) + 1e-9, what


def compare_gradients(found: nn.Module, exact: nn.Module, bound: float, what: str) -> None:
    """Every parameter's gradient; then they are cleared."""
    pairs = zip(found.named_parameters(), exact.named_parameters(), strict=True)
    for (name, parameter), (_, reference) in pairs:
        assert (parameter.grad is None) == (reference.grad is None), f"{what}, {name}"
        if parameter.grad is not None and reference.grad is not None:
            require_close(parameter.grad, reference.grad, bound, f"{what}, {name}")
    for one in (found, exact):
        one.zero_grad(set_to_none=True)


@on_each_device
@pytest.mark.parametrize("amp", ["off", "bf16"])
def test_features_and_their_gradients_are_those_of_float64(device: str, amp: str) -> None:
    net, _ = build_network(OPTIONS, None, 0, seed=0)
    exact = copy.deepcopy(net).double().eval()
    expected = exact.features(photos().double() / 255)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (expected * weights).sum().backward()
    net.to(device).eval()
    with precision(torch.device(device), amp):
        found = net.features(photos().to(device).float() / 255)
    (found.float() * weights.to(device)).sum().backward()
    require_close(found, expected, BOUNDS[amp][0], "features")
    compare_gradients(net, exact, BOUNDS[amp][1], "features")


def losses(
    net: ParsingNetwork, m: list[Tensor], amp: str
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Every term of the loss of two views, and their features as leaves of the graph."""
    device, dtype = m[0].device, m[0].dtype
    options, m = replace(OPTIONS, amp=amp), [one.requires_grad_() for one in m]
    with precision(device, amp):
        y, code = zip(*map(net.embed, m), strict=True)
    draw = np.random.default_rng(0)
    targets = [
        Target(
            torch.from_numpy(draw.integers(0, CLUSTERS, (BATCH, 16, 16))).to(device),
            torch.from_numpy(draw.normal(size=(CLUSTERS, 32))).to(device, dtype),
            torch.tensor([0.4, 1.6, 1.0, 1.0], device=device, dtype=dtype),
        )
        for _ in range(2)
    ]
    batch = Batch(net, options, m, y, code, targets)
    return {term.name: term.function(batch) for term in TERMS}, m


@on_each_device
@pytest.mark.parametrize("amp", ["off", "bf16"])
def test_each_loss_and_its_gradients_are_those_of_float64(device: str, amp: str) -> None:
    net, _ = build_network(OPTIONS, OPTIONS, CLUSTERS, seed=0)
    exact = copy.deepcopy(net).double()
    net.to(device)
    generator = torch.Generator().manual_seed(2)
    maps = [torch.randn(BATCH, 32, 16, 16, generator=generator) for _ in range(2)]
    # The network takes the step to float32 itself.
    with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
        expected, exact_m = losses(exact, [one.double() for one in maps], "off")
    found, m = losses(net, [one.to(device) for one in maps], amp)
    for name, wanted in expected.items():
        require_close(found[name], wanted, BOUNDS[amp][2], name)
        wanted.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        found[name].backward(retain_graph=True)  # type: ignore[no-untyped-call]
        compare_gradients(net, exact, BOUNDS[amp][2], name)
        for one, reference in zip(m, exact_m, strict=True):
            assert (one.grad is None) == (reference.grad is None), name
            if one.grad is not None and reference.grad is not None:
                require_close(one.grad, reference.grad, BOUNDS[amp][2], f"{name}, features")
            one.grad = reference.grad = None


@needs_gpu
def test_views_are_those_of_the_cpu() -> None:
    parameters, pixels = view_parameters(0, 1, np.arange(BATCH)), photos()
    for view in (0, 1):
        expected = photometric(pixels, parameters, view)
        found = photometric(pixels.to(GPU), parameters, view)
        torch.testing.assert_close(found.cpu(), expected, atol=2e-5, rtol=0)
    for dtype, most in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        maps = torch.rand(BATCH, 40, 16, 16).to(dtype)
        for layout in (torch.contiguous_format, torch.channels_last):
            given = maps.to(GPU).contiguous(memory_format=layout)
            found = geometric(given, parameters).cpu()
            torch.testing.assert_close(found, geometric(maps, parameters), atol=most, rtol=0)


@needs_gpu
def test_drawings_are_distorted_as_on_the_cpu() -> None:
    how = sample_distortion(np.random.default_rng(3), 16)
    light = how.light.copy()
    light[:, 4] = 0  # the noise of a GPU is another one
    how = replace(how, light=light)
    pixels, labels = photos(16), torch.arange(16 * SIDE * SIDE).view(16, SIDE, SIDE) % 18
    x, z = distort(pixels, labels.to(torch.uint8), how, 48, 2)
    found, there = distort(pixels.to(GPU), labels.to(GPU, torch.uint8), how, 48, 2)
    # A quantised value that lies half-way may be rounded to either side.
    assert float((found.cpu() - x).abs().mean()) < 1e-3
    assert float((there.cpu() == z).float().mean()) > 0.999


@needs_gpu
def test_figures_and_sharpened_parts_are_those_of_the_cpu() -> None:
    pixels = photos(6)
    evidence = figure_evidence(pixels)
    torch.testing.assert_close(
        figure_evidence(pixels.to(GPU)).cpu(), evidence, atol=1e-4, rtol=1e-3
    )
    places = Places.learn(evidence)
    parts = figure_parts(pixels, places)
    found = figure_parts(pixels.to(GPU), places)
    torch.testing.assert_close(found.cpu(), parts, atol=5e-3, rtol=0)
    small = torch.nn.functional.avg_pool2d(parts, 4)
    sharp = sharpen_parts(pixels, small)
    again = sharpen_parts(pixels.to(GPU), small.to(GPU))
    torch.testing.assert_close(again.cpu(), sharp, atol=5e-3, rtol=0)
    same = ordered_labels(pixels.to(GPU), parts.to(GPU)).cpu() == ordered_labels(pixels, parts)
    assert float(same.float().mean()) > 0.99


@needs_gpu
def test_a_mixture_is_that_of_the_cpu() -> None:
    points = torch.nn.functional.normalize(torch.randn(3000, 8), dim=1)
    shares = torch.randn(3000, 3).softmax(1)

    def fitted(device: str) -> Tensor:
        sums = MixtureSums(3, 8, torch.device(device))
        sums.add(points.to(device), shares.to(device))
        batches = ([points[:1000].to(device), points[1000:].to(device)] for _ in range(2))
        return expectation_maximisation(sums.fit(), batches).means.cpu()

    torch.testing.assert_close(fitted(GPU), fitted("cpu"), atol=1e-4, rtol=1e-4)


@needs_gpu
def test_the_network_that_ships_labels_photos_as_on_the_cpu() -> None:
    pixels = np.stack([photo(n, 96, 96) for n in range(4)])
    found = []
    for device in ("cpu", GPU):
        predictor = load_predictor(Path("drawn"), torch.device(device), None)
        predictor = replace(predictor, encoder=replace(predictor.encoder, amp="off"))
        found.append(np.stack(predictor.predict(pixels, [(96, 96)] * 4)))
    assert (found[0] == found[1]).mean() > 0.995
    assert read_predictor(predictor.origin.file).names
