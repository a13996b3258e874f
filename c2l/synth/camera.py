"""The camera and the light of a scene, and what they do to a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.synth.canvas import Light
from c2l.synth.noise import Floats, blur, vec


@dataclass(frozen=True)
class Camera:
    """Light and optics of a scene.

    Args:
        light: the light on the people.
        pitch: how far the camera looks down, in radians.
        horizon: height of the horizon as a share of the picture from its top.
        defocus: blur of the place, in pixels of a picture 160 wide.
        shadow: strength of cast shadows, 0 to 1.
        reach: length of cast shadows in body heights, towards the camera when positive.
        exposure: factor on brightness.
        contrast: strength of the tone curve, 0 for none.
        tone: factors on red, green and blue.
        vignette: darkening of the corners, 0 to 1.
        noise: deviation of the sensor's noise, in 0 to 1.
        softness: blur of the lens, in pixels of a picture 160 wide.
    """

    light: Light
    pitch: float
    horizon: float
    defocus: float
    shadow: float
    reach: float
    exposure: float
    contrast: float
    tone: tuple[float, float, float]
    vignette: float
    noise: float
    softness: float


def sample_camera(rng: np.random.Generator) -> Camera:
    """A random light and camera."""
    sunny = rng.random()  # 0 overcast, 1 hard sun
    azimuth = np.deg2rad(rng.uniform(-75.0, 75.0))
    height = np.deg2rad(rng.uniform(25.0, 65.0))
    direction = (
        float(np.sin(azimuth) * np.cos(height)),
        -float(np.sin(height)),
        float(np.cos(azimuth) * np.cos(height)),
    )
    warm = rng.uniform(-0.05, 0.10)
    key = 0.35 + 0.60 * sunny
    fill = 0.98 - 0.42 * sunny
    light = Light(
        direction=direction,
        key=(key * (1.0 + warm), key, key * (1.0 - warm)),
        fill=(fill * (1.0 - warm * 0.7), fill, fill * (1.0 + warm * 0.8)),
        wrap=0.55 - 0.40 * sunny,
    )
    gains = rng.uniform(-0.05, 0.05, 2)
    return Camera(
        light=light,
        pitch=float(np.deg2rad(rng.uniform(4.0, 13.0))),
        horizon=rng.uniform(0.30, 0.50),
        defocus=float(np.exp(rng.uniform(np.log(0.45), np.log(3.2)))),
        shadow=0.25 + 0.40 * sunny,
        reach=rng.uniform(-0.45, 0.25),
        exposure=rng.uniform(0.92, 1.20),
        contrast=rng.uniform(0.0, 0.5),
        tone=(1.0 + float(gains[0]), 1.0, 1.0 + float(gains[1])),
        vignette=rng.uniform(0.0, 0.35),
        noise=float(np.exp(rng.uniform(np.log(0.004), np.log(0.018)))),
        softness=rng.uniform(0.0, 0.5),
    )


def cast_shadow(
    image: Floats, alpha: Floats, feet: tuple[float, float], tall: float, camera: Camera
) -> Floats:
    """Darken the floor under and beside a person.

    Args:
        image: (H, W, 3) colours.
        alpha: (H, W) coverage of the person, 0 to 1.
        feet: where the person stands (x, y) in pixels.
        tall: height of the person in pixels.
        camera: gives the direction and strength of the shadow.
    """
    h, w = alpha.shape
    flat = camera.reach if abs(camera.reach) > 0.06 else 0.06
    slant = -camera.light.direction[0] * 0.55
    x0, y0 = feet
    # Output (x, y) reads the person at a height of (y - y0) / flat above the feet.
    data = (1.0, -slant / flat, slant / flat * y0, 0.0, -1.0 / flat, y0 + y0 / flat)
    source = Image.fromarray((alpha * 255.0).astype(np.uint8))
    thrown = source.transform(
        (w, h), Image.Transform.AFFINE, data, resample=Image.Resampling.BILINEAR
    )
    soft = blur(np.asarray(thrown, dtype=np.float32) / np.float32(255.0), 0.010 * tall)
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    pool = np.exp(-(((xs - x0) / (0.13 * tall)) ** 2) - ((ys - y0 + 2) / (0.022 * tall)) ** 2)
    dark = np.clip(soft * camera.shadow + 0.5 * pool, 0.0, 0.8)
    cool = vec(1.0, 0.97, 0.92)
    return np.asarray(image * (1.0 - dark[:, :, None] * cool))


def develop(
    image: Floats, back: Floats, camera: Camera, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two pictures (H, W, 3) uint8 of the same exposure and noise, from colours in 0 to 1."""
    h, w = image.shape[:2]
    ys = np.linspace(-1.0, 1.0, h, dtype=np.float32)[:, None]
    xs = np.linspace(-1.0, 1.0, w, dtype=np.float32)[None, :]
    corner = 1.0 - camera.vignette * np.clip(0.55 * (xs * xs + ys * ys), 0.0, 1.0) ** 1.5
    gain = (corner * camera.exposure)[:, :, None] * vec(*camera.tone)
    grain = rng.standard_normal((h, w, 3), dtype=np.float32)
    grain = 0.6 * grain + 0.5 * grain.mean(axis=2, keepdims=True) * 1.7
    first, second = (
        _expose(blur(np.clip(x * gain, 0.0, 1.0), camera.softness * w / 160), grain, camera)
        for x in (image, back)
    )
    return first, second


def _expose(image: Floats, grain: Floats, camera: Camera) -> NDArray[np.uint8]:
    curve = image * image * (3.0 - 2.0 * image)
    toned = image + camera.contrast * (curve - image)
    noisy = toned + camera.noise * grain * (0.55 + 0.45 * np.sqrt(np.clip(toned, 0.0, 1.0)))
    return np.asarray(np.clip(noisy * 255.0 + 0.5, 0, 255), dtype=np.uint8)
