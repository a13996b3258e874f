"""Masks in annotation tools' formats are read as a data set, pixel by pixel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from numpy.typing import NDArray
from PIL import Image

from c2l.data.dataset import Dataset, open_dataset
from c2l.data.records import Choices
from c2l.data.shapes import coco_counts, run_lengths
from c2l.drawing.masks import Legend, write_indexed_png
from c2l.drawing.palette import part_colours, pascal_palette
from c2l.errors import BadInputError
from c2l.export.annotations import write_exchange

NAMES = ("background", "upper & <lower>", "belt", "hair, long")
SIZES = {"a.jpg": (40, 31), "below/b c.jpg": (33, 64), "q.jpg": (12, 12)}
FILES = {"coco": "coco.json", "cvat": "cvat.xml", "labelstudio": "labelstudio.json"}


def picture(seed: int, size: tuple[int, int], *, ignore: bool = False) -> NDArray[np.uint8]:
    """Blobs of four ids with a hole and pixels that meet in a corner."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    large = [Image.fromarray(s).resize(size[::-1], Image.Resampling.BICUBIC) for s in small]
    mask = np.argmax(np.stack([np.asarray(one) for one in large]), axis=0).astype(np.uint8)
    mask[2:9, 2:9], mask[4:6, 4:6], mask[7, 7], mask[8, 8] = 1, 2, 3, 3
    mask[-1, 0] = 255 if ignore else 1
    return mask


def write(root: Path, kind: str, shapes: str = "rle", tolerance: float = 0.0) -> Path:
    """Photos in a folder ``images``, and their masks in a format beside it."""
    masks = []
    for seed, (name, size) in enumerate(SIZES.items()):
        photo, mask = root / "images" / name, root / "png" / Path(name).with_suffix(".png")
        for place in (photo, mask):
            place.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(photo)
        write_indexed_png(mask, picture(seed, size, ignore=kind == "voc"), pascal_palette())
        masks.append((name, mask))
    legend = Legend(np.arange(256, dtype=np.uint8), NAMES, part_colours(len(NAMES)), "")
    write_exchange(kind, root, masks, legend, shapes, tolerance, 1)
    shutil.rmtree(root / "png")
    return root


def require_same(data: Dataset, *, ignore: bool = False, most_wrong: float = 0) -> None:
    assert data.meaning.space is not None
    assert data.meaning.space.names[0] == "background"
    ids = [data.meaning.space.names.index(name) for name in NAMES]
    table = np.full(256, 255, np.uint8)
    table[: len(ids)] = ids
    assert [record.name for record in data.records] == list(SIZES)
    for seed, record in enumerate(data.records):
        wanted = table[picture(seed, SIZES[record.name], ignore=ignore)]
        assert np.mean(record.labels() != wanted) <= most_wrong


@pytest.mark.parametrize("shapes", ["rle", "polygon"])
@pytest.mark.parametrize("kind", FILES)
def test_a_folder_of_photos_and_annotations_is_a_data_set(
    tmp_path: Path, kind: str, shapes: str
) -> None:
    data = open_dataset(write(tmp_path, kind, shapes), labelled_only=True)
    assert data.layout == kind
    require_same(data)
    assert len({record.mask_sums(str)[0] for record in data.records}) == len(SIZES)


@pytest.mark.parametrize("kind", FILES)
def test_a_file_elsewhere_is_named_by_masks(tmp_path: Path, kind: str) -> None:
    root = write(tmp_path / "photos", kind)
    file = shutil.move(root / FILES[kind], tmp_path / FILES[kind])
    assert all(r.mask is None for r in open_dataset(root / "images").records)
    require_same(open_dataset(root / "images", choices=Choices(masks=str(file))))


def test_polygons_are_within_a_pixel_of_the_borders(tmp_path: Path) -> None:
    data = open_dataset(write(tmp_path, "cvat", "polygon", tolerance=1.0))
    require_same(data, most_wrong=0.35)  # tiny pictures are nearly all border
    with pytest.raises(AssertionError):
        require_same(data)


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_masks_in_the_colours_of_labels(tmp_path: Path, mode: str) -> None:
    write(tmp_path, "voc")
    root = tmp_path / "voc"
    shutil.move(tmp_path / "images", root / "JPEGImages")
    for path in root.glob("SegmentationClass/**/*.png"):
        Image.open(path).convert(mode).save(path)
    lines = (root / "labelmap.txt").read_text().splitlines()
    # The order of CVAT's lines is its own.
    (root / "labelmap.txt").write_text("\n".join([lines[0], *reversed(lines[1:])]))
    data = open_dataset(root, labelled_only=True)
    assert data.layout == "voc"
    require_same(data, ignore=True)
    picture = Image.open(root / "SegmentationClass" / "a.png").convert("RGB")
    picture.putpixel((3, 5), (1, 2, 3))
    picture.save(root / "SegmentationClass" / "a.png")
    with pytest.raises(BadInputError, match=r"a\.png: row 5, column 3: colour 1, 2, 3"):
        open_dataset(root).records[0].labels()


