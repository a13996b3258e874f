"""Clothes of the trunk and the arms: tops, dresses, collars, coats and ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats, dot, smoothstep
from c2l.synth.chance import between, chance
from c2l.synth.figure import ARMPIT, BUST, HIPS, NECK, RIBS, SEAT, SHOULDERS, THIGHS, WAIST, Figure
from c2l.synth.lower import skirt_ease
from c2l.synth.materials import Material, plain
from c2l.synth.mesh import angles, tube_points
from c2l.synth.outfit import Outfit
from c2l.synth.prints import back_print, chest_print, coat_front, shirt_front
from c2l.synth.wardrobe import COATS

# Necklines: shape of the hole, its half width, depth in front and behind in statures.
NECKS: dict[str, tuple[str, float, float, float]] = {
    "crew": ("round", 0.048, 0.035, 0.015), "v": ("v", 0.052, 0.100, 0.016),
    "scoop": ("round", 0.068, 0.085, 0.030), "boat": ("round", 0.090, 0.034, 0.022),
    "square": ("square", 0.062, 0.075, 0.03), "shirt": ("v", 0.036, 0.055, 0.008),
    "open": ("v", 0.044, 0.130, 0.008), "shut": ("round", 0.036, 0.016, 0.008),
    "high": ("round", 0.036, 0.010, 0.006), "hood": ("round", 0.05, 0.035, 0.01),
    "tank": ("round", 0.062, 0.085, 0.05), "straps": ("square", 0.072, 0.100, 0.10),
    "racer": ("round", 0.055, 0.070, 0.03), "bare": ("off", 0.3, 0.105, 0.105),
    "off": ("off", 0.3, 0.062, 0.055),
}  # fmt: skip
# Half width of what is left over the shoulder, and depth of the armhole.
_ARMHOLES = {"tank": (0.092, 0.085), "straps": (0.082, 0.10), "racer": (0.072, 0.105)}


def _loose(figure: Figure, ease: float, hang: float) -> Floats:
    """Ease (13, 3) in metres of a garment that falls from the chest more or less straight."""
    size, radii = figure.size, figure.column_radii
    out = np.full((13, 3), ease * size)
    for row in (WAIST, RIBS, HIPS + 1, HIPS):
        fall = (0.94 * hang) * (radii[BUST] + ease * size) - radii[row]
        out[row] = np.maximum(out[row], fall)
    out[SHOULDERS:, :] = min(ease, 0.012) * size
    out[NECK] *= 0.5
    return out


def _uneven(figure: Figure, rings: int, sides: int, amount: float) -> Floats:
    """Factors (rings, sides) that make an outline uneven, as worn cloth is."""
    rng = figure.rng
    a, t = angles(sides)[None, :], np.linspace(0.0, 1.0, rings)[:, None]
    wave = sum(
        np.sin(int(rng.integers(1, 5)) * a + rng.uniform(2.0, 14.0) * t + rng.random() * 6.28)
        for _ in range(3)
    )
    return np.asarray(1.0 + amount * wave + 0.4 * amount * rng.normal(size=(rings, sides)))


def _neckline(figure: Figure, points: Floats, neck: str) -> Floats:
    """Values (rings, sides), below 0 where a garment leaves neck and shoulders bare."""
    body, size = figure.body, figure.size
    local = dot(points - body.chest, body.chest_frame.T) / size
    x, y, front = np.abs(local[..., 0]), 0.028 - local[..., 1], local[..., 2] > 0
    shape, wide, deep, back = NECKS[neck]
    depth = np.where(front, deep, back)
    if shape == "round":
        keep = np.hypot(x / wide, np.maximum(y, 0.0) / depth) - 1.0
    elif shape == "v":
        keep = x / wide + y / depth - 1.0
    elif shape == "square":
        keep = np.maximum(x / wide, y / depth) - 1.0
    else:
        keep = y / depth - 1.0
    if neck in _ARMHOLES:
        strap, hole = _ARMHOLES[neck]
        keep = np.minimum(keep, np.maximum((strap - x) / 0.05, (y - hole) / 0.05))
    return np.asarray(keep)


def draw_top(figure: Figure, outfit: Outfit) -> None:
    """The top, or a whole dress."""
    if outfit.top == "none" and not outfit.dress:
        return
    label = labels.DRESS if outfit.dress else labels.UPPER
    ease = _loose(
        figure, outfit.ease, outfit.hang * (0.5 if outfit.dress or outfit.tucked else 1.0)
    )
    start = outfit.hem
    rings = figure.rings(17)
    if outfit.dress:
        start, rings = outfit.end, figure.rings(26)
        below = skirt_ease(figure, outfit.end, outfit.leg_ease, outfit.flare)
        ease[:HIPS] = below[:HIPS]
        ease[HIPS] = np.maximum(ease[HIPS], below[HIPS])
    elif outfit.tucked:
        start = WAIST - 0.5
        ease[: RIBS + 1] = 0.003 * figure.size
    else:
        ease[:HIPS] = np.maximum(ease[:HIPS], ease[HIPS])
        ease[: HIPS + 2] += 0.006 * figure.size
    sides = figure.sides(26)
    bump = _uneven(figure, rings, sides, 0.010 + 0.5 * outfit.ease)
    if outfit.dress:
        bump = bump * _gathers(figure, rings, sides, outfit.flare)
    points = figure.trunk(start, NECK, ease, rings, sides, bump=bump)
    height = figure.height(start, NECK, rings)[:, None]
    material = _printed(figure, outfit)
    figure.add(
        points, label, material, both_sides=True, keep=_neckline(figure, points, outfit.neck),
        along=np.broadcast_to(height, points.shape[:2]), crease=1.0,
    )  # fmt: skip
    if outfit.sleeve > 0:
        _sleeves(
            figure, outfit.sleeve, outfit.ease, outfit.top_cloth, label, outfit.top == "blouse"
        )
    _collar(figure, outfit, label)
    if outfit.tie is not None and outfit.neck in ("shirt", "shut"):
        _tie(figure, outfit.tie, outfit.ease)


def _printed(figure: Figure, outfit: Outfit) -> Material:
    """The top's cloth with what is printed or sewn on it."""
    rng, cloth = figure.rng, outfit.top_cloth
    if outfit.top in ("shirt", "polo", "blouse") and not outfit.dress:
        return shirt_front(rng, cloth, figure.size, short=outfit.top == "polo")
    often = {
        "tee": 0.55,
        "jersey": 0.85,
        "hoodie": 0.5,
        "tank": 0.35,
        "long-tee": 0.4,
        "crop": 0.3,
        "sweater": 0.15,
    }
    if chance(rng, often.get(outfit.top, 0.06)):
        maker = back_print if outfit.top == "jersey" and chance(rng, 0.4) else chest_print
        return maker(rng, cloth, figure.size)
    return cloth


