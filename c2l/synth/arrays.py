"""Small array helpers that every drawing step uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def vec(*values: float) -> Floats:
    """The values as a float32 array: a colour, a point or a direction."""
    return np.array(values, dtype=np.float32)


def unit(vectors: Floats) -> Floats:
    """Vectors (..., n) scaled to length 1; a vector of zeros stays one."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return np.asarray(vectors / np.maximum(length, 1e-9))


def cross(a: Floats, b: Floats) -> Floats:
    """Cross product of vectors (..., 3), several times faster than NumPy's on small arrays."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), dtype=np.result_type(a, b))
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def smoothstep(low: float, high: float, x: Floats) -> Floats:
    """0 below `low`, 1 above `high`, a smooth ramp between (also for low > high)."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def mix(a: Floats, b: Floats, t: float) -> Floats:
    """The point at share `t` of the way from a to b."""
    return np.asarray(a + (b - a) * t)


def table(x: Floats | Sequence[float], knots: Sequence[float], values: Sequence[float]) -> Floats:
    """A piecewise linear curve through (knot, value) pairs, read at `x`."""
    return np.asarray(np.interp(x, knots, values))


def dot(vectors: Floats, matrix: Floats) -> Floats:
    """Vectors (..., 3) times the rows of a matrix (k, 3): (..., k), or (...) for one row (3,).

    Written out, since a linear-algebra library may round otherwise for another number of threads.
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    if matrix.ndim == 1:
        return np.asarray(x * matrix[0] + y * matrix[1] + z * matrix[2])
    return np.stack([x * row[0] + y * row[1] + z * row[2] for row in matrix], axis=-1)
