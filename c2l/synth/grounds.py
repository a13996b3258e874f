"""Where people are: chooses a place, paints it, lights it, throws shadows on it and blurs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from c2l.synth import places, rooms
from c2l.synth.arrays import Floats
from c2l.synth.board import Board
from c2l.synth.camera import Camera
from c2l.synth.chance import Rng, pick
from c2l.synth.light import INDOORS, NIGHT, OUTDOORS, STAGE, STUDIO, Light, Shadows
from c2l.synth.mesh import Triangles
from c2l.synth.palette import Colour
from c2l.synth.shading import linear


@dataclass(frozen=True)
class Place:
    """A kind of place.

    Args:
        often: its weight.
        paint: paints it.
        light: weights of kinds of light there.
        warm: range of how lightly people are dressed, 0 in winter to 1 on the beach.
        poses: factors on how often poses occur there.
    """

    often: float
    paint: Callable[[Board], None]
    light: dict[str, float]
    warm: tuple[float, float] = (0.0, 0.8)


PLACES: dict[str, Place] = {
    "street": Place(5.0, places.street, OUTDOORS),
    "wall": Place(3.0, places.wall, OUTDOORS),
    "park": Place(3.0, places.park, OUTDOORS, (0.2, 0.9)),
    "beach": Place(1.6, places.beach, OUTDOORS, (0.5, 1.0)),
    "snow": Place(1.2, places.snow, OUTDOORS, (0.0, 0.1)),
    "pitch": Place(2.6, places.pitch, OUTDOORS, (0.3, 0.8)),
    "water": Place(0.6, places.water, OUTDOORS, (0.6, 1.0)),
    "heights": Place(1.0, places.heights, OUTDOORS, (0.1, 0.8)),
    "room": Place(4.5, rooms.room, INDOORS, (0.2, 0.8)),
    "shop": Place(1.6, rooms.shop, INDOORS),
    "studio": Place(3.0, rooms.studio, STUDIO, (0.2, 0.8)),
    "backdrop": Place(1.4, rooms.backdrop, STUDIO),
    "blur": Place(1.6, rooms.blur, OUTDOORS),
    "clutter": Place(2.0, rooms.clutter, {**OUTDOORS, **INDOORS}),
    "stage": Place(0.8, rooms.stage, STAGE),
    "night": Place(0.6, places.street, NIGHT),
    "crowd": Place(0.7, rooms.crowd, OUTDOORS),
    "vehicle": Place(1.0, rooms.vehicle, OUTDOORS),
}  # fmt: skip


def sample_place(rng: Rng) -> str:
    """The name of a random place."""
    return pick(rng, {name: place.often for name, place in PLACES.items()})


def draw_ground(
    rng: Rng, name: str, width: int, height: int, camera: Camera, light: Light, shadows: Shadows,
    mesh: Triangles, worn: Sequence[Colour], share: float, defocus: float,
) -> Floats:  # fmt: skip
    """A place without people but with their shadows, as light (H, W, 3) float32.

    Args:
        rng: source of choices.
        name: of the place.
        width: of the picture in pixels.
        height: of the picture in pixels.
        camera: the camera.
        light: the light.
        shadows: what the light does not reach.
        mesh: the people and things.
        worn: colours that the people wear.
        share: probability that a colour of the place is one of them.
        defocus: blur in pixels of what lies far behind the people.
    """
    board = Board(rng, width, height, camera, worn, share)
    PLACES[name].paint(board)
    colour = board.finish()
    base = (
        0.55 * light.key * max(0.35, float(light.way[1])) + 0.85 * light.fill + 0.1 * light.bounce
    )
    out = linear(colour) * (base * np.float32(light.behind))
    if light.night:
        out += linear(colour) * (board.glow * np.float32(1.0))[..., None]
    else:
        out += linear(colour) * (board.glow * np.float32(0.6))[..., None]
    _cast(out, board, light, shadows, mesh)
    return _focus(out, board, camera, defocus)


def _cast(out: Floats, board: Board, light: Light, shadows: Shadows, mesh: Triangles) -> None:
    """Darken floors and walls where people stand in their light."""
    near = board.solid & (board.reach < 30.0)
    at = np.flatnonzero(near)
    if not len(at):
        return
    rays, reach = board.rays.reshape(-1, 3)[at], board.reach.ravel()[at]
    points = board.camera.place.astype(np.float32) + rays * reach[:, None]
    hidden = shadows.on(points, 0.03)
    share = light.key.mean() * 0.6 / (light.key.mean() * 0.6 + light.fill.mean())
    factor = 1.0 - light.shadow * share * hidden
    factor *= 1.0 - 0.55 * _contact(mesh, points)
    out.reshape(-1, 3)[at] *= factor[:, None]


def _contact(mesh: Triangles, points: Floats) -> Floats:
    """How much (n,) the things above the floor keep its surroundings from points on it."""
    cells = 72
    low = mesh.point[(mesh.point[:, 1] < 0.45) & (mesh.point[:, 1] > -0.05)]
    if len(low) < 8:
        return np.zeros(len(points), dtype=np.float32)
    corner, size = (
        low[:, [0, 2]].min(0) - 0.3,
        max(float(np.ptp(low[:, 0])), float(np.ptp(low[:, 2]))) + 0.6,
    )
    cell = size / cells
    i, j = ((low[:, [0, 2]] - corner) / cell).astype(np.int32).T
    weight = np.exp(-low[:, 1] / 0.12) / (1.0 + 0.0 * low[:, 1])
    grid = np.zeros((cells, cells), dtype=np.float32)
    np.maximum.at(grid, (np.clip(j, 0, cells - 1), np.clip(i, 0, cells - 1)), weight)
    grid = ndimage.gaussian_filter(grid, 0.05 / cell) * 0.6 + ndimage.gaussian_filter(
        grid, 0.14 / cell
    )
    grid[0], grid[-1], grid[:, 0], grid[:, -1] = 0.0, 0.0, 0.0, 0.0
    x = np.clip((points[:, 0] - corner[0]) / cell, 0, cells - 1).astype(np.int32)
    z = np.clip((points[:, 2] - corner[1]) / cell, 0, cells - 1).astype(np.int32)
    floor = np.exp(-np.abs(points[:, 1]) / 0.05)
    return np.asarray(np.clip(grid[z, x] * 1.6, 0.0, 1.0) * floor, dtype=np.float32)


def soften(image: Floats, sigma: float) -> Floats:
    """Gaussian blur of (H, W, 3)."""
    if sigma < 0.2:
        return image
    if sigma < 1.2:
        return np.asarray(ndimage.gaussian_filter(image, (sigma, sigma, 0), truncate=2.0))
    size = max(3, int(sigma * 1.9) | 1)  # two boxes come close to a bell
    once = ndimage.uniform_filter(image, (size, size, 1))
    return np.asarray(ndimage.uniform_filter(once, (size, size, 1)))


def _focus(out: Floats, board: Board, camera: Camera, defocus: float) -> Floats:
    """Blur what lies before and behind the people's distance."""
    sharp = soften(out, 0.55)
    if defocus < 0.5:
        return sharp
    far = soften(out, defocus)
    distance = float(np.hypot(camera.place[2], camera.place[1]))
    off = np.where(board.solid, np.abs(1.0 - distance / np.maximum(board.reach, 0.1)), 1.0)
    share = np.clip((off - 0.12) / 0.4, 0.0, 1.0)[..., None].astype(np.float32)
    return np.asarray(sharp + (far - sharp) * share)