def _gathers(figure: Figure, rings: int, sides: int, flare: float) -> Floats:
    """Factors (rings, sides) of the folds that a wide skirt falls in, deeper towards its hem."""
    rng = figure.rng
    a = angles(sides)[None, :]
    deep = np.linspace(1.0, -0.6, rings).clip(0.0)[:, None]
    count = int(rng.integers(4, 9))
    wave = np.sin(count * a + rng.random() * 6.28) + 0.6 * np.sin(
        (count + 2) * a + rng.random() * 6.28
    )
    return np.asarray(1.0 + min(0.16, 0.02 + 0.9 * flare) * deep * wave)


def _sleeves(
    figure: Figure, stop: float, ease: float, cloth: Material, label: int, puffed: bool
) -> None:
    rng, size = figure.rng, figure.size
    rows = np.full((10, 1), ease * 0.75 * size)
    rows[:3] += 0.002 * size
    at = np.arange(10)[:, None]
    if puffed and chance(rng, 0.4):
        rows = rows + 0.022 * size * np.exp(-(((at - stop * between(rng, 0.4, 0.85)) / 1.3) ** 2))
    else:
        rows = rows + between(rng, -0.2, 1.0) * ease * size * (at / 9.0)
    if stop > 8 and chance(rng, 0.4):  # cuffs
        rows[-1] = 0.003 * size
    rows = np.maximum(rows, 0.002 * size)
    rings, sides = figure.rings(4 + int(1.3 * stop)), figure.sides(14)
    bump = _uneven(figure, rings, sides, 0.02 + 0.6 * ease)
    for part in figure.arm(stop, rows, rings, sides, bump=bump):
        figure.add(part, label, cloth, both_sides=True, crease=1.3)


def _collar(figure: Figure, outfit: Outfit, label: int) -> None:
    if outfit.neck in ("shirt", "open", "shut"):
        _band(figure, outfit.top_cloth, label, 0.038, 0.030, 0.9)
    elif outfit.neck == "high":
        _band(figure, outfit.top_cloth, label, 0.055, 0.006, 4.0)
    elif outfit.neck == "hood":
        draw_hood(figure, outfit.top_cloth, label)


