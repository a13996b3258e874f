"""compare: one row for runs that differ in the seed, differences, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RUN_C2L, Cli, run_python

from c2l.runtime.json_files import read_json, write_json

METRICS = ("miou", "pixel_accuracy", "mean_class_accuracy")
LABELS = ["background", "shirt", "trousers"]

Make = Callable[..., Path]


def fractions(value: float | None, names: list[str] = LABELS) -> dict[str, Any]:
    """All scores alike."""
    by_class = dict.fromkeys(names, value)
    return {**dict.fromkeys(METRICS, value), "iou": by_class, "class_accuracy": by_class}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes an eval.json of a run, as small as a sound one can be."""

    def write(name: str, miou: float | None, seed: int = 0, **changed: Any) -> Path:
        options = {"seed": seed, "method": "c2l", "epochs": 2, "pixel": "sparse", "lr": 0.1}
        options |= {"weights": "none", "checkpoint": None} | changed.pop("options", {})
        made = {"format": "c2l-run", "threads": seed + 1, "options": options, "weights_sha256": ""}
        made |= changed.pop("made", {})
        lineage = {"made_from": made, "data_sha256": "a" * 64, "options": {"seed": 0}}
        lineage |= changed.pop("lineage", {})
        eye = np.diag([60, 25, 15]).tolist()
        scores: dict[str, Any] = {
            "format": "c2l-eval",
            "format_version": 1,
            **fractions(miou),
            "classes": LABELS,
            "merge": "all",
            "confusion": eye,
            "confusion_raw": eye,
            "matching": {"kind": "hungarian", "clusters_to_classes": [0, 1, 2]},
            "hungarian": fractions(miou),
            "many_to_one": {**fractions(miou), "clusters_to_classes": [0, 1, 2]},
            "label_space": {"name": "three", "names": LABELS},
            "baselines": {"everything-background": fractions(0.2)},
            "images": 7,
            "split": "val",
            "method": options["method"],
            "lineage": lineage,
            **changed,
        }
        path = tmp_path / f"{name}.json"
        write_json(path, scores, sealed=True)
        return path

    return write


def picie(make: Make, *mious: float) -> list[Path]:
    """Runs of the baseline, seeds from 0."""
    options = {"method": "picie"}
    return [make(f"p{s}", miou, s, options=options) for s, miou in enumerate(mious)]


def test_runs_that_differ_in_the_seed_are_one_row(cli: Cli, make: Make) -> None:
    ours = [make(f"c{seed}", miou, seed) for seed, miou in ((3, 0.61), (1, 0.66), (8, 0.65))]
    values = cli.ok("compare", *ours, *picie(make, 0.5, 0.52), "--json").values
    first, second = values["rows"]
    assert (first["name"], second["name"]) == ("C2L", "PiCIE")
    for metric in METRICS:
        assert first[metric]["mean"] == pytest.approx(np.mean([0.61, 0.66, 0.65]))
        assert first[metric]["std"] == pytest.approx(np.std([0.61, 0.66, 0.65], ddof=1))
        assert first[metric]["by_seed"] == {"3": 0.61, "1": 0.66, "8": 0.65}
    assert second["miou"]["seeds"] == 2
    assert first["files"] == [str(path) for path in ours]
    assert "differences" not in first
    assert values["scored_on"] == {"images": 7, "split": "val", "merge": "all", "classes": LABELS}


def test_the_table_in_markdown(cli: Cli, make: Make) -> None:
    ours = [make("c0", 0.61, 0), make("c1", 0.65, 1)]
    out = cli.ok("compare", *ours, *picie(make, 0.5, 0.56), "--against", "PiCIE").out
    said, _, *table = out.splitlines()
    assert said.startswith("7 photos of split val, labels all. In percent")
    assert [[cell.strip() for cell in line.split("|")[1:6]] for line in table[2:]] == [
        ["C2L", "63.0 ± 2.8", "63.0 ± 2.8", "63.0 ± 2.8", "2"],
        ["PiCIE", "53.0 ± 4.2", "53.0 ± 4.2", "53.0 ± 4.2", "2"],
        ["(everything-background)", "20.0", "20.0", "20.0", "1"],
    ]
    differences = [[cell.strip() for cell in line.split("|")[6:9]] for line in table[2:]]
    assert differences == [["+10.0 ± 1.4 (2 of 2)"] * 3, ["-"] * 3, ["-"] * 3]
    assert len({len(line) for line in table}) == 1


