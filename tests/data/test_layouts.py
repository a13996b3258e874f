"""Every layout opens as its images, masks and splits, and what cannot be used is named."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c2l.data.dataset import Dataset, open_dataset
from c2l.data.labels import load_merge
from c2l.data.layouts import FOLDER, LAYOUTS
from c2l.data.lists import SUFFIXES
from c2l.data.masks import MASK_SUFFIXES
from c2l.data.pools import IMAGE_SUFFIXES
from c2l.data.scoring_input import open_labelled
from c2l.errors import BadInputError
from c2l.options import EvalOptions, flag
from c2l.options.shared import FileOptions, LabelOptions

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
CCP = Path(__file__).parents[3] / "shared" / "ccp"


def touch(root: Path, *names: str) -> None:
    """Opening a data set decodes nothing, so empty files do."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def names(data: Dataset) -> list[str]:
    return [record.name for record in data.records]


def masks(data: Dataset) -> list[str | None]:
    return [
        None if r.mask is None else r.mask.relative_to(data.root).as_posix() for r in data.records
    ]


def make_atr(root: Path) -> None:
    touch(root, *(f"JPEGImages/{n}.jpg" for n in "cab"))
    touch(root, *(f"SegmentationClassAug/{n}.png" for n in "ab"))


def make_lip(root: Path, images: str = "", annotations: str = "") -> None:
    touch(root, *(f"{images}{s}_images/{s}{i}.jpg" for s in ("train", "val", "test") for i in "12"))
    touch(
        root,
        *(f"{annotations}{s}_segmentations/{s}{i}.png" for s in ("train", "val") for i in "12"),
    )


def test_atr_is_recognised_and_sorted(tmp_path: Path) -> None:
    make_atr(tmp_path)
    data = open_dataset(tmp_path)
    assert (data.layout, data.split, data.root) == ("atr", None, tmp_path)
    # The folders alone are those of any data set in the layout of Pascal VOC.
    assert (data.meaning.space, data.meaning.possible) == (None, "atr")
    assert names(data) == ["a.jpg", "b.jpg", "c.jpg"]
    assert masks(data) == ["SegmentationClassAug/a.png", "SegmentationClassAug/b.png", None]
    assert data.records[0].image == tmp_path / "JPEGImages" / "a.jpg"


def test_atr_falls_back_to_segmentation_class(tmp_path: Path) -> None:
    touch(tmp_path, "JPEGImages/a.jpg", "SegmentationClass/a.png")
    assert masks(open_dataset(str(tmp_path))) == ["SegmentationClass/a.png"]


def test_atr_splits_lie_in_imagesets_or_at_the_root(tmp_path: Path) -> None:
    make_atr(tmp_path)
    write(tmp_path / "train_id.txt", ["c", "a.jpg"])
    write(tmp_path / "mine.txt", ["b"])
    write(tmp_path / "README.txt", ["This is the ATR data set."])
    write(tmp_path / "ImageSets" / "Segmentation" / "val.txt", ["", "b", "  "])
    assert names(open_dataset(tmp_path, split="train")) == ["a.jpg", "c.jpg"]
    assert names(open_dataset(tmp_path, split="mine")) == ["b.jpg"]
    val = open_dataset(tmp_path, split="val")
    assert (val.split, names(val)) == ("val", ["b.jpg"])
    with pytest.raises(BadInputError, match="no split 'test'; there are mine, train, val"):
        open_dataset(tmp_path, split="test")


def test_ccp_takes_its_mat_masks_and_unlabelled_photos(tmp_path: Path) -> None:
    touch(tmp_path, *(f"photos/000{i}.jpg" for i in (1, 2, 3)))
    touch(tmp_path, "annotations/pixel-level/0002.mat", "label_list.mat")
    write(tmp_path / "splits" / "train.txt", ["0003", "0002"])
    data = open_dataset(tmp_path)
    assert (data.layout, data.meaning.space and data.meaning.space.name) == ("ccp", "ccp")
    assert masks(data) == [None, "annotations/pixel-level/0002.mat", None]
    assert names(open_dataset(tmp_path, split="train")) == ["0002.jpg", "0003.jpg"]
    labelled = open_dataset(tmp_path, split="train", labelled_only=True)
    assert names(labelled) == ["0002.jpg"]


