"""The network is assembled from backbone, pyramid and modules as its options say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from c2l.nn.architectures import build_backbone
from c2l.nn.network import ParsingNetwork, build_pixel_module
from c2l.nn.pixel import FeedForward, PixelConsistentModule
from c2l.nn.pyramid import FeaturePyramid
from c2l.nn.sparse import SparseCode
from c2l.options import ModuleOptions


@pytest.mark.parametrize("kind", ["off", "ffn", "sparse"])
def test_the_chosen_pixel_module_is_built(kind: str) -> None:
    options = ModuleOptions(
        pixel=kind,
        heads=2,
        pixel_dim=4,
        sparsity=0.3,
        ista_steps=1,
        attention_stride=2,
        code_input="detach",
    )
    module = build_pixel_module(8, options)
    if kind == "off":
        assert module is None
        return
    assert module is not None
    assert module.attention_stride == 2
    assert isinstance(module.code, SparseCode if kind == "sparse" else FeedForward)
    if isinstance(module.code, SparseCode):
        assert (module.code.sparsity, module.code.ista_steps) == (0.3, 1)
        assert module.code.code_input == "detach"


def test_features_have_unit_length_and_the_dictionary_is_constrained() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    pixel = PixelConsistentModule(8, 2, SparseCode(8, 4, sparsity=0.1))
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), pixel, None).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        y = net(images)
        expected = F.normalize(pixel(net.features(images))[0], dim=1)
        torch.testing.assert_close(y, expected)
        np.testing.assert_allclose(y.norm(dim=1), 1, atol=1e-5)
        assert isinstance(pixel.code, SparseCode)
        pixel.code.dictionary.mul_(50)
        net.constrain()
        assert float(pixel.code.dictionary.norm(dim=0).max()) <= 1 + 1e-6


def test_without_modules_features_are_the_normalised_pyramid() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), None, None).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        y, loss = net.embed(net.features(images))
        torch.testing.assert_close(y, F.normalize(net.pyramid(backbone(images)), dim=1))
    assert float(loss) == 0
    net.constrain()


def test_a_projection_takes_the_normalised_features_of_its_layer() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    projection = nn.Conv2d(128, 8, 1)
    net = ParsingNetwork(
        backbone,
        FeaturePyramid(backbone.channels, 8),
        None,
        None,
        layer="layer2",
        projection=projection,
    ).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        dense = backbone(images)["layer2"]
        expected = projection(dense / dense.norm(dim=1, keepdim=True).clamp_min(1e-12))
        torch.testing.assert_close(net.features(images), expected)
