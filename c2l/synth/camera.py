"""The camera: where it stands, what it sees of the people, and which ray each pixel looks along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from c2l.synth.arrays import Floats, dot
from c2l.synth.chance import Rng, between, chance, log_between, pick
from c2l.synth.skeleton import Body


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    `place` (3,) is where it stands; `turn` (3, 3) has the rows right, up and back; `zoom` are
    pixels per unit of slope, and `middle` the pixel that it looks at straight.
    """

    place: Floats
    turn: Floats
    zoom: float
    middle: tuple[float, float]

    def project(self, points: Floats, scale: int) -> Floats:
        """x, y in samples and -1 / distance of points (n, 3).

        Pixel i has its middle at i; of `scale` samples per pixel it is number scale * i +
        scale - 1.
        """
        seen = dot(points - self.place, self.turn)
        z = -seen[:, 2]
        z = np.where(np.abs(z) < 1e-6, 1e-6, z)
        x = (self.middle[0] + self.zoom * seen[:, 0] / z) * scale + (scale - 1)
        y = (self.middle[1] - self.zoom * seen[:, 1] / z) * scale + (scale - 1)
        return np.stack([x, y, -1.0 / z], axis=1)

    def rays(self, x: Floats, y: Floats) -> Floats:
        """Directions (..., 3) in space, of length 1 along the camera's axis, through pixels."""
        across, up = (x - self.middle[0]) / self.zoom, (self.middle[1] - y) / self.zoom
        across, up = np.broadcast_arrays(across, up)
        right, top, back = self.turn
        return np.asarray(across[..., None] * right + up[..., None] * top - back, dtype=np.float32)

    def horizon(self) -> float:
        """Height in pixels at which the floor vanishes."""
        far = np.array((self.place[0], self.place[1], self.place[2])) + 1e5 * _flat(-self.turn[2])
        return float(self.project(far[None], 1)[0, 1])


def _flat(v: Floats) -> Floats:
    flat = v * (1.0, 0.0, 1.0)
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6))


@dataclass(frozen=True)
class Framing:
    """How much of a person a picture shows.

    Args:
        often: its weight.
        top: the joint at its upper edge.
        low: the joints at its lower edge.
        fill: range of the share of the picture that this takes.
        away: range of the distance of the camera in metres.
        loose: how far the person may be off the middle, in shares of the spare room.
    """

    often: float
    top: str
    low: tuple[str, ...]
    fill: tuple[float, float]
    away: tuple[float, float]
    loose: float = 0.5


_FEET, _KNEES, _HIPS = ("heel+", "heel-", "toe+", "toe-"), ("knee+", "knee-"), ("hip+", "hip-")
FRAMINGS: dict[str, Framing] = {
    "full": Framing(5.0, "crown", _FEET, (0.72, 0.95), (2.6, 9.0)),
    "tight": Framing(3.5, "crown", _FEET, (0.93, 1.04), (2.4, 9.0), 0.2),
    "medium": Framing(1.6, "crown", _FEET, (0.40, 0.72), (4.0, 14.0), 0.8),
    "wide": Framing(1.2, "crown", _FEET, (0.16, 0.42), (6.0, 25.0), 0.95),
    "knees": Framing(3.0, "crown", _KNEES, (0.82, 1.06), (1.8, 6.0), 0.3),
    "hips": Framing(3.6, "crown", _HIPS, (0.78, 1.06), (1.2, 5.0), 0.3),
    "waist": Framing(2.4, "crown", ("waist",), (0.72, 1.05), (0.9, 4.0), 0.4),
    "chest": Framing(2.0, "crown", ("chest",), (0.55, 0.95), (0.7, 3.0), 0.5),
    "head": Framing(0.8, "crown", ("chin",), (0.45, 0.85), (0.5, 2.0), 0.5),
    "headless": Framing(0.9, "chin", ("knee+", "knee-"), (0.9, 1.15), (1.6, 5.0), 0.3),
    "legs": Framing(0.5, "waist", _FEET, (0.8, 1.1), (1.8, 5.0), 0.4),
}  # fmt: skip
# Heights of the camera above the floor in metres, with how often.
_HEIGHTS = {(1.1, 1.7): 6.0, (0.5, 1.1): 2.0, (0.1, 0.5): 0.7, (1.7, 2.6): 2.0, (2.6, 5.0): 0.8}