def test_corrected_shapes_come_last_and_names_may_have_changed(tmp_path: Path) -> None:
    """Label Studio: the annotation wins over the prediction, uploads have a prefix."""
    root = write(tmp_path, "labelstudio")
    file = root / "labelstudio.json"
    tasks = json.loads(file.read_text())
    half = tasks[0]["predictions"][0]["result"][0] | {
        "type": "polygonlabels",
        "value": {"points": [[0, 0], [50, 0], [50, 100], [0, 100]], "polygonlabels": ["hat"]},
    }
    tasks[0]["annotations"] = [{"result": [half]}, {"result": [], "was_cancelled": True}]
    tasks[0]["data"]["image"] = "/data/upload/1/0a1b2c3d-a.jpg"
    file.write_text(json.dumps(tasks))
    data = open_dataset(root)
    assert data.meaning.space is not None
    labels = data.records[0].labels()
    np.testing.assert_array_equal(labels[:, :15], data.meaning.space.names.index("hat"))
    np.testing.assert_array_equal(labels[:, 16:], 0)


def test_labels_that_the_user_names_decide_the_ids(tmp_path: Path) -> None:
    root = write(tmp_path / "d", "coco")
    names = tmp_path / "names.txt"
    names.write_text("background\nhair, long\nbelt\nUpper & <lower>\nshoe\n")
    data = open_dataset(root, choices=Choices(labels=str(names)))
    found = data.records[0].labels()
    wanted = np.array([0, 3, 2, 1], np.uint8)[picture(0, SIZES["a.jpg"])]
    np.testing.assert_array_equal(found, wanted)
    with pytest.raises(BadInputError, match=r"coco\.json: label .* is not among"):
        open_dataset(root, labelled_only=True, choices=Choices(labels="lip"))


def test_compressed_run_lengths_are_those_of_pycocotools() -> None:
    runs = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    random = np.random.default_rng(0)
    for _ in range(50):
        mask = random.random(random.integers(1, 60, 2)) < random.random()
        text = runs.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert coco_counts(text) == run_lengths(mask.T.ravel())


# What is done to a file, and what the error says of the place.
HARMS = {
    "coco": {
        "cut": (lambda t: t[: len(t) // 2], "damaged: near byte"),
        "runs": (lambda t: t.replace('"counts": [', '"counts": [3, ', 1), "photo .*annotation"),
        "category": (
            lambda t: t.replace('"category_id": 1', '"category_id": 77', 1),
            "annotation 1",
        ),
        "huge": (lambda t: t.replace('"width": 31', '"width": 99999999', 1), "a.jpg.*pixels"),
        "no name": (lambda t: t.replace('"file_name"', '"name"', 1), "file_name"),
        "number": (lambda t: t.replace('"width": 31', '"width": "x"', 1), "damaged: .*'x'"),
    },
    "cvat": {
        "cut": (lambda t: t[: len(t) // 2], r"damaged in line \d+, column \d+"),
        "runs": (lambda t: t.replace('rle="', 'rle="9, ', 1), "photo 'a.jpg', mask 1"),
        "outside": (lambda t: t.replace('left="', 'left="9', 1), "photo 'a.jpg', mask 1"),
        "entities": (lambda t: t.replace("<annotations>", "<!DOCTYPE a []><annotations>"), "type"),
        "box": (lambda t: t.replace("<mask", "<box", 1).replace("</mask", "</box", 1), "box 1"),
    },
    "labelstudio": {
        "cut": (lambda t: t[: len(t) // 2], "damaged: near byte"),
        "runs": (lambda t: t.replace('"rle": [0, 0', '"rle": [0, 9', 1), "task 1, result 1"),
        "kind": (lambda t: t.replace('"type": "brushlabels"', '"type": "choices"', 1), "choices"),
    },
}


@pytest.mark.parametrize(("kind", "harm"), [(k, h) for k, harms in HARMS.items() for h in harms])
def test_damage_is_named_with_its_place(
    cli: Cli, taught: Path, tmp_path: Path, kind: str, harm: str
) -> None:
    root = write(tmp_path / "data", kind)
    file = root / FILES[kind]
    change, said = HARMS[kind][harm]
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before

    def read_all() -> None:
        for record in open_dataset(root, labelled_only=True).records:
            record.labels()

    with pytest.raises(BadInputError, match=rf"{FILES[kind]}: .*{said}"):
        read_all()
    if harm in ("cut", "runs"):
        outcome = cli("eval", taught, root, "-o", tmp_path / "e.json", "--device", "cpu")
        assert outcome.code == 3
        assert str(file) in outcome.err


@pytest.mark.parametrize("kind", ["png", "voc", *FILES])
def test_what_a_predictor_drew_scores_in_full(
    cli: Cli, taught: Path, few: Path, tmp_path: Path, kind: str
) -> None:
    out, scores = tmp_path / "out", tmp_path / "eval.json"
    cli.ok("render", taught, few, "-o", out, "--format", kind, "--device", "cpu")
    masks = {"png": out / "masks", "voc": out / "voc" / "SegmentationClass"}
    masks |= {k: out / file for k, file in FILES.items()}
    words = ("eval", taught, few, "-o", scores, "--masks", masks[kind], "--device", "cpu")
    cli.ok(*words, "--bootstrap", "0", "--no-baselines")
    assert json.loads(scores.read_text())["pixel_accuracy"] == 1.0
    cli.ok("verify", scores)
