"""Feature maps of any torchvision CNN, read inside its traced graph."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from c2l.errors import UsageError
from c2l.nn.backbone import MEAN, STAGE_STRIDES, STD, Backbone, ResNet, Triple, remove_randomness

# Both of these normalise their input once more, as their published weights need it.
INCEPTIONS = ("googlenet", "inception_v3")
# Height and width of the probe: 3 / 2 is no power of two, so that no other pair of dimensions
# looks like a map; large, so that unpadded borders hardly count. No value is computed.
PROBE = (1024, 1536)
# Images smaller than an architecture can take are enlarged to the first that it takes.
SMALLEST = (32, 64, 96, 128)
# DenseNets were published under names that are no longer legal.
DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


@dataclass(frozen=True)
class Tap:
    """Where a stage is read.

    Attributes:
        node: of the traced graph.
        channels: of its map.
        last: whether the channels are the last dimension.
    """

    node: str
    channels: int
    last: bool


class TorchvisionMaps(Backbone):
    """A torchvision network up to its last feature map.

    Args:
        name: in torchvision's register.
        net: that network.
        mean, std: of its inputs.
        gradients_input: whether ``net`` takes two more input channels.

    Raises:
        UsageError: no feature maps can be read from it.
    """

    def __init__(
        self, name: str, net: nn.Module, mean: Triple, std: Triple, *, gradients_input: bool
    ) -> None:
        super().__init__(mean, std, gradients_input=gradients_input)
        self.taps, self.smallest = find_stages(name)
        self.channels = {stage: tap.channels for stage, tap in self.taps.items()}
        self.strides = {stage: STAGE_STRIDES[stage] for stage in self.taps}
        self._whole = frozenset(net.state_dict())
        self.body = _read(
            remove_randomness(net), {tap.node: stage for stage, tap in self.taps.items()}
        )

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """The last map at each of the strides 4, 8, 16, 32 that the network has."""
        height, width = images_B3HW.shape[-2:]
        size = (max(height, self.smallest), max(width, self.smallest))
        if size != (height, width):
            images_B3HW = F.interpolate(images_B3HW, size, mode="bilinear")
        maps: dict[str, Tensor] = self.body(self.normalise(images_B3HW))
        return {
            stage: maps[stage].permute(0, 3, 1, 2) if tap.last else maps[stage]
            for stage, tap in self.taps.items()
        }

    def own_names(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's names, below ``body``."""
        own = self.body.state_dict()
        named = {DENSENET.sub(r"\1\2", k): v for k, v in published.items()}
        return {f"body.{k}": v for k, v in named.items() if k in own or k not in self._whole}


def build_torchvision(name: str, *, gradients_input: bool) -> Backbone:
    """A torchvision network of random weights.

    Raises:
        UsageError: no feature maps can be read from it.
    """
    mean, std = _statistics(name)
    net = _create(name, gradients_input=gradients_input)
    if isinstance(net, torchvision.models.ResNet):
        return ResNet(net, mean, std, gradients_input=gradients_input)
    if gradients_input:
        _widen(net)
    return TorchvisionMaps(name, net, mean, std, gradients_input=gradients_input)


def published_weights(name: str) -> Any:
    """torchvision's ImageNet weights of an architecture: the paper's era, else its default."""
    known = torchvision.models.get_model_weights(name)
    return getattr(known, "IMAGENET1K_V1", known.DEFAULT)


def _statistics(name: str) -> tuple[Triple, Triple]:
    try:
        transform = published_weights(name).transforms()
    except AttributeError:
        return MEAN, STD
    return tuple(transform.mean), tuple(transform.std)


def _create(name: str, *, gradients_input: bool = False) -> nn.Module:
    extra: dict[str, bool] = {}
    if name in INCEPTIONS:
        extra = {"init_weights": True, "transform_input": not gradients_input}
    net: nn.Module = torchvision.models.get_model(name, weights=None, **extra)
    return net


def _widen(net: nn.Module) -> None:
    """Replace the first convolution by one of five input channels."""
    for path, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            parent = net.get_submodule(path.rpartition(".")[0])
            wide = nn.Conv2d(
                module.in_channels + 2,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]  # always a pair
                module.stride,  # type: ignore[arg-type]  # always a pair
                module.padding,  # type: ignore[arg-type]  # always a pair
                bias=module.bias is not None,
            )
            setattr(parent, path.rpartition(".")[2], wide)
            return


