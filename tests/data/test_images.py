"""Every rule of image decoding by pixel values, and every refusal."""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_python
from numpy.typing import NDArray
from PIL import Image

from c2l.data.images import read_header, read_rgb, read_size
from c2l.errors import BadInputError

# Asymmetric under every turn and flip: six pixels, all different.
PICTURE = (np.arange(18, dtype=np.uint8) * 14).reshape(2, 3, 3)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * y / height, 255 * x / width, 128 + 0 * x], axis=2).astype(np.uint8)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pixels(path: Path) -> list[list[int]]:
    values: list[list[int]] = read_rgb(path).reshape(-1, 3).tolist()
    return values


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path)
    image = read_rgb(path)
    assert np.array_equal(image, PICTURE)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert image.flags.c_contiguous
    assert read_size(path) == (2, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, PICTURE),
        (2, PICTURE[:, ::-1]),
        (3, PICTURE[::-1, ::-1]),
        (4, PICTURE[::-1]),
        (5, PICTURE.transpose(1, 0, 2)),
        (6, np.rot90(PICTURE, -1)),
        (7, PICTURE[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(PICTURE)),
        (9, PICTURE),
    ],
)
def test_exif_orientation_turns_the_picture_and_its_size(
    tmp_path: Path, suffix: str, orientation: int, expected: NDArray[np.uint8]
) -> None:
    path = tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(PICTURE).save(path, exif=exif, **options)
    assert np.array_equal(read_rgb(path), expected)
    assert read_size(path) == expected.shape[:2]


def test_a_turned_jpeg_is_resized_as_it_is_seen(tmp_path: Path) -> None:
    path, upright = tmp_path / "a.jpg", tmp_path / "b.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth(80, 120)).save(path, exif=exif, quality=95)
    Image.fromarray(smooth(80, 120)).save(upright, quality=95)
    assert read_size(path) == (120, 80)
    turned = np.rot90(read_rgb(upright, size=16), -1).astype(int)
    assert np.abs(read_rgb(path, size=16) - turned).max() <= 1


def test_broken_exif_counts_as_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth(8, 16)).save(path, exif=b"Exif\0\0no tiff header")
    assert read_size(path) == (8, 16)
    assert read_rgb(path).shape == (8, 16, 3)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[7, 200]], np.uint8)).save(path)
    assert pixels(path) == [[7, 7, 7], [200, 200, 200]]
    Image.fromarray(np.array([[False, True]])).save(path)
    assert pixels(path) == [[0, 0, 0], [255, 255, 255]]


def test_cmyk_tiff_and_adobe_jpeg_become_the_same_rgb(tmp_path: Path) -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 128, 51))
    for name in ("a.tif", "a.jpg"):
        cmyk.save(tmp_path / name)
        # (255 - ink) * (255 - black) / 255 for each ink
        expected = [255 * 204 / 255, 0, 127 * 204 / 255]
        assert np.abs(np.array(pixels(tmp_path / name)) - expected).max() <= 2
    assert read_header(tmp_path / "a.jpg").mode == "CMYK"


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([1, 2, 3, 40, 50, 60, 200, 100, 0])
    image.save(path)
    assert pixels(path) == [[1, 2, 3], [40, 50, 60], [200, 100, 0]]
    image.save(path, transparency=bytes([255, 0, 128]))
    assert pixels(path)[:2] == [[1, 2, 3], [255, 255, 255]]
    # half of (200, 100, 0) over white
    assert np.abs(np.array(pixels(path)[2]) - [227, 177, 127]).max() <= 1
    image.save(tmp_path / "a.gif", transparency=1)
    assert pixels(tmp_path / "a.gif") == [[1, 2, 3], [255, 255, 255], [200, 100, 0]]


def test_alpha_is_composited_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[[9, 8, 7, 255], [9, 8, 7, 0], [0, 0, 0, 51]]], np.uint8)).save(path)
    assert pixels(path) == [[9, 8, 7], [255, 255, 255], [204, 204, 204]]
    grey = np.array([[[100, 255], [100, 0]]], np.uint8)
    Image.frombytes("LA", (2, 1), grey.tobytes()).save(path)
    assert pixels(path) == [[100] * 3, [255] * 3]


