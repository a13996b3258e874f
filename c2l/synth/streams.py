"""Random streams that depend on nothing but a scene's name, so any process draws the same scene."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_WORD = 2**64


class Stream(IntEnum):
    """What a scene draws random numbers for; each has its own stream."""

    SPLIT = 0
    LAYOUT = 1
    BACKGROUND = 2
    CAMERA = 3
    FIGURE = 16  # FIGURE + i for the i-th figure


def stream(seed: int, index: int, which: int) -> np.random.Generator:
    """The generator of one purpose of one scene.

    Args:
        seed: seed of the set, any non-negative integer (taken modulo 2**64).
        index: index of the scene, >= 0.
        which: a `Stream`, or `Stream.FIGURE` plus the figure's number.
    """
    key = np.array([seed % _WORD, index % _WORD], dtype=np.uint64)
    counter = np.array([0, 0, 0, which], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def pick(rng: np.random.Generator, values: Sequence[T], weights: Sequence[float] = ()) -> T:
    """One of `values`, with probabilities in proportion to `weights` (equal without them)."""
    if not weights:
        return values[int(rng.integers(len(values)))]
    cumulative = np.cumsum(weights)
    at = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    return values[min(at, len(values) - 1)]