def test_nmi_and_ari_are_columns_where_they_are_asked_for(cli: Cli, make: Make) -> None:
    agree = {"nmi": 0.25, "ari": -0.125, "fg_nmi": None, "fg_ari": None}
    files = [make("c0", 0.61, 0, **agree), make("c1", 0.65, 1, **agree)]
    out = cli.ok("compare", *files, *picie(make, 0.5), "--agreement", "--against", "PiCIE").out
    head, _, *rows = ([cell.strip() for cell in s.split("|")[1:-1]] for s in out.splitlines()[2:])
    assert head[4:8] == ["NMI", "ARI", "FG-NMI", "FG-ARI"]
    assert rows[0][4:8] == ["25.0 ± 0.0", "-12.5 ± 0.0", "-", "-"]
    # PiCIE's file is one of before.
    assert rows[1][4:8] == rows[2][4:8] == rows[0][-4:] == ["-"] * 4
    assert "NMI" not in cli.ok("compare", *files).out
    (row,) = cli.ok("compare", *files, "--json").values["rows"]
    assert row["ari"]["by_seed"] == {"0": -0.125, "1": -0.125}


@pytest.mark.parametrize("changed", [{"nmi": -0.1}, {"ari": -1.5}, {"fg_ari": "much"}])
def test_an_nmi_or_ari_that_cannot_be_is_damage(
    cli: Cli, make: Make, changed: dict[str, Any]
) -> None:
    outcome = cli("compare", make("a", 0.5, **changed))
    assert outcome.code == 3
    assert "damaged" in outcome.err


def test_differences_are_taken_seed_by_seed_over_the_seeds_of_both(cli: Cli, make: Make) -> None:
    ours = [make(f"c{seed}", miou, seed) for seed, miou in ((2, 0.6), (1, 0.5), (0, 0.55), (9, 1))]
    values = cli.ok(
        "compare", *ours, *picie(make, 0.5, 0.52, 0.5), "--against", "PiCIE", "--json"
    ).values
    found = values["rows"][0]["differences"]["miou"]
    by_seed = {"2": 0.6 - 0.5, "1": 0.5 - 0.52, "0": 0.55 - 0.5}
    assert found["by_seed"] == pytest.approx(by_seed)
    assert found["mean"] == pytest.approx(np.mean(list(by_seed.values())))
    assert found["std"] == pytest.approx(np.std(list(by_seed.values()), ddof=1))
    assert (found["agree"], found["seeds"]) == (2, 3)
    assert "differences" not in values["rows"][1]


def test_one_seed_has_its_interval_in_place_of_a_spread(cli: Cli, make: Make) -> None:
    intervals = {metric: [0.5, 0.75] for metric in METRICS}
    one = make("a", 0.625, intervals=intervals)
    two = [make(f"p{s}", 0.4, s, options={"method": "picie"}, intervals=intervals) for s in (0, 1)]
    outcome = cli.ok("compare", one, *two)
    assert "| 62.5 [50.0, 75.0] |" in outcome.out
    assert "40.0 ± 0.0 |" in outcome.out
    rows = cli.ok("compare", one, *two, "--json").values["rows"]
    assert rows[0]["intervals"] == intervals
    assert "intervals" not in rows[1]


def test_rows_are_named_by_the_options_that_tell_them_apart(cli: Cli, make: Make) -> None:
    files = [
        make("a", 0.5),
        make("b", 0.5, options={"pixel": "off"}),
        make("c", 0.5, options={"sharpen": True}),
        make("d", 0.5, options={"weights": "/far/away/net.pth"}, made={"weights_sha256": "b" * 64}),
        make("e", 0.5, options={"method": "picie", "lr": 0.3}),
        make("f", 0.5, options={"epochs": 0, "warmup": 3}),
    ]
    names = [row["name"] for row in cli.ok("compare", *files, "--json").values["rows"]]
    assert names[:2] == ["C2L, pixel sparse, weights none", "C2L, pixel off, weights none"]
    assert names[2] == "C2L, pixel sparse, weights none, sharpen"
    assert names[3:] == [
        "C2L, pixel sparse, weights net.pth",
        "PiCIE",
        "warm-up only",
    ]


def test_weights_are_told_apart_by_their_content(cli: Cli, make: Make) -> None:
    same = {"weights": "/elsewhere/net.pth"}, {"weights": "net.pth"}
    files = [
        make(f"w{i}", 0.5, i, options=options, made={"weights_sha256": sha * 64})
        for i, (options, sha) in enumerate(zip((*same, same[1]), "bbc", strict=True))
    ]
    rows = cli.ok("compare", *files, "--json").values["rows"]
    assert [(row["name"], row["miou"]["seeds"]) for row in rows] == [
        ("C2L, weights-sha256 bbbbbbbb", 2),
        ("C2L, weights-sha256 cccccccc", 1),
    ]


