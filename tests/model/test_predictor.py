"""A predictor gives every pixel the class of its largest score, or the group of that class."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from c2l.artifacts.predictor import Groups
from c2l.model.classifier import Centroids
from c2l.model.predictor import Origin, Predictor

SIDE, CHANNELS = 20, 24


@pytest.mark.parametrize("clusters", [3, 256, 257, 300])
@pytest.mark.parametrize("merged", [False, True])
def test_a_pixel_has_its_class_or_its_group_however_many_there_are(
    clusters: int, merged: bool
) -> None:
    rng = np.random.default_rng(0)
    centroids = torch.from_numpy(rng.normal(size=(clusters, CHANNELS)).astype(np.float32))
    nearest = rng.integers(0, clusters, (SIDE, SIDE))
    features = centroids[torch.from_numpy(nearest)].permute(2, 0, 1)[None]
    encoder: Any = SimpleNamespace(features=lambda _: features)
    groups = Groups(rng.integers(0, 3, clusters).astype(np.uint8), parts=True) if merged else None
    classifier = Centroids(torch.nn.functional.normalize(centroids, dim=1), torch.ones(clusters))
    origin = Origin(Path("c.h5"), "c2l-clusters", "kmeans", {}, "")
    predictor = Predictor(encoder, classifier, groups, None, origin)
    images = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    (found,) = predictor.predict(images, [(SIDE, SIDE)])
    np.testing.assert_array_equal(found, groups.of[nearest] if groups else nearest)
    assert found.dtype == (np.uint8 if groups or clusters <= 256 else np.uint16)
