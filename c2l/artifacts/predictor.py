"""The predictor's file: a network, the classifier on its features, and what its classes mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.chain import Format
from c2l.artifacts.tensors import load_tensors, save_tensors, summary
from c2l.errors import BadInputError
from c2l.runtime.json_files import strict_json

if TYPE_CHECKING:
    from torch import Tensor

HINT = "make one with: c2l fit DATA -o RUN"
VERSION = "2"
NETWORK, CLASSIFIER = "model.", "classifier."
# What the metadata says of the groups.
NONE, BY_PART, GROUND = "none", "parts", "ground"


@dataclass(frozen=True)
class Groups:
    """The group of each cluster after a label-free merge.

    Attributes:
        of: (K,) uint8.
        parts: whether the groups are ``schema.PARTS``; else 0 is the ground and every other group
            is one cluster.
    """

    of: NDArray[np.uint8]
    parts: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups."""
        if self.parts:
            return schema.PARTS
        return (GROUND, *(f"cluster {k}" for k in range(1, int(self.of.max()) + 1)))


@dataclass(frozen=True)
class StoredPredictor:
    """What a predictor's file holds.

    Attributes:
        network: tensors of the network by name.
        classifier: the kind of classifier.
        names: of its classes, empty where they are clusters.
        tensors: of the classifier by name.
        groups: of its classes, where they were merged without labels.
        shares: (K, 3) float32 share of background, upper and lower in each class, where predictions
            are sharpened to the photo's own colours.
        config: the options of the run.
        stage: the command that made it, whose options they are.
    """

    network: dict[str, Tensor]
    classifier: str
    names: tuple[str, ...]
    tensors: dict[str, Tensor]
    groups: Groups | None
    shares: Tensor | None
    config: dict[str, Any]
    stage: str = "fit"


def write_predictor(path: Path, predictor: StoredPredictor) -> None:
    """Write a predictor.

    Raises:
        OutputError: it cannot be written.
    """
    import torch

    tensors = {f"{NETWORK}{name}": value for name, value in predictor.network.items()}
    tensors |= {f"{CLASSIFIER}{name}": value for name, value in predictor.tensors.items()}
    groups = NONE
    if predictor.groups is not None:
        groups = BY_PART if predictor.groups.parts else GROUND
        tensors[schema.GROUPS] = torch.from_numpy(predictor.groups.of)
    if predictor.shares is not None:
        tensors[schema.GROUP_SHARES] = predictor.shares
    about = {
        "format": schema.FORMAT_PREDICTOR,
        "format_version": VERSION,
        "classifier": predictor.classifier,
        "names": json.dumps(predictor.names),
        "groups": groups,
        "sharpened": json.dumps(predictor.shares is not None),
        "config": json.dumps(predictor.config),
        **({} if predictor.stage == "fit" else {"stage": predictor.stage}),
    }
    save_tensors(path, tensors, about)


def read_predictor(path: Path) -> StoredPredictor:
    """Read a predictor of this format version or of the first.

    Raises:
        BadInputError: missing, damaged, of another format or version, or without a tensor that
            its metadata promises.
    """
    tensors, about = load_tensors(path, hint=HINT, sealed=True)
    if about.get("format") != schema.FORMAT_PREDICTOR:
        raise BadInputError(path, f"not a predictor (format {about.get('format')!r})", hint=HINT)
    # Version 1 names none.
    version = about.get("format_version", "1")
    if version not in ("1", VERSION):
        raise BadInputError(
            path,
            f"a predictor of format version {version}; this c2l reads 1 and {VERSION}",
            hint="read it with a newer c2l",
        )
    try:
        config = dict(strict_json(about["config"]))
        if version == "1":
            about |= _described_version_1(config)
            tensors = {_RENAMED.get(name, name): value for name, value in tensors.items()}
        groups = None
        if about["groups"] != NONE:
            groups = Groups(tensors[schema.GROUPS].numpy(), about["groups"] == BY_PART)
        return StoredPredictor(
            network=_section(tensors, NETWORK),
            classifier=about["classifier"],
            names=tuple(map(str, strict_json(about["names"]))),
            tensors=_section(tensors, CLASSIFIER),
            groups=groups,
            shares=tensors[schema.GROUP_SHARES] if about["sharpened"] == "true" else None,
            config=config,
            stage=about.get("stage", "fit"),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadInputError(path, f"damaged: its metadata do not fit: {error}", hint=HINT) from None


def _section(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


# Tensors of version 1, which had no sections but the network's.
_RENAMED = {
    schema.CENTROIDS: f"{CLASSIFIER}centroids",
    schema.COUNTS: f"{CLASSIFIER}counts",
    "mixture_weights": f"{CLASSIFIER}weights",
    "mixture_bias": f"{CLASSIFIER}bias",
}


def _described_version_1(config: dict[str, Any]) -> dict[str, str]:
    """The metadata of version 2 for a file of version 1, from the options of its run."""
    mixture = config.get("final_clusters") == "mixture"
    merge = config.get("merge_clusters", "none")
    groups = {"border": BY_PART, "figure": BY_PART, "ground": GROUND}.get(merge, NONE)
    return {
        "classifier": "mixture" if mixture else "centroids",
        "names": json.dumps(schema.PARTS if mixture else ()),
        "groups": BY_PART if mixture else groups,
        "sharpened": json.dumps(bool(config.get("sharpen"))),
    }


FORMAT = Format(name=schema.FORMAT_PREDICTOR, summary=summary)