def test_clusters_files_are_rows_by_their_seed(cli: Cli, make: Make) -> None:
    files = []
    for seed in (0, 1):
        features = {"seed": seed, "layer": "layer4", "data": f"/disk-{seed}/photos"}
        made = {"method": "nmf", "clusters": 3, "seed": seed, "features": features}
        files.append(make(f"d{seed}", 0.3, method="nmf", lineage={"made_from": made}))
    (row,) = cli.ok("compare", *files, "--json").values["rows"]
    assert (row["name"], row["miou"]["by_seed"]) == ("DFF (NMF)", {"0": 0.3, "1": 0.3})


def test_a_name_is_given_to_all_runs_of_its_row(cli: Cli, make: Make) -> None:
    a, b, c = (make(f"c{seed}", 0.5 + seed / 10, seed) for seed in range(3))
    rows = cli.ok("compare", f"the = one={a}", b, f"the = one={c}", "--json").values["rows"]
    assert [(row["name"], row["miou"]["seeds"]) for row in rows] == [("the = one", 3)]
    again = make("again", 0.7)
    rows = cli.ok("compare", f"before={a}", f"after={again}", "--json").values["rows"]
    assert [row["name"] for row in rows] == ["before", "after"]


def test_a_file_with_an_equals_sign_in_its_name(cli: Cli, make: Make) -> None:
    path = make("lr=1", 0.5)
    for argument in (path, f"x={path}"):
        outcome = cli("compare", argument)
        assert (outcome.code == 0) == (argument == path), outcome.err
    assert "no such file" in outcome.err


def test_runs_from_a_start_of_their_own_are_one_row_by_name(cli: Cli, make: Make) -> None:
    files = [
        make(
            f"s{seed}",
            0.5,
            seed,
            options={"checkpoint": f"/start/seed-{seed}"},
            made={"checkpoint_sha256": str(seed) * 64},
        )
        for seed in (0, 1)
    ]
    rows = cli.ok("compare", *files, "--json").values["rows"]
    assert [row["name"] for row in rows] == ["C2L, checkpoint seed-0", "C2L, checkpoint seed-1"]
    (row,) = cli.ok("compare", *(f"C2L={path}" for path in files), "--json").values["rows"]
    assert row["miou"]["seeds"] == 2


def test_trivial_rows_are_shown_once_for_each_seed_of_theirs(cli: Cli, make: Make) -> None:
    files = [
        make(
            f"c{seed}",
            0.5,
            seed,
            lineage={"options": {"seed": scoring}},
            baselines={"kmeans-rgb": fractions(value), "centre": fractions(0.3)},
        )
        for seed, (scoring, value) in enumerate([(0, 0.1), (0, 0.1), (5, 0.2)])
    ]
    values = cli.ok("compare", *files, make("p", 0.5, baselines={}, options={"lr": 1})).out
    assert values.count("(kmeans-rgb)") == 1
    trivial = cli.ok("compare", *files, "--json").values["trivial"]
    assert [row["name"] for row in trivial] == ["kmeans-rgb", "centre"]
    assert trivial[0]["miou"]["by_seed"] == {"0": 0.1, "5": 0.2}


@pytest.mark.parametrize("values", [(0.3, 0.3), (0.3, 0.4)])
def test_trivial_rows_that_depend_on_the_image_size_are_shown_for_each(
    cli: Cli, make: Make, values: tuple[float, float]
) -> None:
    files = [
        make(
            f"s{size}",
            0.5,
            options={"image_size": size},
            baselines={"centre": fractions(0.2), "place": fractions(value)},
        )
        for size, value in zip((64, 96), values, strict=True)
    ]
    trivial = cli.ok("compare", *files, "--json").values["trivial"]
    found = [(row["name"], row["miou"]["mean"]) for row in trivial]
    each = [("place, 64 px", 0.3), ("place, 96 px", 0.4)]
    assert found == [("centre", 0.2), *([("place", 0.3)] if values[0] == values[1] else each)]