def aim(
    rng: Rng, bodies: Sequence[Body], width: int, height: int, weights: Mapping[str, float]
) -> tuple[Camera, str]:
    """A camera that sees a person, or all, in a random framing.

    Args:
        rng: source of choices.
        bodies: the people, the one it is about first.
        width: width of the picture in pixels.
        height: height of the picture in pixels.
        weights: factors on how often framings occur, by name.
    """
    name = pick(rng, {k: f.often * weights.get(k, 1.0) for k, f in FRAMINGS.items()})
    frame = FRAMINGS[name]
    everybody = len(bodies) > 1 and chance(rng, 0.75)
    shown = bodies if everybody else bodies[:1]
    joints = [body.joints() for body in shown]
    points = np.stack([p for each in joints for p in each.values()])
    centre = (points.min(0) + points.max(0)) / 2
    away = log_between(rng, *frame.away) * (1.0 + 0.12 * (len(shown) - 1))
    if name in ("chest", "head", "waist", "hips"):
        centre = np.mean([each["chest"] for each in joints], axis=0)
        high = centre[1] + between(rng, -0.5, 0.45) * away * 0.6
    else:
        high = between(rng, *pick(rng, _HEIGHTS))
        high = min(high, centre[1] + 0.75 * away)
    # Lying people are photographed from above more often than from their soles.
    if bodies[0].seat == "floor" and chance(rng, 0.5):
        high = max(high, centre[1] + between(rng, 0.3, 0.9) * away)
    place = np.array((centre[0], max(high, 0.08), centre[2] + away))
    back = place - centre
    back /= np.linalg.norm(back)
    tilt = float(rng.normal(0.0, 0.03 if chance(rng, 0.75) else 0.16))
    right = np.array((back[2], 0.0, -back[0])) / np.hypot(back[0], back[2])
    up = np.cross(back, right)
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.stack([c * right + s * up, c * up - s * right, back])
    box = _box(joints, frame, Camera(place, turn, 1.0, (0.0, 0.0)), bodies[0].build.length["head"])
    return _zoomed(rng, place, turn, box, frame, width, height, len(shown)), name


def _box(
    joints: list[dict[str, Floats]], frame: Framing, camera: Camera, head: float
) -> tuple[float, float, float, float]:
    """Left, top, right and low edge of what is to be seen, in slopes."""
    xs, tops, lows = [], [], []
    for each in joints:
        points = dict(
            zip(each, camera.project(np.stack(list(each.values())), 1)[:, :2], strict=True)
        )
        upright = points["crown"][1] < points["pelvis"][1]
        names = [frame.top, *frame.low] if upright and frame.low != _FEET else list(each)
        if frame.low != _FEET:
            names += ["shoulder+", "shoulder-"]
        chosen = np.stack([points[n] for n in names])
        xs += [chosen[:, 0].min(), chosen[:, 0].max()]
        tops.append(min(points[n][1] for n in names))
        lows.append(max(points[n][1] for n in names))
    distance = 1.0 / -float(camera.project(joints[0]["chest"][None], 1)[0, 2])
    pad = 0.5 * head / max(distance, 0.2)
    return min(xs) - pad, min(tops) - 0.15 * pad, max(xs) + pad, max(lows) + 0.1 * pad


def _zoomed(
    rng: Rng, place: Floats, turn: Floats, box: tuple[float, float, float, float],
    frame: Framing, width: int, height: int, count: int,
) -> Camera:  # fmt: skip
    left, top, right, low = box
    fill = between(rng, *frame.fill)
    tall = fill * height / max(low - top, 1e-3)
    wide = max(fill, 0.6) * width / max(right - left, 1e-3)
    # Close framings may cut the sides; full figures, mostly, may not.
    cut = 1.0 if frame.low == _FEET and chance(rng, 0.8) else between(rng, 1.0, 1.7)
    zoom = min(tall, wide * cut)
    free_x, free_y = width - (right - left) * zoom, height - (low - top) * zoom
    shift = frame.loose * between(rng, -0.5, 0.5)
    if chance(rng, 0.07):  # partly out of the picture
        shift += (
            between(rng, 0.25, 0.5)
            * width
            / max(abs(free_x), 0.3 * width)
            * (1 if chance(rng, 0.5) else -1)
        )
    x = free_x / 2 + shift * abs(free_x) - left * zoom
    y = free_y * between(rng, 0.25, 0.8) - top * zoom
    return Camera(place, turn, zoom, (x, y))
