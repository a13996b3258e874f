"""What the benchmarks cluster: features of photographs, or a mixture where there are none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.features import read_features
from c2l.schema import FEATURES, IMAGE_SHA256, ORIG_SIZE

PHOTOS = 160
# Grid and channels at 320 pixels.
SHAPES = {"fpn": ((80, 80), 128), "layer4": ((10, 10), 512)}
RUN = "from c2l_cli.main import run; run()"


def store(work: Path, photos: Path | None, weights: Path | None, layer: str = "fpn") -> Path:
    """A feature store of 160 images at 320 pixels.

    Of every n-th photograph of ``photos``; without it, of 160 images of a mixture of 64 normal
    parts with unlike weights and spreads.
    """
    path = work / f"{layer}.h5"
    if photos is None:
        _mixture(
            path, (10, 10) if layer == "layer4" else (80, 80), 512 if layer == "layer4" else 128
        )
        return path
    few = work / "photos"
    if not few.exists():
        few.mkdir()
        for photo in spread(photos, PHOTOS):
            shutil.copyfile(photo, few / photo.name)
    given = ["--weights", str(weights) if weights else "none", "--layer", layer, "-b", "16", "-q"]
    command = [sys.executable, "-c", RUN, "extract", str(few), "-o", str(path), *given]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def spread(photos: Path, count: int) -> list[Path]:
    """As many photographs of CCP, evenly spread."""
    found = sorted((photos / "photos").iterdir())
    return found[:: max(1, len(found) // count)][:count]


def photos_in(work: Path, photos: Path | None, count: int) -> list[Path]:
    """Photographs of CCP, or synthetic people where it is missing."""
    if photos is not None:
        return spread(photos, count)
    people = work / f"people-{count}"
    synth = ["data", "synth", str(people), "-n", str(count), "--image-size", "288", "-q"]
    subprocess.run([sys.executable, "-c", RUN, *synth], check=True, stdout=subprocess.DEVNULL)
    return sorted((people / "JPEGImages").iterdir())


def _mixture(path: Path, grid: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(0)
    centres = rng.gamma(0.5, size=(64, channels))
    shares, spreads = rng.dirichlet([0.5] * 64), rng.uniform(0.05, 0.5, 64)
    names = tuple(f"{n:04d}" for n in range(PHOTOS))
    with write_features(path, StoreLayout(names, grid, channels), {}, {}) as writer:
        for index in range(PHOTOS):
            part = rng.choice(64, grid[0] * grid[1], p=shares)
            noise = spreads[part, None] * rng.normal(size=(len(part), channels))
            values = np.abs(centres[part] + noise).astype(np.float16)
            writer.write(
                index,
                {
                    FEATURES: values.reshape(*grid, channels),
                    ORIG_SIZE: np.array([320, 320], np.int32),
                    IMAGE_SHA256: np.bytes_(b"0" * 64),
                },
            )
        writer.finish(np.arange(PHOTOS), {}, {})


def points(path: Path, count: int) -> NDArray[np.float32]:
    """The first features of a store, (count, C), as k-means gets them: of unit length."""
    rows = raw_points(path)[:count]
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def raw_points(path: Path) -> NDArray[np.float32]:
    """All features of a store, (P, C) float32."""
    with read_features(path) as reader:
        parts = [reader.read(i).astype(np.float32) for i in range(len(reader.names))]
    return np.concatenate(parts)
