"""Building the network from its options, with weights from where the user says."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from c2l import schema
from c2l.artifacts.drawn import located
from c2l.artifacts.predictor import read_predictor
from c2l.artifacts.tensors import declared_format, load_pickled_tensors, load_tensors
from c2l.errors import BadInputError, UsageError
from c2l.nn.architectures import build_backbone
from c2l.nn.backbone import Backbone
from c2l.nn.network import ParsingNetwork, build_pixel_module
from c2l.nn.part import PartContrastiveModule
from c2l.nn.pyramid import FeaturePyramid
from c2l.nn.torchvision_maps import published_weights
from c2l.options import ModuleOptions, NetworkOptions
from c2l.runtime.files import sha256_file, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator

WAYS_OUT = (
    "put the file into torch's cache on a machine with a network, or use --weights FILE "
    "(.safetensors or .pth), or --weights none"
)


ANOTHER_FILE = "name another file by --weights, or use --weights none"
SAFE = ".safetensors"
_SUFFIXES = (SAFE, ".pth", ".pt")
# What a file may hold beyond the backbone, whose classifier is left out.
CLASSIFIER_BYTES = 256 << 20


@dataclass(frozen=True)
class Weights:
    """Where a backbone's weights came from.

    Attributes:
        source: ``imagenet``, ``none`` or the file's path.
        sha256: of the file, or of the tensors; empty for ``none``.
    """

    source: str
    sha256: str


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initialise parameters from a seed, without touching the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def load_backbone(options: NetworkOptions, *, seed: int) -> tuple[Backbone, Weights]:
    """The backbone with its weights.

    Raises:
        BadInputError: the weights are missing, broken, or of another architecture.
        UsageError: an unknown backbone.
    """
    with seeded(seed):
        backbone = build_backbone(options.backbone, gradients_input=options.gradients_input)
    if options.weights == "none":
        return backbone, Weights("none", "")
    if options.weights == "imagenet":
        tensors, digest = _imagenet(options.backbone)
        _load(backbone, tensors, Path(f"imagenet weights of {options.backbone}"))
        return backbone, Weights("imagenet", digest)
    path = located(Path(options.weights))
    _require_weights_file(path, backbone)
    with unchanged(path):
        if path.suffix == SAFE and declared_format(path) == schema.FORMAT_PREDICTOR:
            _load_own(backbone, read_predictor(path).network, path)
        elif path.suffix == SAFE:
            _load(backbone, load_tensors(path, hint=ANOTHER_FILE)[0], path)
        else:
            _load(backbone, load_pickled_tensors(path), path)
        digest = sha256_file(path)
    return backbone, Weights(str(path), digest)


def _require_weights_file(path: Path, backbone: Backbone) -> None:
    """Refuse what cannot be the weights by its name or size, before any of it is read.

    A training checkpoint holds its optimiser's state and averages too, each as large as the
    weights, at most in double precision.
    """
    kinds = "weights are imagenet, none, drawn, or a .safetensors or .pth file"
    if not path.is_file():
        known = path.suffix in _SUFFIXES
        raise BadInputError(path, "no such file", hint=WAYS_OUT if known else kinds)
    if path.suffix not in _SUFFIXES:
        raise BadInputError(path, kinds)
    own = sum(t.numel() * t.element_size() for t in backbone.state_dict().values())
    size = path.stat().st_size
    if size > 16 * own + CLASSIFIER_BYTES:
        raise BadInputError(
            path,
            f"not the weights of this backbone: it holds {size:,} bytes, they take {own:,}",
            hint="choose the matching --backbone",
        )


def _imagenet(backbone: str) -> tuple[dict[str, Tensor], str]:
    from urllib.parse import urlparse

    weights = published_weights(backbone)
    name = os.path.basename(urlparse(weights.url).path)
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where torch says that it downloads
            tensors = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(
            cached, f"ImageNet weights are not cached and cannot be fetched: {first}", hint=WAYS_OUT
        ) from None
    return dict(tensors), sha256_file(cached) if cached.is_file() else name


def _load_own(backbone: Backbone, network: dict[str, Tensor], path: Path) -> None:
    """Copy the backbone of another predictor."""
    prefix = "backbone."
    own = {k.removeprefix(prefix): v for k, v in network.items() if k.startswith(prefix)}
    try:
        backbone.load_state_dict(own)
    except RuntimeError as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(
            path,
            f"its network has another backbone: {first}",
            hint="choose the matching --backbone",
        ) from None


def _load(backbone: Backbone, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights of the names they were published under; the classifier's are not needed."""
    wanted = backbone.state_dict()
    try:
        given = backbone.convert_published(tensors)
    except Exception as error:  # timm's own filters fail on foreign files in any way
        raise BadInputError(path, f"not the weights of this backbone: {error}") from None
    missing = sorted(k for k in wanted if k not in given and not k.endswith("num_batches_tracked"))
    wrong = sorted(k for k in given if k not in wanted or given[k].shape != wanted[k].shape)
    if missing or wrong:
        shown = ", ".join((missing + wrong)[:3])
        raise BadInputError(
            path,
            f"not the weights of this backbone: {len(missing)} tensors missing, "
            f"{len(wrong)} unknown or of another shape ({shown})",
            hint="choose the matching --backbone",
        )
    backbone.load_state_dict({k: v.to(wanted[k].dtype) for k, v in given.items()}, strict=False)


def build_network(
    network: NetworkOptions,
    modules: ModuleOptions | None,
    clusters: int,
    *,
    seed: int,
    layer: str = "fpn",
    frozen_channels: int = 0,
) -> tuple[ParsingNetwork, Weights]:
    """The whole network: S and C only where ``modules`` asks for them.

    Args:
        network: backbone, weights, channels.
        modules: of C^2L, or None for the backbone and pyramid alone.
        clusters: K.
        seed: of what is initialised at random.
        layer: where features are read.
        frozen_channels: channels of ``layer`` when heads are trained on it frozen, else 0; a
            frozen pyramid keeps them, whatever the channels of the heads.
    """
    backbone, weights = load_backbone(network, seed=seed)
    with seeded(seed + 1):
        frozen = frozen_channels if layer == "fpn" else 0
        pyramid = FeaturePyramid(backbone.channels, frozen or network.fpn_dim)
    with seeded(seed + 2):
        pixel = build_pixel_module(network.fpn_dim, modules) if modules else None
        part = None
        if modules and modules.part != "off":
            part = PartContrastiveModule(network.fpn_dim, clusters, modules.part)
        projection = nn.Conv2d(frozen_channels, network.fpn_dim, 1) if frozen_channels else None
    net = ParsingNetwork(backbone, pyramid, pixel, part, layer=layer, projection=projection)
    return net.to(memory_format=torch.channels_last), weights


def read_layer(net: ParsingNetwork, images_B3HW: Tensor, layer: str) -> Tensor:
    """Features of a layer: ``fpn`` gives the clustered features, the rest a backbone stage.

    Returns:
        (B, C, h, w) float32; ``fpn`` is of unit length, a stage is as the
        backbone gives it, non-negative where it ends in a ReLU.

    Raises:
        UsageError: the backbone has no such stage.
    """
    if layer == "fpn":
        features: Tensor = net(images_B3HW)
        return features
    if layer not in net.backbone.channels:
        stages = ", ".join(f"{s} (stride {n})" for s, n in net.backbone.strides.items())
        raise UsageError(f"--layer {layer}: this backbone has fpn and {stages}")
    stage: Tensor = net.backbone(images_B3HW)[layer]
    return stage.float()
