"""The clustering loss and its weights equal loops over pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from c2l.nn.clustering_loss import Target, class_weights, cluster_logits, clustering_loss


def test_no_weights() -> None:
    assert class_weights(torch.tensor([1, 2]), "none") is None


def test_frequency_weights_are_proportional_to_size_with_mean_one() -> None:
    weights = class_weights(torch.tensor([10, 30, 0, 40]), "frequency")
    assert weights is not None
    np.testing.assert_allclose(weights, [0.5, 1.5, 0, 2.0])


def test_inverse_weights_are_inversely_proportional_and_zero_for_empty_clusters() -> None:
    weights = class_weights(torch.tensor([10, 40, 0]), "inverse")
    assert weights is not None
    np.testing.assert_allclose(weights, [2.4, 0.6, 0])
    assert float(weights.mean()) == pytest.approx(1)


def test_weights_are_finite_when_all_clusters_are_empty() -> None:
    for kind in ("frequency", "inverse"):
        weights = class_weights(torch.zeros(3, dtype=torch.int64), kind)
        assert weights is not None
        assert torch.isfinite(weights).all()


def cross_entropy(features: Any, labels: Any, centroids: Any, weights: Any) -> float:
    """Eq. 7 by loops in float64."""
    total = mass = 0.0
    for b, y, x in np.ndindex(labels.shape):
        logits = centroids.astype(np.float64) @ features[b, :, y, x]
        weight = weights[labels[b, y, x]]
        total += weight * (np.log(np.exp(logits).sum()) - logits[labels[b, y, x]])
        mass += weight
    return total / mass


@pytest.mark.parametrize("kind", ["none", "frequency", "inverse"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_losses_are_weighted_cross_entropies_of_inner_products(
    kind: str, channels_last: bool
) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 5, 3, 4)).astype(np.float32)
    targets, expected = [], []
    for clusters in (3, 4):
        labels = random.integers(0, clusters, size=(2, 3, 4))
        centroids = random.normal(size=(clusters, 5)).astype(np.float32)
        counts = torch.from_numpy(np.bincount(labels.ravel(), minlength=clusters))
        weights = class_weights(counts, kind)
        table = np.ones(clusters) if weights is None else weights.numpy().astype(np.float64)
        expected.append(cross_entropy(features, labels, centroids, table))
        drawn = torch.from_numpy(labels.astype(np.uint8))
        targets.append(Target(drawn, torch.from_numpy(centroids), weights))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    given = torch.from_numpy(features).contiguous(memory_format=layout)
    logits = cluster_logits(given, targets)
    found = [float(clustering_loss(*pair)) for pair in zip(logits, targets, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
