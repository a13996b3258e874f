"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from c2l.data.views import ViewParameters

# Before torch is imported: small tensors are slower on many threads.
os.environ.setdefault("OMP_NUM_THREADS", "2")

MakeViews = Callable[..., ViewParameters]


@pytest.fixture
def make_views() -> MakeViews:
    """Transforms of some images that change nothing, but for those that are named."""

    def make(count: int, **changed: Any) -> ViewParameters:
        ones, zeros = np.ones((count, 2), np.float32), np.zeros((count, 2), np.float32)
        values: dict[str, Any] = {
            "brightness": ones,
            "contrast": ones,
            "saturation": ones,
            "hue": zeros,
            "grey": zeros > 0,
            "blur": zeros,
            "crop": np.tile(np.array([1, 0, 0], np.float32), (count, 1)),
            "flip": np.zeros(count, dtype=bool),
        }
        for name, value in changed.items():
            like = values[name]
            values[name] = np.broadcast_to(np.asarray(value, like.dtype), like.shape).copy()
        return ViewParameters(**values)

    return make
