"""Every file below a data set's folder is a photo, a mask, a list or left out, with the reason."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FIT, Cli
from drawn import indexed, mask, masks, photo, photos, save
from PIL import Image
from scipy.io import savemat

from c2l.data.check import check_dataset
from c2l.data.check_report import CheckReport
from c2l.data.dataset import open_dataset
from c2l.data.records import Choices
from c2l.data.scoring_input import open_labelled
from c2l.errors import BadInputError
from c2l.options import EvalOptions


def pairs(root: Path, choices: Choices | None = None) -> dict[str, str | None]:
    """Photos with their masks, below the root."""
    return {
        r.image.relative_to(root).as_posix(): r.mask and r.mask.relative_to(root).as_posix()
        for r in open_dataset(root, choices=choices).records
    }


def left(report: CheckReport) -> dict[str, str]:
    return {one.file: one.why for one in report.left_out}


# Photos and masks by names, and by contents where names do not tell.


@pytest.mark.parametrize(
    ("of_photos", "of_masks"),
    [
        ("img/p{}.jpg", "mask/p{}.png"),
        ("Images/p{}.png", "Masks/p{}.png"),
        ("img_dir/train/p{}.jpg", "ann_dir/train/p{}.png"),
        ("leftImg8bit/p{}_leftImg8bit.png", "gtFine/p{}_gtFine_labelIds.png"),
        ("Training/Images/p{}.jpg", "Training/Category_ids/p{}.png"),
        ("a/p{}.jpg", "b/p{}.png"),
        ("p{}.jpg", "p{}.png"),
        ("p{}.jpg", "p{}_mask.png"),
        ("all/p{}.png", "all/p{}-seg.png"),
        ("img_p{}.jpg", "mask_p{}.png"),
        ("p{}.jpg", "p{}.jpg.png"),
        ("train/p{}.jpg", "train_masks/p{}_mask.png"),
        ("persons/{}/photo.jpg", "persons/{}/mask.png"),
        ("photos/p{}.jpg", "photos/labels/p{}.png"),
        ("images/p{}.jpg", "images/p{}_label.png"),
        ("images/p{}.jpg", "parsing/p{}.png"),
        ("JPEGImages/p{}.jpg", "Labels/p{}.png"),
        ("day/one/p{}.jpg", "day/one/out/p{}.png"),
    ],
)
def test_masks_are_told_from_photos_whatever_their_folders_are_called(
    tmp_path: Path, of_photos: str, of_masks: str
) -> None:
    photos(tmp_path, of_photos)
    masks(tmp_path, of_masks)
    assert pairs(tmp_path) == {of_photos.format(i): of_masks.format(i) for i in range(6)}
    report = check_dataset(tmp_path)
    assert report.line == "6 photos, 6 with masks, no file left out"
    assert report.problems == []


@pytest.mark.parametrize("change", [lambda m: m * 100, lambda m: m.astype(np.uint16) * 900])
def test_masks_of_any_few_values_are_told_from_photos(
    tmp_path: Path, change: Callable[..., np.ndarray]
) -> None:
    photos(tmp_path / "x", "p{}.png")
    masks(tmp_path / "y", change=change)
    assert set(pairs(tmp_path).values()) == {f"y/p{i}.png" for i in range(6)}


def test_indexed_masks_and_matlab_files_are_told_from_photos(tmp_path: Path) -> None:
    photos(tmp_path / "x", count=4)
    for number in range(2):
        indexed(tmp_path / "y" / f"p{number}.png", mask(number), [9, 9, 9, 200, 0, 0, 0, 200, 0])
    (tmp_path / "z").mkdir()
    savemat(tmp_path / "z" / "p2.mat", {"groundtruth": mask(2)})
    assert pairs(tmp_path) == {
        "x/p0.jpg": "y/p0.png",
        "x/p1.jpg": "y/p1.png",
        "x/p2.jpg": "z/p2.mat",
        "x/p3.jpg": None,
    }


def test_colour_masks_are_no_photos_and_are_refused_by_name(tmp_path: Path) -> None:
    photos(tmp_path / "rgb")
    colours = np.array([[0, 0, 0], [250, 0, 0], [0, 250, 0]], np.uint8)
    masks(tmp_path / "colours", change=lambda ids: colours[ids])
    report = check_dataset(tmp_path)
    assert (report.images.images, len(report.problems)) == (6, 6)
    assert "found a colour picture (RGB)" in report.problems[0].problem


def flat(number: int) -> np.ndarray:
    """A photo from a catalogue, of few colours."""
    return np.array([[255, 255, 255], [90, 0, 0], [0, 0, 90]], np.uint8)[mask(number)]


@pytest.mark.parametrize("of_masks", ["masks", "seg"])
def test_one_picture_of_the_same_name_makes_no_masks_of_a_series(
    tmp_path: Path, of_masks: str
) -> None:
    """Plain photos look like colour masks, and a noisier picture lies beside one of them."""
    for number in range(6):
        save(tmp_path / "images" / f"p{number}.jpg", flat(number))
    masks(tmp_path / of_masks)
    save(tmp_path / "images" / "p0.png", photo(0))
    report = check_dataset(tmp_path)
    assert (report.images.images, report.images.labelled) == (6, 6)
    assert [p.file for p in report.problems] == ["images/p0.png"]
    assert "has the same name but for its suffix" in report.problems[0].problem


def test_photos_of_few_colours_are_no_masks_where_these_have_a_folder(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "images" / f"p{number}.jpg", flat(number))
        save(tmp_path / "images" / f"p{number}.png", photo(number))
    masks(tmp_path / "masks")
    report = check_dataset(tmp_path)
    assert (report.images.images, report.images.labelled) == (6, 6)
    assert [p.file for p in report.problems] == [f"images/p{i}.png" for i in range(6)]


def test_two_photos_of_one_number_in_two_splits_stay_photos(tmp_path: Path) -> None:
    photos(tmp_path / "train")
    for number in range(6):
        save(tmp_path / "val" / f"p{number}.jpg", photo(50 + number))
    report = check_dataset(tmp_path)
    assert (report.images.images, report.notes, report.problems) == (12, [], [])
    assert {name: n.images for name, n in report.splits.items()} == {"train": 6, "val": 6}


def test_masks_are_paired_within_their_own_group(tmp_path: Path) -> None:
    for split, start in (("train", 0), ("val", 20)):
        for number in range(3):
            save(tmp_path / split / "images" / f"{number}.jpg", photo(start + number))
        if split == "val":
            continue
        for number in range(3):
            save(tmp_path / split / "masks" / f"{number}.png", mask(start + number))
    found = pairs(tmp_path)
    assert found == {
        **{f"train/images/{i}.jpg": f"train/masks/{i}.png" for i in range(3)},
        **{f"val/images/{i}.jpg": None for i in range(3)},
    }


def test_a_mask_that_fits_two_photos_is_no_ones(tmp_path: Path) -> None:
    for folder, start in (("a", 0), ("b", 10)):
        for number in range(3):
            save(tmp_path / folder / f"{number}.jpg", photo(start + number))
    masks(tmp_path / "masks", "{}.png", count=3)
    report = check_dataset(tmp_path)
    assert report.images.labelled == 0
    assert "fits a/0.jpg and b/0.jpg equally well" in report.problems[0].problem
    assert len(open_dataset(tmp_path).records) == 6  # they can be trained on
    with pytest.raises(BadInputError, match="equally well"):
        open_labelled(tmp_path, EvalOptions(), None)


def test_of_two_kinds_of_masks_the_one_of_labels_is_taken_or_none(tmp_path: Path) -> None:
    photos(tmp_path / "img")
    masks(tmp_path / "gt", "p{}_labelIds.png")
    masks(tmp_path / "gt", "p{}_instanceIds.png")
    assert set(pairs(tmp_path).values()) == {f"gt/p{i}_labelIds.png" for i in range(6)}
    report = check_dataset(tmp_path)
    assert report.line == (
        "6 photos, 6 with masks, 6 files left out (6 not used, since the photo has another mask)"
    )
    for number in range(6):
        (tmp_path / "gt" / f"p{number}_instanceIds.png").rename(tmp_path / "gt" / f"p{number}.png")
    # An exact name comes first.
    assert set(pairs(tmp_path).values()) == {f"gt/p{i}.png" for i in range(6)}


def test_two_folders_of_masks_that_fit_alike_are_not_chosen_between(tmp_path: Path) -> None:
    photos(tmp_path / "img")
    masks(tmp_path / "one")
    masks(tmp_path / "two", change=lambda ids: 2 - ids)
    report = check_dataset(tmp_path)
    assert (report.images.images, report.images.labelled) == (6, 0)
    assert "one/p0.png and two/p0.png both fit img/p0.jpg" in report.problems[0].problem
    assert report.problems[0].hint == "--masks DIR"
    assert set(pairs(tmp_path, Choices(masks="two")).values()) == {
        f"two/p{i}.png" for i in range(6)
    }


def test_masks_of_no_photo_are_neither_photos_nor_forgotten(tmp_path: Path) -> None:
    photos(tmp_path / "img")
    masks(tmp_path / "other", "q{}.png")
    report = check_dataset(tmp_path)
    assert report.images.images == 6
    assert set(left(report).values()) == {"looking like a mask, but fitting no photo"}
    assert len(report.problems) == 6


def test_a_folder_of_nothing_but_masks_is_refused_unless_they_are_said_to_be_photos(
    tmp_path: Path,
) -> None:
    masks(tmp_path)
    with pytest.raises(BadInputError, match="look like masks") as caught:
        open_dataset(tmp_path)
    assert "--images DIR" in str(caught.value.hint)
    assert len(open_dataset(tmp_path, choices=Choices(images=".")).records) == 6


def test_images_and_masks_are_named_outright(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    photos(root / "x")
    photos(root / "y", "q{}.jpg")
    masks(elsewhere, "sub/p{}.png")
    choices = Choices(images="x", masks=str(elsewhere / "sub"))
    found = open_dataset(root, choices=choices).records
    assert [(r.name, r.mask) for r in found] == [
        (f"p{i}.jpg", elsewhere / "sub" / f"p{i}.png") for i in range(6)
    ]
    report = check_dataset(root, choices=choices)
    assert set(left(report).values()) == {"outside the folders that were named"}
    with pytest.raises(BadInputError, match="expected a folder for --masks"):
        open_dataset(root, choices=Choices(masks="nowhere"))


@pytest.mark.parametrize("name", [".cache", "..cache", ".", "../elsewhere"])
def test_a_folder_is_named_by_all_of_its_name(tmp_path: Path, name: str) -> None:
    """``.cache`` is not ``cache``."""
    root = tmp_path / "data"
    photos(root / "cache", "wrong{}.jpg")
    photos(root / name, "right{}.jpg")
    found = open_dataset(root, choices=Choices(images=name)).records
    wanted = {f"right{i}.jpg" for i in range(6)}
    assert {r.name for r in found} - {f"cache/wrong{i}.jpg" for i in range(6)} == wanted
    assert len(found) == (12 if name == "." else 6)


# What is no photo though it is a picture.


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("@eaDir/p0.jpg/SYNOPHOTO_THUMB_XL.jpg", "thumbnails of a file server"),
        (".@__thumb/s100p0.jpg", "hidden"),
        ("#recycle/p0.jpg", "deleted files"),
        ("$RECYCLE.BIN/S-1/p0.jpg", "deleted files"),
        ("~snapshot/daily/p0.jpg", "old versions of a file server"),
        ("__MACOSX/._p0.jpg", "what macOS adds to archives"),
        ("._p0.jpg", "hidden"),
        (".ipynb_checkpoints/p0-checkpoint.jpg", "hidden"),
        ("Thumbs.db", "of another kind"),
    ],
)
def test_copies_that_systems_and_servers_keep_are_left_out(
    tmp_path: Path, name: str, why: str
) -> None:
    photos(tmp_path)
    save(tmp_path / "x.jpg", photo(0))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "x.jpg").rename(tmp_path / name)
    report = check_dataset(tmp_path)
    assert report.images.images == 6
    assert set(left(report).values()) == {why}
    assert sum(one.files for one in report.left_out) == 1
    assert why in report.line


@pytest.mark.parametrize("name", ["small/p{}.jpg", "thumbs/p{}.png", "p{}_thumb.jpg"])
def test_smaller_copies_of_photos_are_left_out(tmp_path: Path, name: str) -> None:
    photos(tmp_path / "img")
    for number in range(6):
        small = Image.fromarray(photo(number)).resize((24, 36))
        save(tmp_path / ("img" if "/" not in name else "") / name.format(number), np.asarray(small))
    report = check_dataset(tmp_path)
    assert report.images.images == 6
    assert set(left(report).values()) == {"showing another photo with fewer pixels"}


def test_other_pictures_of_the_same_names_are_taken_and_noted(tmp_path: Path) -> None:
    photos(tmp_path / "img")
    for number in range(6):
        save(tmp_path / "edges" / f"p{number}.jpg", photo(60 + number))
    report = check_dataset(tmp_path)
    assert report.images.images == 12
    (note,) = report.notes
    assert "6 pictures" in note.problem
    assert note.hint == "--images DIR"


def test_what_c2l_wrote_is_left_out_by_every_command(cli: Cli, tmp_path: Path) -> None:
    photos(tmp_path)
    cli.ok("fit", tmp_path, "-o", tmp_path / "run", *FIT, "--epochs", "0")
    cli.ok("render", tmp_path / "run", tmp_path, "-o", tmp_path / "sub" / "pictures")
    cli.ok("extract", tmp_path, "-o", tmp_path / "f.h5", *FIT[:10])
    report = check_dataset(tmp_path)
    assert report.images.images == 6
    assert {k: v for k, v in left(report).items() if v != "written by c2l"} == {}
    assert set(left(report)) == {"run/", "sub/pictures/", "f.h5"}
    said = cli.ok("fit", tmp_path, "-o", tmp_path / "again", *FIT, "--epochs", "0").err
    assert "6 photos, 0 with masks" in said
    for folder in ("sub/pictures", "sub/pictures/masks", "sub/pictures/overlays", "run"):
        refused = cli("fit", tmp_path / folder, "-o", tmp_path / "no", *FIT)
        assert refused.code == 3
        assert "found a run or pictures that c2l wrote" in refused.err


def test_masks_that_c2l_drew_may_be_masks_with_their_legend_as_names(
    cli: Cli, tmp_path: Path
) -> None:
    photos(tmp_path / "d" / "images")
    run, pictures = tmp_path / "run", tmp_path / "pictures"
    cli.ok("fit", tmp_path / "d", "-o", run, *FIT, "--epochs", "0")
    cli.ok("render", run, tmp_path / "d", "-o", pictures)
    shutil.copytree(pictures / "masks", tmp_path / "d" / "masks")
    report = check_dataset(tmp_path / "d")
    assert report.images.labelled == 6
    assert report.labels_by == "3 by masks/legend.json"
    assert set(report.labels) <= {"cluster 0", "cluster 1", "cluster 2"}


def test_pictures_of_formats_that_are_not_read_are_said(tmp_path: Path) -> None:
    photos(tmp_path / "images", count=3)
    masks(tmp_path / "masks", count=3)
    for suffix in (".HEIC", ".jxl", ".avif", ".npy"):
        (tmp_path / "images" / f"q{suffix}").write_bytes(b"whatever")
    save(tmp_path / "images" / "r.jpg", photo(8)).rename(tmp_path / "images" / "r.jfif")
    save(tmp_path / "images" / "s.jpg", photo(9)).rename(tmp_path / "images" / "no-ending")
    save(tmp_path / "masks" / "q.png", mask(7))
    report = check_dataset(tmp_path)
    assert report.images.images == 4  # JFIF is JPEG
    found = left(report)
    assert found["images/q.HEIC"] == "in a format that is not read"
    assert found["images/no-ending"] == "like a picture, but without a suffix"
    assert ".jxl" in report.line
    assert {note.hint for note in report.notes} == {"convert to JPEG or PNG"}
    (stray,) = report.problems
    assert "is of a format that is not read" in stray.problem


def test_gif_and_a_jpeg_of_a_phones_suffix_are_read(cli: Cli, tmp_path: Path) -> None:
    save(tmp_path / "a.gif", photo(1))
    save(tmp_path / "b.jpg", photo(2)).rename(tmp_path / "b.HEIC")
    frames = [Image.fromarray(photo(n)) for n in (3, 4)]
    frames[0].save(tmp_path / "c.gif", save_all=True, append_images=frames[1:])
    assert pairs(tmp_path) == dict.fromkeys(("a.gif", "b.HEIC", "c.gif"))
    report = check_dataset(tmp_path)
    assert (report.problems, report.formats) == ([], {"GIF": 2, "JPEG": 1})
    assert open_dataset(tmp_path / "b.HEIC").records[0].photo()[1] == photo(2).shape[:2]


def test_photos_that_cannot_be_read_are_counted_in_the_line(tmp_path: Path) -> None:
    photos(tmp_path, count=3)
    (tmp_path / "p1.jpg").write_bytes(b"no picture")
    save(tmp_path / ".dot.jpg", photo(1))
    save(tmp_path / ".hidden" / "x.jpg", photo(1))
    line = check_dataset(tmp_path).line
    assert "2 hidden: .hidden/, .dot.jpg" in line
    assert line.endswith("; 1 of the photos cannot be read")


def test_a_folder_that_cannot_be_entered_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path, count=2)
    (tmp_path / "closed").mkdir()
    scan, status = os.scandir, os.stat

    def closed(path: object) -> None:
        if isinstance(path, str | Path) and "/closed" in str(path):
            raise PermissionError(13, "Permission denied", str(path))

    def closed_scan(path: str | Path) -> object:
        closed(path)
        return scan(path)

    def closed_status(path: str | Path, **more: object) -> object:
        closed(None if str(path).endswith("/closed") else path)
        return status(path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", closed_scan)
    monkeypatch.setattr(os, "stat", closed_status)
    (problem,) = check_dataset(tmp_path).problems
    assert (problem.file, problem.problem) == (
        "closed",
        "the folder cannot be read: Permission denied",
    )


def test_masks_of_formats_that_are_not_read_are_said(
    cli: Cli, tmp_path: Path, trained: Path
) -> None:
    photos(tmp_path / "images")
    masks(tmp_path / "masks", count=3)
    for number, suffix in ((3, "jpg"), (4, "tif"), (5, "webp")):
        save(tmp_path / "masks" / f"p{number}.{suffix}", mask(number) * 100)
    report = check_dataset(tmp_path)
    assert (report.images.images, report.images.labelled) == (6, 3)
    assert [p.file for p in report.problems] == ["masks/p3.jpg", "masks/p4.tif", "masks/p5.webp"]
    out = tmp_path / "e.json"
    said = cli.ok("eval", trained, tmp_path, "-o", out, "--bootstrap", "0").err
    assert "6 photos, 3 with masks, 3 files left out" in said
    assert json.loads(out.read_text())["photos"].startswith("6 photos, 3 with masks")


def test_a_mask_that_is_read_counts_beside_one_that_is_not(tmp_path: Path) -> None:
    photos(tmp_path / "images", count=3)
    masks(tmp_path / "masks", count=3)
    for number in range(3):  # a preview, which comes first by name
        save(tmp_path / "masks" / f"p{number}.jpg", mask(number) * 100)
    report = check_dataset(tmp_path)
    assert report.problems == []
    assert report.line == (
        "3 photos, 3 with masks, 3 files left out (3 not used, since the photo has another mask)"
    )


@pytest.mark.parametrize("choices", [Choices(), Choices(images="images", masks="masks")])
def test_what_is_left_out_is_named_with_its_folder(tmp_path: Path, choices: Choices) -> None:
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    photos(root / "images" / "sub", count=3)
    for folder in (root / "masks", elsewhere):
        for number, suffix in enumerate(("jpg", "png", "png")):
            save(folder / "sub" / f"p{number}.{suffix}", mask(number) * 100)
        save(folder / "sub" / "p1_mask.png", mask(1))
        save(folder / "twice" / "p2.png", mask(2))
        save(folder / "thrice" / "p2.png", mask(2))
        save(folder / "stray.png", mask(3))
    names = {"masks/sub/p0.jpg", "masks/sub/p1_mask.png", "masks/twice/p2.png"}
    assert names <= left(check_dataset(root, choices=choices)).keys()
    found = check_dataset(root, choices=replace(choices, masks=str(elsewhere)))
    assert {str(elsewhere / name.removeprefix("masks/")) for name in names} <= left(found).keys()
    (root / "masks" / "sub" / "p2.png").unlink()
    report = check_dataset(root, choices=choices)
    assert "masks/thrice/p2.png and masks/twice/p2.png both fit images/sub/p2.jpg" in {
        problem.problem for problem in report.problems
    }


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(BadInputError, match=r"1 packed, not read: photos\.zip") as caught:
        open_dataset(tmp_path)
    assert caught.value.hint == "unpack photos.zip"
    photos(tmp_path)
    report = check_dataset(tmp_path)
    assert [(n.file, n.hint) for n in report.notes] == [("photos.zip", "unpack it")]


def test_every_command_says_the_same_line(cli: Cli, trained: Path, tmp_path: Path) -> None:
    data = tmp_path / "d"
    photos(data / "img")
    masks(data / "seg")
    (data / "notes.md").touch()
    line = "6 photos, 6 with masks, 1 file left out (1 of another kind: notes.md)"
    assert line in cli.ok("data", "check", data).out
    assert cli.ok("data", "check", data, "--json").values["line"] == line
    commands = (
        ("fit", data, "-o", tmp_path / "run", *FIT, "--epochs", "0"),
        ("extract", data, "-o", tmp_path / "f.h5", *FIT[:10]),
        ("eval", trained, data, "-o", tmp_path / "e.json", "--bootstrap", "0"),
        ("render", trained, data, "-o", tmp_path / "pictures"),
    )
    for command in commands:
        assert line in cli.ok(*command).err, command[0]


# Requests that cannot be honoured, lists in other places.


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("splits/val.txt", "p0\np2\n"),
        ("lists/val.txt", "p0.jpg\r\np2.jpg\r\n"),
        ("val.lst", "images/p0.jpg masks/p0.png\nimages/p2.jpg masks/p2.png\n"),
        ("val.csv", "image,mask\np0.jpg,p0.png\np2.jpg,p2.png\n"),
        ("ImageSets/Segmentation/val", "P0\nP2\n"),
        ("meta/val_id.txt", "p0\rp2\r"),
        ("val.txt", "/images/p0.jpg /masks/p0.png\n/images/p2.jpg /masks/p2.png\n"),
    ],
)
def test_lists_are_found_in_other_places_and_forms(tmp_path: Path, place: str, text: str) -> None:
    photos(tmp_path / "images")
    masks(tmp_path / "masks")
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(text, newline="")
    (tmp_path / "notes.md").touch()
    found = open_dataset(tmp_path, split="val")
    assert [r.name for r in found.records] == ["p0.jpg", "p2.jpg"]
    left_out = "left out (1 of another kind: notes.md)"
    assert found.line == f"split val: 2 photos, 2 with masks, 1 file of the whole folder {left_out}"
    report = check_dataset(tmp_path)
    assert (report.texts, report.line) == ([place], f"6 photos, 6 with masks, 1 file {left_out}")


@pytest.mark.parametrize("name", ["val.json", "splits/val.yaml", "meta/test.npz"])
def test_lists_of_endings_that_are_not_read_are_named(tmp_path: Path, name: str) -> None:
    photos(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("[]")
    with pytest.raises(BadInputError, match=f"no split 'val'; it has no splits; not read: {name}"):
        open_dataset(tmp_path, split="val")


def test_flags_beside_names_make_no_list(tmp_path: Path) -> None:
    photos(tmp_path / "JPEGImages")
    place = tmp_path / "ImageSets" / "Main" / "person_val.txt"
    place.parent.mkdir(parents=True)
    place.write_text("p0  1\np1 -1\n")
    assert check_dataset(tmp_path).splits == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("attributes.csv", "filename,age\np0.jpg,20\np1.jpg,21\np2.jpg,2.5\n"),
        ("captions.txt", "p0.jpg,a person\np1.jpg,a person on a beach\n"),
        ("captions.tsv", "p0.jpg\ta person\np1.jpg\ta person\n"),
        ("notes.txt", "p0\nthis one is blurred\n"),
        ("README.txt", "p0.jpg shows my aunt\nthe rest is from the beach\n"),
    ],
)
def test_what_says_more_of_photos_than_their_names_is_no_list(
    tmp_path: Path, name: str, text: str
) -> None:
    photos(tmp_path / "images")
    (tmp_path / name).write_text(text)
    report = check_dataset(tmp_path)
    assert (report.splits, left(report)) == ({}, {name: "of another kind"})
    # Called as a split is, it is one.
    (tmp_path / name).rename(tmp_path / f"val{Path(name).suffix}")
    assert list(check_dataset(tmp_path).splits) == ["val"]


def test_a_list_of_any_name_may_hold_masks_and_lines_that_name_nothing(tmp_path: Path) -> None:
    photos(tmp_path / "images")
    (tmp_path / "mine.txt").write_text("p0.jpg p0.png\np1.jpg p1.png\ngone.jpg gone.png\n")
    (tmp_path / "few.csv").write_text("name\np3\n")
    report = check_dataset(tmp_path)
    assert {name: n.images for name, n in report.splits.items()} == {"few": 1, "mine": 2}
    assert "line 3 names 'gone.jpg gone.png'" in report.problems[0].problem


def test_folders_of_a_split_may_have_a_year(tmp_path: Path) -> None:
    photos(tmp_path / "train2017", "a{}.jpg", count=2)
    photos(tmp_path / "val2017", "b{}.jpg", count=1)
    found = check_dataset(tmp_path).splits
    assert {name: n.images for name, n in found.items()} == {"train2017": 2, "val2017": 1}


def test_every_command_refuses_a_split_that_is_not_there(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    photos(tmp_path / "images")
    masks(tmp_path / "masks")
    for command in (
        ("data", "check", tmp_path),
        ("fit", tmp_path, "-o", tmp_path / "x", *FIT),
        ("extract", tmp_path, "-o", tmp_path / "x.h5", *FIT[:10]),
        ("eval", trained, tmp_path, "-o", tmp_path / "x.json"),
        ("render", trained, tmp_path, "-o", tmp_path / "x"),
    ):
        done = cli(*command, "--split", "val")
        assert done.code == 3, command
        assert "no split 'val'; it has no splits" in done.err


# Names and links.


@pytest.mark.parametrize(
    ("of_photo", "of_mask"),
    [
        (unicodedata.normalize("NFD", "café.jpg"), unicodedata.normalize("NFC", "café.png")),
        ("P0.JPG", "p0.png"),
        ("Straße.jpg", "STRASSE.png"),
        ("İstanbul.jpg", "i̇stanbul.png"),
        ("sub/A.jpg", "Sub/a.png"),
    ],
)
def test_names_pair_by_one_key(tmp_path: Path, of_photo: str, of_mask: str) -> None:
    save(tmp_path / "images" / of_photo, photo(0))
    save(tmp_path / "masks" / of_mask, mask(0))
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "val.txt").write_text(
        Path(of_mask).stem if "/" not in of_mask else of_photo
    )
    assert list(pairs(tmp_path).values()) == [f"masks/{of_mask}"]
    assert len(open_dataset(tmp_path, split="val").records) == 1


def test_names_are_those_of_their_bytes_under_any_locale(tmp_path: Path) -> None:
    from conftest import run_python

    photos(tmp_path / "images", "grün{}.jpg", count=2)
    masks(tmp_path / "masks", "grün{}.png", count=2)
    program = (
        "import sys; from c2l.data.dataset import open_dataset\n"
        "print(ascii([(r.name, r.mask is not None) for r in open_dataset(sys.argv[1]).records]))"
    )
    old = dict(os.environ)
    os.environ |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    try:
        done = run_python(program, tmp_path)
    finally:
        os.environ.clear()
        os.environ.update(old)
    assert done.stdout.strip() == ascii([("grün0.jpg", True), ("grün1.jpg", True)]), done.stderr


def test_a_check_never_stops_at_the_first_fault(tmp_path: Path) -> None:
    root = tmp_path / "data"
    photos(root, count=1)
    save(tmp_path / "out.jpg", photo(3))
    (root / "linked.jpg").symlink_to(tmp_path / "out.jpg")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.jpg")
    (root / "tab\t.jpg").touch()
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.jpg")).touch()
    (root / "broken.jpg").write_bytes(b"not a picture")
    (root / "splits").mkdir()
    (root / "splits" / "val.txt").write_bytes(b"p0\nghost\n")
    (root / "splits" / "test.txt").write_bytes("p0\n".encode("utf-16"))
    report = check_dataset(root)
    found = {p.file: p.problem for p in report.problems}
    assert set(found) == {
        *("linked.jpg", "dangling.jpg", "loop.jpg", "folder", "pipe.jpg", "tab\\t.jpg"),
        *("caf\\xe9.jpg", "broken.jpg", "splits/val.txt", "splits/test.txt"),
    }
    assert "symbolic link out" in found["linked.jpg"]
    assert "symbolic links" in found["loop.jpg"]
    assert "found UTF-16" in found["splits/test.txt"]
    assert report.images.images == 2


def unusable(root: Path) -> dict[str, str]:
    """Two sound photos and three files that cannot be used, each with a part of its reason."""
    photos(root, count=2)
    save(root / "p1.png", photo(1))
    save(root.parent / "out.jpg", photo(2))
    (root / "linked.jpg").symlink_to(root.parent / "out.jpg")
    (root / "dangling.jpg").symlink_to("nowhere.jpg")
    return {
        "dangling.jpg": "a symbolic link to nothing",
        "linked.jpg": "a symbolic link out of the data set",
        "p1.png": "'p1.jpg' beside it has the same name but for its suffix",
    }


def test_all_files_that_cannot_be_used_are_named_in_one_error(tmp_path: Path) -> None:
    expected = unusable(tmp_path / "data")
    with pytest.raises(BadInputError, match="3 files cannot be used") as caught:
        open_dataset(tmp_path / "data")
    for name, reason in expected.items():
        assert f"{name}: {reason}" in caught.value.message
    assert f"c2l data check {tmp_path / 'data'}" in str(caught.value.hint)


def test_files_that_cannot_be_used_are_left_out_where_asked(
    cli: Cli, tmp_path: Path, trained: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    expected = unusable(data)
    (data / "torn.jpg").write_bytes((data / "p0.jpg").read_bytes()[:300])
    done = cli.ok("render", trained, data, "-o", out, "--on-error", "skip", "--json")
    for name, reason in expected.items():
        assert f"skipped {data / name}: {reason}" in done.err
    assert "4 of 6 photos were left out: " in done.err
    assert json.loads(done.out)["left_out"] == sorted([*expected, "torn.jpg"])
    assert "4 of 6 photos were left out: " in (out / "report.html").read_text()
    assert sorted(p.name for p in (out / "overlays").iterdir()) == ["p0.png", "p1.png"]
    assert "stale" not in cli.ok("status", out).out


def test_two_masks_of_one_photo_are_not_scored_where_faults_are_skipped(tmp_path: Path) -> None:
    photos(tmp_path / "images", count=2)
    masks(tmp_path / "masks", count=2)
    savemat(tmp_path / "masks" / "p1.mat", {"groundtruth": mask(1)})
    choices = Choices(on_error="skip")
    assert len(open_dataset(tmp_path, choices=choices).records) == 2
    with pytest.raises(BadInputError, match="another mask beside it has its name"):
        open_dataset(tmp_path, choices=choices, labelled_only=True)


def test_links_that_all_lead_out_are_the_reason_that_is_given(cli: Cli, tmp_path: Path) -> None:
    photos(tmp_path / "store")
    (tmp_path / "data").mkdir()
    for number in range(6):
        (tmp_path / "data" / f"p{number}.jpg").symlink_to(tmp_path / "store" / f"p{number}.jpg")
    done = cli("data", "check", tmp_path / "data", "--json")
    assert done.code == 3
    assert sum("symbolic link out" in p["problem"] for p in done.values["problems"]) == 6
    assert "symbolic link out" in cli("fit", tmp_path / "data", "-o", tmp_path / "r", *FIT).err


@pytest.mark.parametrize("length", [300, 5000])
def test_a_name_beyond_the_limit_is_the_reason_that_is_given(cli: Cli, length: int) -> None:
    for command in (("data", "check"), ("fit", "-o", "run")):
        done = cli(*command, "x" * length)
        assert done.code == 3
        assert "File name too long" in done.err
