"""What heads wear: hats, helmets, hoods, glasses, goggles and headphones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from c2l.synth import labels, palette
from c2l.synth.arrays import Floats, smoothstep, vec
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.figure import Figure
from c2l.synth.hair import bumps
from c2l.synth.head import EYE, EYE_ANGLE, Head, fan
from c2l.synth.materials import Material, cloth, plain
from c2l.synth.mesh import angles, tube_points

HATS: dict[str, float] = {
    "cap": 3.0, "backwards": 0.6, "beanie": 2.2, "fedora": 1.8, "sunhat": 1.3, "cowboy": 0.6,
    "bucket": 0.9, "helmet": 1.8, "ski": 0.6, "turban": 0.4, "beret": 0.6, "bandana": 0.5,
        "band": 0.5,
    "hood": 0.9, "veil": 0.7, "bowler": 0.4, "fur": 0.4, "top": 0.2, "cone": 0.2,
}  # fmt: skip
GLASSES: dict[str, float] = {
    "dark": 3.0,
    "clear": 2.6,
    "round": 0.8,
    "sport": 0.7,
    "goggles": 0.5,
    "large": 1.0,
}


def _dome(
    figure: Figure, head: Head, material: Material, rim: float, grow: float, tall: float,
    *, label: int = labels.HAT, flat: float = 0.0, rough: float = 0.0, tilt: float = 0.0,
) -> None:  # fmt: skip
    """A cover for the top of the head.

    Args:
        figure: who wears it.
        head: the head.
        material: of the cover.
        rim: height of its lower edge.
        grow: how far it stands off.
        tall: how much higher than the crown it is.
        label: its label.
        flat: 1 for a flat top, as of a top hat.
        rough: unevenness.
        tilt: how much lower its edge is at the back.
    """
    t = np.linspace(0.0, 1.0, figure.rings(10))
    share, phi = np.meshgrid(t, fan(figure.sides(24)), indexing="ij")
    height = rim - tilt * 0.5 * (1.0 - np.cos(phi)) * (1 - share) + share * (1.0 - rim)
    round_ = np.where(share < 1.0, np.minimum(height, 0.86 if flat else 1.0), 1.0)
    local = head.local(phi, round_, grow * (1.0 - 0.4 * share * (1 - flat)))
    if rough:
        local = local * (1.0 + rough * bumps(figure.rng, phi, height, 4))[..., None]
    if flat:
        inward = smoothstep(0.72, 1.0, share)[..., None]
        local[..., [0, 2]] *= 1.0 - inward * 0.98
    local[..., 1] = height + tall * share ** (0.7 if flat else 1.0) + grow * share
    figure.add(
        head.place(local), label, material, both_sides=True, across=phi * 0.12,
        along=height * head.size, crease=0.4,
    )  # fmt: skip


def _brim(
    figure: Figure, head: Head, material: Material, rim: float, wide: float, droop: float,
    curl: float = 0.0,
) -> None:  # fmt: skip
    """A brim around a hat."""
    t = np.linspace(0.0, 1.0, 4)
    share, phi = np.meshgrid(t, fan(figure.sides(26)), indexing="ij")
    base = head.local(phi, np.full_like(phi, rim), 0.04)
    flat = base * (1.0, 0.0, 1.0)
    reach = np.sqrt((flat**2).sum(-1, keepdims=True))
    local = base + flat / reach * (share * wide)[..., None]
    local[..., 1] = rim - droop * share * wide + curl * share * np.abs(np.sin(phi)) ** 3 * wide
    local[..., 1] += 0.03 * share * bumps(figure.rng, phi, share * 0, 3)
    figure.add(head.place(local), labels.HAT, material, both_sides=True, crease=0.3)


def _peak(
    figure: Figure, head: Head, material: Material, rim: float, turn: float, long: float
) -> None:
    """The peak of a cap."""
    t = np.linspace(0.0, 1.0, 4)
    share, angle = np.meshgrid(t, np.linspace(-0.85, 0.85, 9), indexing="ij")
    base = head.local(turn + angle, np.full_like(angle, rim), 0.045)
    out = np.array((np.sin(turn), 0.0, np.cos(turn)))
    reach = share * long * np.sqrt(np.maximum(1.0 - (angle / 0.95) ** 2, 0.0))
    local = base + out * reach[..., None]
    local[..., 1] += -0.22 * reach - 0.06 * share * (angle / 0.85) ** 2
    figure.add(head.place(local), labels.HAT, material, closed=False, both_sides=True, crease=0.1)


def _cap(figure: Figure, head: Head, material: Material, rng: Rng, turn: float = 0.0) -> None:
    rim = between(rng, 0.68, 0.78)
    _dome(figure, head, material, rim, 0.05, between(rng, 0.02, 0.10), tilt=0.14)
    other = plain(palette.cloth(rng)) if chance(rng, 0.3) else material
    _peak(figure, head, other, rim, turn, between(rng, 0.32, 0.46))


def _beanie(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    rim, slouch = between(rng, 0.64, 0.78), between(rng, 0.0, 0.25)
    _dome(figure, head, material, rim, 0.06, 0.05 + slouch, tilt=0.2, rough=0.03)
    if chance(rng, 0.25):
        _ball(figure, head, head.place(np.array((0.0, 1.14 + slouch, -0.05))), 0.11, material)


def _ball(figure: Figure, head: Head, middle: Floats, radius: float, material: Material) -> None:
    axis = head.frame[:, 1] * radius * head.size
    path = np.stack([middle + axis * k for k in (-1.0, -0.7, 0.0, 0.7, 1.0)])
    r = np.array((0.05, 0.7, 1.0, 0.7, 0.05))[:, None] * radius * head.size * np.ones(2)
    figure.add(tube_points(path, r, head.frame[:, 2][None], 7, 8), labels.HAT, material)


def _brimmed(
    wide: tuple[float, float], tall: tuple[float, float], flat: float, droop: tuple[float, float],
    curl: float = 0.0,
) -> Callable[[Figure, Head, Material, Rng], None]:  # fmt: skip
    def draw(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
        rim = between(rng, 0.70, 0.80)
        _dome(figure, head, material, rim, 0.045, between(rng, *tall), flat=flat, rough=0.015)
        _brim(figure, head, material, rim + 0.01, between(rng, *wide), between(rng, *droop), curl)
        if flat or chance(rng, 0.5):  # a ribbon
            band = plain(palette.dark_cloth(rng), gloss=0.2)
            _dome_band(figure, head, band, rim, rim + 0.07, 0.055)

    return draw


def _dome_band(
    figure: Figure,
    head: Head,
    material: Material,
    low: float,
    high: float,
    grow: float,
    label: int = labels.HAT,
) -> None:
    height, phi = np.meshgrid(np.linspace(low, high, 3), fan(figure.sides(20)), indexing="ij")
    local = head.local(phi, np.minimum(height, 0.86), grow)
    local[..., 1] = height
    figure.add(head.place(local), label, material)


def _helmet(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    shell = replace(material, gloss=0.6, folds=0.0)
    rim = between(rng, 0.62, 0.76)
    _dome(
        figure,
        head,
        shell,
        rim,
        between(rng, 0.08, 0.13),
        between(rng, 0.04, 0.1),
        tilt=between(rng, 0.1, 0.35),
    )
    if chance(rng, 0.5):
        _peak(figure, head, shell, rim, 0.0, between(rng, 0.15, 0.35))
    if chance(rng, 0.6):
        _strap(figure, head)


def _strap(figure: Figure, head: Head) -> None:
    phi = np.array((-1.5, -1.35, -0.9, 0.0, 0.9, 1.35, 1.5))
    height = np.array((0.6, 0.35, 0.08, -0.02, 0.08, 0.35, 0.6))
    path = head.place(head.local(phi, height, 0.01))
    r = np.full((7, 2), 0.018 * head.size)
    points = tube_points(path, r, head.frame[:, 1][None], 12, 6)
    figure.add(points, labels.HAT, plain(vec(0.05, 0.05, 0.06)))


def _ski(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    _helmet(figure, head, material, rng)
    draw_glasses(figure, head, "goggles", rng)


def _turban(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    wrap = replace(material, texture="rib", angle=1.57, period=0.25, folds=1.0)
    _dome(figure, head, wrap, 0.68, 0.17, 0.16, tilt=0.3, rough=0.04)


def _beret(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    side = between(rng, -0.12, 0.12)
    t = np.linspace(0.0, 1.0, 7)
    share, phi = np.meshgrid(t, fan(figure.sides(22)), indexing="ij")
    grow = 0.05 + 0.22 * np.sin(share * np.pi) ** 0.7
    local = head.local(phi, np.full_like(phi, 0.78), grow) * (1.0, 0.0, 1.0)
    local *= np.where(share < 1.0, 1.0 - 0.98 * share**3, 0.01)[..., None]
    local[..., 1] = 0.78 + 0.27 * share + local[..., 0] * side
    figure.add(head.place(local), labels.HAT, material, both_sides=True, crease=0.4)


def _bandana(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    _dome(figure, head, material, between(rng, 0.72, 0.8), 0.035, 0.01, tilt=0.35)


def _band(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    low = between(rng, 0.72, 0.8)
    _dome_band(
        figure, head, material, low, low + between(rng, 0.05, 0.12), 0.03 + between(rng, 0.0, 0.06)
    )


def _hood_shape(
    figure: Figure, head: Head, material: Material, label: int, grow: float, opening: float
) -> None:
    """A hood or a veil around the face, down to the shoulders."""
    height, phi = np.meshgrid(
        np.linspace(-0.22, 1.0, figure.rings(14)), fan(figure.sides(26)), indexing="ij"
    )
    spread = grow + 0.16 * smoothstep(0.15, -0.25, height)
    local = head.local(phi, np.maximum(height, 0.03), spread)
    local[..., 1] = height + np.maximum(grow, 0.0) * smoothstep(0.7, 1.0, height)
    local[..., 2] -= 0.06 * smoothstep(0.25, -0.2, height)
    local *= (1.0 + 0.02 * bumps(figure.rng, phi, height, 4))[..., None]
    inside = 1.0 - (phi / opening) ** 2 - ((height - 0.44) / (0.44 + 0.1 * opening)) ** 2
    figure.add(
        head.place(local), label, material, both_sides=True, keep=-inside,
        across=phi * 0.14, along=height * head.size,
    )  # fmt: skip


def _hood(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    _hood_shape(
        figure, head, material, labels.UPPER, between(rng, 0.07, 0.14), between(rng, 0.75, 1.1)
    )


def _veil(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    _hood_shape(
        figure, head, material, labels.SCARF, between(rng, 0.04, 0.08), between(rng, 0.7, 0.95)
    )


def _cone(figure: Figure, head: Head, material: Material, rng: Rng) -> None:
    t = np.linspace(0.0, 1.0, 6)
    share, phi = np.meshgrid(t, angles(figure.sides(16)), indexing="ij")
    local = head.local(phi, np.full_like(phi, 0.84), 0.03) * (1.0 - 0.97 * share)[..., None]
    local[..., 1] = 0.84 + between(rng, 0.4, 0.9) * share
    figure.add(head.place(local), labels.HAT, material)


_DRAW: dict[str, Callable[[Figure, Head, Material, Rng], None]] = {
    "cap": _cap,
    "backwards": lambda f, h, m, r: _cap(f, h, m, r, np.pi),
    "beanie": _beanie,
    "fedora": _brimmed((0.22, 0.36), (0.10, 0.22), 0.5, (-0.1, 0.3)),
    "sunhat": _brimmed((0.45, 0.95), (0.04, 0.14), 0.0, (0.1, 0.5)),
    "cowboy": _brimmed((0.36, 0.5), (0.14, 0.25), 0.6, (-0.1, 0.1), 0.8),
    "bucket": _brimmed((0.18, 0.28), (0.03, 0.10), 0.5, (0.7, 1.1)),
    "bowler": _brimmed((0.15, 0.22), (0.08, 0.16), 0.0, (-0.3, 0.0)),
    "top": _brimmed((0.2, 0.26), (0.5, 0.8), 1.0, (0.0, 0.1)),
    "helmet": _helmet,
    "ski": _ski,
    "turban": _turban,
    "beret": _beret,
    "bandana": _bandana,
    "band": _band,
    "hood": _hood,
    "veil": _veil,
    "fur": lambda f, h, m, r: _dome(
        f, h, replace(m, texture="fur"), 0.62, 0.15, 0.12, tilt=0.3, rough=0.04
    ),
    "cone": _cone,
}
# What leaves nothing of the hair on the skull to be seen, or presses it flat.
COVERING = frozenset(HATS) - {"band", "bandana", "cone"}


def sample_hat_cloth(rng: Rng, hat: str) -> Material:
    """What a hat is made of."""
    if hat in ("beanie", "band"):
        return cloth(
            rng, texture=pick(rng, {"knit": 3, "rib": 2, "cable": 1, "bars": 1, "plain": 1})
        )
    if hat in ("sunhat", "fedora", "cowboy"):
        straw = chance(rng, 0.4)
        colour = palette.jitter(rng, (0.80, 0.68, 0.46), 0.08) if straw else palette.cloth(rng)
        return plain(colour, texture="mesh" if straw else "plain", period=0.1, soft=0.2)
    return cloth(rng, plain=0.7, folds=(0.1, 0.5))


def draw_hat(figure: Figure, head: Head, hat: str, material: Material) -> None:
    """One of `HATS`."""
    _DRAW[hat](figure, head, material, figure.rng)


def draw_glasses(figure: Figure, head: Head, kind: str, rng: Rng) -> None:
    """One of `GLASSES`; glasses that one sees through carry the label as well."""
    lens, wide, tall, low = _lens(head, kind, rng)
    frame = plain(palette.leather(rng) if chance(rng, 0.4) else vec(0.05, 0.05, 0.06), gloss=0.4)
    if kind == "goggles":
        _visor(figure, head, lens)
        return
    turn = np.linspace(0.0, 2.0 * np.pi, figure.sides(12) + 1)
    t = np.array((0.0, 0.5, 0.8, 0.82, 1.0))
    share, a = np.meshgrid(t, turn, indexing="ij")
    power = 0.8 if kind in ("dark", "clear", "large") else 1.0
    for side in (-1.0, 1.0):
        phi = side * EYE_ANGLE + wide * share * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** power
        y = low + tall * share * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** power
        points = head.place(head.local(phi, y, 0.045 + 0.01 * (share < 0.9)))
        figure.add(points[:3], labels.SUNGLASSES, lens, closed=False, both_sides=True)
        figure.add(points[2:], labels.SUNGLASSES, frame, closed=False, both_sides=True)
    _temples(figure, head, frame, wide, low)


def _lens(head: Head, kind: str, rng: Rng) -> tuple[Material, float, float, float]:
    """Material of a lens, its half width in radians, half height and middle in head heights."""
    wide = {"large": 0.40, "round": 0.27, "sport": 0.40}.get(kind, between(rng, 0.30, 0.37))
    tall = {"large": 0.115, "round": 0.10, "sport": 0.06}.get(kind, between(rng, 0.06, 0.095))
    if kind == "clear" or (kind == "round" and chance(rng, 0.5)):
        tint = head.face.skin * np.float32(rng.uniform(0.6, 1.05)) + np.float32(0.04)
        eye = vec(0.25, 0.2, 0.18)
        return plain(tint, second=eye, gloss=0.9), wide, tall, EYE - 0.01
    colour = (
        palette.cloth(rng)
        if chance(rng, 0.15)
        else vec(0.03, 0.03, 0.04) + np.float32(rng.random() * 0.1)
    )
    return plain(colour, gloss=rng.uniform(0.3, 1.0)), wide, tall, EYE - 0.01


def _temples(figure: Figure, head: Head, frame: Material, wide: float, low: float) -> None:
    phi = np.array((-1.65, -1.2, -EYE_ANGLE - wide, -EYE_ANGLE + wide, 0.0))
    phi = np.concatenate([phi, -phi[-2::-1]])
    y = low + np.array((0.02, 0.025, 0.03, 0.03, 0.035, 0.03, 0.03, 0.025, 0.02))
    path = head.place(
        head.local(phi, y, np.array((0.02, 0.03, 0.045, 0.05, 0.10, 0.05, 0.045, 0.03, 0.02)))
    )
    r = np.full((9, 2), 0.012 * head.size)
    figure.add(tube_points(path, r, head.frame[:, 1][None], 17, 6), labels.SUNGLASSES, frame)


def _visor(figure: Figure, head: Head, lens: Material) -> None:
    y, phi = np.meshgrid(np.linspace(0.38, 0.62, 5), np.linspace(-1.0, 1.0, 13), indexing="ij")
    out = 0.10 * np.cos(phi * 1.2)
    points = head.place(head.local(phi, y, 0.03 + np.maximum(out, 0.0)))
    figure.add(points, labels.SUNGLASSES, lens, closed=False, both_sides=True)
    _dome_band(figure, head, plain(vec(0.1, 0.1, 0.12)), 0.46, 0.56, 0.03, labels.SUNGLASSES)


def draw_headphones(figure: Figure, head: Head, material: Material) -> None:
    """Headphones, which carry no label."""
    for side in (-1.0, 1.0):
        middle = head.place(head.local(np.array(side * 1.65), np.array(0.47), 0.04))
        axis = head.frame[:, 0] * side * 0.07 * head.size
        path = np.stack([middle - axis, middle, middle + axis])
        r = np.array((0.13, 0.14, 0.09))[:, None] * head.size * np.ones(2)
        figure.add(tube_points(path, r, head.frame[:, 1][None], 5, 10), labels.BACKGROUND, material)
    phi = np.array((-1.6, -1.6, -1.6, 0.0, 1.6, 1.6, 1.6))
    y = np.array((0.5, 0.7, 0.9, 0.995, 0.9, 0.7, 0.5))
    path = head.place(head.local(phi, y, 0.08))
    r = np.full((7, 2), 0.03 * head.size)
    figure.add(tube_points(path, r, head.frame[:, 2][None], 12, 6), labels.BACKGROUND, material)
