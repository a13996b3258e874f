"""The classifier that a run ends with, stored with its network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.tensors import save_tensors
from c2l.clustering.mixture import Discriminant
from c2l.nn.network import ParsingNetwork


@dataclass(frozen=True)
class Classifier:
    """What the end of a run makes of the features.

    Attributes:
        centroids: (K, C) float32 centroids, or the means of the mixture's components.
        counts: (K,) int64 pixels of each.
        groups: (K,) uint8 group of each after the label-free merge, or None.
        shares: (K, 3) float32 shares of ground, upper and lower, where predictions are sharpened.
        mixture: decides in place of the nearest centroid, or None.
    """

    centroids: Tensor
    counts: Tensor
    groups: NDArray[np.uint8] | None
    shares: NDArray[np.float32] | None
    mixture: Discriminant | None


def save_predictor(
    path: Path,
    net: ParsingNetwork,
    classifier: Classifier,
    config: dict[str, Any],
) -> None:
    """Store the network and the classifier in one file."""
    tensors = {f"model.{k}": v for k, v in net.state_dict().items()}
    tensors |= {schema.CENTROIDS: classifier.centroids, schema.COUNTS: classifier.counts}
    if classifier.groups is not None:
        tensors[schema.GROUPS] = torch.from_numpy(classifier.groups)
    if classifier.shares is not None:
        tensors[schema.GROUP_SHARES] = torch.from_numpy(classifier.shares)
    if classifier.mixture is not None:
        tensors[schema.MIXTURE_WEIGHTS] = classifier.mixture.weights
        tensors[schema.MIXTURE_BIAS] = classifier.mixture.bias
    save_tensors(path, tensors, {"format": schema.FORMAT_PREDICTOR, "config": json.dumps(config)})
