"""The clustering loss and its weights are what loops over pixels give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from c2l.nn.losses import class_weights, clustering_loss


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


def test_weights_of_empty_clusters_alone_are_finite() -> None:
    for kind in ("frequency", "inverse"):
        weights = class_weights(torch.zeros(3, dtype=torch.int64), kind)
        assert weights is not None
        assert torch.isfinite(weights).all()


@pytest.mark.parametrize("kind", ["none", "frequency", "inverse"])
def test_loss_is_weighted_cross_entropy_of_inner_products(kind: str) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 5, 3, 4)).astype(np.float32)
    labels = random.integers(0, 3, size=(2, 3, 4))
    centroids = random.normal(size=(3, 5)).astype(np.float32)
    weights = class_weights(torch.from_numpy(np.bincount(labels.ravel(), minlength=3)), kind)
    table = np.ones(3) if weights is None else weights.numpy().astype(np.float64)
    total, mass = 0.0, 0.0
    for b in range(2):
        for y in range(3):
            for x in range(4):
                logits = centroids.astype(np.float64) @ features[b, :, y, x]
                label = labels[b, y, x]
                total += table[label] * (np.log(np.exp(logits).sum()) - logits[label])
                mass += table[label]
    loss = clustering_loss(
        torch.from_numpy(features),
        torch.from_numpy(labels.astype(np.uint8)),
        torch.from_numpy(centroids),
        weights,
    )
    assert float(loss) == pytest.approx(total / mass, rel=1e-5)
