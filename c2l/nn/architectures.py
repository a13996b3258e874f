"""The backbones that can be named, and how one is built."""

from __future__ import annotations

import difflib

import torchvision

from c2l.errors import UsageError
from c2l.nn.backbone import Backbone
from c2l.nn.timm_maps import TimmMaps, load_timm
from c2l.nn.torchvision_maps import build_torchvision

TIMM = "timm:"
# Transformers of one image size alone.
UNREADABLE = ("maxvit", "vit_")


def torchvision_names() -> list[str]:
    """torchvision's classification networks that give feature maps."""
    known = torchvision.models.list_models(module=torchvision.models)
    return sorted(n for n in known if not n.startswith(UNREADABLE))


def timm_names() -> list[str]:
    """timm's architectures under the names that are given here; none where timm is missing."""
    try:
        timm = load_timm()
    except UsageError:
        return []
    return [TIMM + name for name in timm.list_models()]


def require_known(name: str) -> None:
    """Refuse a backbone that does not exist.

    Raises:
        UsageError: an unknown name, with those like it; or timm is missing.
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
        f"--backbone {name}: no such backbone" + (f"; there are {', '.join(near)}" if near else ""),
        hint="list them: c2l fit --backbone list",
    )


def build_backbone(name: str, *, gradients_input: bool = False) -> Backbone:
    """A backbone of random weights.

    Args:
        name: in torchvision's register, or ``timm:`` and a name in timm's.
        gradients_input: two more input channels, the image's gradients.

    Raises:
        UsageError: an unknown name, or no feature maps can be read from it.
    """
    require_known(name)
    if name.startswith(TIMM):
        return TimmMaps(name.removeprefix(TIMM), gradients_input=gradients_input)
    return build_torchvision(name, gradients_input=gradients_input)
