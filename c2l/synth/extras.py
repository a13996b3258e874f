"""Belts, scarves and bags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats, unit, vec
from c2l.synth.chance import between, chance, one_of
from c2l.synth.figure import BUST, HIPS, NECK, RIBS, SHOULDERS, WAIST, Figure
from c2l.synth.materials import Material, plain
from c2l.synth.mesh import tube_points
from c2l.synth.outfit import Outfit
from c2l.synth.solids import block
from c2l.synth.upper import draw_cape, surface_line

DOWN = np.array((0.0, -1.0, 0.0))


def draw_belt(figure: Figure, outfit: Outfit) -> None:
    """A belt around the waist or the hips, over what is worn there."""
    if outfit.belt is None:
        return
    rng, size = figure.rng, figure.size
    wide = between(rng, 0.10, 0.34)
    over = outfit.coat in ("coat", "trench", "robe", "cardigan") and outfit.coat_open == 0.0
    at = WAIST - (0.05 if outfit.dress or over else between(rng, 0.3, 0.9))
    ease = 0.010 + outfit.leg_ease * 0.5 + (outfit.coat_ease + 0.006 if over else 0.0)
    if not (outfit.tucked or over):
        ease += outfit.ease * (0.6 if outfit.dress else 0.0)
    points = figure.trunk(at - wide, at + wide, np.full((1, 1), ease * size), 4, figure.sides(26))
    figure.add(points, labels.BELT, outfit.belt, crease=0.2)
    line = surface_line(figure, np.array((at - wide, at + wide)), np.zeros(2), ease + 0.006)
    buckle = np.stack([line[0] + (line[1] - line[0]) * t for t in (-0.1, 0.5, 1.1)])
    radii = np.array(((0.018, 0.004),) * 3) * size
    metal = plain(
        one_of(rng, (vec(0.75, 0.72, 0.62), vec(0.8, 0.65, 0.3), vec(0.15, 0.15, 0.15))), gloss=0.8
    )
    figure.add(
        tube_points(buckle, radii, figure.body.pelvis_frame[:, 2][None], 4, 8, exponent=4.0),
        labels.BELT, metal,
    )  # fmt: skip


def draw_scarf(figure: Figure, outfit: Outfit) -> None:
    """A scarf around the neck, its ends, or a shawl over the shoulders."""
    kind, cloth = outfit.scarf, outfit.scarf_cloth
    if kind == "none":
        return
    rng = figure.rng
    if kind == "shawl":
        draw_cape(figure, cloth, labels.SCARF, between(rng, RIBS - 0.6, BUST + 0.6))
        return
    thick = between(rng, 0.016, 0.036) if kind != "neckerchief" else 0.010
    if kind != "hanging":
        _loop(figure, cloth, thick, between(rng, 0.0, 0.02))
        if kind == "loop" and chance(rng, 0.5):
            _loop(figure, cloth, thick * 0.9, between(rng, 0.02, 0.035))
    if kind in ("tied", "hanging"):
        for side in (
            (-1.0, 1.0) if kind == "hanging" or chance(rng, 0.5) else (one_of(rng, (-1.0, 1.0)),)
        ):
            _end(figure, outfit, cloth, side, kind == "hanging")
    if kind == "neckerchief" and chance(rng, 0.6):
        _end(figure, outfit, cloth, 0.05, False, short=True)


def _loop(figure: Figure, cloth: Material, thick: float, drop: float) -> None:
    body, size, rng, k = figure.body, figure.size, figure.rng, figure.body.build.thick
    up, side, ahead = (body.chest_frame[:, n] for n in (1, 0, 2))
    turn = np.linspace(0.0, 2.0 * np.pi, 11)
    wide = (0.036 * k / size + thick * 0.8) * (1.0 + 0.08 * np.sin(2 * turn + rng.random() * 6.28))
    wide = (wide * size)[:, None]
    base = body.chest + up * (0.034 + 0.5 * thick - 0.4 * drop) * size
    sag = (np.cos(turn)[:, None] * (0.014 + drop)) * size
    path = (
        base
        + np.sin(turn)[:, None] * side * wide
        + np.cos(turn)[:, None] * ahead * wide * (1.05 + 6 * drop)
    )
    path = path - up * sag
    uneven = 1.0 + 0.2 * np.sin(3 * turn + rng.random() * 6.28)
    radii = np.stack([uneven * thick * 0.75, uneven * thick * 1.15], axis=1) * size
    points = tube_points(path, radii, up[None], figure.rings(22), figure.sides(10))
    figure.add(points, labels.SCARF, cloth, crease=1.3)


def _end(
    figure: Figure, outfit: Outfit, cloth: Material, side: float, both: bool, short: bool = False
) -> None:
    rng, size = figure.rng, figure.size
    low = BUST if short else between(rng, HIPS, RIBS + 0.5)
    ease = max(outfit.ease, outfit.coat_ease if outfit.coat != "none" else 0.0) + 0.014
    at = np.linspace(NECK - (0.5 if both else 0.2), low, 6)
    turn = side * np.linspace(0.9 if both else 0.3, between(rng, 0.15, 0.5), 6)
    line = surface_line(figure, at, turn, ease)
    wide = between(rng, 0.022, 0.05)
    radii = np.stack([np.full(6, wide), np.full(6, 0.007)], axis=1) * size
    radii[0] *= 0.7
    points = tube_points(
        line,
        radii,
        figure.body.chest_frame[:, 2][None],
        figure.rings(12),
        figure.sides(8),
        exponent=2.6,
    )
    figure.add(points, labels.SCARF, cloth, crease=1.0)


def strap(
    figure: Figure, path: Floats, wide: float, label: int, cloth: Material, front: Floats
) -> None:
    """A band along a path (k, 3)."""
    radii = np.full((len(path), 2), (wide, 0.003)) * figure.size
    points = tube_points(path, radii, front if front.ndim == 2 else front[None], 3 * len(path), 6)
    figure.add(points, label, cloth)


def draw_bag(figure: Figure, outfit: Outfit) -> None:
    """One of `outfit.BAGS`."""
    draw = {
        "shoulder": _shoulder, "cross": _cross, "hand": _hand, "tote": _tote, "backpack": _backpack,
        "clutch": _clutch, "waist": _waist, "shopping": _shopping,
    }.get(outfit.bag)  # fmt: skip
    if draw is not None:
        ease = max(outfit.ease, outfit.coat_ease if outfit.coat != "none" else 0.0) + 0.008
        draw(figure, outfit.bag_cloth, ease)


def _side(figure: Figure) -> int:
    return one_of(figure.rng, (1, -1))


def _hang(figure: Figure) -> tuple[Floats, Floats]:
    """Up and front of what hangs at a person's side."""
    front = figure.body.pelvis_frame[:, 0] * (1.0, 0.0, 1.0)
    return -DOWN, unit(front + 1e-6)


