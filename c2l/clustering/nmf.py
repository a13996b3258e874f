"""Non-negative matrix factorisation for Deep Feature Factorization (DFF)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-9
# Largest number of values in a chunk of V. It is read twice, on a CPU from the last level of cache.
CPU_CHUNK = 1 << 21
GPU_CHUNK = 1 << 27


@dataclass(frozen=True)
class Factorisation:
    """V ~ W H.

    Attributes:
        factors_KC: (K, C) float32 H.
        errors: |V - W H|_F before the first iteration and after every tenth one.
    """

    factors_KC: Tensor
    errors: list[float]


def _error(square: float, wv_KC: Tensor, ww_KK: Tensor, h_KC: Tensor) -> float:
    """|V - W H|_F from |V|^2, W'V and W'W: |V|^2 - 2 <W'V, H> + <W'W, HH'>."""
    cross = float((wv_KC.double() * h_KC.double()).sum())
    norms = float((ww_KK.double() * (h_KC @ h_KC.T).double()).sum())
    return math.sqrt(max(square - 2 * cross + norms, 0.0))


def _square(v_PC: Tensor) -> float:
    return sum(float(v_PC[part].square().sum(dtype=torch.float64)) for part in _chunks(v_PC))


def _chunks(v_PC: Tensor) -> Iterator[slice]:
    values = CPU_CHUNK if v_PC.device.type == "cpu" else GPU_CHUNK
    rows = max(1, values // v_PC.shape[1])
    for start in range(0, len(v_PC), rows):
        yield slice(start, start + rows)


def factorise(
    v_PC: Tensor, clusters: int, *, iterations: int, tolerance: float, generator: torch.Generator
) -> Factorisation:
    """Minimise |V - W H|_F over non-negative W and H.

    Hierarchical alternating least squares (Cichocki and Phan, IEICE E92-A(3), 2009): each column
    of W, then each row of H, takes its best value given all others. The multiplicative updates
    of Lee and Seung, which DFF uses, need several times as many iterations for the same error.
    An iteration reads V once: it updates W chunk by chunk and adds each chunk to W'V and W'W
    while it is in the cache.

    W and H start from ``|N(0, 1)| sqrt(mean(V) / K)``.

    Args:
        v_PC: (P, C) float32, non-negative.
        clusters: K.
        iterations: the most iterations.
        tolerance: stop when ten iterations lower the error by less than this fraction of the
            initial error.
        generator: a CPU generator.
    """
    scale = float(v_PC.mean().clamp_min(EPSILON) / clusters) ** 0.5
    h = torch.randn(clusters, v_PC.shape[1], generator=generator).abs().to(v_PC.device) * scale
    w = torch.randn(len(v_PC), clusters, generator=generator).abs().to(v_PC.device) * scale
    # One row per factor, so that the update of a factor reads contiguous memory.
    w = w.T.contiguous()
    square = _square(v_PC)
    errors = [_error(square, w @ v_PC, w @ w.T, h)]
    for iteration in range(1, iterations + 1):
        wv, ww = _update_activations(v_PC, w, h)
        _update_factors(h, wv, ww)
        if iteration % 10 == 0 or iteration == iterations:
            errors.append(_error(square, wv, ww, h))
            if errors[-2] - errors[-1] < tolerance * errors[0]:
                break
    return Factorisation(h, errors)


def _update_factors(x_KN: Tensor, target_KN: Tensor, gram_KK: Tensor) -> None:
    """Set each row of X in turn to its non-negative optimum given the others, in place.

    Values stay above zero, so that a vanished factor can grow again.
    """
    for k in range(len(x_KN)):
        step = (target_KN[k] - gram_KK[k] @ x_KN) / (gram_KK[k, k] + EPSILON)
        x_KN[k].add_(step).clamp_min_(EPSILON)


def _update_activations(v_PC: Tensor, w_KP: Tensor, h_KC: Tensor) -> tuple[Tensor, Tensor]:
    """Update W in place; returns W'V and W'W."""
    gram = h_KC @ h_KC.T
    wv, ww = torch.zeros_like(h_KC), torch.zeros_like(gram)
    for part in _chunks(v_PC):
        rows, w = v_PC[part], w_KP[:, part].contiguous()
        # V on the left: in the other order the product runs at a tenth of the memory bandwidth.
        _update_factors(w, (rows @ h_KC.T).T.contiguous(), gram)
        w_KP[:, part] = w
        wv += w @ rows
        ww += w @ w.T
    return wv, ww


def activations(v_PC: Tensor, h_KC: Tensor, *, iterations: int = 100) -> Tensor:
    """W of new pixels for a fixed H, whose rows are scaled to unit norm to make factors comparable.

    Args:
        v_PC: (P, C) float, non-negative.
        h_KC: (K, C) float32.
        iterations: multiplicative updates, starting from the projection of V on H.

    Returns:
        (P, K) float32; all zero for a pixel of zeros, which its argmax puts into cluster 0.
    """
    h = h_KC / h_KC.norm(dim=1, keepdim=True).clamp_min(EPSILON)
    v = v_PC.float()
    target, gram = v @ h.T, h @ h.T
    w: Tensor = target.clone()
    for _ in range(iterations):
        w = w * target / (w @ gram + EPSILON)
    return w
