"""Feature maps of any torchvision CNN, read from its traced graph."""

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

# Their published weights need a second normalisation of the input, which the networks apply.
INCEPTIONS = ("googlenet", "inception_v3")
# Height and width of the probe. Their ratio is not a power of two, so that no other pair of
# dimensions looks like a feature map; they are large, so that unpadded borders hardly matter. Only
# shapes are computed.
PROBE = (1024, 1536)
# Candidates for the smallest image side; smaller images are enlarged to it.
SMALLEST = (32, 64, 96, 128)
# Published DenseNet weights have parameter names that torch no longer allows.
DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


@dataclass(frozen=True)
class Tap:
    """Where a stage is read.

    Attributes:
        node: name of the node in the traced graph.
        channels: channels of its map.
        last: whether channels are the last dimension.
    """

    node: str
    channels: int
    last: bool


class TorchvisionMaps(Backbone):
    """A torchvision network up to its last feature map.

    Args:
        name: torchvision's name of the architecture.
        net: the network.
        mean, std: statistics of its inputs.
        gradients_input: whether ``net`` has two more input channels.

    Raises:
        UsageError: the network has no usable feature maps.
    """

    def __init__(
        self, name: str, net: nn.Module, mean: Triple, std: Triple, *, gradients_input: bool
    ) -> None:
        super().__init__(mean, std, gradients_input=gradients_input)
        self.taps, self.smallest = find_stages(name)
        self.channels = {stage: tap.channels for stage, tap in self.taps.items()}
        self.strides = {stage: STAGE_STRIDES[stage] for stage in self.taps}
        self._all_names = frozenset(net.state_dict())
        nodes = {tap.node: stage for stage, tap in self.taps.items()}
        self.body = _extractor(remove_randomness(net), nodes)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """The last map at each of the strides 4, 8, 16 and 32 that the network has."""
        height, width = images_B3HW.shape[-2:]
        size = (max(height, self.smallest), max(width, self.smallest))
        if size != (height, width):
            images_B3HW = F.interpolate(images_B3HW, size, mode="bilinear")
        maps: dict[str, Tensor] = self.body(self.normalise(images_B3HW))
        return {
            stage: maps[stage].permute(0, 3, 1, 2) if tap.last else maps[stage]
            for stage, tap in self.taps.items()
        }

    def convert_published(self, published: dict[str, Tensor]) -> dict[str, Tensor]:
        """torchvision's names, prefixed by ``body``."""
        own = self.body.state_dict()
        named = {DENSENET.sub(r"\1\2", k): v for k, v in published.items()}
        return {f"body.{k}": v for k, v in named.items() if k in own or k not in self._all_names}


def build_torchvision(name: str, *, gradients_input: bool) -> Backbone:
    """A torchvision network with random weights.

    Raises:
        UsageError: the network has no usable feature maps.
    """
    mean, std = _statistics(name)
    net = _create(name, gradients_input=gradients_input)
    if isinstance(net, torchvision.models.ResNet):
        return ResNet(net, mean, std, gradients_input=gradients_input)
    if gradients_input:
        _add_input_channels(net)
    return TorchvisionMaps(name, net, mean, std, gradients_input=gradients_input)


def published_weights(name: str) -> Any:
    """torchvision's ImageNet weights of an architecture: V1, as in the paper, else the default."""
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


def _add_input_channels(net: nn.Module) -> None:
    """Replace the first convolution by one with two more input channels."""
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


def _extractor(
    net: nn.Module, nodes: dict[str, str], train: dict[str, str] | None = None
) -> nn.Module:
    """The part of a network that computes the given nodes."""
    with warnings.catch_warnings():
        # Inception's graphs for training and evaluation differ in auxiliary heads, which are
        # removed here.
        warnings.simplefilter("ignore")
        extractor: nn.Module = create_feature_extractor(
            net, train_return_nodes=train or nodes, eval_return_nodes=nodes
        )
    return extractor


