"""What the ids in masks mean: said by the user, by files, proven, or nobody's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import FIT, Cli
from drawn import mask, masks, photo, photos, save
from hypothesis import given, settings, strategies as st

from c2l.data.check import check_dataset
from c2l.data.check_report import CheckReport
from c2l.data.dataset import open_dataset
from c2l.data.labels import load_merge, published_names, published_space
from c2l.data.layouts import LAYOUTS, Layout
from c2l.data.records import Choices
from c2l.data.spaces import chosen_space, find_meaning, read_names
from c2l.errors import BadInputError

# A folder of photos and one of masks, where there are several the one that proves least.
PLACES = {
    one.name: (one.places[0].photos[0], one.places[0].masks[-1]) for one in LAYOUTS if one.space
}
# Names of photos as published.
PUBLISHED = [("atr", "dataset10k_{}"), ("atr", "997_{}"), ("lip", "10{}_48300")]


def make(root: Path, layout: str = "atr", name: str = "p{}") -> Path:
    of_photos, of_masks = PLACES[layout]
    photos(root / of_photos, f"{name}.jpg")
    masks(root / of_masks, f"{name}.png")
    return root


def names(path: Path) -> tuple[str, ...]:
    return read_names(path).names


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# A published space is claimed only where something proves it.


@pytest.mark.parametrize("layout", PLACES)
@pytest.mark.parametrize("place", ["labels.txt", "class_names.txt", "labels.json", "beside"])
def test_names_in_the_data_set_win_over_its_layout(tmp_path: Path, layout: str, place: str) -> None:
    make(tmp_path, layout)
    if place == "labels.json":
        write(tmp_path / place, '["background", "skin", "clothes"]')
    else:
        beside = f"{PLACES[layout][1]}/classes.txt"
        write(tmp_path / (beside if place == "beside" else place), "background\nskin\nclothes\n")
    report = check_dataset(tmp_path)
    assert (report.layout, report.label_space, report.problems) == (layout, "own", [])
    assert list(report.labels) == ["background", "skin", "clothes"]


@pytest.mark.parametrize(
    "layout", [one.name for one in LAYOUTS if one.space and PLACES[one.name][1] not in one.folders]
)
def test_folders_alone_prove_no_labels(tmp_path: Path, layout: str) -> None:
    report = check_dataset(make(tmp_path, layout))
    assert (report.layout, report.label_space, report.merge) == (layout, None, "identity")
    assert list(report.labels) == ["label-0", "label-1", "label-2"]
    assert "no file names them" in report.labels_by


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if one.stems], ids=lambda one: one.name)
@given(data=st.data())
@settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_the_names_of_half_of_the_photos_prove_nothing(layout: Layout, data: st.DataObject) -> None:
    stems = data.draw(st.lists(st.from_regex(layout.stems, fullmatch=True), min_size=2, max_size=3))
    others = ["holiday"] * (len(stems) - 1)
    found = find_meaning(layout, [], [], [*stems, *others]).space
    assert found is not None
    assert found.name == layout.space
    assert find_meaning(layout, [], [], [*stems, *others, "holiday"]).space is None


@pytest.mark.parametrize(("layout", "name"), PUBLISHED)
def test_published_names_of_photos_prove_the_published_labels(
    tmp_path: Path, layout: str, name: str
) -> None:
    report = check_dataset(make(tmp_path, layout, name))
    assert report.label_space == layout
    assert report.labels_by == f"{layout}, by the names of its photos"


def test_names_as_pascal_voc_has_them_prove_nothing(tmp_path: Path) -> None:
    assert check_dataset(make(tmp_path, "atr", "2007_00003{}")).label_space is None


def test_ids_that_are_those_of_a_published_space_prove_it(tmp_path: Path) -> None:
    photos(tmp_path / "JPEGImages", count=2)
    ids = np.arange(96, dtype=np.uint8).repeat(64).reshape(96, 64) // 6
    save(tmp_path / "SegmentationClass" / "p0.png", ids)
    save(tmp_path / "SegmentationClass" / "p1.png", (ids + 2).astype(np.uint8))
    report = check_dataset(tmp_path)
    assert report.label_space == "atr"
    assert "by the ids, 18 of its 18" in report.labels_by
    # A merge of that space, or of ids, is no mistake before they are read.
    assert list(check_dataset(tmp_path, merge="parts").classes)[:2] == ["background", "hat"]
    by_id = write(tmp_path / "m.toml", 'classes = ["a", "b"]\nrest = "a"\n[assign]\nb = [200]\n')
    save(tmp_path / "SegmentationClass" / "p1.png", (ids + 5).astype(np.uint8))
    assert check_dataset(tmp_path).label_space is None
    assert list(check_dataset(tmp_path, merge=str(by_id)).classes) == ["a", "b"]
    with pytest.raises(BadInputError, match="'folder', which has identity"):
        check_dataset(tmp_path, merge="parts")
    with pytest.raises(BadInputError, match="'atr', which has fine"):
        check_dataset(tmp_path, merge="pants", progress=lambda *_: pytest.fail("was read"))


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / "labels.txt", "ground\nshirt\ntrousers\n")
    by_name = check_dataset(tmp_path, choices=Choices(labels="atr"))
    assert (by_name.label_space, list(by_name.classes)) == ("atr", ["background", "upper", "lower"])
    own = write(tmp_path / "other.list", "a\nb\nc\n")
    by_file = check_dataset(tmp_path, choices=Choices(labels=str(own)))
    assert list(by_file.labels) == ["a", "b", "c"]
    with pytest.raises(BadInputError, match="expected labels by name") as caught:
        check_dataset(tmp_path, choices=Choices(labels="nonsense"))
    assert "atr, ccp, lip, person-background" in str(caught.value)


def test_published_names_however_written_are_the_published_labels(tmp_path: Path) -> None:
    text = "\n".join(n.replace("-", "_").title() for n in published_space("lip").names)
    make(tmp_path, "atr")
    write(tmp_path / "labels.txt", text)
    report = check_dataset(tmp_path)
    assert (report.label_space, report.labels_by) == ("lip", "lip, 20 by labels.txt")


def test_files_of_names_that_contradict_each_other_are_not_chosen_between(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    make(tmp_path)
    write(tmp_path / "labels.txt", "a\nb\nc\n")
    write(tmp_path / "class_names.txt", "a\nc\nb\n")
    (problem,) = check_dataset(tmp_path).problems
    assert problem.problem == "names other labels than class_names.txt"
    done = cli("eval", trained, tmp_path, "-o", tmp_path / "e.json")
    assert done.code == 3
    assert "--labels FILE" in done.err
    cli.ok("fit", tmp_path, "-o", tmp_path / "run", *FIT, "--epochs", "0")


# Files of names are never shifted, closed up or read past what they can mean.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ground\nupper\nlower\n\n\n", ("ground", "upper", "lower")),
        ("\ufeffground\r\nupper\r\nlower", ("ground", "upper", "lower")),
        ("ground\rupper\rlower\r", ("ground", "upper", "lower")),
        ("0 ground\n1 upper\n2 lower\n", ("ground", "upper", "lower")),
        ("2: lower\n0: ground\n1: upper\n", ("ground", "upper", "lower")),
        ("ground,0\nupper,1\nlower,2\n", ("ground", "upper", "lower")),
        ("0\tground\n1\tupper\n255\tvoid\n", ("ground", "upper")),
        ("__ignore__\n_background_\nupper\n", ("background", "upper")),
        ("# my labels\nground\nupper\n", ("ground", "upper")),
        ("ground\n3 piece suit\n", ("ground", "3 piece suit")),
    ],
)
def test_a_text_of_names_is_read_as_it_can_be_meant(
    tmp_path: Path, text: str, expected: tuple[str, ...]
) -> None:
    assert names(write(tmp_path / "labels.txt", text)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ground\n\nlower\n", "line 2 is blank"),
        ("\nground\nupper\n", "line 1 is blank"),
        ("ground\n__ignore__\nupper\n", "line 2 is '__ignore__'"),
        ("ground\nupper\nground\n", "ids 0 and 2 are both called 'ground'"),
        ("1 upper\n2 lower\n", "id 0 has no name"),
        ("0 ground\n1 upper\n1 lower\n", "id 1 is 'upper' and 'lower'"),
        ("0 ground\n300 upper\n", "label ids are 0 to 254, found 300"),
        ("", "expected 1 to 255 label names, found 0"),
        ("\n".join(map(str, range(256))), "found 256"),
        ("background:0,0,0::\nskin:128,0,0::\n", "colours, not the ids"),
        ("ground\nupper\n".encode("utf-16"), "found UTF-16"),
        ("ground\nupper\n".encode("utf-16-le"), "UTF-16 or binary data"),
        (b"ground\nk\xf6rper\n", "found other bytes in line 2"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary data"),
        ("ground\nup\x1b[2Jper\n", "expected printable names"),
    ],
)
def test_a_text_of_names_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    path = write(tmp_path / "labels.txt", text)
    with pytest.raises(BadInputError) as caught:
        read_names(path)
    assert words in str(caught.value)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.json", '["ground", "upper"]'),
        ("labels.json", '{"1": "upper", "0": "ground"}'),
        ("labels.json", '{"ground": 0, "upper": 1}'),
        (
            "labels.json",
            '{"categories": [{"id": 1, "name": "upper"}, {"id": 0, "name": "ground"}]}',
        ),
        ("labels.json", '{"id2label": {"0": "ground", "1": "upper", "255": "void"}}'),
        ("_classes.csv", "Pixel Value, Class\n0, ground\n1, upper\n"),
        ("classes.csv", "name,id,r\nupper,1,9\nground,0,9\n"),
    ],
)
def test_json_and_tables_of_names_are_read(tmp_path: Path, name: str, text: str) -> None:
    assert names(write(tmp_path / name, text)) == ("ground", "upper")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels.json", '{"0": "a", "0": "b"}', "same key twice"),
        ("labels.json", '{"0": "a", "2": "b"}', "id 1 has no name"),
        ("labels.json", '[{"id": 0, "name": 5}]', "list of label names"),
        ("labels.json", '"ground"', "list of label names"),
        ("class_dict.csv", "name,r,g,b\nground,0,0,0\n", "the columns id and name"),
        ("classes.csv", "id,name\nx,ground\n", "expected an id and a name"),
    ],
)
def test_json_and_tables_that_do_not_name_ids_are_refused(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        read_names(write(tmp_path / name, text))


# Person or background.


@pytest.mark.parametrize(
    "text",
    ["background\nperson\n", "_background_\nHuman", "0: bg\n1: people\n", "null\nforeground"],
)
def test_person_and_background_are_known_by_their_names(tmp_path: Path, text: str) -> None:
    photos(tmp_path / "images")
    masks(tmp_path / "masks", change=lambda ids: (ids > 0).astype(np.uint8))
    write(tmp_path / "labels.txt", text)
    report = check_dataset(tmp_path)
    assert (report.label_space, report.merge) == ("person-background", "person")
    assert list(report.classes) == ["background", "person"]


@pytest.mark.parametrize("space", published_names())
def test_every_published_space_knows_the_person(space: str) -> None:
    labels = published_space(space)
    merge = load_merge("person", labels)
    assert merge.classes == ("background", "person")
    parts = load_merge("upper-lower", labels) if space != "person-background" else merge
    for label in range(len(labels.names)):
        if parts.table[label] != 255:
            assert merge.table[label] == min(parts.table[label], 1), labels.names[label]
        else:
            assert merge.table[label] == 1  # what upper-lower ignores is of the person


def test_space_names_are_taken_where_a_file_is(tmp_path: Path) -> None:
    assert chosen_space("person-background").names == ("background", "person")
    assert chosen_space(str(write(tmp_path / "x", "a\nb"))).names == ("a", "b")


def test_a_named_predictor_is_scored_by_name_where_labels_say_person(
    cli: Cli, tmp_path: Path
) -> None:
    data = tmp_path / "d"
    photos(data / "images", count=8)
    masks(data / "masks", count=8, change=lambda ids: (ids > 0).astype(np.uint8) * 255)
    run, out = tmp_path / "run", tmp_path / "e.json"
    merge = ("-k", "4", "--merge-clusters", "border")
    cli.ok("fit", data, "-o", run, *FIT, "--epochs", "0", *merge)
    said = cli.ok("eval", run, data, "-o", out, "--labels", "person-background", "--json").values
    assert said["label_space"]["name"] == "person-background"
    assert said["classes"] == ["background", "person"]
    assert said["matching"] == {"kind": "by name", "clusters_to_classes": [0, 1, 1]}
    assert said["pixels"]["scored"] == said["pixels"]["all"] == 8 * 96 * 64
    raw = np.array(said["confusion_raw"])
    person = sum(int((mask(i) > 0).sum()) for i in range(8))
    assert raw.sum(0).tolist() == [8 * 96 * 64 - person, person]
    # Upper and lower together are the person.
    right = raw[0, 0] + raw[1:, 1].sum()
    assert said["pixel_accuracy"] == pytest.approx(right / raw.sum())
    assert {"place-and-colour", "centre-third", "xy-border"} <= set(said["baselines"])
    pictures = tmp_path / "pictures"
    cli.ok("render", run, data, "-o", pictures, "--scores", out, "--labels", "person-background")
    again = cli.ok("eval", out, "-o", tmp_path / "again.json", "--json").values
    for name, row in said["baselines"].items():
        if name in again["baselines"]:
            assert again["baselines"][name]["miou"] == pytest.approx(row["miou"]), name


def test_single_images_have_no_labels(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo(0))
    found = open_dataset(tmp_path / "a.jpg")
    assert found.meaning.space is None


def test_a_report_of_labels_is_plain_values(tmp_path: Path) -> None:
    import json

    report: CheckReport = check_dataset(make(tmp_path))
    assert json.loads(json.dumps(report.as_dict()))["labels_by"] == report.labels_by
