"""The feature pyramid, which turns the stages of a backbone into dense features."""

from __future__ import annotations

from torch import Tensor, nn

from c2l.nn.backbone import STAGES
from c2l.nn.resize import resize


def dense_side(pixels: int) -> int:
    """Side of the dense feature map of an image: stride 4, rounded up as in a ResNet."""
    return -(-pixels // 4)


class FeaturePyramid(nn.Module):
    """Lateral 1x1 convolutions, upsampled bilinearly and summed, without an output convolution.

    PiCIE's variant of the feature pyramid.

    Args:
        channels: channels of each stage of the backbone; one lateral per stage.
        dim: channels of the output (section 4.2: 128).
    """

    def __init__(self, channels: dict[str, int], dim: int) -> None:
        super().__init__()
        self.stages = tuple(s for s in STAGES if s in channels)
        self.laterals = nn.ModuleDict({s: nn.Conv2d(channels[s], dim, 1) for s in self.stages})

    def forward(self, stages: dict[str, Tensor], size: tuple[int, int] | None = None) -> Tensor:
        """The features m of the paper, (B, dim, h, w).

        Args:
            stages: feature maps of the backbone.
            size: h and w; by default those of the finest stage.
        """
        last = self.stages[-1]
        x: Tensor = self.laterals[last](stages[last])
        for stage in reversed(self.stages[:-1]):
            lateral: Tensor = self.laterals[stage](stages[stage])
            x = lateral + resize(x, (lateral.shape[2], lateral.shape[3]))
        # Needed only if the finest stage is not at stride 4 of the image.
        return x if size is None or size == x.shape[-2:] else resize(x, size)
