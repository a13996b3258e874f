"""ResNet equals torchvision's, and gradients are those of the image."""

from __future__ import annotations

import pytest
import torch
import torchvision
from conftest import seeded_backbone
from torch.nn import functional as F

from c2l.nn.architectures import build_backbone
from c2l.nn.backbone import MEAN, STAGES, STD, ResNet, image_gradients


# One with basic blocks, one with bottlenecks.
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnets_equal_torchvisions_in_names_and_every_bit(name: str) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.get_model(name, weights=None)
    backbone = seeded_backbone(name)
    assert isinstance(backbone, ResNet)
    assert backbone.statistics == (MEAN, STD)
    own = [k for k in reference.state_dict() if not k.startswith("fc.")]
    assert list(backbone.state_dict()) == own
    images = torch.rand(2, 3, 64, 32)
    x = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        x = F.max_pool2d(F.relu(reference.bn1(reference.conv1(x))), 3, stride=2, padding=1)
        stages = backbone(images)
        for number, stage in enumerate(STAGES):
            x = getattr(reference, stage)(x)
            stride = 4 * 2**number
            assert backbone.strides[stage] == stride
            assert stages[stage].shape == (2, backbone.channels[stage], 64 // stride, 32 // stride)
            assert torch.equal(stages[stage], x)


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
