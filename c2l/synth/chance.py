"""Random choices that depend on nothing but a drawing's seed and index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np

from c2l.runtime.streams import Purpose, stream as runtime_stream

T = TypeVar("T")
Rng = np.random.Generator

_WORD = 2**64


class Part(IntEnum):
    """What a drawing takes random numbers for; each part has its own stream."""

    SPLIT = 0
    LAYOUT = 1
    GROUND = 2
    FILM = 3
    PERSON = 16  # PERSON + i for the i-th person
    THINGS = 48  # THINGS + i for what that person sits on, holds and stands behind


def stream(seed: int, index: int, part: int) -> Rng:
    """The generator of one part of one drawing.

    Args:
        seed: seed of the set, any non-negative integer (taken modulo 2**64).
        index: index of the drawing, >= 0.
        part: a `Part`, or `Part.PERSON` or `Part.THINGS` plus the person's number.
    """
    return runtime_stream(seed % _WORD, Purpose.DRAWING, image=index, view=part)


def pick(rng: Rng, weights: Mapping[T, float]) -> T:
    """One key, with probabilities in proportion to the weights."""
    at = rng.random() * sum(weights.values())
    chosen = None
    for value, weight in weights.items():
        if weight <= 0.0:
            continue
        chosen = value
        at -= weight
        if at < 0.0:
            break
    if chosen is None:
        raise ValueError("nothing to pick from: every weight is 0")
    return chosen


def one_of(rng: Rng, values: Sequence[T]) -> T:
    """One of the values, each as likely as the others."""
    return values[int(rng.integers(len(values)))]


def chance(rng: Rng, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def between(rng: Rng, low: float, high: float) -> float:
    """A number between two others."""
    return low + (high - low) * float(rng.random())


def log_between(rng: Rng, low: float, high: float) -> float:
    """A number between two positive others, spread evenly over their ratio."""
    return float(low * (high / low) ** float(rng.random()))
