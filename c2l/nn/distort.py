"""Augmentation of drawings: one geometry for picture and labels, then light, colour and film."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.runtime.device import send

Floats = NDArray[np.float32]

# The standard's table for luminance (ITU-T T.81, Annex K), which quality scales.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56), (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
_GREY = (0.299, 0.587, 0.114)
BLOCK = 8


@dataclass(frozen=True)
class Distortion:
    """What becomes of each of B drawings.

    Attributes:
        theta: (B, 2, 3) affine map from the result to the drawing, both from -1 to 1.
        flip: (B,) bool: mirrored.
        light: (B, 5): brightness, contrast, saturation, gamma, deviation of the noise.
        gain: (B, 3): of each channel.
        order: (B, 3) int64: permutation of the channels.
        grey: (B,) bool.
        blur: (B,) int64: radius of a box blur; 0 for none.
        coarse: (B,) int64: the picture is seen at 1 / coarse of its resolution; 1 for none.
        quality: (B,) int64: of a JPEG; 0 for none.
        seed: of the noise.
    """

    theta: Floats
    flip: NDArray[np.bool_]
    light: Floats
    gain: Floats
    order: NDArray[np.int64]
    grey: NDArray[np.bool_]
    blur: NDArray[np.int64]
    coarse: NDArray[np.int64]
    quality: NDArray[np.int64]
    seed: int


def sample_distortion(rng: np.random.Generator, count: int) -> Distortion:
    """Random distortions of ``count`` drawings."""

    def between(low: float, high: float, *shape: int) -> Floats:
        return rng.uniform(low, high, (count, *shape)).astype(np.float32)

    scale, aspect = between(0.45, 1.35), np.exp(between(-0.25, 0.25))
    angle = rng.normal(0.0, 0.12, count).astype(np.float32)
    shift, flip = between(-0.35, 0.35, 2), rng.random(count) < 0.5
    order = np.tile(np.arange(3), (count, 1))
    mixed = rng.permuted(order, axis=1)
    order = np.where(rng.random((count, 1)) < 0.2, mixed, order)
    light = np.stack(
        [
            between(0.6, 1.4), between(0.6, 1.4), between(0.0, 2.0), between(0.6, 1.6),
            between(0.0, 0.08),
        ], axis=1,
    )  # fmt: skip
    return Distortion(
        theta=affine(scale, aspect, angle, shift, flip),
        flip=flip,
        light=light,
        gain=between(0.75, 1.3, 3),
        order=order,
        grey=rng.random(count) < 0.1,
        blur=np.where(rng.random(count) < 0.4, rng.integers(1, 3, count), 0),
        coarse=np.where(rng.random(count) < 0.2, rng.integers(2, 5, count), 1),
        quality=np.where(rng.random(count) < 0.3, rng.integers(15, 80, count), 0),
        seed=int(rng.integers(2**62)),
    )


def affine(
    scale: Floats, aspect: Floats, angle: Floats, shift: Floats, flip: NDArray[np.bool_]
) -> Floats:
    """(B, 2, 3) maps from the result to the drawing.

    Args:
        scale: (B,) side of what is seen, in sides of the drawing.
        aspect: (B,) its width over its height is ``aspect`` squared.
        angle: (B,) rotation in radians.
        shift: (B, 2) of its middle, in half sides.
        flip: (B,) bool: mirrored.
    """
    wide, high = scale * aspect, scale / aspect
    mirror = np.where(flip, -1, 1)
    rows = [
        [wide * np.cos(angle) * mirror, -wide * np.sin(angle), shift[:, 0]],
        [high * np.sin(angle) * mirror, high * np.cos(angle), shift[:, 1]],
    ]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1).astype(np.float32)


def distort(
    pictures_B3PP: Tensor, labels_BPP: Tensor, how: Distortion, side: int, stride: int
) -> tuple[Tensor, Tensor]:
    """Pictures and labels under one geometry, the pictures in other light and on other film.

    Args:
        pictures_B3PP: uint8.
        labels_BPP: uint8.
        how: one distortion per drawing.
        side: S of the result.
        stride: of the labels: each stands for the middle of a square of this side.

    Returns:
        (B, 3, S, S) float32 in [0, 1], and (B, ceil(S / stride), ceil(S / stride)) int64.
    """
    theta = send(torch.from_numpy(how.theta), pictures_B3PP.device)
    x = _sample(pictures_B3PP.float() / 255, theta, side, "bilinear")
    small = -(-side // stride)
    z = _sample(labels_BPP[:, None].float(), theta, small, "nearest")[:, 0].long()
    return photograph(x, how), z


def _sample(maps_BCHW: Tensor, theta: Tensor, side: int, mode: str) -> Tensor:
    size = [len(maps_BCHW), maps_BCHW.shape[1], side, side]
    grid = F.affine_grid(theta, size, align_corners=False)
    return F.grid_sample(maps_BCHW, grid, mode, padding_mode="reflection", align_corners=False)


def photograph(x_B3SS: Tensor, how: Distortion) -> Tensor:
    """Pictures in other light, in other colours, blurred, noisy and compressed; in [0, 1]."""
    device, x = x_B3SS.device, x_B3SS

    def each(values: NDArray[np.float32]) -> Tensor:
        return send(torch.from_numpy(values), device)[:, None, None, None]

    order = send(torch.from_numpy(how.order), device)[:, :, None, None].expand_as(x)
    x = x.gather(1, order) * send(torch.from_numpy(how.gain), device)[:, :, None, None]
    brightness, contrast, saturation, gamma, noise = (each(v) for v in how.light.T.copy())
    x = x * brightness
    x = torch.lerp(x.mean((1, 2, 3), keepdim=True), x, contrast)
    x = torch.lerp(_grey(x), x, saturation * each((~how.grey).astype(np.float32)))
    x = x.clamp(1e-4, 1).pow(gamma)
    for radius in (1, 2):
        x = _some(x, how.blur == radius, partial(_box, radius=radius))
    for factor in (2, 3, 4):
        x = _some(x, how.coarse == factor, partial(_coarse, factor=factor))
    generator = torch.Generator(device).manual_seed(how.seed)
    x = x + noise * torch.randn(x.shape, generator=generator, device=device)
    chosen = how.quality > 0
    tables = send(torch.from_numpy(how.quality[chosen]), device)
    return _some(x.clamp(0, 1), chosen, partial(jpeg, quality_B=tables))


def _some(x: Tensor, chosen: NDArray[np.bool_], change: Callable[[Tensor], Tensor]) -> Tensor:
    """``change`` of the chosen pictures, the others as they are."""
    index = send(torch.from_numpy(np.flatnonzero(chosen)), x.device)
    if not len(index):
        return x
    return x.index_copy(0, index, change(x[index]))


def _grey(x: Tensor) -> Tensor:
    return (x * send(torch.tensor(_GREY), x.device)[:, None, None]).sum(1, keepdim=True)


def _box(x: Tensor, radius: int) -> Tensor:
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, stride=1)


def _coarse(x: Tensor, factor: int) -> Tensor:
    size = x.shape[-2:]
    few = F.interpolate(x, [max(1, n // factor) for n in size], mode="area")
    return F.interpolate(few, size, mode="bilinear")


def jpeg(x_B3HW: Tensor, quality_B: Tensor) -> Tensor:
    """What is left of pictures in [0, 1] after the quantisation of JPEG, in [0, 1].

    The table for luminance serves all three channels, and none is subsampled.

    Args:
        x_B3HW: float32.
        quality_B: 1 to 100, as the reference library scales the table.
    """
    height, width = x_B3HW.shape[-2:]
    more = (0, -width % BLOCK, 0, -height % BLOCK)
    levels = F.pad(x_B3HW, more, mode="replicate") * 255 - 128
    to_ycc = _to_ycc()
    # Inverted on the host: a device would have to say first that it can be.
    matrix, inverse = (send(m, x_B3HW.device) for m in (to_ycc, to_ycc.inverse()))
    planes = torch.einsum("ij,bjhw->bihw", matrix, levels)
    cosines = _cosines(x_B3HW.device)
    rows, columns = (n // BLOCK for n in planes.shape[2:])
    blocks = planes.reshape(-1, 3, rows, BLOCK, columns, BLOCK).transpose(3, 4)
    quality = quality_B.float().clamp(1, 100)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = send(torch.tensor(_LUMINANCE, dtype=torch.float32), x_B3HW.device)
    table = (table * percent[:, None, None] / 100).round().clamp(1, 255)
    table = table[:, None, None, None]
    spectrum = ((cosines @ blocks @ cosines.T) / table).round() * table
    planes = (cosines.T @ spectrum @ cosines).transpose(3, 4).flatten(4).flatten(2, 3)
    levels = torch.einsum("ij,bjhw->bihw", inverse, planes)[..., :height, :width]
    return ((levels + 128) / 255).clamp(0, 1)


def _to_ycc() -> Tensor:
    red, green, blue = _GREY
    rows = [
        [red, green, blue],
        [-0.5 * red / (1 - blue), -0.5 * green / (1 - blue), 0.5],
        [0.5, -0.5 * green / (1 - red), -0.5 * blue / (1 - red)],
    ]
    return torch.tensor(rows)


def _cosines(device: torch.device) -> Tensor:
    """(8, 8): the orthonormal discrete cosine transform."""
    n = torch.arange(BLOCK, device=device)
    basis = torch.cos(math.pi * (2 * n[None] + 1) * n[:, None] / (2 * BLOCK)) / 2
    basis[0] /= math.sqrt(2)
    return basis
