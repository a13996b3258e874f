"""Clothes of the legs and the feet: trousers, skirts, tights, socks and shoes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats, dot, vec
from c2l.synth.body import FOOT, draw_feet, draw_legs, foot_path
from c2l.synth.chance import between, chance
from c2l.synth.figure import BELLY, HIPS, SEAT, WAIST, Figure
from c2l.synth.materials import Material, plain
from c2l.synth.mesh import angles, tube_points
from c2l.synth.outfit import Outfit
from c2l.synth.prints import trouser_front
from c2l.synth.skeleton import SIDES
from c2l.synth.wardrobe import BOTTOMS


def skirt_ease(figure: Figure, end: float, ease: float, flare: float) -> Floats:
    """Ease (13, 3) in metres of a skirt that widens from the hips to the column's point `end`."""
    share = np.clip((HIPS - np.arange(13)) / max(HIPS - end, 0.5), 0.0, 1.0)
    # Cloth lies on raised thighs.
    hang = float(np.mean([leg.frame[0][1, 1] for leg in figure.body.legs.values()]))
    flare *= max(0.12, min(hang, 1.0)) if figure.body.seat != "jump" else 1.0
    out = (ease + flare * share)[:, None] * np.ones(3) * figure.size
    # A skirt does not follow the legs inwards below the hips.
    wide = figure.column_radii[HIPS]
    for row in range(HIPS):
        out[row] = np.maximum(out[row], (wide * 0.82 - figure.column_radii[row]) + 0.2 * out[row])
    return out


def draw_skirt(figure: Figure, outfit: Outfit) -> None:
    """A skirt from the waist down."""
    rng = figure.rng
    rings, sides = figure.rings(16), figure.sides(36)
    ease = skirt_ease(figure, outfit.end, max(outfit.leg_ease, 0.004), outfit.flare)
    ease[HIPS : HIPS + 3] = 0.007 * figure.size + (0.003 if outfit.tucked else 0.0)
    deep = np.linspace(1.0, 0.0, rings)[:, None]
    a = angles(sides)[None, :]
    if chance(rng, 0.3) and outfit.bottom != "pencil":  # pleats all around
        count = int(rng.integers(8, 13))
        bump = (
            1.0
            + 0.05 * (0.4 + deep) * np.sign(np.sin(count * a)) * np.abs(np.sin(count * a)) ** 0.5
        )
    else:
        count = int(rng.integers(4, 9))
        wave = np.sin(count * a + rng.random() * 6.28) + 0.6 * np.sin(
            (count + 2) * a + rng.random() * 6.28
        )
        bump = 1.0 + min(0.14, 0.01 + 0.8 * outfit.flare) * deep * wave
    points = figure.trunk(outfit.end, WAIST + 0.25, ease, rings, sides, bump=bump)
    slant = between(rng, 0.1, 0.35) if chance(rng, 0.15) else 0.0
    keep = 1.0 - deep - slant * (0.5 + 0.5 * np.cos(a + rng.random() * 6.28)) if slant else None
    height = figure.height(outfit.end, WAIST + 0.25, rings)[:, None]
    figure.add(
        points, labels.SKIRT, outfit.bottom_cloth, both_sides=True,
        keep=None if keep is None else np.broadcast_to(keep, points.shape[:2]),
        along=np.broadcast_to(height, points.shape[:2]),
    )  # fmt: skip


