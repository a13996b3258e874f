"""The pyramid sums its upsampled laterals."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from c2l.nn.backbone import STAGES
from c2l.nn.pyramid import FeaturePyramid


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
        # The size of the finest stage, if given, changes nothing; another one is interpolated.
        assert torch.equal(pyramid(stages, sizes[0]), pyramid(stages))
        larger = F.interpolate(pyramid(stages), (20, 30), mode="bilinear")
        assert torch.equal(pyramid(stages, (20, 30)), larger)
