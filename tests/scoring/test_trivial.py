"""The predictor place-and-colour learns from the scored photos where people stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from PIL import Image

from c2l.data.labels import folder_space, load_merge, merge_names, published_space
from c2l.figure.ordered import ORDERED
from c2l.schema import PARTS
from c2l.scoring.trivial import FIGURE, FINE_FIGURE, matchings, named_rows

PHOTOS, SIZE, COLUMN, HALF = 14, 64, 13, 7
ATR = published_space("atr").names


@pytest.mark.parametrize(
    ("space", "merge", "expected"),
    [
        *(("atr", m, e) for m, e in (("upper-lower", [0, 1, 2]), ("person", [0, 1, 1]))),
        *(("ccp", m, e) for m, e in (("upper-lower", [0, 1, 2]), ("person", [0, 1, 1]))),
        *(("lip", m, e) for m, e in (("upper-lower", [0, 1, 2]), ("person", [0, 1, 1]))),
        ("person-background", None, [0, 1, 1]),
        *((name, "fine", None) for name in ("atr", "ccp", "lip")),
        *((name, "identity", None) for name in ("atr", "ccp", "lip")),
    ],
)
def test_parts_are_scored_where_all_have_classes(
    space: str, merge: str | None, expected: list[int] | None
) -> None:
    found = named_rows(load_merge(merge, published_space(space))).get(FIGURE)
    assert (None if found is None else found.tolist()) == expected


def test_parts_are_scored_by_the_names_of_a_merge_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'classes = ["background", "lower", "upper"]\n[assign]\n'
        'background = ["label-0"]\nupper = ["label-1"]\nlower = ["label-2"]\n'
    )
    assert named_rows(load_merge(str(path), folder_space([2])))[FIGURE].tolist() == [0, 2, 1]
    assert named_rows(load_merge(None, folder_space([1])))[FIGURE].tolist() == [0, 1, 1]
    assert named_rows(load_merge(None, folder_space([2]))) == {}


@pytest.mark.parametrize(
    ("space", "merges"),
    [
        ("atr", ("fine", "parts", "identity")),
        ("ccp", ("fine",)),
        ("lip", ("fine", "identity")),
        ("person-background", ()),
    ],
)
def test_ordered_parts_are_scored_under_fine_classes_only(
    space: str, merges: tuple[str, ...]
) -> None:
    labels = published_space(space)
    found = {
        name for name in merge_names(labels) if FINE_FIGURE in named_rows(load_merge(name, labels))
    }
    assert found == {*merges}


def test_ordered_parts_take_the_classes_of_their_names() -> None:
    merge = load_merge("fine", published_space("ccp"))
    of = named_rows(merge)[FINE_FIGURE].tolist()
    named = {name: merge.classes[own] for name, own in zip(ORDERED, of, strict=True)}
    assert {named[name] for name in ORDERED if "arm" in name or "leg" in name} == {"skin"}
    assert (named["face"], named["left-shoe"], named["right-shoe"]) == ("skin", "shoes", "shoes")
    same = ("background", "hair", "upper-clothes", "pants")
    assert [named[name] for name in same] == [*same]


def test_stored_rows_mean_nothing_under_classes_of_other_names() -> None:
    rng = np.random.default_rng(0)
    sizes = {"everything-background": 3, "centre-third": 3, "kmeans-xy": 3, FIGURE: 3}
    stored = {row: rng.integers(9, size=(count, 18)) for row, count in sizes.items()}
    stored["of another version"] = stored[FIGURE]
    of = {}
    for name in ("upper-lower", "person", "parts"):
        found = matchings(stored, load_merge(name, published_space("atr")), PARTS)
        of[name] = {row: own.tolist() for row, own in found.items()}
    assert of["upper-lower"].keys() == sizes.keys()
    assert of["upper-lower"]["centre-third"] == of["upper-lower"][FIGURE] == [0, 1, 2]
    nothing = {"everything-background": [0, 1, -1]}
    assert of["person"] == {**nothing, "centre-third": [0, 1, 1], FIGURE: [0, 1, 1]}
    assert of["parts"] == {"everything-background": [0, 1, 2]}
    # Rows made for two classes do not know upper from lower, but the figure does.
    two = {"centre-third": stored[FIGURE][:2], FIGURE: stored[FIGURE]}
    person = ("background", "person")
    finer, again = (
        matchings(two, load_merge(name, published_space("atr")), person)
        for name in ("upper-lower", "person")
    )
    assert finer.keys() == {FIGURE}
    assert {row: own.tolist() for row, own in again.items()} == {
        "centre-third": [0, 1],
        FIGURE: [0, 1, 1],
    }


def people_at(path: Path, column: int, *, broken: int = 0) -> Path:
    """An ATR data set of people in two garments who stand around one column."""
    generator = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (path / folder).mkdir(parents=True)
    names = [f"{number:03}" for number in range(PHOTOS)]
    (path / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(names))
    for number, name in enumerate(names):
        pixels = 100 + generator.integers(-40, 41, (SIZE, SIZE, 3))
        mask = np.zeros((SIZE, SIZE), np.uint8)
        inside = slice(column - HALF, column + HALF)
        pixels[8:34, inside], mask[8:34, inside] = (200, 60, 60), ATR.index("upper-clothes")
        pixels[34:58, inside], mask[34:58, inside] = (40, 40, 160), ATR.index("pants")
        photo = path / "JPEGImages" / f"{name}.jpg"
        Image.fromarray(pixels.astype(np.uint8)).save(photo, quality=95)
        if number < broken:
            photo.write_bytes(b"no photo")
        Image.fromarray(mask).save(path / "SegmentationClassAug" / f"{name}.png")
    return path


@pytest.mark.parametrize("column", [COLUMN, 32, SIZE - COLUMN])
def test_place_and_colour_finds_people_wherever_they_stand(
    column: int, cli: Cli, trained: Path, tmp_path: Path
) -> None:
    data = people_at(tmp_path / "people", column)
    scores = tmp_path / "eval.json"
    shown = cli.ok("eval", trained, data, "-o", scores, "--split", "val", "--labels", "atr").out
    found = json.loads(scores.read_text())["baselines"]
    assert found["place-and-colour"]["miou"] > 0.75
    assert min(found["place-and-colour"]["iou"].values()) > 0.6
    if column != 32:
        assert found["centre-third"]["miou"] < 0.5
    assert "rows in brackets train nothing" in shown


def test_photos_left_out_are_counted_with_their_reasons(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    data, scores = people_at(tmp_path / "people", 32, broken=1), tmp_path / "eval.json"
    words = (trained, data, "-o", scores, "--split", "val", "--labels", "atr", "--no-baselines")
    outcome = cli.ok("eval", *words, "--on-error", "skip", "--merge", "identity")
    found = json.loads(scores.read_text())
    (reason,) = found["skipped"].values()
    line = f"scored: {PHOTOS - 1} of {PHOTOS} photos, 1 left out: {reason}"
    assert (found["images"], line in outcome.out.splitlines()) == (PHOTOS - 1, True)
    assert f"1 of {PHOTOS} photos were left out" in outcome.err
    matched = "classes: 18 of merge identity, 3 clusters matched one to one by their overlap"
    assert f"{matched}; 15 classes have none" in outcome.out


def test_when_all_photos_are_damaged_the_error_names_the_next_step(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    data = people_at(tmp_path / "people", 32, broken=PHOTOS)
    words = ("eval", trained, data, "-o", tmp_path / "e.json", "--split", "val")
    failed = cli(*words, "--on-error", "skip")
    assert failed.code == 3
    assert str(data) in failed.err
    assert "c2l data check" in failed.err
    assert not (tmp_path / "e.json").exists()


def test_damaged_photos_are_left_out(cli: Cli, trained: Path, tmp_path: Path) -> None:
    data = people_at(tmp_path / "people", 32, broken=4)
    scores = tmp_path / "e.json"
    cli.ok(
        "eval",
        trained,
        data,
        "-o",
        scores,
        "--split",
        "val",
        "--labels",
        "atr",
        "--on-error",
        "skip",
    )
    stored = json.loads(scores.read_text())
    assert len(stored["skipped"]) == 4
    assert stored["baselines"]["place-and-colour"]["miou"] > 0.75
