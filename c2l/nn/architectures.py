"""Backbones by name, from torchvision and timm."""

from __future__ import annotations

import difflib

import torchvision

from c2l.errors import UsageError
from c2l.nn.backbone import Backbone
from c2l.nn.timm_maps import TimmMaps, load_timm
from c2l.nn.torchvision_maps import build_torchvision

TIMM = "timm:"
# Prefixes of torchvision's transformers that take only one image size.
FIXED_SIZE = ("maxvit", "vit_")


def torchvision_names() -> list[str]:
    """Names of torchvision's classification networks that have feature maps."""
    known = torchvision.models.list_models(module=torchvision.models)
    return sorted(n for n in known if not n.startswith(FIXED_SIZE))


def timm_names() -> list[str]:
    """Names of timm's networks, as ``timm:NAME``; empty if timm is not installed."""
    try:
        timm = load_timm()
    except UsageError:
        return []
    return [TIMM + name for name in timm.list_models()]


def require_known(name: str) -> None:
    """Check that a backbone exists.

    Raises:
        UsageError: the name is unknown (similar names are listed), or timm is not installed.
    """
    if name.startswith(TIMM):
        known = load_timm().is_model(name.removeprefix(TIMM))
    else:
        known = torchvision.models.list_models(module=torchvision.models).count(name) > 0
    if known:
        return
    names = timm_names() if name.startswith(TIMM) else torchvision_names() + timm_names()
    near = difflib.get_close_matches(name, names, n=4)
    raise UsageError(
        f"--backbone {name}: no such backbone"
        + (f"; similar names: {', '.join(near)}" if near else ""),
        hint="list all names: c2l fit --backbone list",
    )


def build_backbone(name: str, *, gradients_input: bool = False) -> Backbone:
    """A backbone with random weights.

    Args:
        name: a torchvision model name, or ``timm:`` and a timm model name.
        gradients_input: add two input channels, the gradients of the image.

    Raises:
        UsageError: the name is unknown, or the network has no usable feature maps.
    """
    require_known(name)
    if name.startswith(TIMM):
        return TimmMaps(name.removeprefix(TIMM), gradients_input=gradients_input)
    return build_torchvision(name, gradients_input=gradients_input)
