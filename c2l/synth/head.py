"""Draws heads: neck, face, hair, hats and sunglasses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.synth import figure as fig
from c2l.synth.canvas import Patch
from c2l.synth.figure import Figure, between
from c2l.synth.legs import skin_colour
from c2l.synth.noise import Floats, sample, vec
from c2l.synth.shapes import Point, ellipse, limb, sheet
from c2l.synth.textures import shade_cloth

_KNOTS = (0.0, 0.06, 0.2, 0.42, 0.62, 0.8, 0.93, 1.0)
_SKULL = (0.25, 0.62, 0.90, 1.0, 0.97, 0.80, 0.52, 0.28)


def _hair_colour(f: Figure, patch: Patch) -> Floats:
    strand = sample("fine", patch.s * 0.12 + 0.3, patch.v * 0.45 + f.outfit.loose * 9.0)
    wave = sample("medium", patch.s * 0.3, patch.v * 0.5)
    shine = 0.35 * np.exp(-(((patch.s - 0.25) / 0.12) ** 2)) * np.clip(patch.nz, 0, 1)
    factor = 1.0 + 0.16 * strand + 0.10 * wave + shine
    colour = np.clip(f.outfit.hair * factor[:, None] + 0.01, 0.0, 1.0)
    return np.asarray(colour, dtype=np.float32)


def _half(f: Figure) -> float:
    """Half the width of the head in pixels."""
    return f.width(0.0465, 0.0565) * f.skeleton.build.head


def draw_neck(f: Figure) -> None:
    """The neck, labelled as the face's skin."""
    chest, chin, u = f.at("chest"), f.at("chin"), f.unit
    base = (chest[0] - 0.006 * u * f.turn, chest[1] + 0.01 * u)
    top = (chin[0] - 0.016 * u * f.turn, chin[1] - 0.03 * u)
    shape = limb(f.canvas, [base, between(base, top, 0.4), top], [0.034 * u, 0.026 * u, 0.026 * u])
    f.canvas.paint(shape, skin_colour(f, shape, 0.86), fig.FACE, contact=0.2)


def draw_hair_behind(f: Figure) -> None:
    """The hair that hangs behind the neck of a person who faces the camera."""
    style, u = f.outfit.hair_style, f.unit
    if style not in ("bob", "long", "afro", "ponytail") or f.facing < 0.0:
        return
    crown, chin = f.at("crown"), f.at("chin")
    half = _half(f)
    back = -f.turn * 0.022 * u
    if style == "afro":
        _paint_hair(f, ellipse(f.canvas, _skull_centre(f), (half * 1.62, half * 1.7)))
        return
    if style == "ponytail":
        if abs(f.turn) > 0.35:
            _tail(f)
        return
    drop = 0.025 if style == "bob" else 0.06
    end = (chin[0] + back, chin[1] + drop * u)
    start = (crown[0] + back * 0.5, crown[1] + 0.004 * u)
    wide = [0.4 * half, 1.05 * half, 1.16 * half, 1.2 * half, 1.05 * half]
    _paint_hair(f, sheet(f.canvas, start, end, (0.0, 0.15, 0.4, 0.8, 1.0), wide, hem=0.04))


def _skull_centre(f: Figure) -> Point:
    return between(f.at("crown"), f.at("chin"), 0.40)


def _paint_hair(f: Figure, patch: Patch, contact: float = 0.35) -> None:
    f.canvas.paint(patch, _hair_colour(f, patch), fig.HAIR, contact=contact)


def draw_face(f: Figure) -> None:
    """The head with its features; the back of a head is skin that hair then covers."""
    crown, chin, half = f.at("crown"), f.at("chin"), _half(f)
    shape = sheet(f.canvas, crown, chin, _KNOTS, [w * half for w in _SKULL], bulge=0.45, flat=0.9)
    colour = skin_colour(f, shape)
    if f.facing > -0.15:
        colour = _features(f, shape, colour)
    f.canvas.paint(shape, np.clip(colour, 0, 1), fig.FACE, contact=0.5)
    if f.facing > -0.2 and abs(f.turn) > 0.5:
        _profile(f, half)


def _spot(shape: Patch, v: float, s: float, dv: float, ds: float) -> Floats:
    d = ((shape.v - v) / dv) ** 2 + ((shape.s - s) / ds) ** 2
    return np.asarray(np.exp(-d * d), dtype=np.float32)[:, None]


