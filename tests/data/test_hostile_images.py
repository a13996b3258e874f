"""Photos and masks made to hurt: small files stay small, and what is left out is listed."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import FIT, NETWORK, PHOTOS, Cli, run_python
from PIL import Image
from scipy.io import savemat

from c2l.data.masks import read_mask
from c2l.errors import BadInputError

MIB = 1 << 20
# Reads each file of a folder within 512 MiB more than the libraries take.
READ_ALL = """
import json, pathlib, resource, sys
from c2l.data.images import read_rgb
from c2l.data.masks import read_mask
from c2l.errors import BadInputError
import scipy.io
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (512 << 20),) * 2)
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        read = read_mask if path.suffix == ".mat" else read_rgb
        found[path.name] = list(read(path).shape)
    except BadInputError as error:
        found[path.name] = error.message
print(json.dumps(found))
"""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, data: bytes, extra: bytes = b"") -> bytes:
    """An RGB picture of some compressed rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = header + extra + chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def jpeg(height: int, width: int) -> bytes:
    """A picture of 8 x 8 pixels whose header says something else."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG")
    data = stream.getvalue()
    place = data.find(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def gif(side: int) -> bytes:
    """A screen of 8 x 8 pixels with a larger frame."""
    stream = io.BytesIO()
    Image.new("P", (8, 8)).save(stream, "GIF")
    data = bytearray(stream.getvalue())
    place = data.find(b",\0\0\0\0") + 5
    data[place : place + 4] = struct.pack("<HH", side, side)
    return bytes(data)


def mat(
    shape: tuple[int, int],
    data: bytes,
    *,
    declared: int | None = None,
    packed: bool = False,
    type_of_data: int = 2,
) -> bytes:
    """A MATLAB file of one uint8 variable."""

    def part(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)

    flags = part(6, struct.pack("<II", 9, 0))
    front = flags + part(5, struct.pack("<ii", *shape)) + part(1, b"groundtruth")
    tag = struct.pack("<II", type_of_data, len(data) if declared is None else declared)
    variable = struct.pack("<II", 14, len(front + tag + data)) + front + tag + data
    if packed:
        content = zlib.compress(variable)
        variable = struct.pack("<II", 15, len(content)) + content
    return b"MATLAB 5.0".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + variable


def bombs() -> dict[str, tuple[bytes, str]]:
    """Name -> content, and what its refusal says."""
    zeros, rows = zlib.compress(bytes(100 * MIB)), zlib.compress(b"\0" * 4 * 13)
    note = chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(MIB - 9)))
    return {
        "20k.png": (png(20000, zeros), "at most"),
        "itxt.png": (png(4, rows, chunk(b"iTXt", b"k\0\1\0\0\0" + zeros)), "too large"),
        "itxt-many.png": (png(4, rows, note * 100), "Too much memory"),
        "ztxt.png": (png(4, rows, chunk(b"zTXt", b"k\0\0" + zeros)), "too large"),
        "iccp.png": (png(4, rows, chunk(b"iCCP", b"k\0\0" + zeros)), "too large"),
        "20k.jpg": (jpeg(20000, 20000), "at most"),
        "8k.jpg": (jpeg(8000, 8000), "the file holds"),
        "8k.png": (png(8000, rows), "the file holds"),
        "60k.gif": (gif(60000), "at most"),
        "long.mat": (mat((4, 4), bytes(100 * MIB), packed=True), "104857600 bytes"),
        "lie.mat": (mat((4, 4), bytes(16), declared=0xFFFFFFF0), "4294967280 bytes"),
        "lie-packed.mat": (mat((4, 4), bytes(16), declared=1 << 31, packed=True), "bytes for"),
        "beyond.mat": (mat((4, 4), bytes(16))[:-20], "more than the file holds"),
        "negative.mat": (mat((-4, -4), bytes(16)), "cannot be decoded"),
        "old.mat": (struct.pack("<5i", 0, 1 << 28, 1 << 28, 0, 12) + b"groundtruth\0", "no MATLAB"),
        "mixed.mat": (b"MA\0\0" + mat((4, 4), bytes(16))[4:], "no MATLAB"),
        "20k.mat": (mat((20000, 20000), bytes(16)), "at most"),
    }


def test_bombs_are_refused_within_little_memory(tmp_path: Path) -> None:
    made = bombs()
    for name, (content, _) in made.items():
        (tmp_path / name).write_bytes(content)
        assert len(content) < 2 * MIB
    (tmp_path / "rest.png").write_bytes(png(4, zlib.compress(bytes(100 * MIB))))
    done = run_python(READ_ALL, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("rest.png") == [4, 4, 3]  # what follows its rows is never unpacked
    for name, (_, words) in made.items():
        assert isinstance(found[name], str), name
        assert words in found[name], found[name]
        assert str(tmp_path / name) in found[name]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("type_of_data", [0, 8, 11, 14, 200, 0xFFFF])
def test_a_type_that_crashes_the_reader_is_refused(
    tmp_path: Path, type_of_data: int, packed: bool
) -> None:
    content = mat((4, 4), bytes(16), packed=packed, type_of_data=type_of_data)
    (tmp_path / "m.mat").write_bytes(content)
    with pytest.raises(BadInputError, match=f"a part of type {type_of_data} where"):
        read_mask(tmp_path / "m.mat")


@pytest.mark.parametrize("value", ["words", {"a": 1}, np.array([1, "b"], object)])
def test_a_mask_that_is_no_matrix_of_numbers_is_refused(tmp_path: Path, value: object) -> None:
    savemat(tmp_path / "m.mat", {"groundtruth": value})
    with pytest.raises(BadInputError, match=r"found a (char|struct|cell)"):
        read_mask(tmp_path / "m.mat")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_sound_matlab_masks_are_read(tmp_path: Path, packed: bool, dtype: type) -> None:
    ids = np.arange(35).reshape(5, 7)
    other = np.random.default_rng(0).random((40, 30, 3))
    savemat(
        tmp_path / "m.mat",
        {"other": other, "groundtruth": ids.astype(dtype), "s": {"a": other}, "t": "text"},
        do_compression=packed,
    )
    assert np.array_equal(read_mask(tmp_path / "m.mat"), ids)


def test_a_matlab_mask_of_complex_numbers_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "m.mat", {"groundtruth": np.ones((4, 4)) * 1j})
    with pytest.raises(BadInputError, match="a variable of complex numbers"):
        read_mask(tmp_path / "m.mat")


@pytest.fixture
def mixed(few: Path, tmp_path: Path) -> Path:
    """Two plain photos, five odd ones and six that are broken."""
    folder = tmp_path / "mixed"
    (folder / "below").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes((few / name).read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    picture, exif = Image.fromarray(noise), Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "turned.jpg", exif=exif)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(noise[..., 0].astype(np.uint16) << 8).save(folder / "deep.png")
    picture.save(folder / "moving.png", save_all=True, append_images=[picture.rotate(90)])
    picture.crop((0, 0, 1, 1)).save(folder / "one.png")
    (folder / "below" / "cut.png").write_bytes((folder / "moving.png").read_bytes()[:900])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("a caption, no photo")
    (folder / "zero.png").write_bytes(png(0, b""))
    (folder / "20k.png").write_bytes(png(20000, zlib.compress(bytes(MIB))))
    (folder / "bomb.jpg").write_bytes(jpeg(8000, 8000))
    return folder


SIZES = {
    "a.jpg": [96, 64],
    "b.jpg": [96, 64],
    "cmyk.jpg": [40, 60],
    "deep.png": [40, 60],
    "moving.png": [40, 60],
    "one.png": [1, 1],
    "turned.jpg": [60, 40],
}
BROKEN = ["20k.png", "below/cut.png", "bomb.jpg", "empty.jpg", "text.jpg", "zero.png"]


def test_odd_photos_are_read_and_broken_ones_counted_and_listed(
    cli: Cli, mixed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    done = cli.ok("extract", mixed, "-o", path, *PHOTOS, *NETWORK, "--on-error", "skip")
    with h5py.File(path) as file:
        found = dict(zip(file["names"].asstr()[:], file["orig_size"][:].tolist(), strict=True))
        skipped = [text.split("\t") for text in file["skipped"].asstr()[:]]
    assert found == SIZES
    assert [name for name, _ in skipped] == BROKEN
    for name, reason in skipped:
        assert str(mixed / name) in reason
        assert f"skipped {reason}" in done.err


def test_a_run_lists_the_photos_it_left_out(cli: Cli, mixed: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    words = ("--max-steps", "1", "--on-error", "skip", "--json")
    done = cli.ok("fit", mixed, "-o", path, *FIT, *words)
    assert json.loads(done.out)["left_out"] == BROKEN
    assert f"{len(BROKEN)} of {len(BROKEN) + len(SIZES)} photos were left out: " in done.err
    assert (
        sorted(json.loads(cli.ok("inspect", path, "--json").out)["artifacts"][0]["left_out"])
        == BROKEN
    )
    listed = json.loads((path / "inputs.json").read_text())["skipped"]
    assert sorted(listed) == BROKEN


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["extract", "fit"])
def test_a_broken_photo_stops_every_command_and_is_named(
    cli: Cli, mixed: Path, tmp_path: Path, name: str, command: str
) -> None:
    for other in set(BROKEN) - {name}:
        (mixed / other).unlink()
    options = (*PHOTOS, *NETWORK) if command == "extract" else FIT
    done = cli(command, mixed, "-o", tmp_path / "out", *options)
    assert (done.code, done.out) == (3, "")
    assert str(mixed / name) in done.err
    assert "--on-error skip" in done.err
    assert not (tmp_path / "out" / "predictor.safetensors").exists()