@pytest.mark.parametrize("images", ["", "TrainVal_images/"])
@pytest.mark.parametrize("annotations", ["", "TrainVal_parsing_annotations/"])
def test_lip_splits_are_its_folders(tmp_path: Path, images: str, annotations: str) -> None:
    make_lip(tmp_path, images, annotations)
    data = open_dataset(tmp_path)
    attested = bool(images or annotations)  # the folders of its archives, which nothing else has
    space = data.meaning.space
    assert (data.layout, space and space.name) == ("lip", "lip" if attested else None)
    assert names(data) == [
        *("test_images/test1.jpg", "test_images/test2.jpg"),
        *("train_images/train1.jpg", "train_images/train2.jpg"),
        *("val_images/val1.jpg", "val_images/val2.jpg"),
    ]
    val = open_dataset(tmp_path, split="val")
    assert names(val) == ["val_images/val1.jpg", "val_images/val2.jpg"]
    assert masks(val) == [f"{annotations}val_segmentations/val{i}.png" for i in (1, 2)]
    assert masks(open_dataset(tmp_path, split="test")) == [None, None]


def test_a_list_narrows_a_split_of_lip(tmp_path: Path) -> None:
    make_lip(tmp_path, "TrainVal_images/")
    write(tmp_path / "TrainVal_images" / "train_id.txt", ["train2"])
    assert names(open_dataset(tmp_path, split="train")) == ["train_images/train2.jpg"]
    with pytest.raises(BadInputError, match="there are test, train, val"):
        open_dataset(tmp_path, split="all")


def test_a_plain_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "sub/a.jpeg", "sub/deep/c.PNG", "d.bmp", "e.webp", "f.tif", "g.TIFF")
    touch(tmp_path, "notes.md", ".hidden.jpg", ".cache/x.jpg", "__MACOSX/b.jpg", "sub/._a.jpg")
    data = open_dataset(tmp_path)
    assert (data.layout, data.meaning.space) == ("folder", None)
    assert names(data) == [
        *("b.JPG", "d.bmp", "e.webp", "f.tif", "g.TIFF", "sub/a.jpeg", "sub/deep/c.PNG")
    ]
    assert masks(data) == [None] * 7


@pytest.mark.parametrize("masks_folder", ["masks", "labels", "annotations"])
@pytest.mark.parametrize("images_folder", ["", "images/"])
def test_masks_of_a_plain_folder_lie_beside_its_images(
    tmp_path: Path, masks_folder: str, images_folder: str
) -> None:
    touch(tmp_path, f"{images_folder}a.jpg", f"{images_folder}sub/b.png")
    touch(tmp_path, f"{masks_folder}/a.png", f"{masks_folder}/sub/b.mat")
    data = open_dataset(tmp_path)
    assert names(data) == ["a.jpg", "sub/b.png"]
    assert masks(data) == [f"{masks_folder}/a.png", f"{masks_folder}/sub/b.mat"]


def test_a_plain_folder_may_have_splits(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "sub/b.c.jpg", "d e.jpg")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_bytes("\ufeffsub/b.c\r\nd e.jpg\r\n".encode())
    assert names(open_dataset(tmp_path, split="train")) == ["d e.jpg", "sub/b.c.jpg"]
    with pytest.raises(BadInputError, match="there are train"):
        open_dataset(tmp_path, split="val")


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    with pytest.raises(BadInputError, match="no split 'val'; it has no splits"):
        open_dataset(tmp_path, split="val")
    touch(tmp_path, "val.json")
    with pytest.raises(BadInputError, match=r"not read: val\.json"):
        open_dataset(tmp_path, split="val")


def test_a_single_image_is_a_data_set_of_one(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "notes.md")
    data = open_dataset(tmp_path / "a.jpg")
    assert (data.layout, data.split, names(data)) == ("folder", None, ["a.jpg"])
    with pytest.raises(BadInputError, match="no split 'val'"):
        open_dataset(tmp_path / "a.jpg", split="val")
    with pytest.raises(BadInputError, match="a folder or an image file"):
        open_dataset(tmp_path / "notes.md")


def test_a_plain_folder_names_its_labels(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "labels.json").write_text('{"1": "shirt", "0": "nothing"}')
    space = open_dataset(tmp_path).meaning.space
    assert space is not None
    assert space.names == ("nothing", "shirt")
    (tmp_path / "labels.json").write_text('["x", "y", "z"]')
    space = open_dataset(tmp_path).meaning.space
    assert space is not None
    assert space.names == ("x", "y", "z")
    (tmp_path / "labels.json").unlink()
    write(tmp_path / "labels.txt", ["null", "t-shirt"])
    space = open_dataset(tmp_path).meaning.space
    assert space is not None
    assert space.names == ("null", "t-shirt")


