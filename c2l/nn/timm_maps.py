"""Feature maps of timm's networks, among them vision transformers; timm is an optional extra."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.errors import UsageError
from c2l.nn.backbone import STAGE_STRIDES, Backbone, Triple, remove_randomness

# Height and width of the probe: multiples of the usual patches of 8, 14 and 16 and of stride 32.
PROBE = (448, 672)
# Candidates for the multiple that image sides must have: any size, Swin's patch, coarsest stride.
MULTIPLES = (1, 4, 32)
# Candidates for the smallest image side.
SMALLEST = (32, 64, 96, 128)


def load_timm() -> Any:
    """The timm module.

    Raises:
        UsageError: timm is not installed.
    """
    try:
        import timm
    except ImportError:
        raise UsageError(
            "--backbone timm:NAME needs timm", hint='install it: pip install "c2l[timm]"'
        ) from None
    return timm


@dataclass(frozen=True)
class Stages:
    """The feature maps of an architecture.

    Attributes:
        indices: index of each stage among timm's feature maps.
        channels, strides: of each stage.
        multiple: image sides must be a multiple of this, such as the patch of a transformer.
        smallest: smallest image side.
        norm: whether the last map goes through the final norm.
    """

    indices: dict[str, int]
    channels: dict[str, int]
    strides: dict[str, int]
    multiple: int
    smallest: int
    norm: bool


class TimmMaps(Backbone):
    """A timm network up to its last feature map.

    A hierarchical network has a stage for each of the strides 4, 8, 16 and 32. A vision
    transformer has only one stride, its patch: ``layer4`` is its last block after the final norm,
    without class and register tokens. Images are resized to the nearest multiple of the patch.

    Args:
        name: timm's name of the architecture.
        gradients_input: add two input channels.

    Raises:
        UsageError: timm is not installed, or the network takes only one image size.
    """

    def __init__(self, name: str, *, gradients_input: bool) -> None:
        stages = find_stages(name)
        net = _create(name, 5 if gradients_input else 3)
        mean, std = (_triple(net.pretrained_cfg[key]) for key in ("mean", "std"))
        super().__init__(mean, std, gradients_input=gradients_input)
        self.stages = stages
        self.channels, self.strides = dict(stages.channels), dict(stages.strides)
        net.prune_intermediate_layers(
            list(stages.indices.values()), prune_norm=not stages.norm, prune_head=True
        )
        self.body = remove_randomness(net)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """The last map at each stride, (B, C, h, w)."""
        size = fit_size(images_B3HW.shape[-2:], self.stages.multiple, self.stages.smallest)
        if size != images_B3HW.shape[-2:]:
            images_B3HW = F.interpolate(images_B3HW, size, mode="bilinear")
        indices = list(self.stages.indices.values())
        maps = _feature_maps(self.body, self.normalise(images_B3HW), indices, self.stages.norm)
        return dict(zip(self.channels, maps, strict=True))

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights under timm's names or, if timm can convert them, those of the original release.

        timm's filters also resize a position embedding to the grid of the network.
        """
        module = sys.modules[type(self.body).__module__]
        convert = getattr(module, "checkpoint_filter_fn", None)
        named = convert(published, self.body) if convert else published
        own = self.body.state_dict()
        return {f"body.{k}": v for k, v in named.items() if k in own}


def fit_size(size: Sequence[int], multiple: int, smallest: int) -> tuple[int, int]:
    """Height and width rounded to the nearest multiple, at least ``smallest``."""
    least = -(-smallest // multiple) * multiple
    height, width = (max(least, math.floor(s / multiple + 0.5) * multiple) for s in size)
    return height, width


@lru_cache
def find_stages(name: str) -> Stages:
    """The stages of an architecture, from the shapes of its maps on torch's ``meta`` device.

    Raises:
        UsageError: timm is not installed, or the maps cannot be read at several image sizes.
    """
    with torch.device("meta"):
        net = _create(name, 3).eval()
    why = "timm cannot read its maps"
    if hasattr(net, "forward_intermediates") and hasattr(net, "prune_intermediate_layers"):
        found = [int(info["reduction"]) for info in net.feature_info]
        single = len(set(found)) == 1
        last = {stride: index for index, stride in enumerate(found)}
        indices = {s: last[r] for s, r in STAGE_STRIDES.items() if r in last}
        if single:
            indices = {"layer4": len(found) - 1}
        for multiple in [found[0]] if single else MULTIPLES:
            sizes = [fit_size((s, s), multiple, s) for s in SMALLEST]
            smallest = next((s for s in sizes if _probe(net, s, indices, single)), PROBE)
            odd = (7 * multiple + smallest[0], 11 * multiple + smallest[0])
            maps = _probe(net, PROBE, indices, single)
            if maps and _probe(net, odd, indices, single):
                channels = {s: int(m.shape[1]) for s, m in maps.items()}
                strides = {s: found[i] for s, i in indices.items()}
                return Stages(indices, channels, strides, multiple, smallest[0], single)
        why = "it takes only one image size"
    raise UsageError(
        f"--backbone timm:{name}: {why}",
        hint="choose another backbone; c2l fit --backbone list names them all",
    )


def _create(name: str, channels: int) -> Any:
    timm = load_timm()
    # Nothing is downloaded: the user provides weights as a file.
    common = {"pretrained": False, "num_classes": 0, "in_chans": channels}
    try:
        # Lets transformers interpolate their position embedding to the image size.
        return timm.create_model(name, **common, dynamic_img_size=True)
    except TypeError:
        # Not a transformer. It refused the argument before drawing any random parameter.
        return timm.create_model(name, **common)


def _feature_maps(net: Any, x: Tensor, indices: list[int], norm: bool) -> list[Tensor]:
    # Transformers apply the final norm to the last block; CNNs pool first.
    maps: list[Tensor] = net.forward_intermediates(
        x, indices=indices, norm=norm, output_fmt="NCHW", intermediates_only=True
    )
    return maps


def _probe(
    net: nn.Module, size: tuple[int, int], indices: dict[str, int], norm: bool
) -> dict[str, Tensor]:
    """The shapes of all stages for an image size, as meta tensors; empty if it is refused."""
    try:
        blank = torch.zeros(1, 3, *size, device="meta")
        maps = _feature_maps(net, blank, list(indices.values()), norm)
    except (AssertionError, RuntimeError, ValueError):
        return {}
    complete = len(maps) == len(indices) and all(m.numel() > 0 for m in maps)
    return dict(zip(indices, maps, strict=True)) if complete else {}


def _triple(values: Sequence[float]) -> Triple:
    first, second, third = values
    return first, second, third