def _features(f: Figure, shape: Patch, colour: Floats) -> Floats:
    yaw = f.skeleton.yaw
    middle = float(np.sin(yaw)) * 0.95

    def place(angle: float) -> tuple[float, float]:
        return float(np.sin(yaw + angle)), max(float(np.cos(yaw + angle)), 0.0)

    lip = f.outfit.skin * vec(0.82, 0.52, 0.52)
    v, narrow = place(0.0)
    colour = colour + _spot(shape, v, 0.80, 0.30 * narrow + 0.02, 0.028) * (lip - colour) * 0.85
    cheek = vec(1.05, 0.93, 0.92)
    for angle in (-0.48, 0.48):
        v, narrow = place(angle)
        if narrow < 0.1:
            continue
        socket = _spot(shape, v, 0.505, 0.27 * narrow, 0.06)
        colour = colour * (1.0 - 0.16 * socket)
        white = _spot(shape, v, 0.515, 0.15 * narrow, 0.026)
        colour = colour + white * (np.float32(0.85) - colour) * 0.7
        iris = _spot(shape, v + 0.01, 0.515, 0.075 * narrow + 0.02, 0.028)
        colour = colour * (1.0 - 0.88 * iris)
        lash = _spot(shape, v, 0.492, 0.17 * narrow, 0.010)
        colour = colour * (1.0 - 0.7 * lash)
        brow = _spot(shape, v * 1.02, 0.435, 0.19 * narrow, 0.015)
        colour = colour + brow * (f.outfit.hair * 0.7 - colour) * 0.7
        blush = _spot(shape, v * 1.1, 0.66, 0.28 * narrow, 0.08)
        colour = colour * (1.0 + blush * (cheek - 1.0))
    nose = _spot(shape, middle + 0.07, 0.63, 0.06, 0.10)
    base = _spot(shape, middle, 0.70, 0.16, 0.018)
    return np.asarray(colour * (1.0 - 0.10 * nose) * (1.0 - 0.28 * base), dtype=np.float32)


def _profile(f: Figure, half: float) -> None:
    """The nose of a face seen from the side."""
    u, way = f.unit, 1.0 if f.turn > 0 else -1.0
    crown, chin = f.at("crown"), f.at("chin")
    bridge, tip = between(crown, chin, 0.52), between(crown, chin, 0.67)
    out = 0.86 + 0.16 * (abs(f.turn) - 0.5)
    points = [(bridge[0] + way * half * 0.80, bridge[1]), (tip[0] + way * half * out, tip[1])]
    nose = limb(f.canvas, points, [0.006 * u, 0.0095 * u])
    f.canvas.paint(nose, skin_colour(f, nose), fig.FACE, contact=0.15)


def _tail(f: Figure) -> None:
    crown, chin, u = f.at("crown"), f.at("chin"), f.unit
    root = between(crown, chin, 0.25)
    root = (root[0] - f.turn * 0.055 * u, root[1])
    end = (root[0] - f.turn * 0.03 * u, root[1] + 0.13 * u)
    bend = (root[0] - f.turn * 0.04 * u, root[1] + 0.03 * u)
    _paint_hair(f, limb(f.canvas, [root, bend, end], [0.016 * u, 0.024 * u, 0.010 * u]))


def draw_hair(f: Figure) -> None:
    """The hair on the skull, with what falls over the shoulders or down the back."""
    o, u = f.outfit, f.unit
    crown, chin, half = f.at("crown"), f.at("chin"), _half(f)
    if o.hair_style == "bun":
        x = crown[0] - f.turn * 0.045 * u
        y = crown[1] + (0.001 if f.facing > 0 else 0.012) * u
        _paint_hair(f, ellipse(f.canvas, (x, y), (0.027 * u, 0.025 * u)))
    puff = {"shaved": 1.02, "afro": 1.5, "short": 1.10}.get(o.hair_style, 1.08)
    top = (crown[0], crown[1] - 0.035 * u * (puff - 0.9))
    low = chin if f.facing > -0.4 else (chin[0], chin[1] + 0.012 * u)
    if o.hair_style in ("long", "ponytail", "bob") and f.facing <= 0.0:
        _mane(f, half)
    cap = sheet(f.canvas, top, low, _KNOTS, [w * half * puff for w in _SKULL], bulge=0.45)
    _paint_hair(f, cap.keep(_covered(f, cap)), 0.3)
    if o.hair_style == "long" and f.facing > 0.0:
        _locks(f, half)


def _covered(f: Figure, cap: Patch) -> NDArray[np.bool_]:
    """Which points (n,) bool of the skull hair grows over."""
    o = f.outfit
    wide = 0.84 * max(f.facing, 0.0) + 0.42 * abs(f.turn)
    if f.facing < 0.0:
        wide = 0.45 * abs(f.turn) * (f.facing > -0.6)
    line = {"shaved": 0.20, "short": 0.22, "afro": 0.30}.get(o.hair_style, 0.20)
    part = (o.flare * 40.0) % 1.0 - 0.5
    curve = 0.02 if o.wide_leg < 0.12 else 0.24  # a straight fringe, or parted hair
    v = cap.v - f.turn * 0.78
    fringe = line + curve * (v - 0.6 * part) ** 2 + 0.008 * np.sin(v * 40.0)
    face = (np.abs(v) < wide * np.clip(1.06 - 0.25 * (cap.s - 0.5), 0.5, 1.1)) & (cap.s > fringe)
    lowest = {"short": 0.62, "shaved": 0.58, "bun": 0.66, "ponytail": 0.66}.get(o.hair_style, 1.0)
    if f.facing < 0.0:
        lowest = max(lowest, 0.84)
    return np.asarray((~face) & (cap.s < lowest))