def test_a_zero_that_tells_rows_apart_is_a_number(cli: Cli, make: Make) -> None:
    files = [make(f"z{i}", 0.5, options={"frozen_seed": i, "sharpen": bool(i)}) for i in (0, 1)]
    names = [row["name"] for row in cli.ok("compare", *files, "--json").values["rows"]]
    assert names == ["C2L, frozen-seed 0, no sharpen", "C2L, frozen-seed 1, sharpen"]


OTHER = {
    "photos": {"lineage": {"data_sha256": "b" * 64}},
    "split": {"split": "test"},
    "label merge": {"classes": ["a", "b", "c"]},
    "label space": {"label_space": {"name": "others", "names": ["x", "y", "z"]}},
}


@pytest.mark.parametrize("aspect", OTHER)
def test_files_that_are_not_scored_alike_are_refused_unless_mixed(
    cli: Cli, make: Make, aspect: str
) -> None:
    a, b = make("a", 0.5), make("b", 0.6, options={"method": "picie"}, **OTHER[aspect])
    outcome = cli("compare", a, b)
    assert (outcome.code, outcome.out) == (3, "")
    assert f"{b}: its scoring differs from that of {a} in {aspect}: 7 photos" in outcome.err
    assert "--mixed" in outcome.err
    values = cli.ok("compare", a, b, "--mixed", "--json").values
    assert values["mixed"] == [aspect]
    assert [row["miou"]["mean"] for row in values["rows"]] == [0.5, 0.6]
    assert values["trivial"] == []
    assert f"The scoring of the rows differs in {aspect}." in cli.ok("compare", a, b, "--mixed").out


def test_photos_are_known_by_their_digest_among_the_sources_too(cli: Cli, make: Make) -> None:
    def source(digest: str) -> dict[str, Any]:
        data = {"role": "data", "path": "/photos", "sha256": digest * 64}
        return {"data_sha256": None, "sources": [data]}

    a, same = make("a", 0.5), make("b", 0.6, 1, lineage=source("a"))
    cli.ok("compare", a, same)
    other = make("c", 0.6, 1, lineage=source("b"))
    assert "in photos: 7 photos" in cli("compare", a, other).err


def test_labels_tell_other_photos_where_no_digest_is_known(cli: Cli, make: Make) -> None:
    a = make("a", 0.5, lineage={"data_sha256": None})
    other = np.diag([59, 26, 15]).tolist()
    b = make("b", 0.6, 1, lineage={"data_sha256": None}, confusion_raw=other)
    assert "in photos: 7 photos" in cli("compare", a, b).err
    moved = [[59, 0, 0], [1, 25, 0], [0, 0, 15]]
    cli.ok("compare", a, make("c", 0.6, 1, lineage={"data_sha256": None}, confusion_raw=moved))


def test_seeds_of_one_row_are_scored_alike_even_when_rows_are_mixed(cli: Cli, make: Make) -> None:
    a, b = make("a", 0.5, 0), make("b", 0.6, 1, split="test")
    rows = cli.ok("compare", a, b, "--mixed", "--json").values["rows"]
    assert [row["name"] for row in rows] == ["C2L, split val", "C2L, split test"]
    outcome = cli("compare", f"x={a}", f"x={b}", "--mixed")
    assert outcome.code == 3
    assert "other split" in outcome.err


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def changed(path: Path) -> None:
    path.write_text(path.read_text().replace("0.5", "0.6", 1))


def nan(path: Path) -> None:
    path.write_text(path.read_text().replace("0.5", "NaN", 1))


def not_ours(path: Path) -> None:
    path.write_text('{"miou": 0.5}')


@pytest.mark.parametrize("spoil", [Path.unlink, cut, changed, nan, not_ours])
def test_a_bad_file_is_named(cli: Cli, make: Make, spoil: Callable[[Path], None]) -> None:
    good, bad = make("good", 0.5), make("bad", 0.5, 1)
    spoil(bad)
    outcome = cli("compare", good, bad)
    assert (outcome.code, outcome.out) == (3, "")
    assert f"c2l: error: {bad}: " in outcome.err
    assert "next: " in outcome.err


@pytest.mark.parametrize("made", [None, {"format": "c2l-run"}, {"options": {"seed": "0"}}, []])
def test_a_file_that_names_no_seed_is_refused(cli: Cli, make: Make, made: Any) -> None:
    outcome = cli("compare", make("a", 0.5, lineage={"made_from": made}))
    assert outcome.code == 3
    assert "under which options and seed" in outcome.err


