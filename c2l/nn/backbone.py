"""The backbone and the feature pyramid that turn an image into dense features."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = ("layer1", "layer2", "layer3", "layer4")
# What a stage's name stands for, whatever the architecture calls it.
STAGE_STRIDES = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
Triple = tuple[float, float, float]
# Statistics that torchvision's ImageNet weights were trained with.
MEAN: Triple = (0.485, 0.456, 0.406)
STD: Triple = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """What every backbone gives: feature maps by stage, from images of any size.

    Args:
        mean: of the images that the published weights were trained on, a value a channel.
        std: their standard deviation.
        gradients_input: two more input channels, the image's vertical and horizontal
            gradients, as PiCIE feeds a network without pretrained weights.

    Attributes:
        channels: of each stage's map, by name, finest first; a subset of ``STAGES``.
        strides: pixels between two positions of each stage's map, by name.
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
        """The network's input, (B, 3 or 5, H, W), from images in [0, 1]."""
        x = (images_B3HW - self.mean) / self.std
        if self.gradients_input:
            x = torch.cat([x, image_gradients(images_B3HW)], 1)
        return x.contiguous(memory_format=torch.channels_last)

    @abstractmethod
    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Features of every stage.

        Args:
            images_B3HW: (B, 3, H, W) float in [0, 1].

        Returns:
            (B, C, h, w) by stage, h and w about H and W by the stage's stride.
        """

    @abstractmethod
    def own_names(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Published weights by this module's names; those of the classifier are left out."""


class ResNet(Backbone):
    """A torchvision ResNet (also ResNeXt, wide) without its classifier, its names kept.

    Args:
        net: the whole ResNet.
        mean, std: of its inputs.
        gradients_input: two more input channels.
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
        """``layer1`` to ``layer4`` at strides 4, 8, 16, 32, after ReLU."""
        x = self.normalise(images_B3HW)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        stages = {}
        for stage in STAGES:
            x = getattr(self, stage)(x)
            stages[stage] = x
        return stages

    def own_names(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """The names are torchvision's."""
        return {k: v for k, v in published.items() if not k.startswith("fc.")}


def remove_randomness(net: nn.Module) -> nn.Module:
    """Remove what is random in training mode: dropout, stochastic depth and their kin.

    They draw from torch's global random state, which is in no checkpoint: a resumed run would
    draw other numbers than the run that was never stopped. The two passes over a view, for its
    clusters and for its loss, would also see two different networks.
    """
    for module in net.modules():
        for name in ("p", "drop_prob", "prob"):
            # Dropout and torchvision's stochastic depth; timm's drop path; its patch dropout.
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        for name in ("shift_coords", "jitter_coords", "rescale_coords"):
            # DINOv3's rotary embedding moves its coordinates at random in training.
            if hasattr(module, name):
                setattr(module, name, None)
                module.aug_active = False  # type: ignore[assignment]  # a flag of timm's
    return net


def image_gradients(images_B3HW: Tensor) -> Tensor:
    """Central differences of luma, times 4 so that their spread is near one.

    Returns:
        (B, 2, H, W): vertical, horizontal.
    """
    grey = F.pad(images_B3HW.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    vertical = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
    horizontal = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
    return 4 * torch.cat([vertical, horizontal], 1)


def dense_side(pixels: int) -> int:
    """Positions of the dense features along a side of so many pixels: stride 4, rounded up.

    Rounded up since that is what a ResNet's padded convolutions give.
    """
    return -(-pixels // 4)


class FeaturePyramid(nn.Module):
    """Lateral 1x1 convolutions, upsampled bilinearly and summed; no output convolution.

    PiCIE's reading of the feature pyramid, with ``dim`` channels (section 4.2: 128). A backbone
    with fewer stages has fewer laterals.
    """

    def __init__(self, channels: dict[str, int], dim: int) -> None:
        super().__init__()
        self.stages = tuple(s for s in STAGES if s in channels)
        self.laterals = nn.ModuleDict({s: nn.Conv2d(channels[s], dim, 1) for s in self.stages})

    def forward(self, stages: dict[str, Tensor], size: tuple[int, int] | None = None) -> Tensor:
        """The features m of the paper, (B, dim, h, w).

        Args:
            stages: the backbone's maps.
            size: h and w; without it those of the finest stage.
        """
        last = self.stages[-1]
        x: Tensor = self.laterals[last](stages[last])
        for stage in reversed(self.stages[:-1]):
            lateral: Tensor = self.laterals[stage](stages[stage])
            x = lateral + F.interpolate(x, lateral.shape[-2:], mode="bilinear")
        # Only where the finest stage is not at stride 4 of the image itself.
        return F.interpolate(x, size, mode="bilinear") if size not in (None, x.shape[-2:]) else x
