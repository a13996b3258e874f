"""Feature maps of timm's networks, vision transformers among them; timm is an optional extra."""

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

# Multiples of the usual patches of 8, 14 and 16 and of stride 32; not square.
PROBE = (448, 672)
# What images have to be multiples of: nothing, a Swin's patch, the coarsest stride.
MULTIPLES = (1, 4, 32)
SMALLEST = (32, 64, 96, 128)


def load_timm() -> Any:
    """timm.

    Raises:
        UsageError: it is not installed.
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
    """What there is to read in an architecture.

    Attributes:
        indices: of each stage's map among timm's.
        channels, strides: of each stage's map.
        multiple: that an image's sides have to be of; a vision transformer's patch.
        smallest: side of an image.
        norm: whether the final norm belongs to the last map.
    """

    indices: dict[str, int]
    channels: dict[str, int]
    strides: dict[str, int]
    multiple: int
    smallest: int
    norm: bool


class TimmMaps(Backbone):
    """A timm network up to its last feature map.

    A network of several strides gives a stage for each of 4, 8, 16 and 32. A vision transformer
    has one stride, its patch: its last block, after the final norm and without class and register
    tokens, is ``layer4``. Images are brought to the nearest multiple of the patch.

    Args:
        name: of the architecture.
        gradients_input: two more input channels.

    Raises:
        UsageError: timm is missing, or the network takes one image size alone.
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
        maps = _maps(self.body, self.normalise(images_B3HW), indices, self.stages.norm)
        return dict(zip(self.channels, maps, strict=True))

    def own_names(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """Names that timm knows, or those its architecture was published under.

        timm's filters also bring a position embedding to the network's own grid.
        """
        module = sys.modules[type(self.body).__module__]
        convert = getattr(module, "checkpoint_filter_fn", None)
        named = convert(published, self.body) if convert else published
        own = self.body.state_dict()
        return {f"body.{k}": v for k, v in named.items() if k in own}


def fit_size(size: Sequence[int], multiple: int, smallest: int) -> tuple[int, int]:
    """The nearest multiple to an image's sides, not below the smallest."""
    least = -(-smallest // multiple) * multiple
    height, width = (max(least, math.floor(s / multiple + 0.5) * multiple) for s in size)
    return height, width


@lru_cache
def find_stages(name: str) -> Stages:
    """An architecture's stages, by the shapes of its maps for a few image sizes, uncomputed.

    Raises:
        UsageError: timm is missing; or maps cannot be read at several image sizes.
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
        why = "it takes one image size alone"
    raise UsageError(
        f"--backbone timm:{name}: {why}",
        hint="choose another one; c2l fit --backbone list names them",
    )


def _create(name: str, channels: int) -> Any:
    timm = load_timm()
    # Never from the network: the weights come from a file of the user's.
    common = {"pretrained": False, "num_classes": 0, "in_chans": channels}
    try:
        # Transformers interpolate their position embedding to the image.
        return timm.create_model(name, **common, dynamic_img_size=True)
    except TypeError:
        # The argument is refused before any parameter is drawn.
        return timm.create_model(name, **common)


def _maps(net: Any, x: Tensor, indices: list[int], norm: bool) -> list[Tensor]:
    # The final norm belongs to a transformer's last block; CNNs pool before it.
    maps: list[Tensor] = net.forward_intermediates(
        x, indices=indices, norm=norm, output_fmt="NCHW", intermediates_only=True
    )
    return maps


def _probe(
    net: nn.Module, size: tuple[int, int], indices: dict[str, int], norm: bool
) -> dict[str, Tensor]:
    """The stages of an image of that size without their values; none where it is refused."""
    try:
        blank = torch.zeros(1, 3, *size, device="meta")
        maps = _maps(net, blank, list(indices.values()), norm)
    except (AssertionError, RuntimeError, ValueError):
        return {}
    sound = len(maps) == len(indices) and all(m.numel() > 0 for m in maps)
    return dict(zip(indices, maps, strict=True)) if sound else {}


def _triple(values: Sequence[float]) -> Triple:
    first, second, third = values
    return first, second, third