def draw_trousers(figure: Figure, outfit: Outfit) -> None:
    """Trousers, shorts, leggings or overalls."""
    size, rng = figure.size, figure.rng
    cloth = trouser_front(
        rng, outfit.bottom_cloth, size, jeans=outfit.bottom_cloth.texture == "denim"
    )
    share = np.clip((np.arange(10) - 1.0) / max(outfit.end - 1.0, 0.5), 0.0, 1.0)[:, None]
    ease = (outfit.leg_ease + (outfit.flare - outfit.leg_ease) * share**1.5) * size
    if outfit.bottom == "sweats" or chance(rng, 0.05):
        ease[8:] = 0.004 * size
    rings, sides = figure.rings(6 + int(1.4 * outfit.end)), figure.sides(16)
    a, t = angles(sides)[None, :], np.linspace(0.0, 1.0, rings)[:, None]
    phase = rng.random(3) * 6.28
    wave = (
        np.sin(2 * a + 9 * t + phase[0])
        + np.sin(a - 23 * t + phase[1])
        + np.sin(3 * a + 31 * t + phase[2])
    )
    bump = 1.0 + (0.006 + 0.7 * outfit.leg_ease) * wave
    for part in figure.leg(outfit.end, ease, rings, sides, bump=bump):
        figure.add(part, labels.PANTS, replace_spot(cloth), both_sides=True, crease=1.2)
    top = np.full((13, 1), max(outfit.leg_ease * 0.6, 0.002) * size)
    top[BELLY:] = (0.008 if outfit.tucked else 0.003) * size
    high = WAIST + (3.6 if outfit.bottom == "overalls" else between(rng, -0.9, 0.3))
    rows = figure.rings(10)
    points = figure.trunk(SEAT + 0.05, high, top, rows, figure.sides(24))
    height = figure.height(SEAT + 0.05, high, rows)[:, None]
    keep = None
    if outfit.bottom == "overalls":
        local = dot(points - figure.body.waist, figure.body.chest_frame.T) / size
        keep = np.maximum(
            0.06 - np.abs(local[..., 0]) - 3.0 * (local[..., 2] < 0), 0.05 - local[..., 1]
        )
    figure.add(
        points, labels.PANTS, cloth, both_sides=True, keep=keep,
        along=np.broadcast_to(height, points.shape[:2]), crease=0.7,
    )  # fmt: skip


def replace_spot(cloth: Material) -> Material:
    """The cloth without its picture, for the legs."""
    return replace(cloth, picture=None)


def draw_briefs(figure: Figure, outfit: Outfit) -> None:
    """Swimwear and pants cut high."""
    size = figure.size
    rings, sides = figure.rings(8), figure.sides(24)
    points = figure.trunk(SEAT + 0.1, BELLY + 0.4, np.full((1, 1), 0.004 * size), rings, sides)
    a, t = np.abs(np.sin(angles(sides)))[None, :], np.linspace(0.0, 1.0, rings)[:, None]
    figure.add(points, labels.PANTS, outfit.bottom_cloth, both_sides=True, keep=t + 0.15 - 0.5 * a)


def draw_lower(figure: Figure, outfit: Outfit, skin: Material) -> None:
    """Legs, feet and all that they wear; skirts of dresses are part of the top."""
    kind = BOTTOMS[outfit.bottom].kind
    covered = kind == "trousers" and outfit.end > 7.9
    draw_legs(figure, outfit.tights or skin, start=min(outfit.end, 9.0) - 1.2 if covered else 0.0)
    if kind == "trousers":
        draw_trousers(figure, outfit)
    elif kind == "briefs":
        draw_briefs(figure, outfit)
    elif not outfit.dress:
        draw_skirt(figure, outfit)
    draw_shoes(figure, outfit, skin)


