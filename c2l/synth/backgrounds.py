"""Draws the place that people stand in, blurred by its distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from c2l.synth import indoors, outdoors
from c2l.synth.board import Board
from c2l.synth.camera import Camera
from c2l.synth.noise import Floats, blur, smoothstep, vec
from c2l.synth.streams import pick

Painter = Callable[[Board, float, float], float]

# Each draws a place, given the horizon and the feet's height, and returns how far behind the
# people it lies: 0 for a wall right behind them, 1 for a distant view.
PLACES: dict[str, Painter] = {
    "street": outdoors.street,
    "brick": outdoors.brick,
    "park": outdoors.park,
    "sea": outdoors.sea,
    "shutter": outdoors.shutter,
    "stairs": outdoors.stairs,
    "room": indoors.room,
    "shop": indoors.shop,
    "studio": indoors.studio,
}
_WEIGHTS = (5.0, 2.0, 3.0, 1.4, 1.4, 1.0, 2.4, 2.0, 1.0)


def draw_background(
    rng: np.random.Generator, width: int, height: int, camera: Camera, feet: float
) -> Floats:
    """A place without people.

    Args:
        rng: source of choices.
        width: width of the picture in pixels.
        height: height of the picture in pixels.
        camera: gives the horizon and the blur.
        feet: height at which the nearest person stands, as a share of the picture.

    Returns:
        colours (H, W, 3) float32 in 0 to 1.
    """
    board = Board(rng, width, height)
    kind = pick(rng, tuple(PLACES), _WEIGHTS)
    away = PLACES[kind](board, camera.horizon, feet)
    image = _daylight(board, board.finish(), camera)
    radius = camera.defocus * (0.15 + 0.85 * away) * width / 160
    far = blur(np.clip(image, 0.0, 1.0), radius)
    near = blur(np.clip(image, 0.0, 1.0), 0.3 * width / 160)
    rows = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None, None]
    sharp = smoothstep(feet - 0.22, feet - 0.02, rows)
    return np.asarray(far + sharp * (near - far), dtype=np.float32)


def _daylight(board: Board, image: Floats, camera: Camera) -> Floats:
    """Uneven light over the place, sometimes with the edge of a large shadow."""
    rng, n = board.rng, 2
    ys, xs = board.ys[::n][: image.shape[0]], board.xs[:, ::n][:, : image.shape[1]]
    side = camera.light.direction[0] * rng.uniform(0.0, 0.25)
    light = 1.0 + side * (xs - 0.5) + 0.05 * board.field("large", 0.4, ys, xs)
    if rng.random() < 0.25:
        slope, at = rng.uniform(-1.2, 1.2), rng.uniform(0.1, 0.9)
        edge = smoothstep(-0.04, 0.04, (xs - 0.5) * slope + ys - at)
        light = light * (1.0 - camera.shadow * 0.75 * edge)
    haze = vec(*camera.light.key) + vec(*camera.light.fill)
    return np.asarray(image * light[..., None] * (haze / haze.mean()), dtype=np.float32)
