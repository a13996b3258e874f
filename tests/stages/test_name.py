"""Names that a user gives clusters: kept beside the predictor, shown everywhere, never scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli

from c2l.drawing.palette import colours_of, part_colours
from c2l.runtime.files import sha256_file


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run of one's own, of three clusters."""
    place = tmp_path / "run"
    shutil.copytree(trained, place, ignore=shutil.ignore_patterns("step-*"))
    return place


def test_names_are_kept_and_shown(
    cli: Cli, run: Path, people: Path, few: Path, tmp_path: Path
) -> None:
    before = sha256_file(run / "predictor.safetensors")
    listed = cli.ok("name", run, "--json").values["names"]
    assert [row["name"] for row in listed] == ["cluster 0", "cluster 1", "cluster 2"]
    scores = [tmp_path / "before.json", tmp_path / "after.json"]
    cli.ok("eval", run, people, "-o", scores[0], "--split", "val", "--bootstrap", "0")
    cli.ok("name", run, "1=sleeves", "2=left hand")
    rows = cli.ok("name", run, "2=trousers", "--json").values["names"]
    names = ["cluster 0", "sleeves", "trousers"]
    assert [row["name"] for row in rows] == names
    assert [row["own"] for row in rows] == [row["own"] for row in listed]
    assert [row["colour"] for row in rows] == [row["colour"] for row in listed]
    assert sha256_file(run / "predictor.safetensors") == before
    cli.ok("inspect", run / "names.json")

    out = tmp_path / "out"
    cli.ok("render", run, few, "-o", out, "--format", "coco")
    legend = json.loads((out / "masks" / "legend.json").read_text())
    assert [label["name"] for label in legend["labels"]] == names
    assert [c["name"] for c in json.loads((out / "coco.json").read_text())["categories"]] == names
    assert cli.ok("export", run, "-o", tmp_path / "m.pt2", "--dry-run", "--json").values[
        "names"
    ] == (names)
    cli.ok("eval", run, people, "-o", scores[1], "--split", "val", "--bootstrap", "0")
    old, new = (json.loads(path.read_text()) for path in scores)
    assert new.pop("called") == names
    for key in ("miou", "matching", "confusion", "named", "names"):
        assert old[key] == new[key]
    cli.ok("render", run, people, "-o", out, "--scores", scores[1], "--split", "val", "--overwrite")
    assert "sleeves" in (out / "report.html").read_text()

    cli.ok("name", run, "1=", "2=")
    assert "sleeves" not in cli.ok("name", run).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["3=hat"], "there are clusters 0 to 2"),
        (["hat"], "expected ID=NAME"),
        (["-1=hat"], "No such option"),
        (["1=hat", "1=coat"], "cluster 1 is named twice"),
        (["1=hat", "2=Hat"], "clusters 1 and 2 would both be called 'hat'"),
        (["1=cluster 0"], "would both be called"),
        (["1=a:b"], "printable characters"),
        (["1=a\nb"], "printable characters"),
    ],
)
def test_names_that_cannot_be_are_refused(cli: Cli, run: Path, words: list[str], said: str) -> None:
    outcome = cli("name", run, *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert not (run / "names.json").exists()


def test_names_that_are_damaged_or_of_another_predictor_are_refused(
    cli: Cli, run: Path, clusters: Path, tmp_path: Path
) -> None:
    cli.ok("name", run, "1=sleeves")
    file = run / "names.json"
    whole = file.read_text()
    file.write_text(whole.replace("sleeves", "collars"))
    outcome = cli("name", run)
    assert outcome.code == 3
    assert str(file) in outcome.err
    file.unlink()
    own = tmp_path / "c.h5"
    shutil.copyfile(clusters, own)
    (tmp_path / "c.h5.names.json").write_text(whole)
    outcome = cli("name", own)
    assert outcome.code == 3
    assert "another predictor" in outcome.err
    outcome = cli("name", "drawn", "1=cap")
    assert outcome.code == 2
    assert "c2l export drawn" in outcome.err


def test_a_named_part_has_one_colour_wherever_it_is_shown() -> None:
    first = colours_of(("background", "hair", "face"))
    second = colours_of(("background", "face", "shoes", "hair"))
    np.testing.assert_array_equal(first[[1, 2]], second[[3, 1]])
    plain = tuple(f"cluster {k}" for k in range(20))
    np.testing.assert_array_equal(colours_of(plain), part_colours(20))
    np.testing.assert_array_equal(colours_of(("background", "upper", "lower")), part_colours(3))
    for names in (("a", "hat", "b", "upper", "c"), (*plain[:5], "hair", "scarf", "belt"), ()):
        assert len({tuple(c) for c in colours_of(names).tolist()}) == len(names)
    changed = colours_of(("cluster 0", "hair", "cluster 2"))
    np.testing.assert_array_equal(changed[0], part_colours(1)[0])