def test_a_transparent_colour_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)).save(path, transparency=(1, 2, 3))
    assert pixels(path) == [[255, 255, 255], [4, 5, 6]]
    Image.fromarray(np.array([[7, 8]], np.uint8)).save(path, transparency=8)
    assert pixels(path) == [[7, 7, 7], [255, 255, 255]]


def test_sixteen_bits_keep_their_high_byte(tmp_path: Path) -> None:
    values = np.array([[0x0000, 0x12FF, 0xFFFF]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    Image.fromarray(values.astype(np.int32)).save(tmp_path / "b.tif")
    for name in ("a.png", "a.tif", "b.tif"):
        assert pixels(tmp_path / name) == [[0] * 3, [0x12] * 3, [255] * 3]
    colour = b"\0" + struct.pack(">3H", 0x12FF, 0x3401, 0x5680)
    (tmp_path / "c.png").write_bytes(png(1, 1, 16, 2, colour))
    assert pixels(tmp_path / "c.png") == [[0x12, 0x34, 0x56]]
    grey, clear = struct.pack(">2H", 0x1234, 0x5678), chunk(b"tRNS", struct.pack(">H", 0x1234))
    (tmp_path / "d.png").write_bytes(png(2, 1, 16, 0, b"\0" + grey, clear))
    assert pixels(tmp_path / "d.png") == [[255] * 3, [0x56] * 3]


def test_more_than_sixteen_bits_and_floats_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[70000]], np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(BadInputError, match="at most 16 bits"):
        read_rgb(tmp_path / "a.tif")
    Image.fromarray(np.array([[0.5]], np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(BadInputError, match="floating point"):
        read_rgb(tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".tif", ".webp"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert pixels(path) == [[255, 0, 0]] * 16


def test_the_content_decides_and_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(PICTURE).save(path, format="PNG")
    assert np.array_equal(read_rgb(path), PICTURE)
    assert read_header(path).format == "PNG"


def test_resizing_averages_what_falls_into_a_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    stripes = np.zeros((64, 32, 3), np.uint8)
    stripes[:, 1::2] = 200
    Image.fromarray(stripes).save(path)
    small = read_rgb(path, size=4)
    assert small.shape == (4, 4, 3)
    # without antialiasing every pixel would be 0 or 200
    assert np.abs(small.astype(int) - 100).max() <= 7


@pytest.mark.parametrize("shape", [(333, 517), (640, 480), (65, 900), (20, 20)])
def test_a_jpeg_decoded_small_matches_one_decoded_whole(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth(*shape)).save(path, quality=95)
    with Image.open(path) as image:
        whole = image.resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(read_rgb(path, size=32) - np.asarray(whole).astype(int)).max() <= 4


def test_threads_read_what_one_reads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.jpg" for i in range(12)]
    for i, path in enumerate(paths):
        Image.fromarray(np.roll(smooth(60, 90), i * 5, axis=0)).save(path)
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda path: read_rgb(path, size=24), paths * 4))
    for path, image in zip(paths * 4, together, strict=True):
        assert np.array_equal(image, read_rgb(path, size=24))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".gif"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for size in (None, 16):
        with pytest.raises(BadInputError, match="cannot be decoded") as caught:
            read_rgb(path, size=size)
        assert caught.value.path == str(path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "zero.png").write_bytes(png(0, 1, 8, 0, b""))
    os.mkfifo(tmp_path / "pipe.png")
    Image.fromarray(PICTURE).save(tmp_path / "a.ppm")
    for name, words in (
        ("text.jpg", "found something else"),
        ("empty.png", "empty file"),
        ("folder.png", "a folder or a device"),
        ("zero.png", "expected an image"),
        ("pipe.png", "a folder or a device"),
        ("a.ppm", "found something else"),
        ("missing.png", "No such file"),
    ):
        for read in (read_rgb, read_size):
            with pytest.raises(BadInputError, match=words):
                read(tmp_path / name)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    for width, height in ((9000, 9000), (10000, 10000), (60000, 60000)):
        path.write_bytes(png(width, height, 1, 0, b""))
        with pytest.raises(BadInputError, match="at most 79995136 pixels"):
            read_rgb(path)
        with pytest.raises(BadInputError, match="at most 79995136 pixels"):
            read_size(path)


def test_a_header_larger_than_its_bytes_could_fill_is_refused_first(tmp_path: Path) -> None:
    for depth, colour in ((8, 2), (8, 6), (1, 0), (8, 3)):
        path = tmp_path / "bomb.png"
        path.write_bytes(png(8000, 8000, depth, colour, bytes(100)))
        with pytest.raises(BadInputError, match="but the file holds"):
            read_rgb(path)
    path.write_bytes(png(3000, 3000, 1, 0, bytes(3000 * 376)))  # zeros pack as well as can be
    assert not read_rgb(path).any()


def test_a_chunk_longer_than_its_file_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    whole = png(2, 1, 8, 0, b"\0\7\7")
    place = whole.find(b"IDAT")
    path.write_bytes(whole[: place - 4] + struct.pack(">I", 2**31 - 1) + whole[place:])
    program = (
        "import resource, sys; from pathlib import Path; from c2l.data.images import read_rgb\n"
        "from c2l.errors import BadInputError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "try: print(read_rgb(Path(sys.argv[1])).shape)\n"
        "except BadInputError: print('refused')\n"
    )
    done = run_python(program, path)
    assert done.stdout in ("refused\n", "(1, 2, 3)\n"), done.stderr


def test_texts_that_unpack_to_anything_are_refused(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(100 << 20))
    for kind, head in ((b"iTXt", b"k\0\1\0\0\0"), (b"zTXt", b"k\0\0"), (b"iCCP", b"k\0\0")):
        path = tmp_path / "bomb.png"
        path.write_bytes(png(1, 1, 8, 0, b"\0\7", chunk(kind, head + packed)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with contextlib.suppress(BadInputError):
            assert pixels(path) == [[7, 7, 7]]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth(64, 64)).save(path, progressive=True)
    raw = path.read_bytes()
    read_rgb(path)
    last = raw.rfind(b"\xff\xda")
    path.write_bytes(raw[:last] + raw[last:-2] * 200 + raw[-2:])
    with pytest.raises(BadInputError, match="at most 200 scans in a JPEG, found 2"):
        read_rgb(path, size=16)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif", ".gif"])
def test_one_pixel_is_an_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (1, 1), (200, 200, 200)).save(path)
    assert np.abs(np.array(pixels(path)) - 200).max() <= 3
    assert read_rgb(path, size=32).shape == (32, 32, 3)


def test_twenty_thousand_squared_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.gif"):
        Image.new("1", (20000, 20000)).save(tmp_path / name)
        with pytest.raises(BadInputError, match="at most 79995136 pixels"):
            read_rgb(tmp_path / name)


def test_the_limit_of_pixels_is_inclusive(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path)
    assert read_rgb(path, max_pixels=6).shape == (2, 3, 3)
    with pytest.raises(BadInputError, match="at most 5 pixels, the header declares 3 x 2"):
        read_rgb(path, max_pixels=5)


def test_oddities_print_nothing(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(9500, 9500, 8, 0, b""))
    palette = Image.new("P", (2, 2))
    palette.save(tmp_path / "palette.png", transparency=b"\x00\x80")
    Image.fromarray(PICTURE).save(tmp_path / "exif.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    code = (
        "import sys, pathlib\n"
        "from c2l.data.images import read_rgb\n"
        "from c2l.errors import BadInputError\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: read_rgb(path)\n"
        "    except BadInputError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_that_may_not_be_read_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("c2l.data.images.io.FileIO", refused)
    with pytest.raises(BadInputError, match=r"a\.png: cannot be read: Permission denied$"):
        read_rgb(path)
