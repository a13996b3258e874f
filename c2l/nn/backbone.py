"""The interface of all backbones, and ResNet."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = ("layer1", "layer2", "layer3", "layer4")
# Stages are named as in ResNet in every architecture.
STAGE_STRIDES = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
Triple = tuple[float, float, float]
# Input statistics of torchvision's ImageNet weights.
MEAN: Triple = (0.485, 0.456, 0.406)
STD: Triple = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """Interface of all backbones: feature maps by stage, from images of any size.

    Args:
        mean: per-channel mean of the images that the published weights were trained on.
        std: their per-channel standard deviation.
        gradients_input: add two input channels, the vertical and horizontal gradients of the
            image, as PiCIE does for a network without pretrained weights.

    Attributes:
        channels: channels of each stage, finest stage first; the keys are a subset of ``STAGES``.
        strides: stride of each stage in pixels.
        statistics: ``mean`` and ``std``.
    """

    mean: Tensor
    std: Tensor
    channels: dict[str, int]
    strides: dict[str, int]

    def __init__(self, mean: Triple, std: Triple, *, gradients_input: bool) -> None:
        super().__init__()
        self.statistics, self.gradients_input = (mean, std), gradients_input
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, images_B3HW: Tensor) -> Tensor:
        """The input of the network, (B, 3 or 5, H, W), from images in [0, 1]."""
        x = (images_B3HW - self.mean) / self.std
        if self.gradients_input:
            x = torch.cat([x, image_gradients(images_B3HW)], 1)
        return x.contiguous(memory_format=torch.channels_last)

    @abstractmethod
    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Feature maps of all stages.

        Args:
            images_B3HW: (B, 3, H, W) float in [0, 1].

        Returns:
            (B, C, h, w) by stage; h and w are about H and W over the stride.
        """

    @abstractmethod
    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Published weights under the names of this module, without the classifier."""


class ResNet(Backbone):
    """A torchvision ResNet, ResNeXt or wide ResNet without its classifier, names unchanged.

    Args:
        net: the whole network.
        mean, std: statistics of its inputs.
        gradients_input: add two input channels.
    """

    def __init__(
        self,
        net: torchvision.models.ResNet,
        mean: Triple = MEAN,
        std: Triple = STD,
        *,
        gradients_input: bool = False,
    ) -> None:
        super().__init__(mean, std, gradients_input=gradients_input)
        self.conv1 = (
            nn.Conv2d(5, 64, 7, stride=2, padding=3, bias=False) if gradients_input else net.conv1
        )
        self.bn1 = net.bn1
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = net.layer3, net.layer4
        self.channels = {
            stage: int(list(getattr(self, stage).parameters())[-1].shape[0]) for stage in STAGES
        }
        self.strides = dict(STAGE_STRIDES)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """``layer1`` to ``layer4`` after ReLU, at strides 4, 8, 16 and 32."""
        x = self.normalise(images_B3HW)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        stages = {}
        for stage in STAGES:
            x = getattr(self, stage)(x)
            stages[stage] = x
        return stages

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Drop the classifier; the names are torchvision's."""
        return {k: v for k, v in published.items() if not k.startswith("fc.")}


def remove_randomness(net: nn.Module) -> nn.Module:
    """Turn off dropout, stochastic depth and similar layers in training.

    They draw from torch's global random state, which no checkpoint holds: a resumed run would
    draw other numbers than an uninterrupted one. Clustering and training would also see two
    different networks for the same view.
    """
    for module in net.modules():
        for name in ("p", "drop_prob", "prob"):
            # Dropout and torchvision's stochastic depth; timm's drop path; timm's patch dropout.
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        for name in ("shift_coords", "jitter_coords", "rescale_coords"):
            # DINOv3 jitters the coordinates of its rotary embedding in training.
            if hasattr(module, name):
                setattr(module, name, None)
                module.aug_active = False  # type: ignore[assignment]  # timm's own flag
    return net


def image_gradients(images_B3HW: Tensor) -> Tensor:
    """Central differences of the grey image, times 4 so that their spread is near one.

    Returns:
        (B, 2, H, W): vertical and horizontal.
    """
    grey = F.pad(images_B3HW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    vertical = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    horizontal = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    return 4 * torch.cat([vertical, horizontal], 1)