def _read(net: nn.Module, nodes: dict[str, str], train: dict[str, str] | None = None) -> nn.Module:
    """The part of a network that some nodes need."""
    with warnings.catch_warnings():
        # Inception's auxiliary heads make its graphs for training and evaluation differ; they
        # are cut off.
        warnings.simplefilter("ignore")
        reader: nn.Module = create_feature_extractor(
            net, train_return_nodes=train or nodes, eval_return_nodes=nodes
        )
    return reader


@lru_cache
def find_stages(name: str) -> tuple[dict[str, Tap], int]:
    """Where an architecture's stages are read, and the smallest image that it takes.

    A stage is the last feature map at its stride that does not lie inside the block which leaves
    that stride: a ResNet's ``layer2`` begins at stride 4, and so do the expanded channels of an
    EfficientNet's next block. Found by the shapes of all nodes for one image, on torch's ``meta``
    device, so nothing but the architecture decides.

    Raises:
        UsageError: it has no such maps.
    """
    try:
        net = _blank(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train, names = get_graph_node_names(net)
        every = _read(net, {n: n for n in names}, {train[-1]: train[-1]}).eval()
        values = every(torch.zeros(1, 3, *PROBE, device="meta"))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise _unreadable(name, str(error).split("\n", 1)[0]) from None
    taps = _choose(names, [_map_of(values[n]) for n in names])
    if not taps:
        raise _unreadable(name, "no map at stride 4, 8, 16 or 32")
    reader = _read(net, {tap.node: stage for stage, tap in taps.items()}).eval()
    return taps, next((s for s in SMALLEST if _takes(reader, s)), PROBE[0])


def _unreadable(name: str, why: str) -> UsageError:
    return UsageError(
        f"--backbone {name}: no feature maps can be read from it at any image size ({why})",
        hint="CNNs and Swin can be read; vision transformers come from timm (timm:NAME)",
    )


def _blank(name: str) -> nn.Module:
    """The architecture without memory for its parameters."""
    try:
        with torch.device("meta"):
            return _create(name)
    except NotImplementedError:
        # RegNet computes its widths with tensors.
        return _create(name).to("meta")


def _takes(reader: nn.Module, side: int) -> bool:
    try:
        maps = reader(torch.zeros(2, 3, side, side, device="meta"))
    except RuntimeError:
        return False
    return all(m.numel() > 0 for m in maps.values())


def _map_of(value: object) -> tuple[int, Tap] | None:
    """The stride of a feature map, and how it is read; None for what is no map."""
    if not isinstance(value, Tensor) or value.ndim != 4:
        return None
    for first, last in ((2, False), (1, True)):
        ratios = [p / v for p, v in zip(PROBE, value.shape[first : first + 2], strict=True)]
        powers = {round(math.log2(r)) for r in ratios}
        near = all(abs(math.log2(r) - round(math.log2(r))) < 0.25 for r in ratios)
        if near and len(powers) == 1:
            return 2 ** powers.pop(), Tap("", int(value.shape[3 if last else 1]), last)
    return None


def _choose(names: list[str], maps: list[tuple[int, Tap] | None]) -> dict[str, Tap]:
    strides = [found[0] if found and found[0] <= 32 else 0 for found in maps]
    taps = {}
    for stage, stride in STAGE_STRIDES.items():
        at = [i for i, s in enumerate(strides) if s == stride]
        if not at:
            continue
        coarser = [i for i, s in enumerate(strides) if s > stride]
        # After the last stride comes the global pooling.
        leaves = coarser[0] if coarser else min(at[-1] + 1, len(names) - 1)
        chosen = _before(names, at, leaves)
        if found := maps[chosen]:
            taps[stage] = replace(found[1], node=names[chosen])
    return taps


def _before(names: list[str], at: list[int], leaves: int) -> int:
    """The last of some nodes that is outside the outermost block of the node that leaves them."""
    parts = names[leaves].split(".")
    for depth in range(1, len(parts) + 1):
        block = ".".join(parts[:depth])
        outside = [i for i in at if i < leaves and not f"{names[i]}.".startswith(f"{block}.")]
        if outside:
            return outside[-1]
    return at[-1]
