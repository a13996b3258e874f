"""Images come out of the cache as they were decoded, once, in the order of the records."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c2l.data import cache as images
from c2l.data.cache import build_cache
from c2l.data.decoding import Skips, batched, decode
from c2l.data.images import read_rgb
from c2l.data.records import Record
from c2l.errors import BadInputError

SIZE = 32


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Five photos of different sizes."""
    random = np.random.default_rng(0)
    found = []
    for index in range(5):
        pixels = random.integers(0, 256, (40 + index, 50, 3), dtype=np.uint8)
        path = tmp_path / f"{index}.png"
        Image.fromarray(pixels).save(path)
        found.append(Record(path.name, path, None))
    return found


def pixels_of(record: Record) -> np.ndarray:
    return read_rgb(record.image, size=SIZE)


def test_images_are_decoded_in_order_with_their_size_and_hash(records: list[Record]) -> None:
    found = list(decode(records, SIZE, 2, Skips("fail")))
    assert [d.index for d in found] == [0, 1, 2, 3, 4]
    for image, record in zip(found, records, strict=True):
        np.testing.assert_array_equal(image.pixels, pixels_of(record))
        assert image.size == (40 + image.index, 50)
        assert image.sha256 == hashlib.sha256(record.image.read_bytes()).hexdigest()


def test_batches_keep_the_last_images(records: list[Record]) -> None:
    groups = list(batched(decode(records, SIZE, 1, Skips("fail")), 2))
    assert [[d.index for d in g] for g in groups] == [[0, 1], [2, 3], [4]]


def test_a_broken_image_stops_or_is_left_out(records: list[Record]) -> None:
    records[2].image.write_bytes(b"no image")
    with pytest.raises(BadInputError, match=r"2\.png") as caught:
        list(decode(records, SIZE, 1, Skips("fail")))
    assert "--on-error skip" in (caught.value.hint or "")
    skips = Skips("skip")
    assert [d.index for d in decode(records, SIZE, 1, skips)] == [0, 1, 3, 4]
    assert list(skips.reasons) == ["2.png"]


def test_the_cache_gives_back_the_decoded_pixels(tmp_path: Path, records: list[Record]) -> None:
    cache = build_cache(records, tmp_path / "cache", SIZE, 2, Skips("fail"))
    assert len(cache) == 5
    assert cache.names == tuple(r.name for r in records)
    chosen = np.array([3, 0, 3])
    found = cache.read(chosen)
    assert found.shape == (3, SIZE, SIZE, 3)
    for pixels, index in zip(found, chosen, strict=True):
        np.testing.assert_array_equal(pixels, pixels_of(records[index]))
    cache.close()


def test_a_complete_cache_of_the_same_images_is_used_as_it_is(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = build_cache(records, folder, SIZE, 1, Skips("fail"))
    first.close()
    with monkeypatch.context() as patch:
        patch.setattr(images, "decode", None)
        again = build_cache(records, folder, SIZE, 1, Skips("fail"))
    assert (again.names, again.inputs_sha256) == (first.names, first.inputs_sha256)
    again.close()


def test_a_changed_image_is_decoded_again(tmp_path: Path, records: list[Record]) -> None:
    folder = tmp_path / "cache"
    first = build_cache(records, folder, SIZE, 1, Skips("fail"))
    first.close()
    Image.new("RGB", (60, 60), (1, 2, 3)).save(records[1].image)
    again = build_cache(records, folder, SIZE, 1, Skips("fail"))
    assert again.inputs_sha256 != first.inputs_sha256
    assert (again.read(np.array([1])) == [1, 2, 3]).all()
    again.close()


def test_images_left_out_are_not_in_the_cache(tmp_path: Path, records: list[Record]) -> None:
    records[1].image.write_bytes(b"")
    for _ in range(2):  # decoded, then taken from the manifest
        skips = Skips("skip")
        cache = build_cache(records, tmp_path / "cache", SIZE, 1, skips)
        assert cache.names == ("0.png", "2.png", "3.png", "4.png")
        assert list(skips.reasons) == ["1.png"]
        np.testing.assert_array_equal(cache.read(np.array([1]))[0], pixels_of(records[2]))
        cache.close()


def test_no_image_at_all_is_bad_input(tmp_path: Path, records: list[Record]) -> None:
    for record in records:
        record.image.write_bytes(b"")
    with pytest.raises(BadInputError, match="not one image"):
        build_cache(records, tmp_path / "cache", SIZE, 1, Skips("skip"))


def test_a_cache_that_is_cut_short_is_bad_input(tmp_path: Path, records: list[Record]) -> None:
    cache = build_cache(records, tmp_path / "cache", SIZE, 1, Skips("fail"))
    os.truncate(cache.path, cache.path.stat().st_size - 1)
    cache.read(np.array([3]))
    with pytest.raises(BadInputError, match="cut short"):
        cache.read(np.array([4]))
    cache.close()


def test_a_stopped_decoding_leaves_no_cache(tmp_path: Path, records: list[Record]) -> None:
    records[4].image.write_bytes(b"")
    with pytest.raises(BadInputError):
        build_cache(records, tmp_path / "cache", SIZE, 1, Skips("fail"))
    assert not list((tmp_path / "cache").glob("images-*"))
