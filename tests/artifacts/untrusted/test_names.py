"""Names made to hurt: nothing is written or read elsewhere, and no terminal is steered."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from conftest import FIT, NETWORK, PHOTOS, RUN_C2L, Cli, fork_python

from c2l.data.dataset import open_dataset
from c2l.errors import BadInputError
from c2l.runtime.text import printable


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


ACCENT = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A.jpg", "a.jpg"),
        ("A.JPG", "a.png"),
        ("Sub/a.jpg", "sub/a.jpg"),
        ("straSSe.jpg", "stra\N{LATIN SMALL LETTER SHARP S}e.jpg"),
        (f"{unicodedata.normalize('NFD', ACCENT)}.jpg", f"{ACCENT}.jpg"),
        (f"{unicodedata.normalize('NFD', ACCENT)}.jpg", f"{ACCENT.upper()}.jpg"),
    ],
)
def test_names_that_are_one_file_on_other_disks_are_refused(
    tmp_path: Path, first: str, second: str
) -> None:
    touch(tmp_path, first, second)
    with pytest.raises(BadInputError, match="beside it has the same name but for") as caught:
        open_dataset(tmp_path)
    assert caught.value.exit_code == 3
    assert first in caught.value.message
    assert second in caught.value.message


def test_masks_that_are_one_file_on_other_disks_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "masks/a.png", "masks/A.png")
    with pytest.raises(BadInputError, match=r"masks/a\.png"):
        open_dataset(tmp_path)


def test_names_that_differ_in_more_are_kept_as_they_are(tmp_path: Path) -> None:
    names = ["A.jpg", "Ab.jpg", "b.jpg", "sub/A.jpg", f"{ACCENT}.jpg", "cafe.jpg"]
    touch(tmp_path, *names)
    assert {r.name for r in open_dataset(tmp_path).records} == set(names)


@pytest.mark.parametrize("line", ["../secret.jpg", "../secret", "{parent}/secret.jpg", "./a.jpg"])
def test_a_list_cannot_name_what_lies_elsewhere(tmp_path: Path, line: str) -> None:
    touch(tmp_path, "secret.jpg", "data/a.jpg", "data/splits/train.txt")
    path = tmp_path / "data" / "splits" / "train.txt"
    path.write_text(line.format(parent=tmp_path) + "\n")
    with pytest.raises(BadInputError, match="line 1 names"):
        open_dataset(tmp_path / "data", split="train")


ODD = ("a..jpg", "b../c.jpg", "-o.jpg", " .jpg", "~.jpg", "a;b.jpg", "$(x).jpg", "%2e.jpg")
HIDDEN = ("..a/b.jpg", "...jpg")  # as all names that begin with a dot


def test_pictures_of_oddly_named_photos_stay_in_the_output(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    for name in (*ODD, *HIDDEN):
        touch(photos, name)
        (photos / name).write_bytes((few / "a.jpg").read_bytes())
    before = set(tmp_path.rglob("*"))
    cli.ok("render", trained, photos, "-o", tmp_path / "out")
    made = set(tmp_path.rglob("*")) - before
    assert all(p.is_relative_to(tmp_path / "out") for p in made)
    for kind in ("masks", "overlays"):
        found = {p for p in made if p.suffix == ".png" and kind in p.parts}
        assert found == {tmp_path / "out" / kind / Path(n).with_suffix(".png") for n in ODD}


def test_links_out_of_a_folder_are_refused_by_every_command(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside.jpg"
    data.mkdir()
    outside.write_bytes((few / "a.jpg").read_bytes())
    (data / "a.jpg").symlink_to(outside)
    for command in (
        ("extract", data, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK),
        ("fit", data, "-o", tmp_path / "run", *FIT),
        ("eval", trained, data, "-o", tmp_path / "e.json"),
        ("render", trained, data, "-o", tmp_path / "pictures"),
    ):
        done = cli(*command)
        assert done.code == 3, command
        assert "a symbolic link out of the data set" in done.err
        assert not [p for p in tmp_path.iterdir() if p not in (data, outside)], command


def test_masks_outside_the_folder_are_not_read(cli: Cli, people: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "JPEGImages").mkdir(parents=True)
    for photo in sorted((people / "JPEGImages").iterdir())[:2]:
        (data / "JPEGImages" / photo.name).write_bytes(photo.read_bytes())
    (data / "SegmentationClassAug").symlink_to(people / "SegmentationClassAug")
    done = cli("data", "check", data)
    assert "a symbolic link out of the data set" in done.out + done.err
    with pytest.raises(BadInputError, match="a symbolic link out of the data set"):
        open_dataset(data)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \N{LATIN SMALL LETTER A WITH DIAERESIS}\nline", None),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\rb\tc\x07", r"a\rb\tc\x07"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj", r"\u202egpj"),
        ("caf\udce9", r"caf\xe9"),
    ],
)
def test_what_is_printed_steers_no_terminal(text: str, shown: str | None) -> None:
    assert printable(text) == (shown or text)


@pytest.mark.parametrize("name", [b"a\x1b[2J.h5", b"caf\xe9.h5", b"-h.h5", b"a\nb.json"])
@pytest.mark.parametrize("there", [False, True])
def test_an_artifact_of_any_name_is_refused_in_words(
    tmp_path: Path, name: bytes, there: bool
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    if there:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 200)
    done = fork_python(RUN_C2L, "inspect", path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("c2l: error: ")
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_an_output_may_have_any_name(few: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/-caf\xe9 \x1b.h5"))
    done = fork_python(RUN_C2L, "extract", few, "-o", path, *PHOTOS, *NETWORK)
    assert done.returncode == 0, done.stderr
    assert path.is_file()
    assert done.stdout.strip().endswith(r"-caf\xe9 \x1b.h5")
    again = fork_python(RUN_C2L, "inspect", path, "--json")
    assert again.returncode == 0, again.stderr
