"""What a GPU is fed with are the cached photos and features, wherever they lie."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from devices import on_each_device
from drawn import photos

from c2l.data.cache import PixelCache, build_cache
from c2l.data.decoding import Skips
from c2l.data.records import Record
from c2l.figure.cache import build_figures
from c2l.training.buffer import feature_buffer
from c2l.training.view_sources import PhotoViews


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> PixelCache:
    folder = tmp_path_factory.mktemp("cache")
    photos(folder, count=6)
    records = [Record(path.name, path, None) for path in sorted(folder.glob("*.jpg"))]
    return build_cache(records, folder, 32, 1, Skips("fail", quiet=True))


@on_each_device
@pytest.mark.parametrize("room", [True, False])
def test_batches_hold_the_cached_photos(device: str, room: bool, cache: PixelCache) -> None:
    free = 1 << 30 if room else 0
    with mock.patch("c2l.training.view_sources.free_bytes", return_value=free):
        views = PhotoViews(cache, 0, torch.device(device), "off")
    assert (views.resident is not None) == (room and device == "cuda")
    for indices in (np.array([4, 0, 3]), np.arange(6)):
        pixels = views.load(indices, 0).pixels
        assert pixels.device.type == torch.device(device).type
        np.testing.assert_array_equal(pixels.permute(0, 2, 3, 1).cpu(), cache.read(indices))


@on_each_device
@pytest.mark.parametrize("room", [True, False])
def test_features_come_back_in_their_order(device: str, room: bool, tmp_path: Path) -> None:
    given = [torch.randn(rows, 8, device=device) for rows in (30, 20, 5)]
    free = 1 << 30 if room else 0
    with (
        mock.patch("c2l.training.buffer.free_bytes", return_value=free),
        feature_buffer(tmp_path / "f", torch.device(device), 880) as buffer,
    ):
        assert (tmp_path / "f").exists() == (device == "cpu" or not room)
        for features in given:
            buffer.append(features)
        for _ in range(2):
            for features, back in zip(given, buffer, strict=True):
                assert torch.equal(back, features.half())
    assert not (tmp_path / "f").exists()


@on_each_device
def test_the_figures_of_a_batch_are_those_of_its_photos(device: str, cache: PixelCache) -> None:
    place = torch.device(device)
    figures = build_figures(cache, place)
    every = figures.parts(np.arange(6))
    assert every.device.type == place.type
    torch.testing.assert_close(every.sum(1), torch.ones_like(every[:, 0]), atol=0.01, rtol=0)
    assert torch.equal(figures.parts(np.array([5, 1])), every[[5, 1]])
    figures.close()
