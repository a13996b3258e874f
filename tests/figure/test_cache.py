"""Figures are computed once and cached; a damaged cache is computed again."""

from __future__ import annotations

import os
import re
import shutil
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
from c2l.figure.model import figure_evidence, figure_parts
from c2l.figure.place import Places
from c2l.runtime.device import to_batch
from c2l.runtime.signals import StopRequest
from c2l.training import inputs

PHOTOS, SIZE, SIDE = 11, 48, 12
CPU = torch.device("cpu")


def open_cache(folder: Path) -> PixelCache:
    """Pixels of eleven photos with a person at a quarter of the width."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(60, 140, (PHOTOS, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[:, 6:25, 7:17] = (210, 40, 40)
    pixels[:, 25:44, 7:17] = (20, 20, 120)
    path = folder / "images-48-0123.u8"
    path.write_bytes(pixels.tobytes())
    return PixelCache(path, tuple(f"{i}" for i in range(PHOTOS)), SIZE, "ab" * 32)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PixelCache]:
    opened = open_cache(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the figures of these photos."""
    folder = tmp_path_factory.mktemp("built")
    opened = open_cache(folder)
    build_figures(opened, CPU).close()
    opened.close()
    return folder


@pytest.fixture
def stored(built: Path, cache: PixelCache, tmp_path: Path) -> Path:
    """The cached figures, copied beside the pixels of ``cache``."""
    (figures,) = built.glob("figures-*.u8")
    for path in (figures, figures.with_suffix(".json")):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path / figures.name


def all_parts(found: FigureCache) -> torch.Tensor:
    return found.parts(np.arange(PHOTOS))


def test_figures_use_the_places_learned_from_these_photos(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    found = all_parts(build_figures(cache, CPU))
    images = to_batch(cache.read(np.arange(PHOTOS)), CPU)
    parts = figure_parts(images, Places.learn(figure_evidence(images)))
    expected = F.interpolate(parts, (SIDE, SIDE), mode="area")
    torch.testing.assert_close(found, expected, atol=0.006, rtol=0)
    figure = (found[:, 0] < 0.5).float().mean(0)
    assert float(figure[3:10, 2:4].min()) == 1
    assert float(figure[:, 6:].max()) == 0
    assert "of the width" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["a bit", "cut", "longer", "no manifest", "no figures"])
def test_damaged_figures_are_computed_again(damage: str, stored: Path, cache: PixelCache) -> None:
    whole = stored.read_bytes()
    data = bytearray(whole)
    if damage == "a bit":
        data[len(data) // 2] ^= 4
    elif damage == "cut":
        del data[-100:]
    elif damage == "longer":
        data += b"more"
    stored.write_bytes(data)
    if damage == "no figures":
        stored.unlink()
    if damage == "no manifest":
        stored.with_suffix(".json").unlink()
    build_figures(cache, CPU)
    assert stored.read_bytes() == whole


def test_intact_figures_are_reused(stored: Path, cache: PixelCache) -> None:
    before = stored.stat()
    build_figures(cache, CPU)
    assert stored.stat().st_ino == before.st_ino


def test_figures_that_are_deleted_can_still_be_read(stored: Path, cache: PixelCache) -> None:
    found = build_figures(cache, CPU)
    expected = all_parts(found)
    stored.unlink()
    torch.testing.assert_close(all_parts(found), expected, atol=0, rtol=0)


def test_figures_that_are_truncated_while_open_are_bad_input(
    stored: Path, cache: PixelCache
) -> None:
    found = build_figures(cache, CPU)
    os.truncate(stored, 100)
    with pytest.raises(BadInputError, match="cut short"):
        all_parts(found)


@pytest.mark.parametrize("suffix", [".u8", ".json"])
def test_a_folder_with_the_name_of_the_cache_is_bad_input(
    suffix: str, stored: Path, cache: PixelCache
) -> None:
    path = stored.with_suffix(suffix)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInputError, match="is not a file"):
        build_figures(cache, CPU)


def test_figures_of_another_version_are_not_reused(
    stored: Path, cache: PixelCache, tmp_path: Path
) -> None:
    with mock.patch.object(figures, "FIGURE_VERSION", figures.FIGURE_VERSION + 1):
        build_figures(cache, CPU)
    assert len(list(tmp_path.glob("figures-*.u8"))) == 2


def test_places_are_learned_from_every_photo(cache: PixelCache) -> None:
    seen: list[torch.Tensor] = []

    def listen(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return figure_evidence(images)

    with mock.patch.object(figures, "figure_evidence", listen):
        build_figures(cache, CPU)
    torch.testing.assert_close(torch.cat(seen), to_batch(cache.read(np.arange(PHOTOS)), CPU))


def place_people(cache: PixelCache, centres: list[int]) -> None:
    """Replace the photos by ones of people around these columns."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(60, 140, (PHOTOS, SIZE, SIZE, 3), dtype=np.uint8)
    for photo, centre in zip(pixels, centres, strict=True):
        photo[6:44, centre - 5 : centre + 5] = (210, 40, 40)
    cache.path.write_bytes(pixels.tobytes())


def test_every_run_reports_where_people_stand(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    place_people(cache, [12] * PHOTOS)
    for _ in range(2):
        build_figures(cache, CPU)
        printed = capsys.readouterr().err
        ((first, last),) = re.findall(r"stand at (?:(\d+) to )?(\d+) % of the width", printed)
        assert 18 <= int(first or last) <= int(last) <= 32
        assert "warning" not in printed


def test_a_wide_range_of_places_gives_a_warning(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    place_people(cache, [8, 40, 9, 39, 8, 41, 7, 40, 8, 39, 9])
    build_figures(cache, CPU)
    assert "warning: 80 % of the people" in capsys.readouterr().err


def test_photos_of_one_colour_give_a_warning(
    cache: PixelCache, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.path.write_bytes(bytes([90]) * (PHOTOS * SIZE * SIZE * 3))
    build_figures(cache, CPU)
    assert "warning: colours do not show" in capsys.readouterr().err


def test_a_signal_stops_the_computation_and_leaves_nothing(
    cache: PixelCache, tmp_path: Path
) -> None:
    stop = StopRequest()
    stop.received = "SIGTERM"
    with pytest.raises(StoppedError, match="figures"):
        build_figures(cache, CPU, stop)
    assert [p.name for p in tmp_path.iterdir()] == ["images-48-0123.u8"]


def test_a_run_with_figures_of_another_version_cannot_be_resumed(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    words = ("fit", few, "-o", tmp_path / "run", *FIT, "--warmup", "2", "--epochs", "0")
    assert cli(*words, "--max-steps", "1").code in (0, 75)
    with mock.patch.object(inputs, "FIGURE_VERSION", inputs.FIGURE_VERSION + 1):
        refused = cli(*words, "--max-steps", "1", "--resume")
    assert refused.code == 4
    assert "guess: the run has" in refused.err
    cli.ok(*words, "--max-steps", "1", "--resume")
