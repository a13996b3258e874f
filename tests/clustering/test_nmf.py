"""NMF reaches the error of scikit-learn's, and its activations reach the optimum."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from c2l.clustering import nmf
from c2l.clustering.nmf import activations, factorise


def non_negative(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    return np.abs(np.random.default_rng(seed).normal(size=(rows, columns))).astype(np.float32)


def low_rank(rows: int, columns: int, rank: int) -> NDArray[np.float32]:
    noise = 0.05 * non_negative(rows, columns, seed=3)
    return non_negative(rows, rank, seed=1) @ non_negative(rank, columns, seed=2) + noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start_of(v: NDArray[np.float32], clusters: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The documented start: |N(0, 1)| sqrt(mean(V) / K), H drawn first."""
    draws, scale = generator(seed), float(np.sqrt(v.mean() / clusters))
    h = torch.randn(clusters, v.shape[1], generator=draws).abs() * scale
    w = torch.randn(len(v), clusters, generator=draws).abs() * scale
    return w, h


def test_updates_never_raise_the_error() -> None:
    v = torch.from_numpy(low_rank(80, 12, 4))
    errors = factorise(v, 4, iterations=200, tolerance=0.0, generator=generator()).errors
    assert all(b <= a + 1e-4 for a, b in pairwise(errors))
    assert errors[-1] < 0.1 * errors[0]


def test_error_is_at_most_scikit_learns_from_the_same_start() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    v = low_rank(60, 10, 3)
    w, h = start_of(v, 3, seed=4)
    ours = factorise(torch.from_numpy(v), 3, iterations=200, tolerance=0.0, generator=generator(4))
    start = np.linalg.norm(v.astype(np.float64) - w.double().numpy() @ h.double().numpy())
    assert ours.errors[0] == pytest.approx(start, rel=1e-5)
    model = decomposition.NMF(3, solver="mu", init="custom", max_iter=200, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it did not converge in the given iterations
        model.fit_transform(v.astype(np.float64), W=w.double().numpy(), H=h.double().numpy())
    assert ours.errors[-1] <= model.reconstruction_err_ * 1.0001


def test_each_factor_takes_its_best_value_given_the_others() -> None:
    v = low_rank(20, 6, 2)
    w, h = (t.double().numpy() for t in start_of(v, 2, seed=1))
    for factors, others, target in ((w.T, h, v.T), (h, w.T, v)):
        for k in range(2):
            rest = target - sum(np.outer(others[j], factors[j]) for j in range(2) if j != k)
            factors[k] = [max(nnls(others[k][:, None], column)[0][0], 1e-9) for column in rest.T]
    ours = factorise(torch.from_numpy(v), 2, iterations=1, tolerance=0.0, generator=generator(1))
    np.testing.assert_allclose(ours.factors_KC, h, rtol=1e-3, atol=1e-5)
    assert ours.errors[-1] == pytest.approx(float(np.linalg.norm(v - w @ h)), rel=1e-4)


def test_factors_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    v = torch.from_numpy(low_rank(50, 6, 2))
    whole = factorise(v, 2, iterations=5, tolerance=0.0, generator=generator())
    monkeypatch.setattr(nmf, "CPU_CHUNK", 7 * 6)
    parts = factorise(v, 2, iterations=5, tolerance=0.0, generator=generator())
    torch.testing.assert_close(parts.factors_KC, whole.factors_KC, rtol=1e-4, atol=1e-5)


def test_a_large_tolerance_stops_early() -> None:
    v = torch.from_numpy(low_rank(60, 10, 3))
    short = factorise(v, 3, iterations=200, tolerance=0.5, generator=generator())
    long = factorise(v, 3, iterations=200, tolerance=1e-6, generator=generator())
    assert len(short.errors) < len(long.errors)


def test_zero_features_give_finite_factors() -> None:
    result = factorise(torch.zeros(10, 4), 2, iterations=20, tolerance=1e-4, generator=generator())
    assert torch.isfinite(result.factors_KC).all()


def test_activations_reach_the_non_negative_least_squares_optimum() -> None:
    v, h = non_negative(25, 12, 5), non_negative(4, 12, 6)
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    found = activations(torch.from_numpy(v), torch.from_numpy(h), iterations=2000).numpy()
    assert (found >= 0).all()
    for row, pixel in zip(found, v, strict=True):
        best = nnls(unit.T.astype(np.float64), pixel.astype(np.float64))[1]
        assert np.linalg.norm(pixel - row @ unit) == pytest.approx(best, rel=1e-3)


def test_default_activations_choose_the_factor_of_the_optimum() -> None:
    h = non_negative(4, 12, 6)
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    truth = np.random.default_rng(2).dirichlet([0.3] * 4, size=60)
    clear = np.sort(truth, axis=1)[:, -1] - np.sort(truth, axis=1)[:, -2] > 0.2
    v = (truth[clear] @ unit).astype(np.float32)
    found = activations(torch.from_numpy(v), torch.from_numpy(h)).numpy()
    np.testing.assert_array_equal(found.argmax(1), truth[clear].argmax(1))


def test_activations_do_not_depend_on_the_scale_of_the_factors() -> None:
    v, h = torch.from_numpy(non_negative(9, 6)), torch.from_numpy(non_negative(3, 6, 1))
    scaled = h * torch.tensor([[0.1], [7.0], [100.0]])
    torch.testing.assert_close(activations(v, scaled), activations(v, h), rtol=1e-4, atol=1e-5)


def test_a_pixel_of_zeros_goes_to_cluster_zero() -> None:
    found = activations(torch.zeros(2, 6), torch.from_numpy(non_negative(3, 6)))
    assert not found.any()
    assert found.argmax(1).tolist() == [0, 0]
