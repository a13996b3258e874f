"""A surface that places are drawn on: flat shapes first, then noise and floors in perspective."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from c2l.synth import palette
from c2l.synth.noise import Floats, sample, vec
from c2l.synth.streams import pick

SCALE = 2  # places are drawn this much larger than the picture, then reduced


class Board:
    """A picture being drawn; coordinates are shares of its width and of its height."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.rng = rng
        self.width, self.height = width * SCALE, height * SCALE
        self.image = Image.new("RGB", (self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)
        ys = np.arange(self.height, dtype=np.float32) / self.height
        xs = np.arange(self.width, dtype=np.float32) / self.width
        self.ys, self.xs = ys[:, None], xs[None, :]
        self.offset = (rng.random(), rng.random())

    def polygon(self, points: Sequence[tuple[float, float]], colour: Floats) -> None:
        """A filled polygon."""
        w, h = self.width, self.height
        self.draw.polygon([(x * w, y * h) for x, y in points], fill=_ink(colour))

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Floats) -> None:
        """A filled rectangle."""
        w, h = self.width, self.height
        box = (min(x0, x1) * w, min(y0, y1) * h, max(x0, x1) * w, max(y0, y1) * h)
        self.draw.rectangle(box, fill=_ink(colour))

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Floats) -> None:
        """A filled ellipse around (x, y); both radii are shares of the width."""
        w, cy = self.width, y * self.height
        self.draw.ellipse(((x - rx) * w, cy - ry * w, (x + rx) * w, cy + ry * w), fill=_ink(colour))

    def line(self, points: Sequence[tuple[float, float]], colour: Floats, thick: float) -> None:
        """A line whose thickness is a share of the width."""
        w, h = self.width, self.height
        spots = [(x * w, y * h) for x, y in points]
        self.draw.line(spots, fill=_ink(colour), width=max(1, round(thick * w)), joint="curve")

    def rows(self, y0: float, y1: float) -> tuple[int, int]:
        """First row and row after the last between two heights, inside the picture."""
        first = min(max(int(y0 * self.height), 0), self.height)
        return first, min(max(int(y1 * self.height), first), self.height)

    def grid(self, y0: float, y1: float) -> tuple[Floats, Floats]:
        """The y (n, 1) of the rows between two heights and all x (1, W) coordinates."""
        first, last = self.rows(y0, y1)
        return self.ys[first:last], self.xs

    def field(self, name: str, scale: float, ys: Floats, xs: Floats, squash: float = 1.0) -> Floats:
        """Noise over the picture; `scale` periods a width, `squash` times as many downward."""
        a = ys * np.float32(1.5 * scale * squash) + self.offset[0]
        return sample(name, a, xs * np.float32(scale) + self.offset[1])

    def band(self, y0: float, colours: Floats) -> None:
        """Paste rows of colours (n, W, 3) in 0 to 1 from height `y0` down."""
        if colours.size == 0:
            return
        eight = np.clip(colours * 255.0 + 0.5, 0, 255).astype(np.uint8)
        self.image.paste(Image.fromarray(eight), (0, self.rows(y0, 1.0)[0]))

    def modulate(self, y0: float, y1: float, factor: Floats) -> None:
        """Multiply the rows between two heights by factors that broadcast to (n, W)."""
        first, last = self.rows(y0, y1)
        if last > first:
            self.band(y0, self.read(y0, y1) * factor[..., None])

    def read(self, y0: float, y1: float) -> Floats:
        """The colours (n, W, 3) in 0 to 1 of the rows between two heights."""
        first, last = self.rows(y0, y1)
        rows = self.image.crop((0, first, self.width, last))
        return np.asarray(rows, dtype=np.float32) / np.float32(255.0)

    def finish(self) -> Floats:
        """The picture (H, W, 3) float32 in 0 to 1, reduced to its final size."""
        return np.asarray(self.image.reduce(SCALE), dtype=np.float32) / np.float32(255.0)


