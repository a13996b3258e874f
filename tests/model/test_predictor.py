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
from c2l.model.predictor import Origin, Predictor, aligned

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


def test_aligned_scores_are_probabilities_that_change_at_the_edges_of_the_photo() -> None:
    photo = torch.full((1, 3, 64, 64), 50, dtype=torch.uint8)
    photo[..., 35:] = 200
    share = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
    scores = aligned(photo, torch.cat([share, 1 - share], 1))
    assert scores.shape == (1, 2, 64, 64)
    assert float(scores.min()) >= 0
    torch.testing.assert_close(scores.sum(1), torch.ones(1, 64, 64))
    steps = scores[0, 0, 32].diff()
    assert int(steps.argmax()) == 34  # between columns 34 and 35
    assert float(steps[34]) > 3 * float(share[0, 0, 0].diff().max()) / 4
