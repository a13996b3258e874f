"""inspect says what an artifact holds, and refuses what is damaged or of another program."""

from __future__ import annotations

import io
import json
import os
import struct
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import pytest
from conftest import FIT, RUN_C2L, Cli, run_python, stop_after
from rich.style import Style
from safetensors.numpy import load_file

NO_TORCH = """
import atexit, sys
def report():
    print(sorted({"torch", "faiss", "torchvision", "scipy"} & sys.modules.keys()), file=sys.stderr)
atexit.register(report)
"""


def inspected(cli: Cli, path: Path) -> dict[str, Any]:
    """The summary of one artifact."""
    found = cli.ok("inspect", path, "--json").values["artifacts"]
    assert len(found) == 1
    assert found[0]["path"] == str(path)
    summary: dict[str, Any] = found[0]
    return summary


def test_a_feature_store(cli: Cli, store: Path) -> None:
    said = inspected(cli, store)
    assert (said["kind"], said["bytes"]) == ("c2l-features", store.stat().st_size)
    assert said["arrays"]["features"] == {
        "shape": [12, 16, 16, 16],
        "dtype": "float16",
        "units": "1",
    }
    assert said["arrays"]["names"] == {"shape": [12], "dtype": "text"}
    assert said["health"]["finite"] is True
    assert said["health"]["mean_norm"] == pytest.approx(1, abs=1e-3)
    assert said["lineage"]["weights"] == "none"
    assert said["config"]["image_size"] == 64
    assert said["skipped"] == []


def test_a_clusters_file(cli: Cli, clusters: Path) -> None:
    said = inspected(cli, clusters)
    with h5py.File(clusters, "r") as file:
        counts, objective = file["counts"][:], file["objective"][:]
    assert said["kind"] == "c2l-clusters"
    assert said["health"]["counts_shares"] == pytest.approx(counts / counts.sum(), abs=1e-4)
    assert said["health"]["counts_empty"] == np.flatnonzero(counts == 0).tolist()
    assert said["health"]["objective"] == {"first": objective[0], "last": objective[-1]}
    assert len(said["lineage"]["features_sha256"]) == 64


def test_a_finished_run_and_its_tensors(cli: Cli, trained: Path) -> None:
    said = inspected(cli, trained)
    assert (said["kind"], said["finished"], said["checkpoints"]) == ("c2l-run", True, [3])
    assert said["last_step"]["step"] == 3
    assert said["health"]["kind"] == "epoch"
    path = trained / "predictor.safetensors"
    tensors = inspected(cli, path)
    arrays = load_file(path)
    assert tensors["kind"] == "c2l-predictor"
    assert tensors["values_stored"] == sum(a.size for a in arrays.values())
    assert tensors["arrays"]["classifier.centroids"] == {"shape": [3, 16], "dtype": "F32"}
    for part in ("model", "optimizer"):
        name = trained / "step-00000003" / f"{part}.safetensors"
        assert inspected(cli, name)["kind"] == part
    assert inspected(cli, trained / "config.json")["kind"] == "c2l-run"


