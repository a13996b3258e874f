"""The backbone and the feature pyramid that turn an image into dense features."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = ("layer1", "layer2", "layer3", "layer4")
# Statistics that torchvision's ImageNet weights were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A torchvision ResNet without its classifier.

    Args:
        name: ``resnet18``, ``resnet34`` or ``resnet50``.
        gradients_input: two more input channels, the image's vertical and horizontal
            gradients, as PiCIE feeds a network without pretrained weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, *, gradients_input: bool = False) -> None:
        super().__init__()
        net = torchvision.models.get_model(name, weights=None)
        self.gradients_input = gradients_input
        self.conv1 = (
            nn.Conv2d(5, 64, 7, stride=2, padding=3, bias=False) if gradients_input else net.conv1
        )
        self.bn1 = net.bn1
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        self.channels = {
            stage: int(list(getattr(self, stage).parameters())[-1].shape[0]) for stage in STAGES
        }
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Features of every stage.

        Args:
            images_B3HW: (B, 3, H, W) float in [0, 1].

        Returns:
            ``layer1`` to ``layer4``: (B, C, H / s, W / s) at strides s = 4, 8, 16, 32, after ReLU.
        """
        x = (images_B3HW - self.mean) / self.std
        if self.gradients_input:
            x = torch.cat([x, image_gradients(images_B3HW)], 1)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        stages = {}
        for stage in STAGES:
            x = getattr(self, stage)(x)
            stages[stage] = x
        return stages


def image_gradients(images_B3HW: Tensor) -> Tensor:
    """Central differences of luma, times 4 so that their spread is near one.

    Returns:
        (B, 2, H, W): vertical, horizontal.
    """
    grey = F.pad(images_B3HW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    vertical = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    horizontal = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    return 4 * torch.cat([vertical, horizontal], 1)


class FeaturePyramid(nn.Module):
    """Lateral 1x1 convolutions, upsampled bilinearly and summed; no output convolution.

    PiCIE's reading of the feature pyramid, with ``dim`` channels (section 4.2: 128).
    """

    def __init__(self, channels: dict[str, int], dim: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleDict({s: nn.Conv2d(channels[s], dim, 1) for s in STAGES})

    def forward(self, stages: dict[str, Tensor]) -> Tensor:
        """(B, dim, H / 4, W / 4), the features m of the paper."""
        x: Tensor = self.laterals[STAGES[-1]](stages[STAGES[-1]])
        for stage in reversed(STAGES[:-1]):
            lateral: Tensor = self.laterals[stage](stages[stage])
            x = lateral + F.interpolate(x, lateral.shape[-2:], mode="bilinear")
        return x
