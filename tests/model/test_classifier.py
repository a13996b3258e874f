"""Each classifier scores as its definition says, and is the same after it was stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.mixture import MixtureSums
from c2l.clustering.nmf import activations
from c2l.model.classifier import CLASSIFIERS, Centroids, Classifier, Factors, Head, Mixture

CLASSES, CHANNELS, POINTS = 3, 5, 40
COUNTS = torch.tensor([7, 0, 33])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def mixture() -> Mixture:
    """Of three kinds of points, fitted to responsibilities that know the kind."""
    kinds = torch.arange(60) % CLASSES
    points = F.normalize(torch.eye(CLASSES, CHANNELS)[kinds] + 0.2 * random(60, CHANNELS), dim=1)
    sums = MixtureSums(CLASSES, CHANNELS, torch.device("cpu"))
    sums.add(points, F.one_hot(kinds, CLASSES).float())
    found = sums.fit()
    return Mixture(found.means, COUNTS, found.weights, found.bias)


def classifiers() -> list[Classifier]:
    rows = random(CLASSES, CHANNELS, seed=1)
    head = Head(rows, random(CLASSES, seed=5), ("ground", "hat", "hair"))
    return [Centroids(rows, COUNTS), Factors(rows, COUNTS), mixture(), head]


def test_every_classifier_is_tested() -> None:
    assert [c.kind for c in classifiers()] == list(CLASSIFIERS)


@pytest.mark.parametrize("classifier", classifiers(), ids=lambda c: c.kind)
def test_a_stored_classifier_scores_alike(classifier: Classifier) -> None:
    again = CLASSIFIERS[classifier.kind].load(classifier.tensors(), classifier.names)
    points = random(POINTS, CHANNELS, seed=2)
    assert torch.equal(again.scores(points), classifier.scores(points))
    assert again.names == classifier.names
    assert (again.classes, again.channels) == (CLASSES, CHANNELS)
    with pytest.raises(TypeError):
        CLASSIFIERS[classifier.kind].load({"other": points}, ())


def test_the_nearest_centroid_of_the_normalised_feature_wins() -> None:
    centroids, points = random(CLASSES, CHANNELS), 9 * random(POINTS, CHANNELS, seed=3)
    found = Centroids(centroids, COUNTS).scores(points).argmax(1)
    unit = (points / points.norm(dim=1, keepdim=True)).numpy().astype(np.float64)
    distances = np.square(unit[:, None] - centroids.numpy()).sum(-1)
    np.testing.assert_array_equal(found, distances.argmin(1))
    assert len(set(found.tolist())) == CLASSES


def test_factors_score_features_as_they_are() -> None:
    factors, points = random(CLASSES, CHANNELS), 9 * random(POINTS, CHANNELS, seed=3)
    found = Factors(factors, COUNTS).scores(points)
    torch.testing.assert_close(found, activations(points, factors))
    assert not torch.allclose(found, activations(F.normalize(points, dim=1), factors))


def test_the_mixtures_scores_are_its_log_posterior_and_its_classes_the_parts() -> None:
    found, points = mixture(), random(POINTS, CHANNELS, seed=3)
    unit = F.normalize(points, dim=1)
    torch.testing.assert_close(found.scores(points), unit @ found.weights.T + found.bias)
    assert found.names == ("background", "upper", "lower")


def test_the_head_gives_probabilities_from_features_of_any_length() -> None:
    weights, bias = random(CLASSES, CHANNELS), random(CLASSES, seed=5)
    points = 9 * random(POINTS, CHANNELS, seed=3)
    head = Head(weights, bias, ("ground", "hat", "hair"))
    logits = points.double().numpy() @ weights.double().numpy().T + bias.double().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(head.scores(points), expected, atol=1e-6)
    assert head.names == ("ground", "hat", "hair")
    with pytest.raises(TypeError, match="2 names"):
        Head.load(head.tensors(), ("ground", "hat"))


def test_parts_are_those_of_the_winning_cluster_and_of_a_mixture_the_posterior() -> None:
    scores = torch.randn(2, CLASSES, 4, 6, generator=torch.Generator().manual_seed(0))
    shares = F.normalize(random(CLASSES, 3, seed=4), p=1, dim=1)
    parts = Centroids(random(CLASSES, CHANNELS), COUNTS).part_shares(scores, shares)
    for b, y, x in ((0, 0, 0), (1, 3, 5), (0, 2, 4)):
        torch.testing.assert_close(parts[b, :, y, x], shares[scores[b, :, y, x].argmax()])
    posterior = mixture().part_shares(scores, torch.eye(3))
    torch.testing.assert_close(posterior, scores.exp() / scores.exp().sum(1, keepdim=True))
