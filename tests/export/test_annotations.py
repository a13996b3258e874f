"""Masks in other programs' formats: their own readers find the same pixels."""

from __future__ import annotations

import json
import os
import subprocess
import tracemalloc
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Cli
from numpy.typing import NDArray
from PIL import Image

from c2l.data.shapes import fill_polygon, fill_runs, run_lengths
from c2l.drawing.masks import Legend, write_indexed_png
from c2l.drawing.palette import part_colours, pascal_palette
from c2l.export.annotations import EXCHANGES, write_exchange
from c2l.export.outlines import polygons

ROOT = Path(__file__).parents[2]
# An environment of its own, since datumaro wants another Pillow: make readers.
READERS = Path(os.environ.get("C2L_READERS", ROOT / ".venv-readers" / "bin" / "python"))
NAMES = ("background", "upper & <lower>", "belt", "hair, long")
SIZES = {"a.jpg": (40, 31), "below/b c.jpg": (33, 64), "q.png": (12, 12)}
Mask = NDArray[np.uint8]


def picture(seed: int, size: tuple[int, int]) -> Mask:
    """Blobs of four ids, with holes and pixels that meet in a corner."""
    small = np.random.default_rng(seed).integers(0, 256, (4, size[0] // 6 + 2, size[1] // 6 + 2))
    large = [
        Image.fromarray(s.astype(np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)
        for s in small
    ]
    mask = np.argmax(np.stack([np.asarray(one) for one in large]), axis=0).astype(np.uint8)
    mask[2:9, 2:9], mask[4:6, 4:6], mask[7, 7], mask[8, 8] = 1, 2, 3, 3
    mask[-1, 0] = 255
    return mask


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three masks in every format, as run lengths and as exact polygons; blank photos beside."""
    root = tmp_path_factory.mktemp("exchange")
    for shapes in ("rle", "polygon"):
        masks = []
        for seed, (name, size) in enumerate(SIZES.items()):
            photo, mask = root / "photos" / name, root / shapes / "masks" / name
            for place in (photo, mask):
                place.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size[::-1]).save(photo)
            write_indexed_png(mask.with_suffix(".png"), picture(seed, size), pascal_palette())
            masks.append((name, mask.with_suffix(".png")))
        legend = Legend(np.arange(256, dtype=np.uint8), NAMES, part_colours(len(NAMES)), "")
        for kind in EXCHANGES:
            write_exchange(kind, root / shapes, masks, legend, shapes, 0.0, 1)
    return root


def test_outlines_hold_exactly_the_pixels_of_a_mask() -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        mask = random.random(random.integers(1, 14, 2)) < random.random()
        found = np.zeros(mask.shape, int)
        for points in polygons(mask, 0):
            found += fill_polygon(points, mask.shape)
        np.testing.assert_array_equal(found, mask)
        assert mask.size == sum(run_lengths(mask.ravel()))
        runs = fill_runs(run_lengths(mask.ravel()), mask.size)
        np.testing.assert_array_equal(runs, mask.ravel())


def test_simplified_outlines_stay_within_the_tolerance() -> None:
    y, x = np.mgrid[:300, :400]
    ring = np.hypot(x - 200, y - 150)
    mask = (ring < 120) & (ring > 40)
    exact, simple = polygons(mask, 0)[0], polygons(mask, 1.0)[0]
    assert len(simple) < len(exact) / 6
    wrong = fill_polygon(simple, mask.shape) != mask
    # No pixel is wrong but at the borders, which are two circles.
    distance = np.minimum(np.abs(ring - 120), np.abs(ring - 40))
    assert distance[wrong].max() < 1.8
    assert wrong.sum() < 0.01 * mask.sum()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("shapes", ["rle", "polygon"])
def test_pycocotools_reads_the_same_pixels(written: Path, shapes: str) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    data = coco.COCO(str(written / shapes / "coco.json"))
    assert [c["name"] for c in data.loadCats(data.getCatIds())] == list(NAMES[1:])
    assert [i["file_name"] for i in data.loadImgs(data.getImgIds())] == list(SIZES)
    for seed, photo in enumerate(data.loadImgs(data.getImgIds())):
        mask = picture(seed, SIZES[photo["file_name"]])
        assert (photo["height"], photo["width"]) == mask.shape
        for one in data.loadAnns(data.getAnnIds(photo["id"])):
            wanted = mask == one["category_id"]
            np.testing.assert_array_equal(data.annToMask(one), wanted)
            assert one["area"] == wanted.sum()
            left, top, width, height = one["bbox"]
            assert wanted[top : top + height, left : left + width].sum() == wanted.sum()


@pytest.fixture(scope="module")
def read_back(written: Path) -> Path:
    """What the readers of datumaro and Label Studio find."""
    if not READERS.is_file():
        pytest.skip(f"datumaro and label-studio-converter are not at {READERS}: make readers")
    for shapes in ("rle", "polygon"):
        words = [READERS, Path(__file__).with_name("read_back.py"), written / shapes]
        words += [written / "photos", written / "read" / shapes]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return written / "read"


@pytest.mark.parametrize("shapes", ["rle", "polygon"])
@pytest.mark.parametrize("kind", EXCHANGES)
def test_other_projects_read_the_same_pixels(read_back: Path, kind: str, shapes: str) -> None:
    for seed, (name, size) in enumerate(SIZES.items()):
        mask = picture(seed, size)
        with np.load((read_back / shapes / kind / name).with_suffix(".npz")) as found:
            for index in range(1, len(NAMES)):
                if (mask == index).any():
                    np.testing.assert_array_equal(found[NAMES[index]], mask == index)


def test_tools_get_the_colours_of_the_overlays(written: Path) -> None:
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in part_colours(len(NAMES))[1:].tolist()]
    cvat = json.loads((written / "rle" / "cvat_labels.json").read_text())
    assert [(one["name"], one["color"]) for one in cvat] == list(
        zip(NAMES[1:], colours, strict=True)
    )
    view = ElementTree.parse(written / "polygon" / "labelstudio.xml").getroot()
    assert [one.attrib["background"] for one in view.iter("Label")] == colours
    assert view.find("PolygonLabels") is not None


@pytest.mark.parametrize("kind", EXCHANGES)
def test_memory_does_not_grow_with_the_number_of_photos(tmp_path: Path, kind: str) -> None:
    exchange = EXCHANGES[kind](tmp_path, NAMES, part_colours(len(NAMES)), "rle", 0.0)
    entry = exchange.entry("a.jpg", picture(0, (60, 40)))
    exchange.append(entry)
    tracemalloc.start()
    try:
        exchange.append(entry)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(300):
            exchange.append(entry)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    exchange.close()
    # Buffers of files; what was written is ten times as much.
    assert after - before < 60_000


def test_render_writes_them_beside_its_masks(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli.ok("render", trained, few, "-o", out, "--format", "coco", "--shapes", "polygon")
    found = json.loads((out / "coco.json").read_text())
    assert [i["file_name"] for i in found["images"]] == ["a.jpg", "b.jpg", "below/d.jpg", "c.jpg"]
    # Clusters have no background: all of them are categories.
    assert [c["name"] for c in found["categories"]] == ["cluster 0", "cluster 1", "cluster 2"]
    legend = json.loads((out / "masks" / "legend.json").read_text())
    assert "coco.json" in legend["files"]
    assert legend["options"]["format"] == "coco"
    cli.ok("verify", out)
