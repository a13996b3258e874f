"""Hair: shells that grow out of the skull, and what hangs down from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from c2l.synth import labels
from c2l.synth.arrays import Floats, smoothstep, unit
from c2l.synth.chance import Rng, between, chance, pick
from c2l.synth.figure import Figure
from c2l.synth.head import Head, fan
from c2l.synth.materials import Material
from c2l.synth.mesh import tube_points
from c2l.synth.palette import Colour

DOWN = np.array((0.0, -1.0, 0.0))


@dataclass(frozen=True)
class Style:
    """How hair is worn.

    Args:
        often: weights for women, men and children.
        puff: range of how far it stands off the skull, in head heights.
        line: range of its height over the forehead.
        nape: range of its height at the back.
        side: range of its height before the ears.
        rough: how uneven its surface is.
        hang: range of the length of what hangs down, in head heights.
        shape: what hangs: curtain, tail, bun, tails, braid, buns, locks, or nothing.
        curly: whether it curls.
    """

    often: tuple[float, float, float]
    puff: tuple[float, float] = (0.03, 0.09)
    line: tuple[float, float] = (0.76, 0.86)
    nape: tuple[float, float] = (0.02, 0.16)
    side: tuple[float, float] = (0.36, 0.5)
    rough: float = 0.012
    hang: tuple[float, float] = (0.0, 0.0)
    shape: str = ""
    curly: bool = False


STYLES: dict[str, Style] = {
    "bald": Style((0.1, 1.0, 0.2)),
    "shaved": Style((0.15, 1.6, 0.4), (0.005, 0.015), rough=0.003, nape=(0.1, 0.2)),
    "crown": Style((0.05, 0.9, 0.0), (0.02, 0.05), (1.05, 1.1), nape=(0.05, 0.15)),
    "receding": Style((0.1, 1.0, 0.0), (0.02, 0.06), (0.88, 0.96)),
    "crop": Style((0.6, 3.0, 1.8), (0.02, 0.06), (0.76, 0.86), (0.1, 0.2)),
    "quiff": Style((0.2, 2.0, 0.5), (0.06, 0.13), (0.80, 0.90), (0.1, 0.2), rough=0.02),
    "fringe": Style((0.5, 0.6, 1.5), (0.05, 0.10), (0.58, 0.68), (0.02, 0.15), (0.3, 0.45)),
    "tousled": Style((0.5, 1.4, 1.0), (0.07, 0.15), (0.66, 0.84), (0.0, 0.12), rough=0.05),
    "curls": Style((0.7, 0.9, 0.7), (0.10, 0.22), (0.72, 0.86), (-0.1, 0.1), rough=0.05,
        curly=True),
    "afro": Style((0.7, 0.5, 0.5), (0.22, 0.50), (0.72, 0.84), (0.0, 0.15), rough=0.05, curly=True),
    "bob": Style((2.2, 0.2, 1.0), (0.07, 0.13), (0.62, 0.86), hang=(0.0, 0.3), shape="curtain"),
    "shoulder": Style((2.5, 0.3, 1.0), (0.06, 0.12), (0.64, 0.88), hang=(0.3, 0.6),
        shape="curtain"),
    "long": Style((3.6, 0.3, 1.2), (0.05, 0.11), (0.66, 0.88), hang=(0.6, 1.5), shape="curtain"),
    "waves": Style((2.0, 0.2, 0.5), (0.09, 0.17), (0.66, 0.88), rough=0.04, hang=(0.3, 1.2),
                   shape="curtain", curly=True),
    "tail": Style((1.8, 0.2, 1.0), (0.02, 0.05), (0.76, 0.88), hang=(0.6, 1.5), shape="tail"),
    "bun": Style((1.5, 0.3, 0.3), (0.02, 0.06), (0.76, 0.88), (0.08, 0.16), shape="bun"),
    "tails": Style((0.4, 0.0, 1.0), (0.02, 0.05), (0.70, 0.88), hang=(0.4, 1.0), shape="tails"),
    "braids": Style((0.4, 0.05, 0.4), (0.02, 0.05), (0.76, 0.88), hang=(0.7, 1.4), shape="braid"),
    "locks": Style((0.3, 0.4, 0.1), (0.04, 0.08), (0.76, 0.88), hang=(0.3, 1.0), shape="locks"),
}  # fmt: skip


@dataclass(frozen=True)
class Hair:
    """The hair of one person."""

    style: str
    material: Material
    puff: float
    line: float
    nape: float
    side: float
    hang: float
    part: float  # where it is parted, in radians
    width: float  # how far a curtain reaches to the front, 0 to 1


def sample_hair(rng: Rng, colour: Colour, *, group: int, old: float) -> Hair:
    """Random hair; `group` is 0 for women, 1 for men, 2 for children."""
    weights = {name: style.often[group] for name, style in STYLES.items()}
    if old and group == 1:
        weights["bald"] *= 3.0
        weights["crown"] *= 4.0
        weights["receding"] *= 2.0
    name = pick(rng, weights)
    style = STYLES[name]
    second = np.clip(colour * np.float32(rng.uniform(1.15, 1.9)) + 0.02, 0.0, 1.0)
    if chance(rng, 0.12):  # dyed ends or streaks
        second = np.clip(colour + np.float32(rng.uniform(0.15, 0.4)), 0.0, 1.0)
    curly = style.curly or chance(rng, 0.1)
    material = Material(
        colour, second.astype(np.float32), second.astype(np.float32),
        texture="curls" if curly else "strands", period=between(rng, 0.16, 0.3),
        offset=(rng.random(), rng.random()), gloss=0.0 if curly else rng.uniform(0.0, 0.45),
        soft=0.35,
    )  # fmt: skip
    return Hair(
        name, material, between(rng, *style.puff), between(rng, *style.line),
        between(rng, *style.nape), between(rng, *style.side), between(rng, *style.hang),
        float(rng.normal(0.0, 0.4)), rng.random(),
    )  # fmt: skip


def bumps(rng: Rng, angle: Floats, height: Floats, waves: int) -> Floats:
    """Smooth random waves (rings, sides) over a head, about -1 to 1."""
    total = np.zeros(np.broadcast_shapes(angle.shape, height.shape))
    for _ in range(4):
        k, m = int(rng.integers(1, waves + 1)), rng.uniform(2.0, 3.0 * waves)
        total += np.sin(k * angle + m * height + rng.random() * 6.28)
    return total / 2.0


def draw_hair(figure: Figure, head: Head, hair: Hair, *, flat: bool = False) -> None:
    """All hair of a head; `flat` presses it to the skull, as under a hat."""
    if hair.style == "bald":
        return
    style = STYLES[hair.style]
    puff = min(hair.puff, 0.025) if flat else hair.puff
    _shell(figure, head, hair, replace(style, rough=0.004) if flat else style, puff)
    draw = _HANGING.get(style.shape)
    if draw is not None:
        draw(figure, head, hair, puff)


def _shell(figure: Figure, head: Head, hair: Hair, style: Style, puff: float) -> None:
    rings = np.linspace(min(hair.nape, 0.3) - 0.04, 1.0, figure.rings(15))
    rings[-4:] = np.linspace(rings[-5], 1.0, 5)[1:]
    height, phi = np.meshgrid(rings, fan(figure.sides(26)), indexing="ij")
    a = np.abs(phi)
    shifted = a + hair.part * 0.25 * np.sign(phi) * (a < 1.0)
    line = np.interp(
        shifted, (0.0, 0.45, 0.85, 1.1, 1.42, 1.62, 1.8, 2.3, np.pi),
        (hair.line, hair.line + 0.01, hair.line - 0.07, 0.66, hair.side, hair.side, 0.5,
            hair.nape, hair.nape),
    )  # fmt: skip
    if style.line[0] > 0.95:  # a bare crown, hair around it
        line = np.where(a < 1.2, 1.2, line)
    wave = bumps(figure.rng, phi, height, 6)
    keep = height - line + 0.012 * wave + 0.012 * figure.rng.normal(size=line.shape)
    if style.line[0] > 0.95:
        keep = np.minimum(keep, 0.84 + 0.02 * wave - height)
    top = 1.0 + 0.5 * smoothstep(0.6, 0.95, height) * (hair.style == "quiff") * (puff > 0.03) * (
        a < 1.2
    )
    edge = smoothstep(-0.02, 0.12, keep)
    grow = 0.012 + puff * top * (0.35 + 0.65 * edge) + style.rough * wave
    points = head.place(head.local(phi, height, grow))
    figure.add(
        points, labels.HAIR, hair.material, keep=keep,
        across=phi * 0.12, along=height * head.size,
    )  # fmt: skip


def _fall(head: Head) -> Floats:
    """Where hair falls: down, and a little along the head."""
    return unit(DOWN - 0.45 * head.frame[:, 1])


def _curtain(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    """Hair that hangs from the sides and the back of the head."""
    rng = figure.rng
    reach = np.pi - (0.95 + 0.5 * (1.0 - hair.width))
    theta = np.linspace(-reach, reach, figure.sides(24))
    t = np.linspace(0.0, 1.0, figure.rings(14))
    share, angle = np.meshgrid(t, np.pi + theta, indexing="ij")
    tall = 0.75 + hair.hang
    drop = share * tall  # head heights below the start
    height = 0.72 - drop
    on_head = np.maximum(height, 0.08)
    wave = bumps(rng, angle, share * 1.5, 5)
    grow = puff * 0.9 + 0.02 + 0.02 * wave + 0.05 * smoothstep(0.3, 1.0, drop)
    local = head.local(angle, on_head, grow)
    widen = 1.0 + 0.16 * smoothstep(0.5, 1.4, drop) - 0.3 * smoothstep(0.8, 2.2, drop)
    local[..., 0] *= np.where(
        height < 0.08, widen * 1.25, 1.0 + 0.12 * smoothstep(0.45, 0.1, height)
    )
    points = head.place(local)
    # Hair that lies on the front of the shoulders hangs nearer to the viewer than the chest.
    out = figure.body.chest_frame[:, 2] * head.size
    forward = smoothstep(0.35, 0.95, np.abs(theta) / np.pi)[None, :]
    below = np.maximum(0.08 - height, 0.0)
    points = points + below[..., None] * head.size * _fall(head)
    points = points + (below * (1.5 * forward - 0.25) * 0.35)[..., None] * out
    ends = 0.14 * bumps(rng, angle, share * 0.0, 7) + 0.07 * rng.normal(size=angle.shape[1])
    keep = 0.92 + ends - share
    figure.add(
        points, labels.HAIR, hair.material, closed=False, both_sides=True, keep=keep,
        across=angle * 0.12, along=-drop * head.size,
    )  # fmt: skip


def _tail_from(
    figure: Figure, head: Head, hair: Hair, root: Floats, out: Floats, thick: float, bump: bool
) -> None:
    """A bundle of hair from a point of the head (3,), first outwards, then down."""
    size = head.size
    start, away = head.place(root), head.frame @ out
    long = max(hair.hang, 0.4) * size
    fall = _fall(head)
    sway = figure.rng.normal(size=3) * 0.05 * size
    path = np.stack([
        start, start + away * 0.14 * size, start + away * 0.2 * size + fall * 0.35 * long,
        start + away * 0.17 * size + fall * 0.75 * long + sway,
            start + away * 0.12 * size + fall * long + sway,
    ])  # fmt: skip
    r = np.array((0.5, 1.0, 1.1, 0.85, 0.15))[:, None] * thick * size * np.ones(2)
    rings, sides = figure.rings(12), figure.sides(8)
    factor = None
    if bump:
        factor = 1.0 + 0.22 * np.sin(np.linspace(0, 9 * np.pi, rings))[:, None] * np.ones(sides)
    points = tube_points(path, r, head.frame[:, 2][None], rings, sides, bump=factor)
    figure.add(points, labels.HAIR, hair.material)


def _tail(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    high = between(figure.rng, 0.45, 0.9)
    _tail_from(
        figure,
        head,
        hair,
        head.local(np.array(np.pi), np.array(high)),
        np.array((0, 0.2, -1.0)),
        0.11,
        False,
    )


def _tails(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    high = between(figure.rng, 0.35, 0.75)
    for side in (-1.0, 1.0):
        root = head.local(np.array(side * 1.9), np.array(high))
        _tail_from(figure, head, hair, root, np.array((side, 0.1, -0.2)), 0.08, False)


def _braids(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    sides = (-1.0, 1.0) if chance(figure.rng, 0.5) else (1.0,)
    for side in sides:
        angle = side * (2.1 if len(sides) == 2 else np.pi)
        root = head.local(np.array(angle), np.array(0.2))
        out = np.array((side * 0.6, -0.3, 0.5)) if len(sides) == 2 else np.array((0.0, -0.2, -0.8))
        _tail_from(figure, head, hair, root, out, 0.06, True)


def _bun(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    high, big = between(figure.rng, 0.35, 1.0), between(figure.rng, 0.11, 0.2)
    root = head.local(np.array(np.pi), np.array(min(high, 0.98)), 0.02)
    centre = head.place(root + np.array((0.0, 0.6 * big * (high > 0.8), -0.6 * big)))
    axis = head.frame[:, 1] * big * head.size
    path = np.stack([centre + axis * k for k in (-1.0, -0.75, 0.0, 0.75, 1.0)])
    r = np.array((0.05, 0.65, 1.0, 0.65, 0.05))[:, None] * big * head.size * np.ones(2)
    points = tube_points(path, r, head.frame[:, 2][None], figure.rings(8), figure.sides(10))
    figure.add(points, labels.HAIR, hair.material)


def _locks(figure: Figure, head: Head, hair: Hair, puff: float) -> None:
    rng, size = figure.rng, head.size
    count = 12 if figure.detail > 0.6 else 7
    angle = np.linspace(1.2, 2 * np.pi - 1.2, count) + rng.normal(0.0, 0.08, count)
    start = head.place(head.local(angle, np.full(count, 0.62), puff))
    low = head.place(head.local(angle, np.full(count, 0.15), puff * 1.6))
    long = (max(hair.hang, 0.3) * rng.uniform(0.7, 1.2, count) * size)[:, None]
    end = low + _fall(head) * long + rng.normal(0.0, 0.03 * size, (count, 3))
    path = np.stack([start, low, (low + end) / 2, end], axis=1)
    r = np.array((0.035, 0.045, 0.042, 0.02))[:, None] * size * np.ones(2)
    for lock in tube_points(path, r, head.frame[:, 2][None, None], 8, 6):
        figure.add(lock, labels.HAIR, hair.material)


_HANGING: dict[str, Callable[[Figure, Head, Hair, float], None]] = {
    "curtain": _curtain, "tail": _tail, "tails": _tails, "braid": _braids, "bun": _bun,
    "locks": _locks,
}  # fmt: skip
