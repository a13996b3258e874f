"""Non-negative matrix factorisation by multiplicative updates: Deep Feature Factorization."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-9


@dataclass(frozen=True)
class Factorisation:
    """V ~ W H.

    Attributes:
        parts_KC: (K, C) float32 H, the factors.
        errors: |V - W H|_F before the first iteration and after each one that was checked.
    """

    parts_KC: Tensor
    errors: list[float]


def frobenius_error(v_PC: Tensor, w_PK: Tensor, h_KC: Tensor) -> float:
    """|V - W H|_F without forming W H: |V|^2 - 2 <W'V, H> + <W'W, HH'>."""
    value = (
        v_PC.double().square().sum()
        - 2 * ((w_PK.T @ v_PC).double() * h_KC.double()).sum()
        + ((w_PK.T @ w_PK).double() * (h_KC @ h_KC.T).double()).sum()
    )
    return float(value.clamp_min(0).sqrt())


def factorise(
    v_PC: Tensor, clusters: int, *, iterations: int, tolerance: float, generator: torch.Generator
) -> Factorisation:
    """Fit W and H by Lee and Seung's updates, as DFF does.

    Starts from ``|N(0, 1)| sqrt(mean(V) / K)``; stops when the error fell by less than
    ``tolerance`` times the initial error over ten iterations.

    Args:
        v_PC: (P, C) float32, non-negative.
        clusters: K.
        iterations: at most.
        tolerance: see above.
        generator: a CPU generator.
    """
    scale = float(v_PC.mean().clamp_min(EPSILON) / clusters) ** 0.5
    h = torch.randn(clusters, v_PC.shape[1], generator=generator).abs().to(v_PC.device) * scale
    w = torch.randn(len(v_PC), clusters, generator=generator).abs().to(v_PC.device) * scale
    errors = [frobenius_error(v_PC, w, h)]
    for iteration in range(1, iterations + 1):
        h = h * (w.T @ v_PC) / ((w.T @ w) @ h + EPSILON)
        w = w * (v_PC @ h.T) / (w @ (h @ h.T) + EPSILON)
        if iteration % 10 == 0 or iteration == iterations:
            errors.append(frobenius_error(v_PC, w, h))
            if errors[-2] - errors[-1] < tolerance * errors[0]:
                break
    return Factorisation(h, errors)


def activations(v_PC: Tensor, h_KC: Tensor, *, iterations: int = 100) -> Tensor:
    """W alone for new pixels with H fixed, in H's unit-norm rows, so that factors compare.

    Args:
        v_PC: (P, C) float, non-negative.
        h_KC: (K, C) float32.
        iterations: multiplicative updates from the projection of V on H.

    Returns:
        (P, K) float32; all zero where V is (such a pixel goes to cluster 0).
    """
    h = h_KC / h_KC.norm(dim=1, keepdim=True).clamp_min(EPSILON)
    v = v_PC.float()
    target, gram = v @ h.T, h @ h.T
    w: Tensor = target.clone()
    for _ in range(iterations):
        w = w * target / (w @ gram + EPSILON)
    return w
