"""Figures are guessed once, kept beside the pixels, and never half or damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from conftest import FIT, Cli
from torch.nn import functional as F

from c2l.data.cache import PixelCache
from c2l.errors import BadInputError, StoppedError
from c2l.figure import cache as figures
from c2l.figure.cache import FigureCache, build_figures
from c2l.figure.model import figure_evidence, figure_sides
from c2l.figure.place import Places
from c2l.runtime.device import to_batch
from c2l.runtime.signals import StopRequest
from c2l.stages import fit

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


def everything(found: FigureCache) -> torch.Tensor:
    return found.sides(np.arange(PHOTOS))


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
    assert "of the width" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["a bit", "cut", "longer", "no manifest", "no figures"])
def test_damaged_figures_are_guessed_anew(harm: str, cache: PixelCache, tmp_path: Path) -> None:
    expected = everything(build_figures(cache, CPU))
    path = stored(tmp_path)
    whole = path.read_bytes()
    data = bytearray(whole)
    if harm == "a bit":
        data[len(data) // 2] ^= 4
    elif harm == "cut":
        del data[-100:]
    elif harm == "longer":
        data += b"more"
    path.write_bytes(data)
    if harm == "no figures":
        path.unlink()
    if harm == "no manifest":
        path.with_suffix(".json").unlink()
    torch.testing.assert_close(everything(build_figures(cache, CPU)), expected, atol=0, rtol=0)
    assert path.read_bytes() == whole


def test_figures_that_go_away_while_they_are_read_do_no_harm(
    cache: PixelCache, tmp_path: Path
) -> None:
    found = build_figures(cache, CPU)
    expected = everything(found)
    stored(tmp_path).unlink()
    torch.testing.assert_close(everything(found), expected, atol=0, rtol=0)


def test_figures_that_are_cut_while_they_are_read_are_told(
    cache: PixelCache, tmp_path: Path
) -> None:
    found = build_figures(cache, CPU)
    os.truncate(stored(tmp_path), 100)
    with pytest.raises(BadInputError, match="cut short"):
        everything(found)


@pytest.mark.parametrize("suffix", [".u8", ".json"])
def test_a_folder_in_the_way_is_told(suffix: str, cache: PixelCache, tmp_path: Path) -> None:
    build_figures(cache, CPU)
    path = stored(tmp_path).with_suffix(suffix)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInputError, match="is no file"):
        build_figures(cache, CPU)


def test_another_way_of_guessing_takes_no_figures_of_this_one(
    cache: PixelCache, tmp_path: Path
) -> None:
    build_figures(cache, CPU)
    with mock.patch.object(figures, "GUESS", figures.GUESS + 1):
        build_figures(cache, CPU)
    assert len(list(tmp_path.glob("figures-*.u8"))) == 2


def test_every_photo_speaks_for_the_places(cache: PixelCache) -> None:
    seen: list[torch.Tensor] = []

    def listen(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return figure_evidence(images)

    with mock.patch.object(figures, "figure_evidence", listen):
        build_figures(cache, CPU)
    torch.testing.assert_close(torch.cat(seen), to_batch(cache.read(np.arange(PHOTOS)), CPU))


def of_middles(cache: PixelCache, middles: list[int], colour: tuple[int, int, int]) -> None:
    """Photos whose people stand around these columns."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(60, 140, (PHOTOS, SIZE, SIZE, 3), dtype=np.uint8)
    for photo, middle in zip(pixels, middles, strict=True):
        photo[6:44, middle - 5 : middle + 5] = colour
    cache.path.write_bytes(pixels.tobytes())


def test_where_people_were_found_is_told_each_time(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    of_middles(cache, [12] * PHOTOS, (210, 40, 40))
    for _ in range(2):
        build_figures(cache, CPU)
        said = capsys.readouterr().err
        ((first, last),) = re.findall(r"found at (\d+) to (\d+) % of the width", said)
        assert 18 <= int(first) <= int(last) <= 32
        assert "warning" not in said


def test_places_that_differ_widely_are_told_with_a_warning(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    of_middles(cache, [8, 40, 9, 39, 8, 41, 7, 40, 8, 39, 9], (210, 40, 40))
    build_figures(cache, CPU)
    assert "warning: four of five people" in capsys.readouterr().err


def test_photos_of_one_colour_tell_nothing(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.path.write_bytes(bytes([90]) * (PHOTOS * SIZE * SIZE * 3))
    build_figures(cache, CPU)
    assert "warning: colours do not tell" in capsys.readouterr().err


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


def test_a_run_of_another_way_of_guessing_is_not_gone_on_with(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    words = ("fit", few, "-o", tmp_path / "run", *FIT, "--warmup", "2", "--epochs", "0")
    assert cli(*words, "--max-steps", "1").code in (0, 75)
    with mock.patch.object(fit, "GUESS", fit.GUESS + 1):
        refused = cli(*words, "--max-steps", "1", "--resume")
    assert refused.code == 4
    assert "guess: the run has" in refused.err
    cli.ok(*words, "--max-steps", "1", "--resume")