def _band(
    figure: Figure, cloth: Material, label: int, tall: float, flare: float, opening: float
) -> None:
    """A collar around the neck.

    Args:
        figure: who wears it.
        cloth: its cloth.
        label: its label.
        tall: its height in statures.
        flare: how far its upper edge stands off.
        opening: half angle in radians that it leaves open in front; above 3 it is closed.
    """
    body, size, k = figure.body, figure.size, figure.body.build.thick
    up, ahead = body.chest_frame[:, 1], body.chest_frame[:, 2]
    base = body.chest + up * 0.016 * size
    way = 0.7 * up + 0.3 * (body.head - body.chest) / max(
        float(np.linalg.norm(body.head - body.chest)), 1e-6
    )
    path = np.stack([base, base + way * tall * 0.6 * size, base + way * tall * size])
    radii = np.array(((0.050, 0.045), (0.043, 0.042), (0.041, 0.041)))
    radii = radii * k + np.array((0.0, 0.3, 1.0))[:, None] * flare * 0.35 * size
    sides = figure.sides(18)
    points = tube_points(path, radii, ahead[None], 5, sides)
    keep = None
    if opening < 3.0:
        lower = np.linspace(0.1, 1.0, 5)[:, None]
        keep = np.broadcast_to(np.abs(angles(sides))[None, :] - opening * 0.5 * lower, (5, sides))
        points = points - up * (np.linspace(0, 1, 5)[:, None, None] * 0.4 * flare * size)
    figure.add(points, label, cloth, both_sides=True, keep=keep, crease=0.4)


def draw_hood(figure: Figure, cloth: Material, label: int) -> None:
    """A hood that lies on the shoulders behind the neck."""
    body, size = figure.body, figure.size
    up, side, ahead = (body.chest_frame[:, k] for k in (1, 0, 2))
    turn = np.linspace(-2.4, 2.4, 9) + np.pi
    wide = np.array((0.05, 0.062, 0.068, 0.07, 0.07, 0.07, 0.068, 0.062, 0.05))[:, None] * size
    path = body.chest + up * 0.02 * size
    path = path + np.sin(turn)[:, None] * side * wide + np.cos(turn)[:, None] * ahead * wide * 1.05
    lift = np.cos(turn)[:, None] * -0.012 * size
    thick = np.array((0.012, 0.02, 0.026, 0.034, 0.04, 0.034, 0.026, 0.02, 0.012))
    radii = np.stack([thick, thick * 0.8], axis=1) * size
    points = tube_points(path + up * lift, radii, up[None], figure.rings(12), figure.sides(10))
    figure.add(points, label, cloth)


def _tie(figure: Figure, cloth: Material, ease: float) -> None:
    size = figure.size
    line = surface_line(figure, np.linspace(NECK - 0.4, WAIST + 0.1, 7), np.zeros(7), ease + 0.006)
    wide = np.array((0.014, 0.010, 0.014, 0.018, 0.022, 0.024, 0.006))
    radii = np.stack([wide, np.full(7, 0.004)], axis=1) * size
    points = tube_points(line, radii, figure.body.chest_frame[:, 2][None], 10, 8)
    figure.add(points, labels.UPPER, cloth)


def surface_line(figure: Figure, at: Floats, turn: Floats, ease: float) -> Floats:
    """Points (n, 3) on the body's column, `ease` statures outside the skin.

    Args:
        figure: the body.
        at: (n,) numbers of the column's points.
        turn: (n,) radians from the front, positive to the person's left.
        ease: statures outside the skin.
    """
    rings, sides = 49, 32
    surface = figure.trunk(HIPS - 1, NECK, np.full((1, 1), ease * figure.size), rings, sides)
    row = np.clip((at - (HIPS - 1)) / (NECK - HIPS + 1) * (rings - 1), 0, rings - 1).astype(int)
    column = np.round((turn + np.pi) / (2 * np.pi) * sides).astype(int) % sides
    return np.asarray(surface[row, column])