def _shoulder(figure: Figure, cloth: Material, ease: float) -> None:
    """A bag at the hip on a strap from the same shoulder."""
    _slung(figure, cloth, ease, same=True)


def _cross(figure: Figure, cloth: Material, ease: float) -> None:
    """A bag at the hip on a strap across the chest."""
    _slung(figure, cloth, ease, same=False)


def _slung(figure: Figure, cloth: Material, ease: float, *, same: bool) -> None:
    rng, size, side = figure.rng, figure.size, _side(figure)
    low = between(rng, HIPS - 0.4, WAIST)
    ahead = between(rng, 0.5, 1.5)
    from_ = side * 1.1 if same else -side * 1.0
    at = np.linspace(NECK - 0.55, low, 9)
    for front in (1.0, -1.0):
        begin = from_ if front > 0 else np.sign(from_) * (np.pi - abs(from_))
        end = side * ahead if front > 0 else side * (np.pi - 0.9)
        line = surface_line(figure, at, np.linspace(begin, end, 9), ease)
        strap(
            figure,
            line,
            0.008,
            labels.BAG,
            cloth,
            unit(line - figure.column[[SHOULDERS] * 2 + [BUST] * 2 + [RIBS] * 2 + [WAIST] * 3]),
        )
    at_bag = surface_line(figure, np.array((low,)), np.array((side * ahead,)), ease + 0.03)[0]
    up, front_ = _hang(figure)
    half = (
        np.array((between(rng, 0.05, 0.11), between(rng, 0.035, 0.085), between(rng, 0.018, 0.04)))
        * size
    )
    middle = at_bag - up * half[1] * 0.8
    _case(figure, cloth, middle, up, front_, tuple(half))


def _case(
    figure: Figure,
    cloth: Material,
    middle: Floats,
    up: Floats,
    front: Floats,
    half: tuple[float, ...],
) -> None:
    """The body of a bag, sometimes with a flap of another colour."""
    shape = one_of(figure.rng, (2.6, 4.0, 7.0))
    figure.add(
        block(middle, up, front, (half[0], half[1], half[2]), shape), labels.BAG, cloth, crease=0.6
    )
    if chance(figure.rng, 0.45):
        flap = replace(
            cloth, colour=cloth.colour * np.float32(between(figure.rng, 0.5, 1.3)).clip(0, 1)
        )
        top = middle + up * half[1] * 0.45
        figure.add(
            block(top, up, front, (half[0] * 1.03, half[1] * 0.6, half[2] * 1.1), shape),
            labels.BAG,
            flap,
        )


def _grip(figure: Figure, side: int) -> Floats:
    """Where a hand holds something."""
    arm = figure.body.arms[side]
    return np.asarray(arm.end - arm.frame[2][:, 1] * 0.5 * figure.body.build.length["hand"])


