"""Masks give the ids they store, whatever stores them, and anything else is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from c2l.data.images import ImageHeader
from c2l.data.masks import fitted, read_mask
from c2l.errors import BadInputError

IDS = np.array([[0, 1, 17], [255, 4, 2]], np.uint8)


def mat(path: Path, **arrays: Any) -> Path:
    savemat(path, arrays)
    return path


def test_indexed_png_gives_its_indices_and_not_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(IDS).convert("P")
    image.putdata(IDS.ravel().tolist())
    image.putpalette([(i * 7) % 256 for i in range(768)])
    image.save(tmp_path / "a.png", transparency=0)
    mask = read_mask(tmp_path / "a.png")
    assert np.array_equal(mask, IDS)
    assert mask.dtype == np.uint8


def test_grey_png_gives_its_values(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.PNG")
    assert np.array_equal(read_mask(tmp_path / "a.PNG"), IDS)


@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize(("depth", "ids"), [(1, [1, 0]), (2, [3, 1]), (4, [13, 2])])
def test_few_bits_give_the_stored_values(
    tmp_path: Path, depth: int, ids: list[int], colour: int
) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    packed = ids[0] << (8 - depth) | ids[1] << (8 - 2 * depth)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0))
        + (chunk(b"PLTE", bytes(3 << depth)) if colour == 3 else b"")
        + chunk(b"IDAT", zlib.compress(bytes([0, packed])))
        + chunk(b"IEND", b"")
    )
    assert read_mask(tmp_path / "a.png").tolist() == [ids]


def test_sixteen_bit_png_keeps_ids_above_255(tmp_path: Path) -> None:
    ids = np.array([[0, 300, 65535]], np.uint16)
    Image.fromarray(ids).save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png")
    assert np.array_equal(mask, ids)
    assert mask.dtype == np.uint16


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_colour_png_is_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(BadInputError, match=f"indexed or grey mask.*{mode}"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("channels", "advice"),
    [
        ((0, 0, 0, "ids"), "its alpha channel is not, keep that one"),
        ((7, "ids"), "its alpha channel is not, keep that one"),
        (("ids", "ids", "ids"), "its colour channels are all the same, keep one of them"),
        (("ids", "ids", "ids", 255), "its colour channels are all the same, keep one of them"),
        (("ids", 255), "its colour channels are all the same, keep one of them"),
        ((0, "ids", 0, "ids"), "of 5 colours"),
        ((1, 2, 3), "of one colour"),
        ((0, 0, 0, 9), "of one colour"),
    ],
)
def test_the_advice_on_a_colour_png_keeps_the_ids(
    tmp_path: Path, channels: tuple[int | str, ...], advice: str
) -> None:
    ids = np.arange(5, dtype=np.uint8).repeat(5).reshape(5, 5)
    planes = [ids if one == "ids" else np.full_like(ids, one) for one in channels]
    Image.fromarray(np.stack(planes, 2)).save(tmp_path / "a.png")
    with pytest.raises(BadInputError, match=advice):
        read_mask(tmp_path / "a.png")


def test_broken_missing_and_foreign_pngs_are_refused(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "jpeg.png", format="JPEG")
    noise = np.random.default_rng(0).integers(0, 256, (50, 50), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "short.png")
    (tmp_path / "short.png").write_bytes((tmp_path / "short.png").read_bytes()[:1000])
    for name, words in (
        ("jpeg.png", "found something else"),
        ("short.png", "cannot be decoded"),
        ("none.png", "No such file"),
    ):
        with pytest.raises(BadInputError, match=words):
            read_mask(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_mat_gives_its_groundtruth(tmp_path: Path, dtype: type) -> None:
    other = np.zeros((9, 9), np.uint8)
    mask = read_mask(mat(tmp_path / "a.mat", other=other, groundtruth=IDS.astype(dtype)))
    assert np.array_equal(mask, IDS)
    assert mask.dtype == np.uint8


def test_mat_gives_its_only_integer_array(tmp_path: Path) -> None:
    wide = np.array([[256, 1]], np.int64)
    mask = read_mask(mat(tmp_path / "a.mat", labels=wide, note="text", score=0.5))
    assert np.array_equal(mask, wide)
    assert mask.dtype == np.uint16


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": IDS, "b": IDS}, "a single 2-D integer one, found a, b"),
        ({"a": "text"}, "found a"),
        ({"groundtruth": "text"}, "2-D array of label ids"),
        ({"groundtruth": np.zeros((2, 2, 2), np.uint8)}, "shape"),
        ({"groundtruth": np.zeros((0, 2), np.uint8)}, "shape"),
        ({"groundtruth": np.array([[0.5]])}, "label ids 0 to 65535"),
        ({"groundtruth": np.array([[np.nan]])}, "label ids 0 to 65535"),
        ({"groundtruth": np.array([[-1]])}, "label ids 0 to 65535, found -1"),
        ({"groundtruth": np.array([[65536]])}, "label ids 0 to 65535"),
        ({"groundtruth": np.array([[1j]])}, "complex"),
    ],
)
def test_mat_without_label_ids_is_refused(
    tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        read_mask(mat(tmp_path / "a.mat", **arrays))


def test_broken_mat_files_are_refused(tmp_path: Path) -> None:
    good = mat(tmp_path / "good.mat", groundtruth=IDS).read_bytes()
    version_73 = (
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(64)
    )
    for name, data, words in (
        ("v73.mat", version_73, "version 7.3"),
        ("text.mat", b"hello, this is not a MATLAB file", "cannot be"),
        ("empty.mat", b"", "cannot be"),
        ("short.mat", good[:-20], "cannot be"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInputError, match=words):
            read_mask(tmp_path / name)
    with pytest.raises(BadInputError, match="No such file"):
        read_mask(tmp_path / "none.mat")


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", mat(tmp_path / "a.mat", groundtruth=IDS)):
        assert read_mask(path, max_pixels=6).shape == (2, 3)
        with pytest.raises(BadInputError, match="at most 5 pixels"):
            read_mask(path, max_pixels=5)


def header(height: int, width: int, orientation: int = 1, *, turned: bool = True) -> ImageHeader:
    return ImageHeader(height, width, "JPEG", "RGB", orientation, turned)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert fitted(IDS, header(2, 3), path) is IDS
    with pytest.raises(BadInputError, match=r"a\.png: .* 3 x 2 pixels .* found 2 x 3$"):
        fitted(IDS, header(3, 2), path, nearest=True)
    with pytest.raises(BadInputError, match="of the same shape") as caught:
        fitted(IDS, header(40, 60), path)
    assert caught.value.hint is not None
    assert "--mask-size nearest" in caught.value.hint


def test_a_mask_of_the_same_shape_is_resized_by_the_nearest_pixel(tmp_path: Path) -> None:
    assert fitted(IDS, header(4, 6), tmp_path, nearest=True).tolist() == [
        [0, 0, 1, 1, 17, 17],
        [0, 0, 1, 1, 17, 17],
        [255, 255, 4, 4, 2, 2],
        [255, 255, 4, 4, 2, 2],
    ]
    large = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert (
        fitted(large, header(3, 4), tmp_path, nearest=True).tolist() == large[1::2, 1::2].tolist()
    )


@pytest.mark.parametrize(("turned", "cure"), [(True, "ignore"), (False, "apply")])
def test_a_mask_that_fits_the_photo_otherwise_turned_names_exif(
    tmp_path: Path, turned: bool, cure: str
) -> None:
    with pytest.raises(BadInputError, match="EXIF orientation 6") as caught:
        fitted(IDS, header(3, 2, 6, turned=turned), tmp_path)
    assert caught.value.hint == f"read the photos so: --exif {cure}"
