"""Colours what the samples of a picture see: textures, pictures, folds, light and gloss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from c2l.synth.arrays import Floats, unit
from c2l.synth.light import Light, Shadows, fall, patches
from c2l.synth.materials import Material
from c2l.synth.mesh import Triangles
from c2l.synth.raster import Seen
from c2l.synth.textures import bank, read

_FOLD_PERIOD = 0.55  # metres that one period of the folds' texture covers
_TEXELS = 64  # per side of a picture laid on a material


def linear(colour: Floats) -> Floats:
    """Light of a colour as shown; the inverse is the square root."""
    return np.asarray(colour * colour)


class Surfaces:
    """The materials of a picture as arrays, one row per material."""

    def __init__(self, materials: Sequence[Material], pixels: Sequence[float]) -> None:
        """`pixels` are metres that one sample covers, per material."""
        self.first = np.empty(len(materials), dtype=np.int32)
        self.size = np.empty(len(materials), dtype=np.int32)
        for n, (m, pixel) in enumerate(zip(materials, pixels, strict=True)):
            self.first[n], self.size[n] = bank().place(m.texture, pixel / m.period)
        rows = [
            (
                np.cos(m.angle) / m.period,
                np.sin(m.angle) / m.period,
                *m.offset,
                m.folds,
                m.gloss,
                m.soft,
                m.glow,
            )
            for m in materials
        ]
        table = np.array(rows, dtype=np.float32).T
        self.cos, self.sin, self.u0, self.v0, self.folds, self.gloss, self.soft, self.glow = table
        self.colour = np.stack([m.colour for m in materials]).astype(np.float32)
        self.second = np.stack([m.second for m in materials]).astype(np.float32) - self.colour
        self.third = np.stack([m.third for m in materials]).astype(np.float32)
        self._pictures = {n: m for n, m in enumerate(materials) if m.picture is not None}

    def albedo(self, number: NDArray[np.int32], u: Floats, v: Floats) -> Floats:
        """Colours (n, 3) of surfaces at texture coordinates in metres."""
        c, s = self.cos[number], self.sin[number]
        texel = read(
            self.first[number], self.size[number],
            u * c + v * s + self.u0[number], v * c - u * s + self.v0[number],
        )  # fmt: skip
        colour = self.colour[number] + self.second[number] * texel[:, :1]
        colour += (self.third[number] - colour) * texel[:, 1:2]
        colour *= texel[:, 2:]
        for n, material in self._pictures.items():
            at = np.flatnonzero(number == n)
            if len(at):
                self._lay(material, colour, at, u, v)
        return np.asarray(colour)

    @staticmethod
    def _lay(
        material: Material, colour: Floats, at: NDArray[np.int64], u: Floats, v: Floats
    ) -> None:
        picture, (u0, v0, u1, v1) = material.picture, material.spot
        if picture is None:
            return
        tall, wide = picture.shape[:2]
        i = ((u[at] - u0) * np.float32(wide / (u1 - u0))).astype(np.int32)
        j = ((v[at] - v0) * np.float32(tall / (v1 - v0))).astype(np.int32)
        inside = (i >= 0) & (i < wide) & (j >= 0) & (j < tall) & (u[at] >= u0) & (v[at] >= v0)
        at, i, j = at[inside], i[inside], j[inside]
        rgba = picture[j, i]
        colour[at] += (rgba[:, :3] - colour[at]) * rgba[:, 3:]


def shade(
    seen: Seen,
    mesh: Triangles,
    surfaces: Surfaces,
    position: Floats,
    viewer: Floats,
    light: Light,
    shadows: Shadows,
    open_: Floats,
) -> Floats:
    """Light (n, 3) that comes from what the samples see.

    Args:
        seen: what they see.
        mesh: the surfaces.
        surfaces: what they are made of.
        position: (n, 3) where they see it.
        viewer: (3,) the camera's place.
        light: the light.
        shadows: its shadows.
        open_: (n,) see `light.openness`.
    """
    corner = np.ascontiguousarray(mesh.corner.take(seen.triangle, axis=0).T)
    w = seen.share[:, :, None]
    blend = mesh.surface.take(corner[0], axis=0) * w[0]
    blend += mesh.surface.take(corner[1], axis=0) * w[1]
    blend += mesh.surface.take(corner[2], axis=0) * w[2]
    normal = np.ascontiguousarray(blend[:, :3])
    u, v, crease = np.ascontiguousarray(blend[:, 3:].T)
    number = mesh.material.take(seen.triangle)
    colour = surfaces.albedo(number, u, v)
    sight = viewer.astype(np.float32) - position
    away = np.einsum("ij,ij->i", normal, sight) < 0.0
    normal[away] *= -1.0
    folds = surfaces.folds.take(number) * crease
    normal, dark = _folded(normal, mesh, corner, folds, u, v, surfaces, number)
    hidden = shadows.on(position + normal * np.float32(0.012), 0.012)
    hidden = np.asarray(1.0 - (1.0 - hidden) * patches(light, position))
    lit = fall(light, normal, hidden, open_, surfaces.soft[number])
    out = linear(np.clip(colour, 0.0, 1.0)) * lit * dark[:, None]
    half = unit(unit(sight) + light.way)
    shine = np.clip(np.einsum("ij,ij->i", normal, half), 0.0, 1.0) ** 24
    shine *= surfaces.gloss[number] * (1.0 - light.shadow * hidden)
    out += shine[:, None] * light.key * 0.5
    return np.asarray(out + linear(colour) * surfaces.glow[number][:, None])


def _folded(
    normal: Floats,
    mesh: Triangles,
    corner: NDArray[np.int32],
    folds: Floats,
    u: Floats,
    v: Floats,
    surfaces: Surfaces,
    number: NDArray[np.int32],
) -> tuple[Floats, Floats]:
    """Normals (n, 3) bent by the folds of cloth, and the darkness (n,) of their valleys."""
    first, size = bank().place("folds", 0.0)
    scale = np.float32(1.0 / _FOLD_PERIOD)
    texel = read(
        np.full(1, first, dtype=np.int32), np.full(1, size, dtype=np.int32),
        u * scale + surfaces.u0[number] * 7.3, v * scale + surfaces.v0[number] * 5.1,
    )  # fmt: skip
    origin = mesh.point.take(corner[0], axis=0)
    across = mesh.point.take(corner[1], axis=0) - origin
    along = mesh.point.take(corner[2], axis=0) - origin
    flip = np.where(corner[0] > corner[1], np.float32(-1.0), np.float32(1.0))
    strength = flip * folds * np.float32(1.3)
    bent = normal - unit(across) * ((texel[:, 0] - 0.5) * strength)[:, None]
    bent -= unit(along) * ((texel[:, 1] - 0.5) * strength)[:, None]
    dark = 1.0 + (texel[:, 2] - 1.0) * folds
    return unit(bent), dark