def _ink(colour: Floats) -> tuple[int, int, int]:
    r, g, b = (int(np.clip(c * 255.0 + 0.5, 0, 255)) for c in colour)
    return r, g, b


FLOORS = ("asphalt", "paving", "cobble", "planks", "tiles", "grass", "sand", "plain")


def floor(board: Board, kind: str, top: float, horizon: float) -> None:
    """A floor in perspective from the height `top` to the lower border.

    Args:
        board: what is drawn on.
        kind: one of `FLOORS`.
        top: where the floor begins, a share of the height.
        horizon: height of the vanishing line, above `top`.
    """
    rng = board.rng
    ys, xs = board.grid(top, 1.0)
    deep = 1.0 / (ys - min(horizon, top - 0.02))
    wx = (xs - rng.uniform(0.2, 0.8)) * deep * 0.5
    wz = deep * rng.uniform(0.55, 0.8)
    base, joint = _floor_colour(rng, kind)
    grain = sample("fine", wz * 0.9, wx * 0.9) * 0.05 + sample("cloud", wz * 0.13, wx * 0.13) * 0.09
    tone: Floats = 1.0 + grain
    gap: Floats = np.zeros_like(tone)
    if kind in ("paving", "cobble", "tiles", "planks"):
        size = {"paving": 0.55, "cobble": 0.2, "tiles": 0.4, "planks": 0.16}[kind]
        u, v = wx / size, wz / (size * (5.0 if kind == "planks" else 0.9))
        row = np.floor(v if kind != "planks" else u)
        if kind != "tiles":
            u, v = (u + 0.5 * (row % 2), v) if kind != "planks" else (u, v + 0.37 * row)
        cell = sample("fine", np.floor(v) * 0.137, np.floor(u) * 0.211)
        edge = 0.10 if kind == "cobble" else 0.05
        tone = tone * (1.0 + cell * (0.10 if kind != "tiles" else 0.04))
        gap = (((u - np.floor(u)) < edge) | ((v - np.floor(v)) < edge)).astype(np.float32)
        if kind == "tiles" and rng.random() < 0.4:
            gap = ((np.floor(u) + np.floor(v)) % 2).astype(np.float32)
        gap = gap * np.clip(2.2 - deep * 0.25, 0.15, 0.8)
    elif kind == "grass":
        blades = sample("fine", ys * 1.6 + 0.2, xs * 2.6) + sample("small", wz * 0.5, wx * 0.5)
        tone = tone * (1.0 + 0.13 * blades)
    elif kind == "asphalt" and rng.random() < 0.5:
        line = np.abs(wx - rng.uniform(-1.0, 1.0) - wz * rng.uniform(-0.4, 0.4))
        gap = 0.85 * (line < rng.uniform(0.03, 0.1)).astype(np.float32)
        joint = vec(0.85, 0.84, 0.80)
    colour = base * tone[..., None]
    board.band(top, np.asarray(colour + gap[..., None] * (joint * tone[..., None] - colour)))


def _floor_colour(rng: np.random.Generator, kind: str) -> tuple[Floats, Floats]:
    if kind == "grass":
        return palette.foliage(rng), palette.foliage(rng)
    if kind == "sand":
        return palette.jitter(rng, (0.78, 0.69, 0.55), 0.08), vec(0.5, 0.45, 0.4)
    if kind == "planks":
        wood = pick(rng, ((0.55, 0.38, 0.24), (0.36, 0.24, 0.16), (0.72, 0.62, 0.5)))
        colour = palette.jitter(rng, wood, 0.05)
        return colour, colour * 0.45
    grey = rng.uniform(0.28, 0.85)
    tint = palette.rgb(rng.uniform(0.03, 0.14), rng.uniform(0.0, 0.22), 1.0)
    stone: Floats = tint * np.float32(grey)
    joint = palette.wall(rng) if kind == "tiles" else stone * rng.uniform(0.5, 0.8)
    return stone, joint