def _mane(f: Figure, half: float) -> None:
    """Hair that covers the back of the neck and, when long, the shoulder blades."""
    u, style = f.unit, f.outfit.hair_style
    crown, chin = f.at("crown"), f.at("chin")
    drop = {"bob": 0.02, "long": 0.16, "ponytail": 0.14}[style] * u
    scale = 0.45 if style == "ponytail" else 1.0
    start = between(crown, chin, 0.1)
    end = (chin[0] - f.turn * 0.03 * u, chin[1] + drop)
    wide = [0.7 * half * scale, 1.12 * half * scale, 1.2 * half * scale, 0.95 * half * scale]
    _paint_hair(f, sheet(f.canvas, start, end, (0.0, 0.3, 0.7, 1.0), wide, hem=0.05))


def _locks(f: Figure, half: float) -> None:
    u = f.unit
    crown, chin = f.at("crown"), f.at("chin")
    temple = between(crown, chin, 0.32)
    for side in (-1.0, 1.0):
        if side * f.turn > 0.55:
            continue  # that side of the head is hidden behind the face
        drop = f.rng.uniform(0.05, 0.15) * u
        x = temple[0] + side * half * 1.0
        points = [
            (x, temple[1]),
            (x + side * 0.006 * u, chin[1]),
            (x - side * f.rng.uniform(-0.006, 0.012) * u, chin[1] + drop),
        ]
        _paint_hair(f, limb(f.canvas, points, [0.010 * u, 0.019 * u, 0.009 * u]))


def draw_glasses(f: Figure) -> None:
    """Sunglasses on a face that is seen."""
    if not f.outfit.glasses or f.facing < 0.1:
        return
    u, half = f.unit, _half(f)
    crown, chin = f.at("crown"), f.at("chin")
    eye = between(crown, chin, 0.515)
    dark = vec(0.06, 0.06, 0.07)
    spots = []
    for angle in (-0.46, 0.46):
        x = float(np.sin(f.skeleton.yaw + angle))
        narrow = max(float(np.cos(f.skeleton.yaw + angle)), 0.25)
        spots.append((eye[0] + x * half * 0.93, eye[1]))
        lens = ellipse(f.canvas, spots[-1], (0.021 * u * narrow, 0.0155 * u))
        f.canvas.paint(lens, dark, fig.SUNGLASSES, contact=0.2, gloss=0.6)
    f.canvas.paint(limb(f.canvas, spots, [0.0035 * u] * 2), dark, fig.SUNGLASSES, contact=0.0)


def draw_hat(f: Figure) -> None:
    """A beanie, a cap or a brimmed hat."""
    o, u = f.outfit, f.unit
    if o.hat == "none":
        return
    crown, chin, half = f.at("crown"), f.at("chin"), _half(f)
    tall = {"beanie": 0.028, "cap": 0.014, "brim": 0.028}[o.hat] * u
    top, low = (crown[0], crown[1] - tall), between(crown, chin, 0.30)
    wide = [half * w for w in (0.5, 0.88, 1.12, 1.16)]
    dome = sheet(f.canvas, top, low, (0.0, 0.12, 0.55, 1.0), wide, hem=0.08, bulge=0.3)
    colour = shade_cloth(o.hat_cloth, dome)
    band = dome.s > (0.66 if o.hat == "beanie" else 0.8)
    colour[band] *= 0.8 if o.hat != "brim" else 0.35
    f.canvas.paint(dome, colour, fig.HAT)
    if o.hat == "brim":
        brim = ellipse(f.canvas, (low[0], low[1] - 0.002 * u), (half * 1.95, 0.0135 * u))
        front = brim.keep((brim.s > 0.5) | (np.abs(brim.v) > 0.6))
        f.canvas.paint(front, shade_cloth(o.hat_cloth, front), fig.HAT)
    elif o.hat == "cap" and f.facing > 0.0:
        x = low[0] + f.turn * 0.055 * u
        peak = ellipse(f.canvas, (x, low[1]), (half * (0.75 + 0.35 * abs(f.turn)), 0.011 * u))
        f.canvas.paint(peak, shade_cloth(o.hat_cloth, peak) * 0.8, fig.HAT)
