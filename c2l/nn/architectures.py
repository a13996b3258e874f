"""Backbones by name, in families: adding one is one row of ``FAMILIES``."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import torchvision

from c2l.errors import UsageError
from c2l.nn.backbone import Backbone
from c2l.nn.timm_maps import TimmMaps, load_timm
from c2l.nn.torchvision_maps import build_torchvision

# Prefixes of torchvision's transformers that take only one image size.
FIXED_SIZE = ("maxvit", "vit_")


@dataclass(frozen=True)
class Family:
    """Backbones of one origin, by their names without the family's prefix.

    Attributes:
        names: gives those that can be built here, none where the family's package is missing.
        knows: whether a name exists; a ``UsageError`` where the package is missing.
        build: gives a backbone with random weights, of a name and ``gradients_input``.
    """

    names: Callable[[], list[str]]
    knows: Callable[[str], bool]
    build: Callable[..., Backbone]


def torchvision_names() -> list[str]:
    """Names of torchvision's classification networks that have feature maps."""
    known = torchvision.models.list_models(module=torchvision.models)
    return sorted(n for n in known if not n.startswith(FIXED_SIZE))


def timm_names() -> list[str]:
    """Names of timm's networks; empty if timm is not installed."""
    try:
        names: list[str] = load_timm().list_models()
    except UsageError:
        return []
    return names


# By the prefix of their names, up to a colon. Weights are published for those without a prefix;
# others take a file.
FAMILIES = {
    "": Family(
        torchvision_names,
        lambda name: name in torchvision.models.list_models(module=torchvision.models),
        build_torchvision,
    ),
    "timm:": Family(timm_names, lambda name: bool(load_timm().is_model(name)), TimmMaps),
}


def backbone_names() -> list[str]:
    """Every backbone that can be built here, with its prefix."""
    return [prefix + name for prefix in FAMILIES for name in FAMILIES[prefix].names()]


def require_known(name: str) -> None:
    """Check that a backbone exists.

    Raises:
        UsageError: the name is unknown (similar names are listed), or its package is missing.
    """
    prefix, bare = _split(name)
    if FAMILIES[prefix].knows(bare):
        return
    near = difflib.get_close_matches(
        name, [n for n in backbone_names() if n.startswith(prefix)], n=4
    )
    raise UsageError(
        f"--backbone {name}: no such backbone"
        + (f"; similar names: {', '.join(near)}" if near else ""),
        hint="list all names: c2l fit --backbone list",
    )


def build_backbone(name: str, *, gradients_input: bool = False) -> Backbone:
    """A backbone with random weights.

    Args:
        name: a torchvision model name, or the prefix of another family and a name in it.
        gradients_input: add two input channels, the gradients of the image.

    Raises:
        UsageError: the name is unknown, or the network has no usable feature maps.
    """
    require_known(name)
    prefix, bare = _split(name)
    return FAMILIES[prefix].build(bare, gradients_input=gradients_input)


def _split(name: str) -> tuple[str, str]:
    """The prefix of a name's family, and the name without it."""
    prefix = name[: name.find(":") + 1]
    return (prefix, name.removeprefix(prefix)) if prefix in FAMILIES else ("", name)