@pytest.mark.parametrize(
    "text", ["{", '{"0": "a", "2": "b"}', "[1]", "3", "[]", "\xff", "[" * 9999]
)
def test_broken_label_names_are_refused(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "a.jpg", "masks/a.png")
    (tmp_path / "labels.json").write_text(text, encoding="latin-1")
    with pytest.raises(BadInputError, match=r"labels\.json"):
        open_labelled(tmp_path, EvalOptions(), None)
    # What does not need the names does not fail by them.
    assert names(open_dataset(tmp_path)) == ["a.jpg"]


def test_missing_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="found nothing there"):
        open_dataset(tmp_path / "none")
    with pytest.raises(BadInputError, match="File name too long"):
        open_dataset("x" * 5000)
    with pytest.raises(BadInputError, match="expected images"):
        open_dataset(tmp_path)
    touch(tmp_path, "a.jpg")
    with pytest.raises(BadInputError, match="expected labelled images, found none"):
        open_dataset(tmp_path, labelled_only=True)
    write(tmp_path / "splits" / "val.txt", [])
    with pytest.raises(BadInputError, match="expected images in the split 'val', found none"):
        open_dataset(tmp_path, split="val")


def test_a_list_naming_no_image_is_refused_with_file_line_and_name(tmp_path: Path) -> None:
    make_atr(tmp_path)
    write(tmp_path / "train_id.txt", ["a", "", "zebra"])
    with pytest.raises(BadInputError, match=r"train_id\.txt: line 3 names 'zebra'"):
        open_dataset(tmp_path, split="train")
    (tmp_path / "train_id.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(BadInputError, match=r"train_id\.txt: expected .* UTF-8"):
        open_dataset(tmp_path, split="train")
    assert len(open_dataset(tmp_path).records) == 3


def test_two_images_with_one_mask_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.jpg", "sub/a.png", "a.jpg")
    with pytest.raises(BadInputError, match=r"sub/a\.png: 'sub/a\.jpg' beside it"):
        open_dataset(tmp_path)


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "masks/a.png", "masks/a.mat")
    with pytest.raises(BadInputError, match=r"masks/a\.png"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\tb.jpg", "a\x1b[31m.jpg", "bad\nfolder/a.jpg"])
def test_names_with_control_characters_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    with pytest.raises(BadInputError, match="control character") as caught:
        open_dataset(tmp_path)
    assert str(caught.value).isprintable()


def test_names_that_are_not_utf8_are_refused_with_escapes(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))).touch()
    with pytest.raises(BadInputError, match=r"caf\\xe9\.jpg: .* not valid UTF-8"):
        open_dataset(tmp_path)
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    with pytest.raises(BadInputError, match=r"caf\\xe9: .* not valid UTF-8"):
        open_dataset(folder)


@pytest.mark.parametrize(
    "twins",
    [
        ("A.jpg", "a.jpg"),
        ("B/a.jpg", "b/a.jpg"),
        ("\u00e4.jpg", "a\u0308.jpg"),
        ("ß.jpg", "SS.jpg"),
    ],
)
def test_names_that_are_one_on_other_disks_are_refused(
    tmp_path: Path, twins: tuple[str, str]
) -> None:
    touch(tmp_path, "c.jpg", *twins)
    if len(list(tmp_path.rglob("*.jpg"))) < 3:
        pytest.skip("this disk is such a one")
    with pytest.raises(BadInputError, match="but for case or accents") as caught:
        open_dataset(tmp_path)
    assert caught.value.exit_code == 3


def test_lists_and_masks_cannot_reach_out_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    touch(root, "images/a.jpg")
    touch(tmp_path, "secret.jpg")
    for name in ("../../secret.jpg", str(tmp_path / "secret.jpg"), "images/../images/a.jpg"):
        write(root / "splits" / "train.txt", [name])
        with pytest.raises(BadInputError, match="no such image"):
            open_dataset(root, split="train")


def test_files_that_are_not_images_may_have_any_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "odd\nname.md")
    assert names(open_dataset(tmp_path)) == ["a.jpg"]


