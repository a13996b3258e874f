"""Renders people and things as one camera sees them: light, coverage and labels of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats
from c2l.synth.camera import Camera
from c2l.synth.light import Light, Shadows, openness
from c2l.synth.mesh import Mesh, Triangles
from c2l.synth.raster import Seen, see
from c2l.synth.shading import Surfaces, shade

SAMPLES = 2  # per pixel side; the middle of a pixel is one of them, and its label is read there


@dataclass(frozen=True)
class Shot:
    """What the camera sees of people and things.

    `light` (H, W, 3) float32 is what comes from them, times their coverage `cover` (H, W);
    `labels` (H, W) uint8 are those of the nearest surface at each pixel's middle, and `shown`
    (H, W) bool is whether there is one.
    """

    light: Floats
    cover: Floats
    labels: NDArray[np.uint8]
    shown: NDArray[np.bool_]


def render(
    triangles: Triangles,
    mesh: Mesh,
    camera: Camera,
    light: Light,
    shadows: Shadows,
    width: int,
    height: int,
) -> Shot:
    """A shot of `width` by `height` pixels."""
    rows, columns = SAMPLES * height + 1, SAMPLES * width + 1
    screen = camera.project(triangles.point.astype(np.float64), SAMPLES)
    seen = see(screen, triangles.corner, triangles.both_sides, columns, rows, triangles.keep)
    light_ = np.zeros((rows * columns, 3), dtype=np.float32)
    cover = np.zeros(rows * columns, dtype=np.float32)
    label = np.zeros(rows * columns, dtype=np.uint8)
    if len(seen.sample):
        label[seen.sample] = triangles.label.take(seen.triangle)
        cover[seen.sample] = 1.0
        open_ = _openness(seen, camera, rows, columns)
        own, source = _shaded_samples(seen, triangles, rows, columns)
        few = Seen(seen.sample[own], seen.triangle[own], seen.share[:, own], seen.depth[own])
        light_[few.sample] = _shaded(few, triangles, mesh, camera, light, shadows, open_, columns)
        light_[seen.sample] = light_.take(source, axis=0)
    covered = cover.reshape(rows, columns)
    return Shot(
        _reduced(light_.reshape(rows, columns, 3)),
        _reduced(covered),
        np.ascontiguousarray(label.reshape(rows, columns)[1::2, 1::2]),
        covered[1::2, 1::2] > 0.0,
    )


def _shaded_samples(
    seen: Seen, triangles: Triangles, rows: int, columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which samples are shaded, and from which sample of the picture each takes its light.

    The middles of pixels are, and at edges the samples between them; the others take the light
    of a neighbouring middle that sees the same material. That is a third of the work.
    """
    material = np.full(rows * columns, -1, dtype=np.int32)
    material[seen.sample] = triangles.material.take(seen.triangle)
    y, x = np.divmod(seen.sample, columns)
    odd = ((x >> 1) + (y >> 1)) & 1  # left or right, up or down by turns
    near_x = np.clip(np.where(x & 1, x, x + 2 * odd - 1), 1, columns - 2)
    near_y = np.clip(np.where(y & 1, y, y + 1 - 2 * odd), 1, rows - 2)
    near = near_y * columns + near_x
    same = material.take(near) == material.take(seen.sample)
    return np.flatnonzero(~same | (near == seen.sample)), np.where(same, near, seen.sample)


def _openness(seen: Seen, camera: Camera, rows: int, columns: int) -> Floats:
    """See `light.openness`, in pixels."""
    away = -1.0 / seen.depth
    depth = np.full(rows * columns, float(away.max()) + 0.3, dtype=np.float32)
    depth[seen.sample] = away
    return openness(depth.reshape(rows, columns)[1::2, 1::2], camera.zoom / float(np.median(away)))


def _shaded(
    seen: Seen, triangles: Triangles, mesh: Mesh, camera: Camera, light: Light, shadows: Shadows,
    open_: Floats, columns: int,
) -> Floats:  # fmt: skip
    y, x = np.divmod(seen.sample, columns)
    away = -1.0 / seen.depth
    rays = camera.rays((x - 1).astype(np.float32) / SAMPLES, (y - 1).astype(np.float32) / SAMPLES)
    position = camera.place.astype(np.float32) + rays * away[:, None]
    h, w = open_.shape
    open_ = open_[np.minimum(y // 2, h - 1), np.minimum(x // 2, w - 1)]
    number = triangles.material.take(seen.triangle)
    total = np.bincount(number, weights=away, minlength=len(mesh.materials))
    count = np.bincount(number, minlength=len(mesh.materials))
    pixels = total / np.maximum(count, 1) / (camera.zoom * SAMPLES)
    surfaces = Surfaces(mesh.materials, [float(p) for p in pixels])
    return shade(seen, triangles, surfaces, position, camera.place, light, shadows, open_)


def _reduced(samples: Floats) -> Floats:
    """Pixels from samples: each the mean of three by three, weighed 1 2 1 both ways."""
    rows = samples[0:-1:2] + 2.0 * samples[1::2] + samples[2::2]
    both = rows[:, 0:-1:2] + 2.0 * rows[:, 1::2] + rows[:, 2::2]
    return np.asarray(both * np.float32(1.0 / 16.0), dtype=np.float32)
