"""Figures are guessed once, kept beside the pixels, and never half or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from c2l.clustering.figure import figure_evidence, figure_sides
from c2l.clustering.place import Places
from c2l.errors import StoppedError
from c2l.pipeline.figures import FigureCache, build_figures
from c2l.pipeline.images import PixelCache
from c2l.pipeline.predictor import to_batch
from c2l.pipeline.signals import StopRequest

PHOTOS, SIZE, SIDE = 11, 48, 12
CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PixelCache]:
    """Pixels of eleven photos whose person stands at a quarter of the width."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(60, 140, (PHOTOS, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[:, 6:25, 7:17] = (210, 40, 40)
    pixels[:, 25:44, 7:17] = (20, 20, 120)
    path = tmp_path / "images-48-0123.u8"
    path.write_bytes(pixels.tobytes())
    found = PixelCache(path, tuple(f"{i}" for i in range(PHOTOS)), SIZE, "ab" * 32)
    yield found
    found.close()


def stored(tmp_path: Path) -> Path:
    (path,) = tmp_path.glob("figures-*.u8")
    return path


def everything(figures: FigureCache) -> torch.Tensor:
    return figures.sides(np.arange(PHOTOS))


def test_figures_are_those_of_the_places_of_these_photos(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    found = everything(build_figures(cache, CPU))
    images = to_batch(cache.read(np.arange(PHOTOS)), CPU)
    sides = figure_sides(images, Places.learn(figure_evidence(images)))
    expected = F.interpolate(sides, (SIDE, SIDE), mode="area")
    torch.testing.assert_close(found, expected, atol=0.006, rtol=0)
    figure = (found[:, 0] < 0.5).float().mean(0)
    assert float(figure[3:10, 2:4].min()) == 1
    assert float(figure[:, 6:].max()) == 0
    assert "most people stand at" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["a bit", "the digest", "cut", "longer"])
def test_damaged_figures_are_guessed_anew(harm: str, cache: PixelCache, tmp_path: Path) -> None:
    expected = everything(build_figures(cache, CPU))
    path = stored(tmp_path)
    whole = path.read_bytes()
    data = bytearray(whole)
    if harm == "a bit":
        data[len(data) // 2] ^= 4
    elif harm == "the digest":
        data[-1] ^= 1
    elif harm == "cut":
        del data[-100:]
    else:
        data += b"more"
    path.write_bytes(data)
    torch.testing.assert_close(everything(build_figures(cache, CPU)), expected, atol=0, rtol=0)
    assert path.read_bytes() == whole


def test_sound_figures_are_used_as_they_are(cache: PixelCache, tmp_path: Path) -> None:
    build_figures(cache, CPU)
    before = stored(tmp_path).stat()
    build_figures(cache, CPU)
    assert stored(tmp_path).stat().st_ino == before.st_ino


def test_a_signal_stops_the_guessing_and_leaves_nothing(cache: PixelCache, tmp_path: Path) -> None:
    stop = StopRequest()
    stop.received = "SIGTERM"
    with pytest.raises(StoppedError, match="figures"):
        build_figures(cache, CPU, stop)
    assert [p.name for p in tmp_path.iterdir()] == ["images-48-0123.u8"]