def _carried(
    figure: Figure, cloth: Material, half: tuple[float, float, float], drop: float
) -> None:
    rng, size = figure.rng, figure.size
    low = min(figure.body.arms, key=lambda s: float(figure.body.arms[s].end[1]))
    grip = _grip(figure, low)
    turn = between(rng, -0.6, 0.6)
    up, front = _hang(figure)
    across = np.array((front[2], 0.0, -front[0]))
    front = unit(front * np.cos(turn) + across * np.sin(turn))
    across = np.array((front[2], 0.0, -front[0]))
    top = grip + DOWN * drop * size
    at = np.array(((-1.0, -0.1), (-0.85, 0.5), (-0.3, 0.97), (0.3, 0.97), (0.85, 0.5), (1.0, -0.1)))
    loop = across * half[0] * 0.55 * at[:, :1] + up * drop * at[:, 1:]
    for depth in (-0.7, 0.7):
        strap(
            figure, top + (loop + front * half[2] * depth) * size, 0.006, labels.BAG, cloth, front
        )
    _case(figure, cloth, top - up * half[1] * size, up, front, tuple(h * size for h in half))


def _hand(figure: Figure, cloth: Material, ease: float) -> None:
    rng = figure.rng
    _carried(
        figure,
        cloth,
        (between(rng, 0.06, 0.12), between(rng, 0.05, 0.09), between(rng, 0.02, 0.05)),
        between(rng, 0.03, 0.08),
    )


def _shopping(figure: Figure, cloth: Material, ease: float) -> None:
    rng = figure.rng
    _carried(
        figure,
        cloth,
        (between(rng, 0.07, 0.12), between(rng, 0.09, 0.13), between(rng, 0.02, 0.04)),
        between(rng, 0.04, 0.08),
    )


def _tote(figure: Figure, cloth: Material, ease: float) -> None:
    rng, size, side = figure.rng, figure.size, _side(figure)
    shoulder = figure.body.arms[side].root
    up, front = _hang(figure)
    half = (
        np.array((between(rng, 0.08, 0.13), between(rng, 0.08, 0.12), between(rng, 0.025, 0.05)))
        * size
    )
    middle = (
        shoulder + DOWN * between(rng, 0.2, 0.3) * size + front * side * (0.055 * size + half[2])
    )
    across = np.array((front[2], 0.0, -front[0]))
    for depth in (-1.0, 1.0):
        path = np.stack([
            middle + across * half[0] * 0.5 + up * half[1] + front * half[2] * depth * 0.6,
            shoulder + across * 0.03 * size + front * side * 0.02 * size + DOWN * 0.03 * size,
            shoulder + up * 0.045 * size - front * side * 0.01 * size,
            shoulder - across * 0.03 * size + front * side * 0.02 * size + DOWN * 0.03 * size,
            middle - across * half[0] * 0.5 + up * half[1] + front * half[2] * depth * 0.6,
        ])  # fmt: skip
        strap(figure, path, 0.008, labels.BAG, cloth, front)
    _case(figure, cloth, middle, up, front, tuple(half))


def _backpack(figure: Figure, cloth: Material, ease: float) -> None:
    rng, size, body = figure.rng, figure.size, figure.body
    up, back = body.chest_frame[:, 1], -body.chest_frame[:, 2]
    half = (
        np.array((between(rng, 0.07, 0.11), between(rng, 0.10, 0.16), between(rng, 0.035, 0.07)))
        * size
    )
    middle = body.chest - up * 0.13 * size + back * (0.062 * size + ease * size + half[2])
    _case(figure, cloth, middle, up, back, tuple(half))
    for side in (-1.0, 1.0):
        at = np.array(
            (NECK - 0.75, NECK - 0.55, SHOULDERS - 0.3, BUST + 0.5, BUST - 0.4, RIBS, RIBS - 0.3)
        )
        turn = side * np.array((2.3, 1.35, 0.85, 0.75, 0.85, 1.2, 1.7))
        line = surface_line(figure, at, turn, ease + 0.004)
        strap(figure, line, 0.015, labels.BAG, cloth, unit(line - body.chest + up * 0.1 * size))


def _clutch(figure: Figure, cloth: Material, ease: float) -> None:
    rng, size = figure.rng, figure.size
    side = _side(figure)
    grip = _grip(figure, side)
    frame = figure.body.arms[side].frame[2]
    half = np.array((between(rng, 0.025, 0.045), between(rng, 0.05, 0.08), 0.010)) * size
    figure.add(
        block(grip + frame[:, 2] * 0.012 * size, frame[:, 1], frame[:, 2], (half[0], half[1],
            half[2])),
        labels.BAG, cloth, crease=0.2,
    )  # fmt: skip


def _waist(figure: Figure, cloth: Material, ease: float) -> None:
    size = figure.size
    at = WAIST - 0.6
    points = figure.trunk(
        at - 0.12, at + 0.12, np.full((1, 1), (ease + 0.004) * size), 4, figure.sides(24)
    )
    figure.add(points, labels.BAG, cloth)
    middle = surface_line(
        figure, np.array((at,)), np.array((between(figure.rng, -0.6, 0.6),)), ease + 0.02
    )[0]
    frame = figure.body.pelvis_frame
    figure.add(
        block(middle, frame[:, 1], frame[:, 2], (0.065 * size, 0.035 * size, 0.02 * size), 3.0),
        labels.BAG,
        cloth,
    )
