"""Heads: the shape of skull and face, ears, neck, and the picture of the face's features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats, dot, smoothstep, vec
from c2l.synth.chance import Rng, between, chance, one_of
from c2l.synth.figure import Figure
from c2l.synth.materials import Material
from c2l.synth.mesh import angles, tube_points
from c2l.synth.palette import Colour

# Heights above the chin, and half width, depth to the front and to the back, in head heights.
_AT = (-0.06, -0.02, 0.03, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.72, 0.84, 0.93, 0.985, 1.0)
_WIDE = (0.03, 0.12, 0.17, 0.225, 0.27, 0.30, 0.325, 0.345, 0.35, 0.35, 0.315, 0.225, 0.09, 0.01)
_FRONT = (0.04, 0.26, 0.37, 0.385, 0.39, 0.405, 0.415, 0.40, 0.405, 0.415, 0.37, 0.26, 0.10, 0.01)
_BACK = (0.03, 0.10, 0.14, 0.19, 0.27, 0.35, 0.42, 0.47, 0.50, 0.51, 0.46, 0.33, 0.14, 0.01)
# Heights of the rings of a head, closer where the face is.
_RINGS = (-0.06, -0.02, 0.03, 0.08, 0.14, 0.20, 0.25, 0.30, 0.35, 0.40, 0.46, 0.52, 0.58, 0.65,
          0.73, 0.81, 0.88, 0.94, 0.98, 1.0)  # fmt: skip
EYE, BROW, NOSE, MOUTH = 0.50, 0.60, 0.335, 0.205  # heights
EYE_ANGLE = 0.43
_VIEW, _LOW = 1.9, -0.05  # radians to each side, lowest height of the picture of the face
_ALL = slice(None)


@dataclass(frozen=True)
class Face:
    """A face: factors around 1 on the width of skull and jaw, the nose and the cheeks."""

    width: float
    jaw: float
    nose: float
    cheeks: float
    chin: float
    skin: Colour
    hair: Colour
    beard: str
    makeup: float
    mouth: float  # 0 closed, 1 wide open
    smile: float
    eyes: float  # 0 shut, 1 open


BEARDS = ("none", "stubble", "moustache", "goatee", "short", "full", "long")


@dataclass(frozen=True)
class Head:
    """A head in space."""

    face: Face
    middle: Floats
    frame: Floats
    size: float  # metres from chin to crown

    def place(self, local: Floats) -> Floats:
        """Points (..., 3) in space of points in head heights: side, above the chin, front."""
        return self.middle + dot((local - (0.0, 0.5, 0.0)) * self.size, self.frame)

    def local(self, angle: Floats, height: Floats, grow: Floats | float = 0.0) -> Floats:
        """Points (..., 3) in head heights on the head.

        Args:
            angle: radians from the front, positive to the head's own left.
            height: head heights above the chin.
            grow: head heights outside the skin.
        """
        f = self.face
        jaw = f.width * (1.0 + (f.jaw - 1.0) * smoothstep(0.5, 0.15, height))
        a = np.interp(height, _AT, _WIDE) * jaw + grow
        front = np.interp(height, _AT, _FRONT) + (f.chin - 1.0) * 0.4 * smoothstep(
            0.2, 0.05, height
        )
        front = front + grow
        back = np.interp(height, _AT, _BACK) + grow
        s, c = np.sin(angle), np.cos(angle)
        x = a * np.sign(s) * np.abs(s) ** 0.9
        z = np.where(c > 0, front, back) * np.sign(c) * np.abs(c) ** 0.9
        y = height + np.where(height > 0.5, 1.0, 0.25) * grow * smoothstep(0.6, 1.0, height)
        return np.stack(np.broadcast_arrays(x, y, z), axis=-1)


def sample_face(
    rng: Rng, skin: Colour, hair: Colour, *, child: float, curvy: float, old: float
) -> Face:
    """A random face."""
    man = curvy < 0.25 and child == 0.0
    return Face(
        width=between(rng, 0.92, 1.08) + 0.06 * child,
        jaw=between(rng, 0.84, 1.02) + (0.06 if man else 0.0),
        nose=between(rng, 0.7, 1.3) * (1.0 - 0.4 * child),
        cheeks=between(rng, 0.5, 1.5),
        chin=between(rng, 0.93, 1.04),
        skin=skin,
        hair=hair,
        beard=one_of(rng, BEARDS) if man and chance(rng, 0.55) else "none",
        makeup=between(rng, 0.2, 1.0) if curvy > 0.25 and chance(rng, 0.6) else 0.0,
        mouth=between(rng, 0.1, 1.0) if chance(rng, 0.3) else 0.0,
        smile=between(rng, -0.3, 1.0),
        eyes=0.1 if chance(rng, 0.12) else between(rng, 0.5, 1.0),
    )


def head_of(figure: Figure, face: Face) -> Head:
    """The head of a figure."""
    body = figure.body
    return Head(face, body.head, body.head_frame, body.build.length["head"])


def fan(sides: int) -> Floats:
    """Angles (sides,) around a head, closer at the face."""
    a = angles(sides)
    return np.asarray(a - 0.42 * np.sin(a))


def draw_head(figure: Figure, head: Head, skin: Material) -> None:
    """The neck and the head with its face and ears."""
    _neck(figure, head, skin)
    f, rng = head.face, figure.rng
    rings = np.array(_RINGS if figure.detail > 0.55 else (*_RINGS[::2], 1.0))
    angle = fan(figure.sides(26))
    height, phi = np.meshgrid(rings, angle, indexing="ij")
    local = head.local(phi, height)
    local = local + _relief(f, phi, height)
    # Smaller faces need fewer texels.
    texels = int(np.clip(44 * figure.detail, 16, 72))
    material = replace(
        skin, picture=paint_face(rng, f, texels), spot=(-_VIEW, _LOW, _VIEW, 1.0), folds=0.0,
        period=skin.period / head.size,
    )  # fmt: skip
    figure.add(head.place(local), labels.FACE, material, across=phi, along=height)
    for side in (-1.0, 1.0):
        _ear(figure, head, skin, side)


def _relief(f: Face, phi: Floats, y: Floats) -> Floats:
    """Nose, brows, sockets, lips and cheeks, as shifts (..., 3) in head heights."""
    ridge = np.interp(y, (0.28, 0.33, 0.37, 0.58, 0.64), (0.0, 0.085, 0.10, 0.03, 0.0)) * f.nose
    nose = ridge * np.exp(-((phi / (0.13 + 0.06 * (y < 0.42))) ** 2))
    socket = -0.028 * sum(
        np.exp(-(((phi - s * EYE_ANGLE) / 0.24) ** 2) - ((y - EYE) / 0.055) ** 2) for s in (-1, 1)
    )
    brow = 0.012 * np.exp(-(((y - BROW) / 0.04) ** 2)) * np.exp(-(((np.abs(phi) - 0.4) / 0.4) ** 2))
    lips = 0.016 * np.exp(-(((y - MOUTH) / 0.045) ** 2) - (phi / 0.36) ** 2)
    front = nose + socket + brow + lips
    cheek = (
        0.014 * f.cheeks * np.exp(-(((np.abs(phi) - 0.75) / 0.35) ** 2) - ((y - 0.36) / 0.12) ** 2)
    )
    zero = np.zeros_like(front)
    return np.stack([np.sign(phi) * cheek, zero, front + cheek * 0.5], axis=-1)


def _neck(figure: Figure, head: Head, skin: Material) -> None:
    body, size = figure.body, figure.size
    up, down = body.head_frame[:, 1], body.chest_frame[:, 1]
    base = body.chest - down * 0.012 * size
    top = body.head - up * 0.22 * head.size - body.head_frame[:, 2] * 0.12 * head.size
    path = np.stack([base, base + (top - base) * 0.4, base + (top - base) * 0.75, top])
    k = body.build.thick * (0.9 if body.build.curvy > 0.25 else 1.02)
    radii = np.array(((0.046, 0.040), (0.0345, 0.034), (0.0325, 0.033), (0.033, 0.034))) * k
    front = body.chest_frame[:, 2][None]
    points = tube_points(path, radii, front, figure.rings(7), figure.sides(14))
    figure.add(points, labels.FACE, skin)


def _ear(figure: Figure, head: Head, skin: Material, side: float) -> None:
    if figure.detail < 0.35:
        return
    t = np.linspace(0.0, 1.0, 4)[:, None]
    turn = np.linspace(0.0, 2.0 * np.pi, 7)[None, :]
    y = 0.45 + 0.105 * t * np.cos(turn)
    z = -0.03 + 0.06 * t * np.sin(turn) - 0.02
    edge = head.local(np.array(side * 1.62), np.array(0.45), 0.0)[0]
    x = edge * (1.0 + 0.14 * t * (0.4 - np.sin(turn) * 0.6)) + side * 0.012
    local = np.stack(np.broadcast_arrays(x, y, z), axis=-1)
    figure.add(head.place(local), labels.FACE, skin, closed=False, both_sides=True)


class _Canvas:
    """A picture (texels, texels, 4) of a face, painted in angles and heights.

    Features thinner than a texel are widened to one and faded.
    """

    def __init__(self, skin: Colour, texels: int) -> None:
        self.phi = np.linspace(-_VIEW, _VIEW, texels, dtype=np.float32)
        self.y = np.linspace(_LOW, 1.0, texels, dtype=np.float32)
        self.out = np.zeros((texels, texels, 4), dtype=np.float32)
        self.out[..., :3] = skin
        self.thin, self.low = 3.2 * _VIEW / texels, 1.6 * (1.0 - _LOW) / texels

    def lay(
        self, mask: Floats, colour: Floats, strength: float, rows: slice = _ALL,
            columns: slice = _ALL
    ) -> None:  # fmt: skip
        """Cover a part of the picture as far as the mask (rows, columns) says."""
        part = self.out[rows, columns]
        m = np.clip(mask, 0.0, 1.0) * np.float32(strength)
        a = part[..., 3] + m - part[..., 3] * m
        part[..., :3] += (colour - part[..., :3]) * (m / np.maximum(a, 1e-6))[..., None]
        part[..., 3] = a

    def spot(
        self, x: float, h: float, wide: float, tall: float, colour: Floats, strength: float
    ) -> None:
        """A soft oval around an angle and a height."""
        w, t = max(wide, self.thin), max(tall, self.low)
        columns = slice(*np.searchsorted(self.phi, (x - 1.5 * w, x + 1.5 * w)))
        rows = slice(*np.searchsorted(self.y, (h - 1.5 * t, h + 1.5 * t)))
        d = ((self.phi[columns] - x) / w) ** 2 + (((self.y[rows] - h) / t) ** 2)[:, None]
        fade = min(1.0, wide / self.thin) * min(1.0, tall / self.low)
        self.lay(np.exp(-d * d) * np.float32(fade**0.5), colour, strength, rows, columns)


def paint_face(rng: Rng, f: Face, texels: int) -> Floats:
    """The features of a face as a picture (texels, texels, 4); rows run from chin to crown."""
    canvas = _Canvas(f.skin, texels)
    spot = canvas.spot
    dark = f.hair * np.float32(0.55)
    spot(0.0, 0.36, 0.9, 0.16, f.skin * vec(1.04, 0.88, 0.86), 0.2 * f.cheeks)
    if f.beard != "none":
        _beard(canvas, rng, f)
    for side in (-1.0, 1.0):
        x = side * EYE_ANGLE
        socket = f.skin * vec(0.66, 0.60, 0.60)
        spot(x, EYE + 0.01, 0.30, 0.07, socket, 0.45 + 0.3 * f.makeup)
        spot(x, EYE, 0.17, 0.026 * f.eyes, vec(0.86, 0.85, 0.84), 0.8 * f.eyes)
        spot(x + 0.03, EYE, 0.085, 0.030 * f.eyes + 0.004, vec(0.10, 0.07, 0.05), 0.95)
        spot(x, EYE + 0.026 * f.eyes, 0.19, 0.010, vec(0.07, 0.05, 0.05), 0.6 + 0.4 * f.makeup)
        spot(x * 1.06, BROW, 0.21, 0.016, dark, 0.75)
        spot(side * 0.10, NOSE - 0.012, 0.055, 0.016, f.skin * vec(0.45, 0.36, 0.34), 0.7)
        spot(side * 0.40, 0.27, 0.06, 0.10, f.skin * np.float32(0.72), 0.35 * max(f.smile, 0.1))
    spot(0.0, NOSE - 0.03, 0.17, 0.018, f.skin * np.float32(0.70), 0.4)
    _mouth(canvas, f)
    return canvas.out


def _mouth(canvas: _Canvas, f: Face) -> None:
    rows = slice(*np.searchsorted(canvas.y, (MOUTH - 0.16, MOUTH + 0.16)))
    phi, y = canvas.phi, canvas.y[rows, None] - MOUTH
    bow = 0.05 * f.smile * (phi / 0.36) ** 2
    bare = f.skin * vec(0.80, 0.50, 0.50)
    lip = bare + (vec(0.72, 0.10, 0.14) - bare) * np.float32(f.makeup * 0.8)
    shape = np.exp(-((np.abs(phi) / (0.30 + 0.08 * max(f.smile, 0.0))) ** 4))

    def line(shift: float, tall: float, power: int) -> Floats:
        return np.asarray(shape * np.exp(-(((y - bow - shift) / max(tall, canvas.low)) ** power)))

    canvas.lay(line(0.0, 0.036 + 0.03 * f.mouth, 4), lip, 0.85, rows)
    if f.mouth > 0.0:
        inner = vec(0.92, 0.90, 0.86) if f.smile > 0.2 else vec(0.25, 0.06, 0.06)
        canvas.lay(line(0.006, 0.024 * (0.5 + f.mouth), 4), inner, 0.85, rows)
    else:
        canvas.lay(line(0.0, 0.007, 2), f.skin * vec(0.40, 0.22, 0.22), 0.7, rows)


def _beard(canvas: _Canvas, rng: Rng, f: Face) -> None:
    phi, y = canvas.phi, canvas.y[:, None]
    jaw = smoothstep(0.34, 0.26, y - 0.10 * np.minimum(np.abs(phi) / 1.2, 1.2) ** 2)
    around = smoothstep(0.05, 0.075, np.abs(y - MOUTH) + 0.06 * np.abs(phi))
    lip = np.exp(-(((y - 0.27) / 0.035) ** 2) - (phi / 0.38) ** 4)
    chin = np.exp(-(((y - 0.05) / 0.10) ** 4) - (phi / 0.32) ** 4)
    mask = {"moustache": lip, "goatee": np.maximum(chin, lip)}.get(
        f.beard, np.maximum(jaw * around, lip)
    )
    strength = {"stubble": 0.35, "short": 0.7, "full": 0.92, "long": 0.95}.get(f.beard, 0.82)
    grain = 0.8 + 0.4 * rng.random(mask.shape, dtype=np.float32)
    canvas.lay(mask * grain, f.hair * np.float32(0.9), strength)


def draw_beard(figure: Figure, head: Head, hair: Material) -> None:
    """The beard that stands off the face, labelled as the face."""
    if head.face.beard not in ("full", "long") or figure.detail < 0.3:
        return
    long = 0.5 if head.face.beard == "long" else 0.07
    rings = np.linspace(-0.06, 0.36, 8)
    phi = np.linspace(-1.5, 1.5, figure.sides(16))
    height, angle = np.meshgrid(rings, phi, indexing="ij")
    local = head.local(angle, height, 0.035)
    drop = smoothstep(0.2, -0.06, height) * long * np.exp(-((angle / 0.9) ** 2))
    local[..., 1] -= drop * figure.rng.uniform(0.8, 1.2, drop.shape)
    keep = 0.32 + 0.16 * np.minimum(np.abs(angle) / 1.3, 1.0) ** 2 - height
    hole = ((height - MOUTH) / 0.055) ** 2 + (angle / 0.36) ** 2 - 1.0
    keep = np.minimum(keep, hole * 0.1) + 0.03 * figure.rng.normal(size=keep.shape)
    figure.add(
        head.place(local), labels.FACE, hair, closed=False, both_sides=True, keep=keep,
        across=angle * 0.12, along=height * head.size,
    )  # fmt: skip
