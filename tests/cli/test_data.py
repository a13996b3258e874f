"""data synth makes a set that data check finds sound; damage is listed file by file."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from drawn import mask, photos, save
from PIL import Image

from c2l.data.labels import published_space

SMALL = ("-n", "3", "--image-size", "48", "--workers", "1")


def test_the_synthetic_set_is_counted_by_split_and_label(cli: Cli, people: Path) -> None:
    said = cli.ok("data", "check", people, "--json").values
    assert said["layout"] == "atr"
    assert said["problems"] == []
    assert said["images"] == {"images": 12, "labelled": 12, "unlabelled": 0}
    assert {name: n["labelled"] for name, n in said["splits"].items()} == {"train": 9, "val": 3}
    pixels = np.zeros(256, dtype=np.int64)
    for path in (people / "SegmentationClassAug").iterdir():
        with Image.open(path) as file:
            pixels += np.bincount(np.array(file).ravel(), minlength=256)
    names = published_space("atr").names
    assert not pixels[len(names) :].any()
    expected = {name: int(n) for name, n in zip(names, pixels, strict=False) if n}
    assert {name: n for name, n in said["labels"].items() if n} == expected


def test_a_check_in_words_ends_with_its_verdict(cli: Cli, people: Path) -> None:
    said = cli.ok("data", "check", people, "--split", "val", "--merge", "upper-lower").out
    assert "layout atr" in said
    assert re.search(r"^classes +upper-lower: background \d", said, re.MULTILINE)
    assert said.splitlines()[-1] == "nothing wrong"
    # Every label as its own class is no merge to speak of.
    assert "classes" not in cli.ok("data", "check", people, "--merge", "identity").out


def test_a_check_in_words_keeps_to_the_width_and_says_each_thing_once(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    for number in range(6):
        save(tmp_path / "masks" / f"p{number}.jpg", mask(number) * 100)
    (tmp_path / "notes.md").touch()
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli("data", "check", tmp_path).out.splitlines()
    assert all(len(line) <= 80 for line in lines[1:])
    wrong = [line for line in lines if line.startswith("WRONG")]
    assert len(wrong) == 5  # the first four, and how many more
    assert wrong[4] == "WRONG and 2 more like these: --json lists all"
    assert [line for line in lines if "next:" in line] == [
        "      next: save label ids as PNG; JPEG changes them"
    ]
    # What is wrong with a mask says that it is left out.
    assert [line for line in lines if line.startswith("left")] == [
        "left  notes.md: of another kind"
    ]


def test_what_is_wrong_is_listed_file_by_file(cli: Cli, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    photo, mask = folder / "JPEGImages" / "0001.jpg", folder / "SegmentationClassAug" / "0002.png"
    photo.write_bytes(photo.read_bytes()[:200])
    with Image.open(mask) as file:
        smaller = file.crop((0, 0, 60, 96))
    smaller.save(mask)
    outcome = cli("data", "check", folder, "--json")
    assert outcome.code == 3
    files = [problem["file"] for problem in outcome.values["problems"]]
    assert len(files) == 2
    assert files[0].endswith("0001.jpg")
    assert files[1].endswith("0002.png")
    words = cli("data", "check", folder)
    assert words.code == 3
    assert words.out.count("WRONG") == 2
    assert words.out.splitlines()[-1] == "2 problems"


def test_a_missing_folder_is_named(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("data", "check", tmp_path / "none")
    assert (outcome.code, outcome.out) == (3, "")
    assert str(tmp_path / "none") in outcome.err


def test_a_set_is_replaced_only_when_asked(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "set"
    said = cli.ok("data", "synth", out, *SMALL, "--json").values
    assert said == {"data": str(out), "images": 3}
    first = (out / "JPEGImages" / "0000.jpg").read_bytes()
    assert cli("data", "synth", out, *SMALL, "--seed", "1").code == 2
    assert (out / "JPEGImages" / "0000.jpg").read_bytes() == first
    cli.ok("data", "synth", out, *SMALL, "--seed", "1", "--overwrite")
    assert (out / "JPEGImages" / "0000.jpg").read_bytes() != first
    cli.ok("data", "synth", out, *SMALL, "--overwrite")
    assert (out / "JPEGImages" / "0000.jpg").read_bytes() == first
    assert os.listdir(tmp_path) == ["set"]


def test_a_folder_of_something_else_is_never_removed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert cli("data", "synth", tmp_path / "mine", *SMALL, "--overwrite").code == 2
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]


def test_a_dry_run_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    said = cli.ok("data", "synth", tmp_path / "set", *SMALL, "--dry-run", "--json").values
    assert said["images"] == 3
    assert os.listdir(tmp_path) == []
