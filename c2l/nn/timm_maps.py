"""Feature maps of timm's networks, vision transformers among them; timm is an optional extra."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.errors import UsageError
from c2l.nn.backbone import STAGE_STRIDES, Backbone, Triple, quiet

# Any multiple of the usual patches of 8, 14 and 16 and of stride 32; not square.
PROBE = (448, 672)
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
        indices, self.patch, self.smallest = find_stages(name)
        net = _create(name, 5 if gradients_input else 3)
        config = net.pretrained_cfg
        super().__init__(
            _triple(config["mean"]), _triple(config["std"]), gradients_input=gradients_input
        )
        self._indices = list(indices.values())
        self.channels = {s: int(net.feature_info[i]["num_chs"]) for s, i in indices.items()}
        self.strides = {s: int(net.feature_info[i]["reduction"]) for s, i in indices.items()}
        net.prune_intermediate_layers(self._indices, prune_norm=self.patch == 1, prune_head=True)
        self.body = quiet(net)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """The last map at each stride, (B, C, h, w)."""
        size = fit_size(images_B3HW.shape[-2:], self.patch, self.smallest)
        if size != images_B3HW.shape[-2:]:
            images_B3HW = F.interpolate(images_B3HW, size, mode="bilinear")
        maps = _maps(self.body, self.normalise(images_B3HW), self._indices, self.patch)
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


def fit_size(size: Sequence[int], patch: int, smallest: int) -> tuple[int, int]:
    """The nearest multiple of the patch to an image's size, not below the smallest."""
    least = -(-smallest // patch) * patch
    height, width = (max(least, math.floor(s / patch + 0.5) * patch) for s in size)
    return height, width


@lru_cache
def find_stages(name: str) -> tuple[dict[str, int], int, int]:
    """An architecture's stages, by index among timm's; its patch; the smallest image it takes.

    The patch is 1 where images need not be multiples of anything.

    Raises:
        UsageError: timm is missing; or maps cannot be read at several image sizes.
    """
    with torch.device("meta"):
        net = _create(name, 3)
    why = "timm cannot read its maps"
    if hasattr(net, "forward_intermediates") and hasattr(net, "prune_intermediate_layers"):
        found = [int(info["reduction"]) for info in net.feature_info]
        last = {stride: index for index, stride in enumerate(found)}
        patch = found[0] if len(last) == 1 else 1
        stages = {s: last[r] for s, r in STAGE_STRIDES.items() if r in last}
        if patch > 1:
            stages = {"layer4": len(found) - 1}
        indices = list(stages.values())
        sizes = [fit_size((s, s), patch, s) for s in SMALLEST]
        fitting = [s for s in sizes if _takes(net, s, indices, patch)]
        if stages and fitting and _takes(net, PROBE, indices, patch):
            return stages, patch, fitting[0][0]
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


def _maps(net: Any, x: Tensor, indices: list[int], patch: int) -> list[Tensor]:
    # The final norm belongs to a transformer's last block; CNNs pool before it.
    maps: list[Tensor] = net.forward_intermediates(
        x, indices=indices, norm=patch > 1, output_fmt="NCHW", intermediates_only=True
    )
    return maps


def _takes(net: nn.Module, size: tuple[int, int], indices: list[int], patch: int) -> bool:
    try:
        maps = _maps(net.eval(), torch.zeros(1, 3, *size, device="meta"), indices, patch)
    except (AssertionError, RuntimeError, ValueError):
        return False
    return all(m.numel() > 0 for m in maps)


def _triple(values: Sequence[float]) -> Triple:
    first, second, third = values
    return first, second, third