def test_links_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "data"
    touch(tmp_path, "outside/x.jpg", "data/a.jpg")
    (root / "x.jpg").symlink_to(tmp_path / "outside" / "x.jpg")
    with pytest.raises(BadInputError, match=r"x\.jpg: a symbolic link out of the data set, to"):
        open_dataset(root)
    (root / "x.jpg").unlink()
    (root / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInputError, match="sub: a symbolic link out of the data set"):
        open_dataset(root)
    (root / "sub").unlink()
    (root / "JPEGImages").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInputError, match="JPEGImages: a symbolic link out of the data set"):
        open_dataset(root)


def test_links_inside_the_folder_are_followed_once(tmp_path: Path) -> None:
    root = tmp_path / "data"
    touch(root, "sub/a.jpg")
    (root / "b.jpg").symlink_to("sub/a.jpg")
    (root / "again").symlink_to("sub")
    (root / "sub" / "loop").symlink_to("..")
    (root / "self").symlink_to("self")
    (tmp_path / "link").symlink_to(root)
    assert names(open_dataset(root)) == ["b.jpg", "sub/a.jpg"]
    assert names(open_dataset(tmp_path / "link")) == ["b.jpg", "sub/a.jpg"]


def test_dangling_links_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(BadInputError, match="a symbolic link to nothing"):
        open_dataset(tmp_path)
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(BadInputError, match="a device or a pipe"):
        open_dataset(tmp_path)


def test_the_page_on_data_has_a_row_for_each_layout_in_their_order() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [re.findall(r"`([^`]+)`", line) for line in lines if line.startswith("| `")]
    layouts = (*LAYOUTS, FOLDER)
    assert [row[0] for row in rows] == [layout.name for layout in layouts]
    for layout, row in zip(layouts, rows, strict=True):
        paths = [*layout.lists, *layout.folders, layout.space or ""]
        for place in layout.places:
            paths += [*place.photos, *place.masks, *place.lists, place.split or ""]
        named = {part for path in paths for part in path.split("/")} - {"", "train", "val", "test"}
        assert named - {part for word in row for part in word.split("/")} == set(), layout.name


def test_the_page_on_data_names_every_format_and_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in page.split("\n## "))
    for title, suffixes in (
        ("Photos", IMAGE_SUFFIXES),
        ("Masks", MASK_SUFFIXES),
        ("Splits", filter(None, SUFFIXES)),
    ):
        assert {*suffixes} - {*re.findall(r"`(\.\w+)`", sections[title])} == set(), title
    words = set(re.findall(r"`([^`\s]+)", page))
    options = {flag(field.name) for kind in (FileOptions, LabelOptions) for field in fields(kind)}
    assert {*options, "--split", "--merge", "--allow-unscored"} - words == set()


@pytest.mark.skipif(not CCP.is_dir(), reason="the CCP photos are not at ../shared/ccp")
def test_the_real_photos_have_their_published_counts() -> None:
    data = open_dataset(CCP)
    assert (data.layout, len(data.records)) == ("ccp", 1254)
    assert len(open_dataset(CCP, labelled_only=True).records) == 754
    sizes = {s: len(open_dataset(CCP, split=s).records) for s in ("train", "train-labelled", "val")}
    assert sizes == {"train": 1104, "train-labelled": 604, "val": 150}


@pytest.mark.skipif(not CCP.is_dir(), reason="the CCP photos are not at ../shared/ccp")
def test_a_real_mask_merges_to_counts_made_by_hand() -> None:
    data = open_dataset(CCP, split="val")
    record = data.records[0]
    assert (record.name, record.mask and record.mask.name) == ("0010.jpg", "0010.mat")
    assert record.mask is not None
    assert data.meaning.space is not None
    mask = record.labels()
    # null, blouse, dress, hair, shoes, skin: their counts in the file
    ids, counts = np.unique(mask, return_counts=True)
    assert set(zip(ids.tolist(), counts.tolist(), strict=True)) == {
        *((0, 99453), (5, 9244), (14, 11641), (19, 731), (39, 1427), (41, 1920)),
    }
    merged = np.bincount(
        load_merge("upper-lower", data.meaning.space).apply(mask).ravel(), minlength=256
    )
    assert (merged[0], merged[1], merged[2], merged[255]) == (99453, 21616, 1427, 1920)
    fine = np.bincount(load_merge("fine", data.meaning.space).apply(mask).ravel(), minlength=256)
    assert (fine[0], fine[2], fine[4], fine[7], fine[9], fine[10]) == (
        *(99453, 731, 9244, 11641, 1427, 1920),
    )


def test_images_of_a_data_set_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "images" / "a.png")
    assert open_dataset(tmp_path).records[0].size() == (2, 3)
