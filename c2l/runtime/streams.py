"""Random numbers as a pure function of seed, purpose, epoch, image and view."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are used for; streams of two purposes are independent."""

    VIEWS = 1
    ORDER = 2
    PIXELS = 3
    WARMUP = 4
    INIT = 5
    DRAWING = 6
    SHAPE = 7
    POOL = 8
    DISTORT = 9


def stream(
    seed: int, purpose: Purpose, epoch: int = 0, image: int = 0, view: int = 0
) -> np.random.Generator:
    """A generator that depends only on the arguments.

    Philox is counter-based: the arguments are its key and the high words of its counter, so the
    numbers of any image can be drawn in any order, by any worker or rank.
    """
    key = np.array([np.uint64(seed), np.uint64(purpose)], dtype=np.uint64)
    counter = np.array([0, view, image, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of ``count`` images in an epoch, (count,) int64."""
    return stream(seed, Purpose.ORDER, epoch).permutation(count).astype(np.int64)
