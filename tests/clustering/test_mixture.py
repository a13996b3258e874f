"""The mixture equals scikit-learn's with a tied covariance, from the same initial fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from c2l.clustering import mixture
from c2l.clustering.mixture import Discriminant, MixtureSums, expectation_maximisation

POINTS, CHANNELS, COMPONENTS = 900, 4, 3


def sample(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points of three elongated clusters of different sizes, with noisy responsibilities."""
    random = np.random.default_rng(seed)
    kind = random.choice(COMPONENTS, POINTS, p=[0.7, 0.2, 0.1])
    shape = random.normal(size=(CHANNELS, CHANNELS))
    points = random.normal(size=(POINTS, CHANNELS)) @ shape + 3 * random.normal(size=(3, 4))[kind]
    guess = np.eye(COMPONENTS)[kind] + random.random((POINTS, COMPONENTS))
    guess /= guess.sum(1, keepdims=True)
    return torch.from_numpy(points).float(), torch.from_numpy(guess).float()


def first_fit(points: Tensor, guess: Tensor, batches: int = 1) -> Discriminant:
    sums = MixtureSums(COMPONENTS, CHANNELS, points.device)
    for p, g in zip(points.chunk(batches), guess.chunk(batches), strict=True):
        sums.add(p, g)
    return sums.fit()


def reference(points: Tensor, guess: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mixing weights, means and covariance, by a loop over points in float64."""
    x, r = points.double().numpy(), guess.double().numpy()
    means = (r.T @ x) / r.sum(0)[:, None]
    covariance = np.zeros((CHANNELS, CHANNELS))
    for point, shares in zip(x, r, strict=True):
        for k in range(COMPONENTS):
            off = point - means[k]
            covariance += shares[k] * np.outer(off, off)
    covariance /= len(x)
    return (
        r.mean(0),
        means,
        covariance + mixture.RIDGE * np.trace(covariance) / CHANNELS * np.eye(CHANNELS),
    )


def test_scores_are_log_weight_and_density_up_to_a_common_term() -> None:
    points, guess = sample()
    shares, means, covariance = reference(points, guess)
    found = first_fit(points, guess)
    np.testing.assert_allclose(found.means, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-5)
    off = points.double().numpy()[:, None] - means
    logs = np.log(shares) - 0.5 * np.einsum("pkc,cd,pkd->pk", off, np.linalg.inv(covariance), off)
    posterior = np.exp(logs) / np.exp(logs).sum(1, keepdims=True)
    np.testing.assert_allclose(found.scores(points).softmax(1), posterior, atol=2e-4)


@pytest.mark.parametrize("iterations", [1, 4])
def test_iterations_equal_those_of_a_tied_mixture(
    iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # scikit-learn keeps the ridge of the start, while ours follows the covariance.
    monkeypatch.setattr(mixture, "RIDGE", 0.0)
    points, guess = sample()
    shares, means, covariance = reference(points, guess)
    peer = GaussianMixture(
        COMPONENTS,
        covariance_type="tied",
        weights_init=shares,
        means_init=means,
        precisions_init=np.linalg.inv(covariance),
        max_iter=iterations,
        tol=0,
        reg_covar=0,
    )
    with pytest.warns(UserWarning, match="converge"):
        peer.fit(points.double().numpy())
    found = expectation_maximisation(
        first_fit(points, guess), ([points] for _ in range(iterations))
    )
    np.testing.assert_allclose(found.means, peer.means_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.shares, peer.weights_, rtol=1e-3)


def test_the_batch_size_changes_nothing() -> None:
    points, guess = sample(1)
    whole, parts = first_fit(points, guess), first_fit(points, guess, batches=7)
    torch.testing.assert_close(whole.weights, parts.weights)
    many = expectation_maximisation(parts, (points.split(100) for _ in range(3)))
    one = expectation_maximisation(whole, ([points] for _ in range(3)))
    torch.testing.assert_close(many.weights, one.weights, rtol=1e-3, atol=1e-4)


def test_an_empty_component_is_never_chosen() -> None:
    points, guess = sample()
    guess[:, 2] = 0
    found = first_fit(points, guess / guess.sum(1, True))
    assert torch.isfinite(found.weights).all()
    assert not (found.scores(points).argmax(1) == 2).any()
    again = expectation_maximisation(found, [[points]])
    assert not (again.scores(points).argmax(1) == 2).any()


def test_identical_points_give_finite_weights() -> None:
    found = first_fit(torch.ones(9, CHANNELS), torch.full((9, COMPONENTS), 1 / 3))
    assert torch.isfinite(found.weights).all()
    assert torch.isfinite(found.bias).all()
