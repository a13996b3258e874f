"""The light of a scene, its shadows, and how it falls on surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from c2l.synth import palette
from c2l.synth.arrays import Floats, cross, dot, unit, vec
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.mesh import Triangles
from c2l.synth.raster import depths
from c2l.synth.textures import whole


@dataclass(frozen=True)
class Light:
    """A key light, a fill from all around, and what the ground throws back.

    Args:
        way: unit vector (3,) towards the key light.
        key: (3,) its colour times its strength.
        fill: (3,) colour and strength of the light from above and around.
        bounce: (3,) the same from below.
        shadow: share of the key light that a shadow takes, 0 to 1.
        wrap: how far the key light reaches around, 0 for a point, 1 for a large window.
        behind: factor on the light of the place behind the people.
        dapple: share of the key light that leaves or windows take in patches.
        night: whether the place is dark and has lamps.
    """

    way: Floats
    key: Floats
    fill: Floats
    bounce: Floats
    shadow: float
    wrap: float
    behind: float
    dapple: float
    night: bool


# Range of strengths of key and fill, of the key's height in degrees, of its azimuth from the
# camera (180 is behind the people), and of the light behind; warmth of the key.
_KINDS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float],
                        tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "overcast": ((0.10, 0.40), (0.65, 0.95), (40, 80), (0, 180), (0.9, 1.2), (-0.05, 0.03)),
    "sun": ((0.8, 1.4), (0.28, 0.5), (25, 70), (0, 110), (0.9, 1.2), (0.0, 0.08)),
    "side-sun": ((0.8, 1.5), (0.25, 0.5), (20, 60), (60, 140), (0.9, 1.2), (0.0, 0.1)),
    "golden": ((0.7, 1.3), (0.2, 0.45), (6, 25), (20, 170), (0.7, 1.2), (0.10, 0.25)),
    "back": ((0.8, 1.6), (0.15, 0.45), (15, 55), (130, 180), (1.0, 1.8), (0.0, 0.12)),
    "shade": ((0.05, 0.25), (0.5, 0.8), (40, 80), (0, 180), (1.0, 1.7), (-0.10, 0.0)),
    "room": ((0.3, 0.7), (0.3, 0.6), (35, 80), (0, 120), (0.6, 1.1), (0.0, 0.16)),
    "window": ((0.6, 1.1), (0.10, 0.35), (5, 35), (50, 110), (0.4, 1.0), (-0.06, 0.06)),
    "studio": ((0.35, 0.8), (0.45, 0.8), (20, 55), (0, 60), (0.9, 1.15), (-0.03, 0.03)),
    "flash": ((0.9, 1.4), (0.04, 0.2), (0, 15), (0, 12), (0.25, 0.7), (-0.02, 0.04)),
    "night": ((0.25, 0.8), (0.05, 0.2), (10, 70), (0, 180), (0.3, 0.9), (0.05, 0.3)),
    "stage": ((0.6, 1.4), (0.03, 0.15), (20, 70), (0, 180), (0.2, 0.8), (-0.2, 0.3)),
}  # fmt: skip
OUTDOORS = {
    "overcast": 3.0,
    "sun": 2.6,
    "side-sun": 1.6,
    "golden": 1.0,
    "back": 1.0,
    "shade": 1.4,
    "flash": 0.3,
    "night": 0.4,
}
INDOORS = {
    "room": 3.0,
    "window": 1.5,
    "studio": 1.0,
    "flash": 1.6,
    "night": 0.5,
    "stage": 0.4,
    "overcast": 0.8,
}
STUDIO = {"studio": 5.0, "window": 0.8, "flash": 0.5, "overcast": 0.6, "room": 0.4}
STAGE = {"stage": 3.0, "flash": 1.0, "night": 1.0, "room": 0.4}
NIGHT = {"night": 3.0, "flash": 1.5, "stage": 0.4}


def sample_light(rng: Rng, kinds: dict[str, float]) -> Light:
    """A random light; `kinds` are weights."""
    kind = pick(rng, kinds)
    key, fill, high, turn, behind, warm = _KINDS[kind]
    azimuth = np.deg2rad(between(rng, *turn)) * (1 if chance(rng, 0.5) else -1)
    tall = np.deg2rad(between(rng, *high))
    way = vec(np.sin(azimuth) * np.cos(tall), np.sin(tall), np.cos(azimuth) * np.cos(tall))
    tint = between(rng, *warm)
    colour = vec(1.0 + tint, 1.0, 1.0 - 1.2 * tint)
    if kind in ("stage", "night") and chance(rng, 0.5):
        colour = 0.35 + 0.65 * palette.rgb(rng.random(), between(rng, 0.2, 0.8), 1.0)
    sky = vec(1.0 - 0.5 * tint, 1.0, 1.0 + 0.7 * tint) * between(rng, *fill)
    soft = kind in ("overcast", "shade", "room", "window", "studio")
    ground = np.clip(0.25 + 0.4 * rng.random(3) * 0.3 + 0.3 * rng.random(), 0, 1).astype(np.float32)
    return Light(
        way=way, key=(colour * between(rng, *key)).astype(np.float32), fill=sky.astype(np.float32),
        bounce=(ground * sky * 0.9).astype(np.float32),
        shadow=between(rng, 0.35, 0.75) if soft else between(rng, 0.75, 1.0),
        wrap=between(rng, 0.3, 0.8) if soft else between(rng, 0.0, 0.25),
        behind=between(rng, *behind),
        dapple=between(rng, 0.4, 0.9) if not soft and kind != "flash" and chance(rng,
            0.14) else 0.0,
        night=kind in ("night", "stage"),
    )  # fmt: skip


class Shadows:
    """What the key light sees: a depth map that tells which points lie in shadow."""

    SIZE = 144  # cells per side

    def __init__(self, mesh: Triangles, light: Light) -> None:
        way = light.way.astype(np.float64)
        right = unit(cross(np.array((0.0, 1.0, 0.0)) + 1e-3 * way[::-1], way))
        self._axes = np.stack([right, cross(way, right), way])
        seen = dot(mesh.point, self._axes)
        self._low, high = seen.min(0) - 0.02, seen.max(0)
        self._cell = (
            max(float(high[0] - self._low[0]), float(high[1] - self._low[1])) / self.SIZE * 1.04
        )
        screen = np.empty(seen.shape)
        screen[:, :2] = (seen[:, :2] - self._low[:2]) / self._cell
        offset = float(self._low[2]) - 1.0
        screen[:, 2] = offset - seen[:, 2]
        map_ = depths(screen, mesh.corner, mesh.both_sides, self.SIZE, self.SIZE, mesh.keep)
        # Heights towards the light; the rim is left empty, so that what lies outside is lit.
        self._map = np.where(np.isfinite(map_), offset - map_, -np.inf).astype(np.float32)
        for edge in (self._map[:1], self._map[-1:], self._map[:, :1], self._map[:, -1:]):
            edge[:] = -np.inf
        self._flat = self._map.ravel()

    def on(self, points: Floats, bias: float) -> Floats:
        """Share (n,) float32 of the key light that points (n, 3) do not get, 0 to 1."""
        axes = self._axes.astype(np.float32)
        x = (dot(points, axes[0]) - np.float32(self._low[0])) / np.float32(self._cell)
        y = (dot(points, axes[1]) - np.float32(self._low[1])) / np.float32(self._cell)
        z = dot(points, axes[2]) + np.float32(bias)
        hidden = np.zeros(len(points), dtype=np.float32)
        for dx, dy in ((0.0, 0.5), (0.5, 1.0), (1.0, 0.4), (0.4, 0.0)):
            i = np.clip(x + dx, 0, self.SIZE - 1).astype(np.int32)
            j = np.clip(y + dy, 0, self.SIZE - 1).astype(np.int32)
            hidden += self._flat[j * self.SIZE + i] > z
        return hidden * np.float32(0.25)


def patches(light: Light, points: Floats) -> Floats | float:
    """Share (n,) of the key light that leaves let through at points (n, 3)."""
    if not light.dapple:
        return 1.0
    texture = whole("cloud", 1)[..., 0]
    n = len(texture)
    i = (points[:, 0] * 24 + points[:, 2] * 9).astype(np.int32) % n
    j = (points[:, 1] * 24 + points[:, 2] * 17).astype(np.int32) % n
    return np.asarray(1.0 - light.dapple * (texture[j, i] > 0.5), dtype=np.float32)


def fall(
    light: Light, normal: Floats, hidden: Floats, open_: Floats | float, soft: Floats | float = 0.0
) -> Floats:
    """Light (n, 3) on surfaces.

    Args:
        light: the light.
        normal: (n, 3) unit normals.
        hidden: (n,) share of the key light in shadow.
        open_: (n,) share of the surroundings that a point sees.
        soft: (n,) how far light creeps around the material.
    """
    wrap = np.clip(light.wrap + soft, 0.0, 1.0)
    facing = dot(normal, light.way)
    lambert = np.clip((facing + wrap) / (1.0 + wrap), 0.0, None)
    lambert = lambert * (1.0 - light.shadow * hidden)
    up = 0.5 + 0.5 * normal[:, 1]
    around = (0.35 + 0.65 * up) * open_
    below = (1.0 - up) * open_
    return np.asarray(
        lambert[:, None] * light.key + around[:, None] * light.fill + below[:, None] * light.bounce
    )


def openness(depth: Floats, metre: float) -> Floats:
    """How much of its surroundings each point sees, by darkening what lies behind its neighbours.

    Args:
        depth: (H, W) distances in metres, those of the empty parts already filled.
        metre: pixels per metre.

    Returns:
        (H, W) float32, 1 for open places (Luft et al., Image enhancement by unsharp masking the
        depth buffer, 2006).
    """
    out = np.ones_like(depth)
    for reach, strength in ((0.035, 5.0), (0.12, 2.2)):
        size = max(3, round(2 * reach * metre) | 1)
        smooth = ndimage.uniform_filter(depth, size, mode="nearest")
        behind = np.clip(depth - smooth, 0.0, 2.0 * reach)
        out *= 1.0 - np.clip(strength * behind, 0.0, 0.45)
    return out