def draw_shoes(figure: Figure, outfit: Outfit, skin: Material) -> None:
    """Shoes and socks, or bare feet."""
    shoe = outfit.shoe
    if shoe == "bare":
        draw_feet(figure, outfit.tights or skin)
        return
    rng, size = figure.rng, figure.size
    if (
        outfit.socks is not None
        and shoe in ("sneaker", "loafer", "ankle")
        and outfit.tights is None
    ):
        _socks(figure, outfit.socks, between(rng, 4.6, 8.4))
    lift = between(rng, 0.02, 0.055) if shoe in ("heel", "strappy") else 0.008
    open_ = shoe in ("sandal", "strappy", "flipflop")
    sole = plain(
        vec(0.85, 0.85, 0.83)
        if shoe == "sneaker" and chance(rng, 0.6)
        else outfit.shoe_cloth.colour * np.float32(0.4)
    )
    for side in SIDES:
        path, radii, up = foot_path(figure, side, lift)
        ease = np.array((0.004, 0.004, 0.002)) * size if not open_ else np.zeros(3)
        points = tube_points(
            path, radii + ease, up, figure.rings(10), figure.sides(12), exponent=2.4
        )
        figure.add(points, labels.shoe(side), outfit.shoe_cloth if not open_ else skin, crease=0.3)
        if open_:
            _strips(figure, side, path, radii, up, outfit.shoe_cloth)
        elif shoe in ("heel", "flat", "loafer"):
            _instep(figure, side, path, radii, up, outfit.tights or skin, shoe)
        _sole(figure, side, path, radii, up, sole, 0.018 if shoe in ("sneaker", "ankle") else 0.008)
        if lift > 0.015:
            _heel(figure, side, path, up, sole, lift)
    tall = {
        "ankle": between(rng, 7.4, 8.4),
        "boot": between(rng, 4.4, 7.0),
        "wellies": between(rng, 5.4, 6.6),
    }
    if shoe in tall:
        _shafts(
            figure, outfit, tall[shoe], 0.010 if shoe == "wellies" else between(rng, 0.003, 0.010)
        )


def _socks(figure: Figure, cloth: Material, start: float) -> None:
    ease = np.full((10, 1), 0.0025 * figure.size)
    for side, part in zip(
        SIDES, figure.leg(-1.0, ease, figure.rings(8), figure.sides(12), start=start), strict=True
    ):
        figure.add(part, labels.leg(side), cloth)


def _shafts(figure: Figure, outfit: Outfit, start: float, ease: float) -> None:
    rows = np.full((10, 1), ease * figure.size)
    rows[8:] += 0.006 * figure.size
    parts = figure.leg(-1.0, rows, figure.rings(9), figure.sides(14), start=start)
    for side, part in zip(SIDES, parts, strict=True):
        figure.add(part, labels.shoe(side), outfit.shoe_cloth, both_sides=True)


def _sole(
    figure: Figure,
    side: int,
    path: Floats,
    radii: Floats,
    up: Floats,
    material: Material,
    thick: float,
) -> None:
    low = path - up * (FOOT[:, 3:4] * figure.size)
    flat = np.stack(
        [
            radii[:, 0] * 1.12,
            np.full(7, thick * 0.5 * figure.size),
            np.full(7, thick * 0.3 * figure.size),
        ],
        axis=1,
    )
    points = tube_points(low + up * 0.3 * thick * figure.size, flat, up, 8, 10, exponent=3.0)
    figure.add(points, labels.shoe(side), material)


def _heel(
    figure: Figure, side: int, path: Floats, up: Floats, material: Material, lift: float
) -> None:
    size = figure.size
    top = path[1] - up[0] * 0.012 * size
    low = top - up[0] * (lift + 0.012) * size
    radii = np.array(((0.014, 0.014), (0.006, 0.006))) * size
    front = figure.body.legs[side].frame[2][:, 2][None]
    figure.add(tube_points(np.stack([top, low]), radii, front, 4, 6), labels.shoe(side), material)


def _instep(
    figure: Figure, side: int, path: Floats, radii: Floats, up: Floats, skin: Material, shoe: str
) -> None:
    """The part of the foot that a low shoe leaves bare."""
    rings, sides = 8, figure.sides(12)
    points = tube_points(
        path,
        radii + 0.005 * figure.size,
        up,
        rings,
        sides,
        span=(1.4, 4.2 if shoe == "heel" else 3.2),
    )
    a, t = np.abs(angles(sides))[None, :], np.linspace(0.0, 1.0, rings)[:, None]
    keep = 1.1 - 0.7 * t - a
    figure.add(points, labels.leg(side), skin, keep=keep)


def _strips(
    figure: Figure, side: int, path: Floats, radii: Floats, up: Floats, material: Material
) -> None:
    for start, stop in ((1.0, 1.5), (2.6, 3.1), (3.9, 4.5)):
        points = tube_points(path, radii + 0.003 * figure.size, up, 4, 10, span=(start, stop))
        figure.add(points, labels.shoe(side), material)
