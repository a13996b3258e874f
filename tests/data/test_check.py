"""A check counts what is there and lists what is wrong, file by file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c2l.data.check import check_dataset
from c2l.data.check_report import CheckReport, Problem, SplitCount, Spread
from c2l.data.records import Choices
from c2l.data.unscored import Pixels
from c2l.errors import BadInputError
from c2l.runtime.pool import ordered_map, worker_count

CCP = Path(__file__).parents[3] / "shared" / "ccp"


ATR = Choices(labels="atr")


def add(
    root: Path, name: str, ids: list[list[int]] | None, *, size: tuple[int, int] = (2, 2)
) -> None:
    """An image of its own content in ATR's layout, with the mask of the given ids."""
    for folder in ("JPEGImages", "SegmentationClassAug"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(name.encode(), "big") % (1 << 32)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.jpg")
    if ids is not None:
        mask = Image.fromarray(np.array(ids, np.uint8))
        mask.save(root / "SegmentationClassAug" / f"{name}.png")


def split(root: Path, name: str, *names: str) -> None:
    (root / f"{name}_id.txt").write_text("".join(f"{n}\n" for n in names))


def problems(report: CheckReport) -> dict[str, str]:
    return {p.file: p.problem for p in report.problems}


TOO_MANY = "12.5 % of the pixels would not be scored, at most 10 % may: 12.5 % ignored (255)"


def test_a_good_data_set_is_counted(tmp_path: Path) -> None:
    add(tmp_path, "a", [[0, 0], [4, 5]])
    add(tmp_path, "b", [[0, 255], [4, 4]])
    add(tmp_path, "c", None, size=(4, 6))
    split(tmp_path, "train", "a", "c")
    split(tmp_path, "val", "b")
    report = check_dataset(tmp_path, choices=ATR)
    assert report == CheckReport(
        root=str(tmp_path),
        layout="atr",
        split=None,
        line="3 photos, 2 with masks, no file left out",
        label_space="atr",
        labels_by="as --labels atr says",
        images=SplitCount(3, 2, 1),
        splits={"train": SplitCount(2, 1, 1), "val": SplitCount(1, 1, 0)},
        unlisted=0,
        texts=["train_id.txt", "val_id.txt"],
        height=Spread(2, 2, 4),
        width=Spread(2, 2, 6),
        formats={"JPEG": 3},
        modes={"RGB": 3},
        labels={"background": 3, "upper-clothes": 3, "skirt": 1},
        ignored=1,
        merge="upper-lower",
        classes={"background": 3, "upper": 3, "lower": 1},
        classes_ignored=1,
        pixels=Pixels(8, 7, 1, {}, {}, {}),
        problems=[Problem(str(tmp_path), TOO_MANY, "name the labels: --labels NAME|FILE")],
    )
    assert json.loads(json.dumps(report.as_dict()))["height"] == {"min": 2, "median": 2, "max": 4}


def test_one_split_alone_is_read(tmp_path: Path) -> None:
    add(tmp_path, "a", [[0, 0], [4, 5]])
    add(tmp_path, "b", [[0, 0], [4, 4]])
    add(tmp_path, "c", None)
    (tmp_path / "JPEGImages" / "c.jpg").write_text("broken")
    split(tmp_path, "val", "b")
    seen: list[tuple[int, int]] = []
    report = check_dataset(
        tmp_path,
        split="val",
        merge="fine",
        choices=ATR,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert (report.split, report.images, report.unlisted) == ("val", SplitCount(1, 1, 0), 2)
    assert (report.classes["upper-clothes"], report.classes["skirt"]) == (2, 0)
    assert report.problems == []
    assert seen == [(1, 1)]
    with pytest.raises(BadInputError, match="no split 'test'; there are val"):
        check_dataset(tmp_path, split="test")


def test_progress_counts_every_file_in_order(tmp_path: Path) -> None:
    for name in "abcdefghij":
        add(tmp_path, name, None)
    seen: list[tuple[int, int]] = []
    check_dataset(tmp_path, workers=3, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(i, 10) for i in range(1, 11)]


def test_what_is_wrong_with_each_file_is_listed(tmp_path: Path) -> None:
    add(tmp_path, "broken", [[0, 1], [1, 1]])
    image = tmp_path / "JPEGImages" / "broken.jpg"
    image.write_bytes(image.read_bytes()[:300])
    add(tmp_path, "empty", [[0, 0], [0, 255]])
    add(tmp_path, "outside", [[0, 1], [18, 200]])
    add(tmp_path, "size", [[0, 1]])
    add(tmp_path, "colour", None)
    masks = tmp_path / "SegmentationClassAug"
    Image.new("RGB", (2, 2)).save(masks / "colour.png")
    Image.new("L", (2, 2)).save(masks / "stray.png")
    report = check_dataset(tmp_path, choices=ATR)
    found = problems(report)
    assert found.pop(str(tmp_path)).startswith(
        "16.7 % of the pixels are of labels that are not known, at most 1 % may"
    )
    assert set(found) == {
        "JPEGImages/broken.jpg",
        *(f"SegmentationClassAug/{n}.png" for n in ("outside", "size", "colour", "stray")),
    }
    assert "cannot be decoded" in found["JPEGImages/broken.jpg"]
    # An empty mask may be meant so.
    (note,) = report.notes
    assert note.file == "SegmentationClassAug/empty.png"
    assert note.problem.startswith("the mask is empty")
    assert (
        "0 to 17 or 255 in the label space 'atr', found 18, 200"
        in (found["SegmentationClassAug/outside.png"])
    )
    assert (
        "image's 2 x 2 pixels (height x width), found 1 x 2"
        in (found["SegmentationClassAug/size.png"])
    )
    assert "indexed or grey" in found["SegmentationClassAug/colour.png"]
    assert found["SegmentationClassAug/stray.png"] == "a mask of no image"
    # broken.jpg's mask counts, those of another size or of no ids do not
    assert report.labels == {"background": 1 + 3 + 1, "hat": 3 + 1}
    assert (report.ignored, report.classes_ignored) == (3, 3)


def test_missing_masks_matter_where_a_split_is_scored(tmp_path: Path) -> None:
    for name in "abcde":
        add(tmp_path, name, [[0, 1], [1, 1]] if name in "ac" else None)
    split(tmp_path, "train", "a", "b")
    split(tmp_path, "val", "c", "d")
    split(tmp_path, "test", "e")
    assert problems(check_dataset(tmp_path)) == {
        "JPEGImages/d.jpg": "no mask, though the split 'val' has masks"
    }


def test_the_same_picture_in_train_and_val_is_a_leak(tmp_path: Path) -> None:
    for name in "abcde":
        add(tmp_path, name, None)
    images = tmp_path / "JPEGImages"
    (images / "b.jpg").write_bytes((images / "a.jpg").read_bytes())
    (images / "d.jpg").write_bytes((images / "c.jpg").read_bytes())
    split(tmp_path, "train", "a", "c", "d", "e")
    split(tmp_path, "val", "b", "e")
    split(tmp_path, "trainval", "a", "b", "c", "d", "e")
    split(tmp_path, "train-small", "a")
    assert problems(check_dataset(tmp_path)) == {
        "JPEGImages/b.jpg": "a leak: the same file as a.jpg, across the splits 'train' and 'val'",
        "JPEGImages/d.jpg": "the same file as c.jpg",
        "JPEGImages/e.jpg": "a leak: it is in the splits 'train' and 'val'",
    }


def test_bad_names_links_and_lists_are_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    root = tmp_path / "data"
    add(root, "a", None)
    images = root / "JPEGImages"
    (images / "new\nline.jpg").touch()
    Path(os.fsdecode(os.fsencode(images) + b"/caf\xe9.jpg")).touch()
    (tmp_path / "x.jpg").touch()
    (images / "out.jpg").symlink_to(tmp_path / "x.jpg")
    (images / "a.png").touch()
    split(root, "train", "a", "ghost")
    report = check_dataset(root)
    found = problems(report)
    assert set(found) == {
        *(f"JPEGImages/{n}" for n in ("new\\nline.jpg", "caf\\xe9.jpg", "out.jpg", "a.png")),
        "train_id.txt",
    }
    assert found["train_id.txt"] == "line 2 names 'ghost', but there is no such image"
    assert report.images == SplitCount(1, 0, 1)
    assert (report.labels, report.merge, report.classes) == ({}, None, {})


def test_labels_that_nobody_named_are_counted_by_id(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("L", (3, 2)).save(tmp_path / "a.png")
    ids = np.array([[0, 2, 2], [300, 255, 0]], np.uint16)
    Image.fromarray(ids).save(tmp_path / "masks" / "a.png")
    report = check_dataset(tmp_path)
    assert (report.layout, report.label_space) == ("folder", None)
    assert report.labels == {"label-0": 2, "label-2": 2}
    assert (report.ignored, report.merge, report.classes_ignored) == (2, "identity", 2)
    assert report.classes == {"label-0": 2, "label-1": 0, "label-2": 2}
    first, second = report.problems
    assert first == Problem("masks/a.png", "expected label ids 0 to 254 or 255, found 300")
    assert "16.7 % ignored (255), 16.7 % outside the label space (ids 300)" in second.problem


def test_a_bad_merge_is_refused_before_any_file_is_read(tmp_path: Path) -> None:
    add(tmp_path, "a", None)
    with pytest.raises(BadInputError, match="upper-lower"):
        check_dataset(
            tmp_path,
            merge="nonsense",
            choices=ATR,
            progress=lambda *_: pytest.fail("was read"),
        )


def test_a_single_image_can_be_checked(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    report = check_dataset(tmp_path / "a.png")
    assert (report.images, report.modes) == (SplitCount(1, 0, 1), {"L": 1})
    assert (report.height, report.width) == (Spread(4, 4, 4), Spread(5, 5, 5))


def test_nothing_readable_is_reported_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    report = check_dataset(tmp_path)
    assert (report.height, report.formats) == (None, {})
    assert report.problems == [Problem("a.jpg", "expected an image, found an empty file")]


def test_the_pool_keeps_order_bounds_what_is_ahead_and_raises_in_turn() -> None:
    taken: list[int] = []

    def source() -> list[int]:
        return list(range(100))

    def items() -> object:
        for i in source():
            taken.append(i)
            yield i

    results = ordered_map(lambda i: 1 // (50 - i), items(), workers=2)  # type: ignore[arg-type]
    assert next(results) == 0
    assert len(taken) <= 6
    with pytest.raises(ZeroDivisionError):
        list(results)
    assert list(ordered_map(str, range(30), workers=4)) == [str(i) for i in range(30)]


def test_the_scheduler_says_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "7")
    assert (worker_count(0), worker_count(3)) == (7, 3)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "many")
    assert worker_count(0) >= 1


@pytest.mark.skipif(not CCP.is_dir(), reason="the CCP photos are not at ../shared/ccp")
def test_the_real_validation_photos_have_one_empty_mask() -> None:
    report = check_dataset(CCP, split="val")
    assert not report.problems
    assert [note.file for note in report.notes] == ["annotations/pixel-level/0536.mat"]
    assert report.images == SplitCount(150, 150, 0)
    assert report.splits["train"] == SplitCount(1104, 604, 500)
    assert sum(report.labels.values()) + report.ignored == sum(
        [*report.classes.values(), report.classes_ignored]
    )