def draw_coat(figure: Figure, outfit: Outfit) -> None:
    """What is worn over the top, with its sleeves and collar."""
    if outfit.coat == "none":
        return
    coat, size, rng = COATS[outfit.coat], figure.size, figure.rng
    ease = _loose(figure, outfit.coat_ease, between(rng, 0.3, 0.95))
    hem = outfit.coat_hem
    if hem < SEAT:
        below = skirt_ease(figure, hem, outfit.coat_ease, between(rng, 0.02, 0.08))
        ease[:HIPS] = np.maximum(ease[:HIPS], below[:HIPS])
    else:
        ease[:HIPS] = ease[HIPS]
    ease[SHOULDERS:] = outfit.coat_ease * 0.8 * size
    ease[NECK] = 0.012 * size
    rings, sides = figure.rings(16 if hem > THIGHS else 24), figure.sides(34)
    bump = _uneven(figure, rings, sides, 0.012)
    points = figure.trunk(hem, NECK - 0.15, ease, rings, sides, bump=bump)
    height = figure.height(hem, NECK - 0.15, rings)[:, None]
    phi = angles(sides)[None, :]
    t = np.linspace(0.0, 1.0, rings)[:, None]
    lean = between(rng, -0.12, 0.12)
    gap = outfit.coat_open * (1.15 - 0.5 * t) + 0.25 * outfit.coat_open * np.sin(3.0 * t + lean * 9)
    closed = 0.0 if outfit.coat_open else smoothstep(0.62, 0.95, t) * 0.42
    keep = np.abs(phi - lean) - (gap if outfit.coat_open else closed)
    keep = np.minimum(keep, _neckline(figure, points, "crew") + 0.25)
    if not coat.sleeves:
        keep = np.minimum(keep, _neckline(figure, points, "tank") + 0.1)
    cloth = coat_front(rng, outfit.coat_cloth, size, open_=outfit.coat_open > 0)
    figure.add(
        points, labels.UPPER, cloth, both_sides=True, keep=keep,
        along=np.broadcast_to(height, points.shape[:2]), crease=0.9,
    )  # fmt: skip
    if coat.collar == "lapels":
        _lapels(figure, outfit, ease, hem, lean)
    elif coat.collar == "collar":
        _band(figure, outfit.coat_cloth, labels.UPPER, 0.05, 0.05, 1.2)
    elif coat.collar == "stand":
        _band(
            figure, outfit.coat_cloth, labels.UPPER, 0.055, 0.03, 0.7 if outfit.coat_open else 4.0
        )
    elif coat.collar == "hood":
        draw_hood(figure, outfit.coat_cloth, labels.UPPER)
    if coat.sleeves:
        _sleeves(
            figure,
            between(rng, 8.2, 9.0),
            outfit.coat_ease * 0.8 + 0.004,
            outfit.coat_cloth,
            labels.UPPER,
            False,
        )


def _lapels(figure: Figure, outfit: Outfit, ease: Floats, hem: float, lean: float) -> None:
    rings, sides = figure.rings(12), figure.sides(34)
    low = max(hem, WAIST - 0.5)
    points = figure.trunk(low, NECK - 0.1, ease + 0.005 * figure.size, rings, sides)
    phi = np.abs(angles(sides)[None, :] - lean)
    t = np.linspace(0.0, 1.0, rings)[:, None]
    opening = outfit.coat_open * 0.7 if outfit.coat_open else 0.42 * smoothstep(0.1, 0.9, t)
    wide = (
        between(figure.rng, 0.2, 0.42)
        * smoothstep(0.0, 0.8, t)
        * (1.0 - 0.5 * smoothstep(0.8, 1.0, t))
    )
    keep = np.minimum(phi - opening, opening + wide - phi)
    tint = outfit.coat_cloth
    if chance(figure.rng, 0.25):
        tint = replace(
            tint, colour=tint.colour * np.float32(0.7), second=tint.second * np.float32(0.7)
        )
    figure.add(points, labels.UPPER, tint, both_sides=True, keep=keep, crease=0.2)


def draw_cape(figure: Figure, cloth: Material, label: int, long: float) -> None:
    """A poncho or a shawl over shoulders and arms, down to a number of the column's points."""
    size = figure.size
    ease = np.zeros((13, 3))
    spread = np.interp(np.arange(13), (long, ARMPIT, SHOULDERS, NECK), (0.10, 0.05, 0.03, 0.008))
    ease[:] = spread[:, None] * size
    ease[:, 1:] *= 0.55
    rings, sides = figure.rings(12), figure.sides(24)
    points = figure.trunk(
        long, NECK - 0.1, ease, rings, sides, bump=_uneven(figure, rings, sides, 0.03)
    )
    figure.add(points, label, cloth, both_sides=True, crease=1.2)


def plain_dark(figure: Figure) -> Material:
    """A dark plain material for trimmings."""
    return plain(np.full(3, 0.08 + 0.1 * figure.rng.random(), dtype=np.float32))