@lru_cache
def find_stages(name: str) -> tuple[dict[str, Tap], int]:
    """Where the stages of an architecture are read, and its smallest image side.

    A stage is the last feature map at its stride outside the block that reduces the map further:
    the first nodes of a ResNet's ``layer2`` are still at stride 4, as are the expanded channels of
    an EfficientNet block. The stages follow from the shapes of all nodes on torch's ``meta``
    device, so they depend only on the architecture.

    Raises:
        UsageError: there are no such maps.
    """
    try:
        net = _on_meta(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train, names = get_graph_node_names(net)
        extractor = _extractor(net, {n: n for n in names}, {train[-1]: train[-1]}).eval()
        values = extractor(torch.zeros(1, 3, *PROBE, device="meta"))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise _no_maps(name, str(error).split("\n", 1)[0]) from None
    taps = _choose_taps(names, [_as_map(values[n]) for n in names])
    if not taps:
        raise _no_maps(name, "no map at stride 4, 8, 16 or 32")
    extractor = _extractor(net, {tap.node: stage for stage, tap in taps.items()}).eval()
    return taps, next((s for s in SMALLEST if _accepts(extractor, s)), PROBE[0])


def _no_maps(name: str, why: str) -> UsageError:
    return UsageError(
        f"--backbone {name}: no feature maps can be read from it at any image size ({why})",
        hint="use a CNN or Swin, or a vision transformer of timm (timm:NAME)",
    )


def _on_meta(name: str) -> nn.Module:
    """The architecture on the ``meta`` device, without memory for its parameters."""
    try:
        with torch.device("meta"):
            return _create(name)
    except NotImplementedError:
        # RegNet computes its widths with tensors, which needs a real device.
        return _create(name).to("meta")


def _accepts(extractor: nn.Module, side: int) -> bool:
    """Whether all stages have positions for images of this side."""
    try:
        maps = extractor(torch.zeros(2, 3, side, side, device="meta"))
    except RuntimeError:
        return False
    return all(m.numel() > 0 for m in maps.values())


def _as_map(value: object) -> tuple[int, Tap] | None:
    """Stride and layout of a node's value; None if it is not a feature map."""
    if not isinstance(value, Tensor) or value.ndim != 4:
        return None
    for first, last in ((2, False), (1, True)):
        ratios = [p / v for p, v in zip(PROBE, value.shape[first : first + 2], strict=True)]
        powers = {round(math.log2(r)) for r in ratios}
        near = all(abs(math.log2(r) - round(math.log2(r))) < 0.25 for r in ratios)
        if near and len(powers) == 1:
            return 2 ** powers.pop(), Tap("", int(value.shape[3 if last else 1]), last)
    return None


def _choose_taps(names: list[str], maps: list[tuple[int, Tap] | None]) -> dict[str, Tap]:
    """The node of each stage, from the names of all nodes and their maps."""
    strides = [found[0] if found and found[0] <= 32 else 0 for found in maps]
    taps = {}
    for stage, stride in STAGE_STRIDES.items():
        at = [i for i, s in enumerate(strides) if s == stride]
        if not at:
            continue
        coarser = [i for i, s in enumerate(strides) if s > stride]
        # The last stride is followed by global pooling.
        reducing = coarser[0] if coarser else min(at[-1] + 1, len(names) - 1)
        chosen = _last_outside(names, at, reducing)
        if found := maps[chosen]:
            taps[stage] = replace(found[1], node=names[chosen])
    return taps


def _last_outside(names: list[str], at: list[int], reducing: int) -> int:
    """The last of the nodes ``at`` outside the outermost block that contains ``reducing``."""
    parts = names[reducing].split(".")
    for depth in range(1, len(parts) + 1):
        block = ".".join(parts[:depth])
        outside = [i for i in at if i < reducing and not f"{names[i]}.".startswith(f"{block}.")]
        if outside:
            return outside[-1]
    return at[-1]
