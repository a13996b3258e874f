"""Samples see the nearest surface: compared with a test of every triangle at every sample."""

from __future__ import annotations

import numpy as np
import pytest

from c2l.synth.arrays import Floats
from c2l.synth.raster import depths, see

WIDTH, HEIGHT = 37, 29


def triangles(seed: int) -> tuple[Floats, Floats, Floats]:
    """Points in samples and depth, corners, and values below 0 where the surface is cut away."""
    rng = np.random.default_rng(seed)
    points = np.stack([
        rng.uniform(-5, WIDTH + 5, 60), rng.uniform(-5, HEIGHT + 5, 60), rng.uniform(-5, -1, 60)
    ], axis=1)  # fmt: skip
    corner = rng.integers(0, 60, (20, 3)).astype(np.int32)
    return points, corner, rng.uniform(-1.0, 1.0, 60)


def nearest(points: Floats, corner: Floats, keep: Floats | None, both: Floats) -> Floats:
    """Number of the nearest triangle at every sample, -1 for none."""
    found, best = np.full((HEIGHT, WIDTH), -1), np.full((HEIGHT, WIDTH), np.inf)
    for number, three in enumerate(corner):
        p = points[three]
        one, two = p[1, :2] - p[0, :2], p[2, :2] - p[0, :2]
        area = one[0] * two[1] - one[1] * two[0]
        if abs(area) < 1e-9 or (area > 0 and not both[number]):
            continue
        inverse = np.linalg.inv(np.stack([one, two], axis=1))
        for y in range(HEIGHT):
            for x in range(WIDTH):
                a, b = inverse @ (np.array((x, y)) - p[0, :2])
                share = np.array((1 - a - b, a, b))
                if share.min() < 0 or (keep is not None and share @ keep[three] < 0):
                    continue
                if share @ p[:, 2] < best[y, x]:
                    found[y, x], best[y, x] = number, share @ p[:, 2]
    return found


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_sample_sees_the_nearest_triangle(seed: int, cut: bool) -> None:
    points, corner, keep = triangles(seed)
    both = np.arange(20) % 3 > 0
    given = keep if cut else None
    seen = see(points, corner, both, WIDTH, HEIGHT, given)
    found = np.full(WIDTH * HEIGHT, -1)
    found[seen.sample] = seen.triangle
    assert np.array_equal(found.reshape(HEIGHT, WIDTH), nearest(points, corner, given, both))
    where = np.einsum("cn,nck->nk", seen.share, points[corner[seen.triangle]])
    assert np.allclose(where[:, 0], seen.sample % WIDTH, atol=1e-3)
    assert np.allclose(where[:, 1], seen.sample // WIDTH, atol=1e-3)
    assert np.allclose(where[:, 2], seen.depth, atol=1e-4)


def test_depths_are_those_of_what_is_seen() -> None:
    points, corner, keep = triangles(3)
    both = np.ones(20, dtype=bool)
    seen = see(points, corner, both, WIDTH, HEIGHT, keep)
    map_ = depths(points, corner, both, WIDTH, HEIGHT, keep).ravel()
    assert np.isinf(map_).sum() == WIDTH * HEIGHT - len(seen.sample)
    assert np.allclose(map_[seen.sample], seen.depth, atol=1e-4)


def test_what_reaches_behind_the_viewer_is_not_drawn() -> None:
    points = np.array(((0.0, 0.0, -0.5), (30.0, 0.0, -0.5), (0.0, 30.0, 0.5)))
    corner = np.array(((0, 1, 2),), dtype=np.int32)
    assert not len(see(points, corner, np.ones(1, dtype=bool), WIDTH, HEIGHT).sample)
