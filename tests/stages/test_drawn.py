"""The network that ships with c2l, by its name; a small one stands in for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from conftest import FIT, NETWORK, PHOTOS, Cli
from PIL import Image
from safetensors.numpy import load_file

from c2l.artifacts import drawn


@pytest.fixture
def stand_in(taught: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of the shipped network, with a small one in it."""
    folder = tmp_path / "package" / "drawn"
    folder.mkdir(parents=True)
    for name in ("predictor.safetensors", "predictor.safetensors.sha256"):
        shutil.copyfile(taught.parent / name, folder / name)
    with mock.patch.object(drawn, "FOLDER", folder):
        yield folder


def test_parse_writes_named_masks_overlays_and_the_report(
    cli: Cli, stand_in: Path, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "parts"
    cli.ok("parse", few, "-o", out, "--device", "cpu")
    legend = json.loads((out / "masks" / "legend.json").read_text())
    names = [entry["name"] for entry in legend["labels"]]
    assert names[:3] == ["background", "hat", "hair"]
    assert legend["named_by"] == "the predictor itself"
    assert legend["photos"] == ["a.jpg", "b.jpg", "below/d.jpg", "c.jpg"]
    photo, mask = np.asarray(Image.open(few / "a.jpg")), np.asarray(Image.open(out / "masks/a.png"))
    assert mask.shape == photo.shape[:2]
    assert mask.max() < len(names) == 15
    assert (out / "overlays" / "below" / "d.png").is_file()
    assert "nobody labelled a photograph" in (out / "report.html").read_text()
    cli.ok("verify", out)
    cli.ok("parse", few / "b.jpg", "-o", tmp_path / "one", "--device", "cpu")
    one = np.asarray(Image.open(tmp_path / "one" / "masks" / "b.png"))
    np.testing.assert_array_equal(one, np.asarray(Image.open(out / "masks" / "b.png")))


def test_drawn_stands_where_a_run_or_weights_stand(
    cli: Cli, stand_in: Path, people: Path, few: Path, tmp_path: Path
) -> None:
    from c2l import load

    assert load("drawn").names[1] == "hat"
    scores = tmp_path / "eval.json"
    cli.ok("eval", "drawn", people, "-o", scores, "--split", "val", "--bootstrap", "0")
    found = json.loads(scores.read_text())
    assert (found["matching"]["kind"], found["method"]) == ("by name", "drawings")
    assert len(found["matching"]["clusters_to_classes"]) == 15
    cli.ok("verify", scores)
    again = tmp_path / "parts.json"
    cli.ok("eval", scores, "-o", again, "--merge", "parts")
    assert json.loads(again.read_text())["matching"]["clusters_to_classes"] == list(range(15))
    cli.ok("render", "drawn", people, "-o", tmp_path / "p", "--scores", scores, "--split", "val")
    shipped = load_file(stand_in / "predictor.safetensors")
    name = next(n for n in shipped if n.startswith("model.backbone.") and shipped[n].ndim == 4)
    for number, start in enumerate((("--weights", "drawn"), ("--checkpoint", "drawn"))):
        run = tmp_path / f"run{number}"
        cli.ok("fit", few, "-o", run, *FIT, "--epochs", "0", *start)
        trained = load_file(run / "predictor.safetensors")[name]
        np.testing.assert_array_equal(trained, shipped[name].astype(np.float32))
        cli.ok("verify", run)
    store = tmp_path / "f.h5"
    cli.ok("extract", few, "-o", store, *PHOTOS, *NETWORK, "--checkpoint", "drawn")
    cli.ok("cluster", store, "-o", tmp_path / "c.h5", "-k", "3")
    cli.ok("render", tmp_path / "c.h5", few, "-o", tmp_path / "q")


@pytest.mark.parametrize("harm", ["missing", "damaged", "without a hash"])
def test_a_shipped_network_that_is_not_whole_is_refused_with_the_way_to_make_it(
    cli: Cli, stand_in: Path, people: Path, few: Path, tmp_path: Path, harm: str
) -> None:
    file = stand_in / "predictor.safetensors"
    if harm == "missing":
        file.unlink()
    elif harm == "damaged":
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    else:
        drawn.sum_file(file).unlink()
    for words in (
        ("parse", few, "-o", tmp_path / "parts"),
        ("eval", "drawn", people, "-o", tmp_path / "eval.json"),
        ("fit", few, "-o", tmp_path / "run", *FIT, "--weights", "drawn"),
    ):
        outcome = cli(*words)
        assert outcome.code == 3, outcome.err
        assert str(file) in outcome.err
        assert "c2l teach --preset drawn" in outcome.err
    assert not (tmp_path / "run").exists()


def test_parse_is_listed_once_the_network_is_there(cli: Cli, stand_in: Path) -> None:
    assert "\n  parse " in cli.ok("--help").out
    (stand_in / "predictor.safetensors").unlink()
    assert "\n  parse " not in cli.ok("--help").out
    assert "Examples:" in cli.ok("parse", "--help").out


def test_a_run_of_ones_own_called_drawn_is_taken(
    stand_in: Path, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert drawn.located(Path("drawn")) == stand_in / "predictor.safetensors"
    shutil.copytree(taught, tmp_path / "drawn")
    assert drawn.located(Path("drawn")) == Path("drawn")
