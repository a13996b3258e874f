"""Scores are what counting pixel by pixel gives, and can be had again under other labels."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import BACKBONE, FIT, NETWORK, PHOTOS, Cli, stop_after
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from torchvision.models import get_model

from c2l.data.images import read_rgb
from c2l.data.labels import published_space
from c2l.drawing.method_name import method_name
from c2l.model.loading import load_predictor
from c2l.runtime.json_files import read_json, write_json

ATR = published_space("atr").names
LOWER = {"skirt", "pants", "dress", "belt", "left-shoe", "right-shoe", "left-leg", "right-leg"}
CLASSES = ["background", "upper", "lower"]
# Trivial rows that name parts, of which all but the background are the person.
PERSON_ROWS = {"centre-third", "xy-border", "place-and-colour"}


def part_of(label: int) -> int:
    """Background, upper or lower, as published."""
    return 0 if label == 0 else 2 if ATR[label] in LOWER else 1


def names_of(people: Path, split: str) -> list[str]:
    """The photos of a split."""
    return (people / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()


def count(artifact: Path, people: Path, names: list[str], clusters: int) -> NDArray[np.int64]:
    """Pixels by cluster and raw label, from the stored predictor."""
    predictor = load_predictor(artifact, torch.device("cpu"), None)
    table = np.zeros((clusters, len(ATR)), dtype=np.int64)
    for name in names:
        with Image.open(people / "SegmentationClassAug" / f"{name}.png") as file:
            mask = np.array(file)
        pixels = read_rgb(people / "JPEGImages" / f"{name}.jpg", size=64)[None]
        (found,) = predictor.predict(pixels, [mask.shape])
        assert found.shape == mask.shape
        for cluster, label in zip(found.ravel().tolist(), mask.ravel().tolist(), strict=True):
            table[cluster, label] += 1
    return table


def merged(raw: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels by cluster and part."""
    table = np.zeros((len(raw), 3), dtype=np.int64)
    for label in range(len(ATR)):
        table[:, part_of(label)] += raw[:, label]
    return table


def scored(confusion: NDArray[np.int64], matching: tuple[int, ...]) -> dict[str, Any]:
    """Scores by their definitions, over the classes that the labels show."""
    iou: dict[str, float | None] = dict.fromkeys(CLASSES)
    recall = []
    for k in range(3):
        mine = [c for c, found in enumerate(matching) if found == k]
        hit, predicted = confusion[mine, k].sum(), confusion[mine].sum()
        true = confusion[:, k].sum()
        if true:
            iou[CLASSES[k]] = float(hit / (true + predicted - hit))
            recall.append(hit / true)
    hits = sum(confusion[c, k] for c, k in enumerate(matching))
    return {
        "miou": float(np.mean([value for value in iou.values() if value is not None])),
        "pixel_accuracy": float(hits / confusion.sum()),
        "mean_class_accuracy": float(np.mean(recall)),
        "iou": iou,
    }


def best_matching(confusion: NDArray[np.int64]) -> tuple[int, ...]:
    """The one-to-one matching with the most hits, by trying all."""

    def hits(matching: tuple[int, ...]) -> int:
        return int(sum(confusion[c, k] for c, k in enumerate(matching)))

    return max(itertools.permutations(range(3)), key=hits)