def test_a_run_under_way(cli: Cli, few: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with stop_after(1):
        assert cli("fit", few, "-o", run, *FIT).code == 75
    said = inspected(cli, run)
    assert (said["finished"], said["checkpoints"]) == (False, [1])
    targets = inspected(cli, run / "epoch-0000" / "clusters.h5")
    assert targets["kind"] == "c2l-targets"
    assert targets["arrays"]["assignments_view1"]["shape"] == [4, 16, 16]
    assert sum(targets["health"]["counts_view2_shares"]) == pytest.approx(1, abs=1e-3)


def test_scores_and_a_legend(
    cli: Cli, trained: Path, few: Path, scores: Path, tmp_path: Path
) -> None:
    said = inspected(cli, scores)
    assert said["kind"] == "c2l-eval"
    values = json.loads(scores.read_text())
    assert said["values"]["miou"] == values["miou"]
    images = sorted(values["per_image"], key=lambda image: image["miou"])
    assert said["values"]["worst"] == [f"{i['name']} {i['miou']:.3f}" for i in images]
    assert "per_image" not in said["values"]
    cli.ok("render", trained, few / "a.jpg", "-o", tmp_path / "out")
    assert inspected(cli, tmp_path / "out" / "masks" / "legend.json")["kind"] == "c2l-masks"


def test_several_at_once_and_in_words(cli: Cli, store: Path, clusters: Path) -> None:
    found = cli.ok("inspect", store, clusters, "--json").values["artifacts"]
    assert [f["kind"] for f in found] == ["c2l-features", "c2l-clusters"]
    words = cli.ok("inspect", store, clusters).out
    assert "kind: c2l-features" in words
    assert "kind: c2l-clusters" in words


def test_torch_is_not_needed(store: Path, trained: Path, scores: Path) -> None:
    files = (store, trained, trained / "predictor.safetensors", scores)
    done = run_python(NO_TORCH + RUN_C2L, "inspect", *files, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert len(json.loads(done.stdout)["artifacts"]) == 4


@pytest.mark.parametrize("keep", [4, 9, 200, -1])
def test_a_truncated_safetensors_file(cli: Cli, trained: Path, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes((trained / "predictor.safetensors").read_bytes()[:keep])
    outcome = cli("inspect", path)
    assert (outcome.code, outcome.out) == (3, "")
    assert str(path) in outcome.err


def write_damaged(path: Path, kind: str) -> None:
    """A file or folder that is no artifact."""
    if kind == "a huge header":
        path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    elif kind == "a header of another shape":
        path.write_bytes(struct.pack("<Q", 7) + b'{"a":1}')
    elif kind == "an HDF5 file":
        with h5py.File(path, "w") as file:
            file["x"] = np.zeros(3)
    elif kind == "a folder":
        path.mkdir()
    elif kind != "nothing":
        path.write_text(kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.safetensors", "a huge header"),
        ("x.safetensors", "a header of another shape"),
        ("x.h5", "an HDF5 file"),
        ("x.h5", "only text"),
        ("x.json", '{"format": "geojson"}'),
        ("x.json", "[1, 2]"),
        ("x.json", "{"),
        ("x.pkl", "only text"),
        ("run", "a folder"),
        ("x.h5", "nothing"),
    ],
)
def test_what_is_no_artifact_is_named(cli: Cli, tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    write_damaged(path, kind)
    outcome = cli("inspect", path, "--json")
    assert (outcome.code, outcome.out) == (3, "")
    assert str(path) in outcome.err


class Terminal(io.StringIO):
    """Output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def drawn(cli: Cli, environment: dict[str, str], *words: str | Path) -> str:
    """What inspect shows on a terminal of these variables."""
    from c2l_cli.main import run

    screen = Terminal()
    # Within a process, rich keeps the codes of a style whatever the terminal.
    Style.parse.cache_clear()
    Style._add.cache_clear()
    shown = {"COLUMNS": "40", "NO_COLOR": "", **environment}
    with mock.patch.dict(os.environ, shown), redirect_stdout(screen), pytest.raises(SystemExit):
        run(["inspect", *map(str, words)])
    return screen.getvalue()


BLOCK = "\N{UPPER HALF BLOCK}"


@pytest.mark.parametrize(
    ("environment", "colour"),
    [
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "38;2;245;132;31"),
        ({"TERM": "xterm-256color", "COLORTERM": ""}, "38;5;"),
    ],
)
def test_on_a_terminal_clusters_are_drawn_in_its_colours(
    cli: Cli, clusters: Path, environment: dict[str, str], colour: str
) -> None:
    screen = drawn(cli, environment, clusters)
    assert colour in screen
    with h5py.File(clusters, "r") as file:
        ids, names = file["assignments"][0], file["names"].asstr()[:3]
    # Three maps of 16 columns and 16 rows, two rows to a line.
    assert screen.count(BLOCK) == 3 * 16 * 8
    assert all(name in screen for name in names)
    legend = screen[screen.rindex(BLOCK) :]
    assert all(f"cluster {k}" in legend for k in np.unique(ids))


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "dumb"}])
def test_without_colours_parts_are_letters(
    cli: Cli, clusters: Path, environment: dict[str, str]
) -> None:
    screen = drawn(cli, {"COLORTERM": "", **environment}, clusters)
    assert BLOCK not in screen
    assert "\x1b" not in screen
    with h5py.File(clusters, "r") as file:
        ids, name = file["assignments"][0], file["names"].asstr()[0]
    lines = screen.splitlines()
    first = lines.index(name) + 1
    shown = [[".ab".index(letter) for letter in line] for line in lines[first : first + 8]]
    np.testing.assert_array_equal(shown, ids[::2])


def test_nothing_is_drawn_where_there_is_no_terminal_unless_asked(cli: Cli, clusters: Path) -> None:
    assert "cluster 0  " not in cli.ok("inspect", clusters).out
    assert "cluster 0  " in cli.ok("inspect", clusters, "--preview").out
    screen = drawn(cli, {"TERM": "xterm", "COLORTERM": "truecolor"}, clusters, "--no-preview")
    assert BLOCK not in screen


def test_masks_are_drawn_with_the_names_of_their_legend(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli.ok("render", trained, people, "-o", out, "--split", "val", "--scores", scores)
    said = cli.ok("inspect", out, "--preview").out
    assert ". background" in said
    masks = sorted((out / "masks").glob("*.png"))
    assert all(mask.name in said for mask in masks[:3])
