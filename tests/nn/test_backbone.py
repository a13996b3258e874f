"""Backbone and pyramid are torchvision's ResNet and the sum of its upsampled laterals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional as F

from c2l.nn.architectures import build_backbone
from c2l.nn.backbone import MEAN, STAGES, STD, FeaturePyramid, image_gradients


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_stages_are_torchvisions_with_the_same_weights(name: str) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.get_model(name, weights=None).double().eval()
    backbone = build_backbone(name).double().eval()
    own = {k: v for k, v in reference.state_dict().items() if not k.startswith("fc.")}
    backbone.load_state_dict(own)
    images = torch.rand(2, 3, 64, 32, dtype=torch.float64)
    np.testing.assert_allclose(backbone.mean.ravel(), MEAN)
    np.testing.assert_allclose(backbone.std.ravel(), STD)
    x = (images - backbone.mean) / backbone.std
    with torch.no_grad():
        x = reference.maxpool(reference.relu(reference.bn1(reference.conv1(x))))
        stages = backbone(images)
        for number, stage in enumerate(STAGES):
            x = getattr(reference, stage)(x)
            stride = 4 * 2**number
            assert stages[stage].shape == (2, backbone.channels[stage], 64 // stride, 32 // stride)
            torch.testing.assert_close(stages[stage], x)


def test_pyramid_is_the_sum_of_upsampled_laterals() -> None:
    torch.manual_seed(0)
    channels = {"layer1": 3, "layer2": 4, "layer3": 5, "layer4": 6}
    pyramid = FeaturePyramid(channels, 7)
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3)]
    stages = {s: torch.randn(2, channels[s], *hw) for s, hw in zip(STAGES, sizes, strict=True)}
    with torch.no_grad():
        maps = []
        for stage in STAGES:
            lateral = pyramid.laterals[stage]
            assert isinstance(lateral, torch.nn.Conv2d)
            weight, bias = lateral.weight[:, :, 0, 0], lateral.bias
            assert bias is not None
            maps.append(torch.einsum("dc,bchw->bdhw", weight, stages[stage]) + bias[:, None, None])
        expected = maps[3]
        for lower in maps[2::-1]:
            expected = lower + F.interpolate(expected, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(pyramid(stages), expected, atol=1e-5, rtol=1e-4)


def test_gradients_of_ramps_are_their_slopes() -> None:
    rows = torch.arange(6.0)[:, None].expand(6, 5) / 10
    columns = torch.arange(5.0)[None].expand(6, 5) / 20
    images = torch.stack([rows + 2 * columns] * 3)[None]
    vertical, horizontal = image_gradients(images)[0]
    # Four times the difference over two pixels; half of that on the replicated border.
    torch.testing.assert_close(vertical[1:-1], torch.full((4, 5), 0.8))
    torch.testing.assert_close(vertical[[0, -1]], torch.full((2, 5), 0.4))
    torch.testing.assert_close(horizontal[:, 1:-1], torch.full((6, 3), 0.8))
    torch.testing.assert_close(horizontal[:, [0, -1]], torch.full((6, 2), 0.4))


def test_gradients_are_two_more_input_channels() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18", gradients_input=True).eval()
    images = torch.rand(1, 3, 32, 32)
    x = (images - backbone.mean) / backbone.std
    with torch.no_grad():
        x = backbone.conv1(torch.cat([x, image_gradients(images)], 1))
        x = F.max_pool2d(F.relu(backbone.bn1(x)), 3, stride=2, padding=1)
        torch.testing.assert_close(
            backbone(images)["layer1"], backbone.layer1(x), atol=1e-5, rtol=1e-4
        )