def assert_scores(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The same numbers."""
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_scores_are_those_of_counting_pixel_by_pixel(
    people: Path, trained: Path, scores: Path
) -> None:
    found = json.loads(scores.read_text())
    raw = count(trained, people, names_of(people, "val"), 3)
    confusion = merged(raw)
    assert found["confusion_raw"] == raw.tolist()
    assert found["confusion"] == confusion.tolist()
    assert found["classes"] == CLASSES
    matching = best_matching(confusion)
    assert found["matching"] == {"kind": "hungarian", "clusters_to_classes": list(matching)}
    assert_scores(found, scored(confusion, matching))
    assert_scores(found["hungarian"], scored(confusion, matching))
    majority = tuple(int(k) for k in confusion.argmax(1))
    assert found["many_to_one"]["clusters_to_classes"] == list(majority)
    hits = sum(confusion[c, k] for c, k in enumerate(majority))
    assert found["many_to_one"]["pixel_accuracy"] == pytest.approx(hits / confusion.sum())
    assert (found["images"], found["split"], found["method"]) == (3, "val", "c2l")
    low, high = found["intervals"]["miou"]
    assert low <= found["miou"] <= high
    for name, table in (("", confusion), ("fg_", confusion[:, 1:])):
        cluster, part = np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0).T
        nmi = normalized_mutual_info_score(part, cluster)
        assert found[f"{name}nmi"] == pytest.approx(nmi, abs=1e-12)
        assert found[f"{name}ari"] == pytest.approx(adjusted_rand_score(part, cluster))


def test_every_photos_own_scores_are_those_of_its_own_pixels(
    people: Path, trained: Path, scores: Path
) -> None:
    found = json.loads(scores.read_text())
    matching = tuple(found["matching"]["clusters_to_classes"])
    names = names_of(people, "val")
    assert [image["name"] for image in found["per_image"]] == [f"{n}.jpg" for n in names]
    for name, image in zip(names, found["per_image"], strict=True):
        expected = scored(merged(count(trained, people, [name], 3)), matching)
        assert image["miou"] == pytest.approx(expected["miou"], abs=1e-6)
        assert image["pixel_accuracy"] == pytest.approx(expected["pixel_accuracy"], abs=1e-6)


def test_trivial_predictors_stand_beside(people: Path, scores: Path) -> None:
    found = json.loads(scores.read_text())
    assert {
        "everything-background",
        "centre-third",
        "kmeans-rgb",
        "kmeans-xy",
        "kmeans-rgb+2xy",
        "xy-border",
    } <= found["baselines"].keys()
    columns = np.array(found["confusion"]).sum(0)
    nothing = found["baselines"]["everything-background"]
    assert nothing["pixel_accuracy"] == pytest.approx(columns[0] / columns.sum())
    assert nothing["iou"] == {
        "background": pytest.approx(columns[0] / columns.sum()),
        "upper": 0,
        "lower": 0,
    }
    third = np.zeros((3, 3), dtype=np.int64)
    for name in names_of(people, "val"):
        with Image.open(people / "SegmentationClassAug" / f"{name}.png") as file:
            mask = np.array(file)
        guess = np.zeros((64, 64), np.uint8)
        guess[:32, 21:43], guess[32:, 21:43] = 1, 2
        rows = ((np.arange(96) + 0.5) * 64 / 96).astype(int)
        for part, label in zip(guess[rows].ravel(), mask.ravel(), strict=True):
            third[part, part_of(label)] += 1
    assert_scores(found["baselines"]["centre-third"], scored(third, (0, 1, 2)))


def test_the_matching_of_another_split_is_applied_as_it_is(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "e.json"
    options = ("--split", "val", "--match-split", "train", "--no-baselines", "--bootstrap", "0")
    found = cli.ok("eval", trained, people, "-o", path, *options, "--json").values
    elsewhere = best_matching(merged(count(trained, people, names_of(people, "train"), 3)))
    other = found["matched_elsewhere"]
    assert other["clusters_to_classes"] == list(elsewhere)
    assert (other["split"], other["images"]) == ("train", 9)
    assert_scores(other, scored(np.array(found["confusion"]), elsewhere))
    assert found["baselines"] == {}
    assert read_json(path, what="scores", sealed=True) == found


def test_scoring_again_under_other_labels_is_the_same_as_scoring_afresh(
    cli: Cli, people: Path, trained: Path, scores: Path, tmp_path: Path
) -> None:
    again, fresh = tmp_path / "again.json", tmp_path / "fresh.json"
    cli.ok("eval", scores, "-o", again, "--merge", "fine")
    options = ("--merge", "fine", "--split", "val", "--bootstrap", "0")
    cli.ok("eval", trained, people, "-o", fresh, *options)
    stored, expected = json.loads(again.read_text()), json.loads(fresh.read_text())
    assert len(stored["classes"]) == 18
    other = {"baselines", "baseline_confusions_raw", "lineage", "per_image", "sha256"}
    for name in expected.keys() - other:
        assert stored[name] == expected[name], name
    # Of the trivial rows only what means the same under any labels carries over.
    assert list(stored["baselines"]) == ["everything-background"]
    assert "ordered-parts" in expected["baselines"]
    assert not PERSON_ROWS & expected["baselines"].keys()
    for name, row in stored["baselines"].items():
        assert row == expected["baselines"][name]
    assert {"kmeans-rgb", "place-and-colour", "per_image"} < set(stored["left_out"])
    assert "per_image" not in stored
    assert stored["lineage"]["options"]["merge"] == "fine"
    # Back under the labels they were fitted for, all rows are there again.
    back = tmp_path / "back.json"
    cli.ok("eval", again, "-o", back, "--merge", "upper-lower")
    first, returned = json.loads(scores.read_text()), json.loads(back.read_text())
    assert returned["baselines"] == first["baselines"]
    assert returned["miou"] == first["miou"]
    own = stored["lineage"]["predictor_sha256"]
    assert own == expected["lineage"]["predictor_sha256"]
    assert stored["rescored_from"] == str(scores)


def test_rows_that_name_parts_are_scored_again_as_person(
    cli: Cli, people: Path, trained: Path, scores: Path, tmp_path: Path
) -> None:
    again, fresh = tmp_path / "again.json", tmp_path / "fresh.json"
    cli.ok("eval", scores, "-o", again, "--merge", "person")
    options = ("--merge", "person", "--split", "val", "--bootstrap", "0")
    cli.ok("eval", trained, people, "-o", fresh, *options)
    stored = json.loads(again.read_text())["baselines"]
    expected = json.loads(fresh.read_text())["baselines"]
    assert stored.keys() == {"everything-background", *PERSON_ROWS}
    assert expected.keys() - stored.keys() == {"kmeans-rgb", "kmeans-xy", "kmeans-rgb+2xy"}
    for name, row in stored.items():
        assert row["iou"] == expected[name]["iou"]


@pytest.fixture(scope="module")
def person(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos whose masks know only person and background, bags among the latter."""
    folder = tmp_path_factory.mktemp("person") / "data"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for name in names_of(people, "val"):
        shutil.copy(people / "JPEGImages" / f"{name}.jpg", folder / "images")
        with Image.open(people / "SegmentationClassAug" / f"{name}.png") as file:
            mask = np.array(file)
        inside = (mask > 0) & (mask != ATR.index("bag"))
        Image.fromarray(inside.astype(np.uint8)).save(folder / "masks" / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def parts(cli: Cli, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose clusters are merged into background, upper and lower."""
    run = tmp_path_factory.mktemp("parts") / "run"
    cli.ok("fit", people, "-o", run, *FIT, "-k", "8", "--merge-clusters", "border", "-e", "0")
    return run


@pytest.mark.parametrize("predictor", ["parts", "taught"])
@pytest.mark.parametrize("way", ["--labels", "--merge", "file"])
def test_all_parts_together_are_the_person_where_labels_know_no_more(
    cli: Cli,
    person: Path,
    predictor: str,
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    merge = tmp_path / "own.toml"
    merge.write_text(
        'labels = ["background", "person"]\nclasses = ["background", "person"]\n'
        '[assign]\nbackground = ["background"]\nperson = ["person"]\n'
    )
    labels = ("--labels", "person-background")
    options = {"--labels": labels, "--merge": (*labels, "--merge", "person")}
    words = options.get(way, ("--merge", merge))
    artifact = request.getfixturevalue(predictor)
    path = tmp_path / "e.json"
    out = cli.ok("eval", artifact, person, "-o", path, *words, "--bootstrap", "0").out
    found = json.loads(path.read_text())
    assert found["classes"] == ["background", "person"]
    names = found["names"]
    of = [int(name not in ("background", "bag")) for name in names]
    assert found["matching"] == {"kind": "by name", "clusters_to_classes": of}
    assert len(names) == {"parts": 3, "taught": 15}[predictor]
    table = np.zeros((2, 2), np.int64)
    np.add.at(table, of, np.array(found["confusion_raw"])[:, :2])
    for k, name in enumerate(found["classes"]):
        union = table[k].sum() + table[:, k].sum() - table[k, k]
        assert found["iou"][name] == pytest.approx(table[k, k] / union)
    assert found["baselines"].keys() > PERSON_ROWS
    assert all(f"({name})" in out for name in PERSON_ROWS)
    masks = [np.asarray(Image.open(p)) for p in sorted((person / "masks").iterdir())]
    third, figure = np.zeros((64, 64), bool), np.stack(masks) == 1
    third[:, 21:43] = True
    guess = np.broadcast_to(third[((np.arange(96) + 0.5) * 64 / 96).astype(int)], figure.shape)
    iou = (guess & figure).sum() / (guess | figure).sum()
    assert found["baselines"]["centre-third"]["iou"]["person"] == pytest.approx(iou)


def test_a_merge_of_ones_own_decides_what_is_scored(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    merge = tmp_path / "own.toml"
    merge.write_text(
        'label_space = "atr"\nclasses = ["rest", "legs"]\nignore = ["hair"]\nrest = "rest"\n'
        '[assign]\nlegs = ["pants", 12, "right-leg"]\n'
    )
    options = ("--split", "val", "--no-baselines", "--bootstrap", "0", "--merge", merge)
    found = cli.ok("eval", trained, people, "-o", tmp_path / "e.json", *options, "--json").values
    raw = np.array(found["confusion_raw"])
    legs = [ATR.index(name) for name in ("pants", "left-leg", "right-leg")]
    hair = ATR.index("hair")
    others = [i for i in range(18) if i not in (*legs, hair)]
    expected = np.stack([raw[:, others].sum(1), raw[:, legs].sum(1)], 1)
    assert found["confusion"] == expected.tolist()
    assert sorted(found["iou"]) == ["legs", "rest"]


def test_stored_clusters_are_scored_by_their_own_features(
    cli: Cli, people: Path, clusters: Path, tmp_path: Path
) -> None:
    options = ("--split", "val", "--no-baselines", "--bootstrap", "0", "--json")
    found = cli.ok("eval", clusters, people, "-o", tmp_path / "e.json", *options).values
    assert found["confusion_raw"] == count(clusters, people, names_of(people, "val"), 3).tolist()
    assert found["method"] == "kmeans"


def test_clusters_joined_to_named_parts_are_scored_as_named(
    cli: Cli, people: Path, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c.h5"
    cli.ok("cluster", store, "-o", path, "-k", "8", "--merge-clusters", "border")
    found = cli.ok(
        "eval", path, people, "-o", tmp_path / "e.json", "--no-baselines", "--json"
    ).values
    assert found["matching"] == {"kind": "by name", "clusters_to_classes": [0, 1, 2]}
    confusion = np.array(found["confusion"])
    assert confusion.shape == (3, 3)
    assert found["pixel_accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum())


def test_a_table_for_people_and_an_object_for_programs(
    cli: Cli, people: Path, trained: Path, scores: Path, tmp_path: Path
) -> None:
    table = cli.ok("eval", scores, "-o", tmp_path / "e.json", "--rival", f"other one={scores}").out
    value = json.loads(scores.read_text())
    lines = table.splitlines()
    assert lines[0].split() == ["mIoU", "acc.", "class", "acc.", "NMI", "ARI", "FG-NMI", "FG-ARI"]
    assert max(map(len, lines[: lines.index("(in percent; rows in brackets train nothing)")])) < 80
    (own,) = [line for line in lines if line.startswith("C2L")]
    (rival,) = [line for line in lines if line.startswith("other one")]
    keys = ("miou", "pixel_accuracy", "mean_class_accuracy", "nmi", "ari", "fg_nmi", "fg_ari")
    assert own.split()[1:] == rival.split()[2:] == [f"{100 * value[key]:.1f}" for key in keys]
    nothing = next(line for line in lines if line.startswith("(everything-background)"))
    assert nothing.split()[-4:] == ["0.0"] * 4


def test_clusters_that_match_no_class_are_counted(
    cli: Cli, store: Path, people: Path, tmp_path: Path
) -> None:
    clusters, scores = tmp_path / "c.h5", tmp_path / "e.json"
    cli.ok("cluster", store, "-o", clusters, "-k", "5")
    out = cli.ok("eval", clusters, people, "-o", scores, "--split", "val", "--no-baselines").out
    many = 100 * json.loads(scores.read_text())["many_to_one"]["miou"]
    matched = "classes: 3 of merge upper-lower, 5 clusters matched one to one by their overlap"
    assert f"{matched}; 2 match nothing and count as wrong (many to one: mIoU {many:.1f})" in out
    assert "merge_table" not in cli.ok("inspect", scores).out


def test_rivals_that_are_scored_otherwise_are_refused_and_the_scores_kept(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path: Path
) -> None:
    own, drawn = tmp_path / "own.json", tmp_path / "drawn"
    outcome = cli("eval", scores, "-o", own, "--merge", "fine", "--rival", f"a={scores}")
    assert (outcome.code, outcome.out) == (3, "")
    assert f"{scores}: its scoring differs from that of {own} in label merge" in outcome.err
    assert json.loads(own.read_text())["merge"] == "fine"
    for words in (
        ["--scores", scores, "--rival", f"a={own}"],
        ["--rival", f"a={scores}", "--rival", f"b={own}"],
    ):
        outcome = cli("render", trained, people, "-o", drawn, *words)
        assert (outcome.code, drawn.exists()) == (3, False)
        assert f"{own}: its scoring differs from that of {scores}" in outcome.err
    outcome = cli("eval", scores, "-o", drawn, "--rival", f"a={own}", "--rival", f"a={scores}")
    assert (outcome.code, drawn.exists()) == (2, False)
    assert "two rivals are called 'a'" in outcome.err


def test_scores_of_before_nmi_and_ari_are_read_and_get_them_when_scored_again(
    cli: Cli, scores: Path, tmp_path: Path
) -> None:
    new, old = json.loads(scores.read_text()), tmp_path / "old.json"
    keys = ("nmi", "ari", "fg_nmi", "fg_ari")
    value = {k: v for k, v in new.items() if k not in (*keys, "sha256")}
    value["baselines"] = {
        name: {k: v for k, v in row.items() if k not in keys}
        for name, row in new["baselines"].items()
    }
    write_json(old, value, sealed=True)
    cli.ok("verify", old)
    (row,) = cli.ok("compare", old, "--agreement", "--json").values["rows"]
    assert [row[key]["mean"] for key in ("miou", *keys)] == [new["miou"], *[None] * 4]
    again = tmp_path / "again.json"
    out = cli.ok("eval", old, "-o", again, "--rival", f"old={old}").out
    (line,) = [line for line in out.splitlines() if line.startswith("old ")]
    assert line.split()[-4:] == ["-"] * 4
    found = json.loads(again.read_text())
    assert [found[key] for key in keys] == [new[key] for key in keys]
    assert found["baselines"] == new["baselines"]


@pytest.fixture
def copied(people: Path, tmp_path: Path) -> Path:
    """A copy of the people that may be changed."""
    shutil.copytree(people, tmp_path / "people")
    return tmp_path / "people"


def test_a_mask_of_another_size_is_named(cli: Cli, copied: Path, trained: Path) -> None:
    mask = copied / "SegmentationClassAug" / "0003.png"
    with Image.open(mask) as file:
        smaller = file.crop((0, 0, 63, 96))
    smaller.save(mask)
    output = copied.parent / "e.json"
    outcome = cli("eval", trained, copied, "-o", output)
    assert outcome.code == 3
    assert str(mask) in outcome.err
    assert "96 x 63" in outcome.err
    assert not output.exists()


def test_photos_without_labels_cannot_be_scored(
    cli: Cli, few: Path, trained: Path, tmp_path: Path
) -> None:
    outcome = cli("eval", trained, few, "-o", tmp_path / "e.json")
    assert (outcome.code, os.listdir(tmp_path)) == (3, [])
    assert str(few) in outcome.err


def test_an_unknown_split_is_answered_with_those_there_are(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    outcome = cli("eval", trained, people, "-o", tmp_path / "e.json", "--split", "test")
    assert outcome.code == 3
    assert "train, val" in outcome.err


def test_an_unfinished_run_is_answered_with_how_to_finish_it(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with stop_after(1):
        assert cli("fit", people, "-o", run, *FIT).code == 75
    outcome = cli("eval", run, people, "-o", tmp_path / "e.json")
    assert outcome.code == 3
    assert "--resume" in outcome.err
    assert str(run) in outcome.err


def test_moved_weights_are_found_where_one_says_and_changed_ones_are_refused(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    weights, moved = tmp_path / "w.safetensors", tmp_path / "moved.safetensors"
    save_file(get_model(BACKBONE).state_dict(), weights)
    store, clusters = tmp_path / "f.h5", tmp_path / "c.h5"
    options = (*PHOTOS, *NETWORK, "--weights", weights, "--layer", "layer4")
    cli.ok("extract", people, "-o", store, *options)
    cli.ok("cluster", store, "-o", clusters, "-k", "3")
    score = ("eval", clusters, people, "-o", tmp_path / "e.json", "--no-baselines", "--json")
    before = cli.ok(*score, "--bootstrap", "0").values
    weights.rename(moved)
    gone = cli(*score, "--overwrite")
    assert gone.code == 3
    assert str(weights) in gone.err
    after = cli.ok(*score, "--bootstrap", "0", "--overwrite", "--weights", moved).values
    assert after["confusion_raw"] == before["confusion_raw"]
    save_file(get_model(BACKBONE).state_dict(), weights)
    changed = cli(*score, "--overwrite")
    assert changed.code == 3
    assert "--weights" in changed.err


def test_other_files_are_no_scores(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"format": "something"}')
    outcome = cli("eval", other, "-o", tmp_path / "e.json")
    assert outcome.code == 3
    assert str(other) in outcome.err


def test_usage_errors_write_nothing(
    cli: Cli, people: Path, trained: Path, scores: Path, tmp_path: Path
) -> None:
    before = scores.read_bytes()
    assert cli("eval", trained, people, "-o", scores).code == 2
    assert scores.read_bytes() == before
    assert cli("eval", trained, "-o", tmp_path / "e.json").code == 2
    assert cli("eval", scores, people, "-o", tmp_path / "e.json").code == 2
    said = cli.ok("eval", trained, people, "-o", tmp_path / "e.json", "--dry-run", "--json")
    assert said.values["images"] == 12
    assert os.listdir(tmp_path) == []


def test_a_run_whose_ground_is_joined_is_scored_group_by_group(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    run, scores, out = tmp_path / "run", tmp_path / "eval.json", tmp_path / "pictures"
    cli.ok("fit", people, "-o", run, *FIT, "-k", "24", "--merge-clusters", "ground", "-e", "0")
    groups = load_file(run / "predictor.safetensors")["groups"]
    assert int(groups.max()) >= 1
    # The clusters that are not ground have a group each.
    others = groups[groups > 0].tolist()
    assert others == list(range(1, len(others) + 1))
    cli.ok("eval", run, people, "-o", scores, "--merge", "fine", "--split", "val")
    found = json.loads(scores.read_text())
    assert found["clusters"] == len(found["confusion"]) == len(others) + 1
    assert found["matching"]["kind"] == "hungarian"
    cli.ok("render", run, people, "-o", out, "--split", "val")
    legend = json.loads((out / "masks" / "legend.json").read_text())
    assert legend["labels"][0]["name"] == "ground"


@pytest.mark.parametrize(
    ("method", "options", "name"),
    [
        ("c2l", {"epochs": 2, "warmup": 4}, "C2L"),
        ("picie", {"epochs": 1}, "PiCIE"),
        ("picie", {"epochs": 0, "warmup": 4}, "warm-up only"),
        ("picie", {"epochs": 0, "warmup": 2, "checkpoint": "start"}, "warm-up only"),
        ("c2l", {"epochs": 0, "checkpoint": "run"}, "another run, clustered anew"),
        ("picie", {"epochs": 0, "warmup": 0, "checkpoint": None}, "no training"),
        ("nmf", None, "DFF (NMF)"),
        ("other", None, "other"),
    ],
)
def test_what_trained_nothing_is_not_called_a_method(
    method: str, options: dict[str, Any] | None, name: str
) -> None:
    assert method_name(method, options) == name


def test_the_distance_to_trivial_rows_is_paired_by_image(
    people: Path, trained: Path, tmp_path: Path, cli: Cli
) -> None:
    words = ("eval", trained, people, "-o", tmp_path / "e.json", "--split", "val")
    said = cli.ok(*words, "--bootstrap", "200").out
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["differences"].keys() == found["baselines"].keys()
    for name, row in found["baselines"].items():
        low, high = found["differences"][name]["miou"]
        assert low <= found["miou"] - row["miou"] <= high, name
    best = max(found["baselines"], key=lambda name: found["baselines"][name]["miou"])
    points = 100 * (found["miou"] - found["baselines"][best]["miou"])
    assert f"C2L minus {best}, the best trivial row: {points:+.1f} points" in said
