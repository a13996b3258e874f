"""Composes a picture: place, people, their shadows and the camera, from a seed and an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.synth.backgrounds import draw_background
from c2l.synth.camera import Camera, cast_shadow, develop, sample_camera
from c2l.synth.canvas import Canvas
from c2l.synth.figure import Figure
from c2l.synth.noise import Floats
from c2l.synth.outfit import sample_outfit
from c2l.synth.person import draw_person
from c2l.synth.skeleton import sample_skeleton
from c2l.synth.streams import Stream, stream

SUPERSAMPLE = 3  # odd, so that a pixel's middle is a sample: labels are read there


@dataclass(frozen=True)
class Layers:
    """A scene taken apart.

    `picture` and `background` are (H, W, 3) uint8: the same place, light and sensor noise, with
    and without the people and their shadows. `labels` is (H, W) uint8, ATR's label ids.
    """

    picture: NDArray[np.uint8]
    background: NDArray[np.uint8]
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """Where a person stands: body height and feet (x, y), in shares of the picture's size."""

    height: float
    x: float
    y: float


def make_scene(
    seed: int, index: int, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture of people with its labels, a pure function of the arguments.

    Args:
        seed: seed of the set, >= 0.
        index: index of the scene in the set, >= 0.
        width: width of the picture in pixels.
        height: height of the picture in pixels.

    Returns:
        picture (H, W, 3) uint8 RGB, and labels (H, W) uint8 of ATR's 18 label ids.
    """
    layers = make_layers(seed, index, width, height)
    return layers.picture, layers.labels


def make_layers(seed: int, index: int, width: int, height: int) -> Layers:
    """As `make_scene`, with the same picture without people beside it."""
    layout = stream(seed, index, Stream.LAYOUT)
    camera = sample_camera(layout)
    places = _places(layout)
    back = draw_background(
        stream(seed, index, Stream.BACKGROUND), width, height, camera, places[-1].y
    )
    image, labels = back, np.zeros((height, width), dtype=np.uint8)
    for number, place in enumerate(places):
        rng = stream(seed, index, Stream.FIGURE + number)
        colour, alpha, label = _person(rng, place, camera, width, height)
        feet = (place.x * width, place.y * height)
        image = cast_shadow(image, alpha, feet, place.height * height, camera)
        image = image * (1.0 - alpha[:, :, None]) + colour
        labels = np.where(label > 0, label, labels)
    noise = stream(seed, index, Stream.CAMERA)
    with_people, without = develop(image, back, camera, noise)
    return Layers(with_people, without, labels)


def _places(rng: np.random.Generator) -> list[Place]:
    tall = rng.uniform(0.68, 0.98) if rng.random() < 0.85 else rng.uniform(0.55, 0.75)
    x = 0.5 + float(np.clip(rng.normal(0.0, 0.09), -0.2, 0.2))
    spare = 1.0 - tall
    y = 1.0 - spare * rng.uniform(0.2, 0.75)
    if rng.random() < 0.12:
        y += rng.uniform(0.06, 0.16)
    main = Place(tall, x, y)
    if rng.random() >= 0.10:
        return [main]
    side = -1.0 if x > 0.5 else 1.0
    scale = rng.uniform(0.82, 1.0)
    other = Place(
        tall * scale, float(np.clip(x + side * rng.uniform(0.26, 0.42), 0.08, 0.92)),
        y - (1.0 - scale) * 0.25,
    )  # fmt: skip
    return [other, main]


def _person(
    rng: np.random.Generator, place: Place, camera: Camera, width: int, height: int
) -> tuple[Floats, Floats, NDArray[np.uint8]]:
    """Colour (H, W, 3) times alpha, alpha (H, W), labels (H, W) of one person."""
    n = SUPERSAMPLE
    canvas = Canvas(height * n, width * n, place.height * height * n * 0.97, camera.light)
    skeleton = sample_skeleton(rng, camera.pitch)
    outfit = sample_outfit(rng)
    origin = (place.x * width * n, place.y * height * n)
    draw_person(Figure(canvas, skeleton, outfit, origin, rng))
    present = (canvas.label > 0).astype(np.float32)
    colour = _reduce(canvas.rgb * present[:, :, None], n)
    return colour, _reduce(present, n), canvas.label[n // 2 :: n, n // 2 :: n]


def _reduce(image: Any, n: int) -> Floats:
    h, w = image.shape[0] // n, image.shape[1] // n
    return np.asarray(image.reshape(h, n, w, n, *image.shape[2:]).mean(axis=(1, 3)))