def test_a_seed_twice_is_refused(cli: Cli, make: Make) -> None:
    a, b = make("a", 0.5, 4), make("b", 0.6, 4)
    for arguments in ((a, b), (a, a), (f"x={a}", f"x={b}")):
        outcome = cli("compare", *arguments)
        assert outcome.code == 3
        assert "has seed 4" in outcome.err
        assert str(a) in outcome.err


def test_one_name_for_different_settings_is_refused(cli: Cli, make: Make) -> None:
    a, b = make("a", 0.5, 0), make("b", 0.6, 1, options={"lr": 0.3})
    outcome = cli("compare", f"x={a}", f"x={b}")
    assert outcome.code == 3
    assert f"{b}: is in row 'x' with {a}" in outcome.err
    assert "options.lr is 0.3, there 0.1" in outcome.err
    many = make("many", 0.6, 1, options={f"option-{i}": i for i in range(9)})
    assert "option-3 is 3, there None; and 5 more\n" in cli("compare", f"x={a}", f"x={many}").err


def test_names_that_cannot_be_are_usage_errors(cli: Cli, make: Make) -> None:
    a, b = make("a", 0.5), make("b", 0.6, options={"method": "picie"})
    outcome = cli("compare", a, b, "--against", "picie")
    assert outcome.code == 2
    assert "the rows are 'C2L', 'PiCIE'" in outcome.err
    assert "two rows are called 'C2L'" in cli("compare", a, f"C2L={b}").err
    assert cli("compare").code == 2


def test_a_class_or_a_score_that_is_null(cli: Cli, make: Make) -> None:
    no_class = {"iou": {"background": 0.9, "shirt": None, "trousers": 0.1}}
    a, b = make("a", 0.5, 0, **no_class), make("b", 0.7, 1, **no_class)
    c = make("c", None, 2, options={"method": "picie"})
    values = cli.ok("compare", a, b, c, "--against", "C2L", "--json").values
    first, second = values["rows"]
    assert (first["miou"]["mean"], first["iou"]["shirt"]["mean"]) == (pytest.approx(0.6), None)
    assert first["iou"]["background"]["mean"] == 0.9
    assert second["miou"]["mean"] is None
    line = next(s for s in cli.ok("compare", a, b, c).out.splitlines() if "PiCIE" in s)
    assert [cell.strip() for cell in line.split("|")[2:5]] == ["-"] * 3


def test_the_table_is_written_as_markdown_or_json(cli: Cli, make: Make, tmp_path: Path) -> None:
    a, table, values = make("a", 0.5), tmp_path / "t.md", tmp_path / "t-values.json"
    said = cli.ok("compare", a, "-o", table).out
    comment, text = table.read_text().split("\n", 1)
    assert (comment, text) == ("<!-- c2l-comparison -->", said)
    said = cli.ok("compare", a, "-o", values, "--format", "json").out
    assert said == text
    read = read_json(values, what="a comparison", sealed=True)
    assert read == cli.ok("compare", a, "--json").values
    assert cli("compare", a, "-o", table).code == 2
    cli.ok("compare", a, "-o", table, "--overwrite")
    theirs = tmp_path / "theirs.md"
    theirs.write_text("# Notes\n")
    assert cli("compare", a, "-o", theirs, "--overwrite").code == 2
    assert theirs.read_text() == "# Notes\n"


def test_names_cannot_steer_the_terminal_or_break_the_table(cli: Cli, make: Make) -> None:
    out = cli.ok("compare", f"a|b\n\x1b[31m={make('a', 0.5)}").out
    assert "\x1b" not in out
    assert r"| a\|b\n\x1b[31m " in out


def test_it_starts_without_torch(make: Make) -> None:
    program = "import sys, atexit\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = run_python(program + RUN_C2L, "compare", make("a", 0.5), "--json")
    assert json.loads(done.stdout)["rows"][0]["name"] == "C2L"
    loaded = set(done.stderr.split())
    assert not {"torch", "faiss", "scipy", "h5py", "PIL"} & loaded
    assert "c2l.stages.compare" in loaded


def test_scores_of_a_run_under_another_merge_are_of_the_same_photos(
    cli: Cli, scores: Path, tmp_path: Path
) -> None:
    fine = tmp_path / "fine.json"
    cli.ok("eval", scores, "-o", fine, "--merge", "fine")
    outcome = cli("compare", scores, fine)
    assert outcome.code == 3
    assert "in label merge: 3 photos" in outcome.err
    rows = cli.ok("compare", scores, fine, "--mixed", "--json").values["rows"]
    assert [row["name"] for row in rows] == ["C2L, merge upper-lower", "C2L, merge fine"]
