"""A place being painted: planes in perspective and flat shapes, each with its own texture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from c2l.synth import palette
from c2l.synth.arrays import Floats
from c2l.synth.camera import Camera
from c2l.synth.chance import Rng, between, chance, log_between, one_of
from c2l.synth.materials import Material
from c2l.synth.palette import Colour
from c2l.synth.shading import Surfaces

MOST = 250  # materials of a place

Point = tuple[float, float]


class Board:
    """A place without people, as the camera sees it.

    Shapes are drawn in pixels from the picture's upper left corner; planes are given in metres.

    Args:
        rng: source of choices.
        width: of the picture in pixels.
        height: of the picture in pixels.
        camera: the camera.
        worn: colours that the people wear, which the place may share.
        share: probability that a colour is one of them.
    """

    def __init__(
        self,
        rng: Rng,
        width: int,
        height: int,
        camera: Camera,
        worn: Sequence[Colour],
        share: float,
    ) -> None:
        self.rng, self.width, self.height, self.camera = rng, width, height, camera
        self._worn, self._share = worn, share
        self.xs = np.arange(width, dtype=np.float32)[None, :]
        self.ys = np.arange(height, dtype=np.float32)[:, None]
        self.rays = camera.rays(self.xs, self.ys)
        self.horizon = camera.horizon()
        self.number = np.zeros((height, width), dtype=np.int32)
        self.u = np.broadcast_to(self.xs, (height, width)) * np.float32(1.0 / width)
        self.v = np.broadcast_to(self.ys, (height, width)) * np.float32(-1.0 / width)
        self.reach = np.full((height, width), np.inf, dtype=np.float32)  # along the ray
        self.solid = np.zeros((height, width), dtype=bool)  # planes that shadows fall on
        self.materials: list[Material] = []
        self.pixels: list[float] = []
        self._scales: list[float] = []
        self._slopes: list[tuple[float, float]] = []
        self._image = Image.new("L", (width, height))
        self._pen = ImageDraw.Draw(self._image)
        self._drawn = False

    # Colours and materials

    def colour(self, kind: str = "wall") -> Colour:
        """A colour of the palette's `kind`, or one that the people wear."""
        if self._worn and chance(self.rng, self._share):
            colour = self._worn[int(self.rng.integers(len(self._worn)))]
            shifted = np.clip(colour * np.float32(self.rng.uniform(0.75, 1.25)), 0.0, 1.0)
            return np.asarray(shifted, dtype=np.float32)
        return np.asarray(getattr(palette, kind)(self.rng))

    def material(
        self, texture: str | Sequence[str], period: tuple[float, float] = (0.5, 2.0), *,
        colour: Colour | None = None, vary: float = 0.5, kind: str = "wall", glow: float = 0.0,
    ) -> Material:  # fmt: skip
        """A material of a place.

        Args:
            texture: its name, or several to choose from.
            period: range of metres that its period covers.
            colour: its main colour; a random one of `kind` without it.
            vary: how far the second colour may differ from the main one; 1 for any colour.
            kind: of colour, see `palette`.
            glow: share of its colour that shines in the dark.
        """
        rng = self.rng
        main = self.colour(kind) if colour is None else colour
        other = self.colour(kind)
        second = np.clip(main + (other - main) * np.float32(vary), 0, 1).astype(np.float32)
        name = texture if isinstance(texture, str) else one_of(rng, texture)
        return Material(
            main, second, self.colour(kind), texture=name, period=log_between(rng, *period),
            offset=(rng.random(), rng.random()), glow=glow,
        )  # fmt: skip

    def _add(
        self, material: Material, pixel: float, scale: float = 0.0, slope: Point | None = None
    ) -> int:
        if len(self.materials) >= MOST:
            return MOST - 1
        self.materials.append(material)
        self.pixels.append(pixel)
        self._scales.append(scale)
        self._slopes.append(slope or (0.0, 0.0))
        return len(self.materials) - 1

    def gradient(self, strength: float) -> Point:
        """A random slope of brightness across and down."""
        return float(self.rng.normal(0.0, strength)), float(self.rng.normal(0.0, strength))

    # Planes

    def backdrop(self, material: Material, metres: float = 4.0, slope: float = 0.3) -> None:
        """What is seen where nothing else is; `metres` is the width of the picture there."""
        number = self._add(material, metres / self.width, 0.0, self.gradient(slope))
        self.number[:] = number
        self.u *= np.float32(metres)
        self.v *= np.float32(metres)

    def plane(
        self, axis: int, at: float, material: Material, *, low: float = -np.inf,
            high: float = np.inf,
        along: tuple[float, float] = (-np.inf, np.inf), slope: float = 0.1, bands: bool = False,
    ) -> None:  # fmt: skip
        """A plane across an axis of space, where it is nearer than what is there.

        Args:
            axis: 0 for a wall at the side, 1 for a floor or a ceiling, 2 for a wall behind.
            at: its coordinate.
            material: of the plane.
            low: its lowest height.
            high: its greatest height.
            along: range of z of a wall at the side, of x of a wall behind.
            slope: see `gradient`.
            bands: whether far parts take coarser texels, as floors need.
        """
        start, ray = self.camera.place, self.rays
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (np.float32(at - start[axis])) / ray[..., axis]
        hit = np.isfinite(t) & (t > 0.05) & (t < self.reach) & (t < 400.0)
        first, second = [(2, 1), (0, 2), (0, 1)][axis]
        u = np.float32(start[first]) + t * ray[..., first]
        v = np.float32(start[second]) + t * ray[..., second]
        if axis != 1:
            hit &= (v >= low) & (v <= high) & (u >= along[0]) & (u <= along[1])
        if not hit.any():
            return
        self.u[hit], self.v[hit], self.reach[hit] = u[hit], v[hit], t[hit]
        self.solid |= hit
        gradient = self.gradient(slope)
        per = 1.0 / self.camera.zoom  # metres that a pixel covers at a distance of 1
        edges = (0.0, 5.0, 18.0, 400.0) if bands else (0.0, 400.0)
        for near, far in itertools.pairwise(edges):
            part = hit & (t >= near) & (t < far)
            if part.any():
                steep = 2.5 if bands else 1.0
                middle = float(np.median(t[part]))
                self.number[part] = self._add(material, per * middle * steep, 0.0, gradient)

    def floor(self, material: Material, height: float = 0.0) -> None:
        """The ground."""
        self.plane(1, height, material, bands=True)

    # Shapes

    def _ink(self, material: Material, metre: float, slope: float) -> int:
        self._drawn = True
        # Number 0 is the backdrop, which no shape takes.
        return max(self._add(material, 1.0 / metre, 1.0 / metre, self.gradient(slope)), 1)

    def polygon(
        self, points: Sequence[Point], material: Material, metre: float, slope: float = 0.15
    ) -> None:
        """A polygon; `metre` is how many pixels one is there."""
        if len(points) > 2:
            self._pen.polygon(list(points), fill=self._ink(material, metre, slope))

    def box(
        self, x0: float, y0: float, x1: float, y1: float, material: Material, metre: float
    ) -> None:
        """A rectangle."""
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        self._pen.rectangle(box, fill=self._ink(material, metre, 0.15))

    def oval(
        self, x: float, y: float, rx: float, ry: float, material: Material, metre: float
    ) -> None:
        """An ellipse around (x, y)."""
        self._pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=self._ink(material, metre, 0.15))

    def line(self, points: Sequence[Point], material: Material, metre: float, thick: float) -> None:
        """A line `thick` pixels wide."""
        fill = self._ink(material, metre, 0.1)
        self._pen.line(list(points), fill=fill, width=max(1, round(thick)), joint="curve")

    def blob(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        material: Material,
        metre: float,
        rough: float = 0.3,
    ) -> None:
        """A round shape with an uneven outline: a bush, a cloud, a heap."""
        a = np.linspace(0.0, 2.0 * np.pi, 22, endpoint=False)
        r = 1.0 + rough * self.rng.uniform(-1.0, 1.0, a.shape)
        self.polygon(
            list(zip(x + rx * r * np.cos(a), y + ry * r * np.sin(a), strict=True)), material, metre
        )

    def spot(self, x: float, y: float, z: float) -> tuple[Point, float]:
        """Where a point of space is seen, and pixels per metre there (0 when it is not seen)."""
        px, py, depth = self.camera.project(np.array(((x, y, z),)), 1)[0]
        return (float(px), float(py)), max(-float(depth), 0.0) * self.camera.zoom

    def panel(
        self, x: float, y: float, z: float, wide: float, tall: float, material: Material
    ) -> None:
        """An upright rectangle in space that faces the viewer, its lower edge around (x, y, z)."""
        (px, py), metre = self.spot(x, y, z)
        if metre > 0:
            self.box(
                px - wide * metre / 2, py - tall * metre, px + wide * metre / 2, py, material, metre
            )

    # The picture

    def finish(self) -> Floats:
        """Colours (H, W, 3) float32 of the place, not yet lit."""
        number = self.number
        u, v = self.u, self.v
        if self._drawn:
            shapes = np.asarray(self._image).astype(np.int32)
            on = shapes > 0
            scales = np.array(self._scales, dtype=np.float32)[shapes]
            number = np.where(on, shapes, number)
            u = np.where(on, self.xs * scales, u)
            v = np.where(on, -self.ys * scales, v)
            self.solid &= ~on
            self.number = number
        surfaces = Surfaces(self.materials, self.pixels)
        flat = number.ravel()
        colour = surfaces.albedo(flat, u.ravel().astype(np.float32), v.ravel().astype(np.float32))
        slopes = np.array(self._slopes, dtype=np.float32)[number]
        light = (
            1.0
            + slopes[..., 0] * (self.xs / self.width - 0.5)
            + slopes[..., 1] * (self.ys / self.height - 0.5)
        )
        out = colour.reshape(self.height, self.width, 3) * np.clip(light, 0.3, 1.8)[..., None]
        self.glow = surfaces.glow[number]
        return np.asarray(np.clip(out, 0.0, 1.0), dtype=np.float32)


def darker(material: Material, factor: float) -> Material:
    """The same material in shade."""
    f = np.float32(factor)
    return replace(
        material, colour=material.colour * f, second=material.second * f, third=material.third * f
    )


def near_of(board: Board, low: float, high: float) -> float:
    """A random z behind the people, `low` to `high` metres from them."""
    return -between(board.rng, low, high)
