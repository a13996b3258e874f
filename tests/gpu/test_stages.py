"""Every stage on a GPU: from photos to scores, resumed exactly, short of memory, in company."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import RUN_C2L, Cli
from devices import GPU, needs_gpu

from c2l.runtime.files import sha256_file

pytestmark = needs_gpu
ON = ("--device", GPU)
SMALL = (*ON, "--image-size", "64", "--batch-size", "8", "--weights", "none", "--fpn-dim", "16")
FIT = (*SMALL, "--pixel-dim", "8", "--warmup", "1", "--epochs", "1", "--split", "train")
TEACH = (
    *(*SMALL, "--draw-size", "48", "--pool", "16", "--steps", "12", "--warmup-steps", "2"),
    *("--workers", "1"),
)
# Ends a run for want of memory in its third step; on a GPU by asking for more than it has.
SHORT = """
import torch
from c2l.training.state import State
descend = State.descend
def descend_twice(self, loss, place, batch):
    if self.position.step == 2:
        if loss.is_cuda:
            torch.empty(1 << 45, device=loss.device)
        raise torch.OutOfMemoryError("not on the CPU")
    descend(self, loss, place, batch)
State.descend = descend_twice
"""


@pytest.fixture(scope="module")
def drawn(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 drawn photos with masks, 18 to train on."""
    path = tmp_path_factory.mktemp("gpu") / "drawn"
    cli.ok("data", "synth", path, "-n", "24", "--image-size", "64", "--workers", "1")
    return path


def started(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """A program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "SLURM_CPUS_PER_TASK": "1"},
    )


def test_fit_is_scored_and_rendered(cli: Cli, drawn: Path, tmp_path: Path) -> None:
    cli.ok("fit", drawn, "-o", tmp_path / "run", *FIT)
    cli.ok("eval", tmp_path / "run", drawn, "-o", tmp_path / "e.json", *ON, "--split", "val")
    scores = json.loads((tmp_path / "e.json").read_text())
    assert scores["images"] == 6
    assert 0 < scores["miou"] <= 1
    cli.ok("eval", tmp_path / "run", drawn, "-o", tmp_path / "c.json", "--device", "cpu")
    cli.ok("render", tmp_path / "run", drawn, "-o", tmp_path / "pictures", *ON, "--limit", "2")


@pytest.mark.parametrize("layer", ["fpn", "layer4"])
def test_features_are_clustered(cli: Cli, drawn: Path, tmp_path: Path, layer: str) -> None:
    store, method = tmp_path / "f.h5", "kmeans" if layer == "fpn" else "nmf"
    cli.ok("extract", drawn, "-o", store, *SMALL, "--layer", layer, "--amp", "off")
    found = []
    for number, device in enumerate(("cpu", GPU)):
        path = tmp_path / f"{number}.json"
        clusters = path.with_suffix(".h5")
        cli.ok("cluster", store, "-o", clusters, "-k", "3", "--method", method, "--device", device)
        cli.ok("eval", clusters, drawn, "-o", path, "--device", device)
        found.append(json.loads(path.read_text())["miou"])
    assert found[1] == pytest.approx(found[0], abs=0.02)


def test_heads_are_trained_on_stored_views(cli: Cli, drawn: Path, tmp_path: Path) -> None:
    store, run = tmp_path / "f.h5", tmp_path / "run"
    cli.ok("extract", drawn, "-o", store, *SMALL, "--views", "--layer", "layer3")
    heads = ("--pixel-dim", "8", "--warmup", "0", "--merge-clusters", "none", "--no-sharpen")
    cli.ok("fit", drawn, "-o", run, *SMALL, *heads, "-e", "1", "--features", store)


def test_teach_resumes_exactly_and_its_network_parses(
    cli: Cli, drawn: Path, tmp_path: Path
) -> None:
    cli.ok("teach", "-o", tmp_path / "whole", *TEACH, "--fixed-order")
    words = ("teach", "-o", tmp_path / "broken", *TEACH, "--fixed-order")
    child = started(SHORT + RUN_C2L, *words, "--save-steps", "1")
    _, errors = child.communicate()
    assert child.returncode == 71, errors
    cli.ok(*words, "--resume")
    whole, again = (tmp_path / name / "predictor.safetensors" for name in ("whole", "broken"))
    assert sha256_file(whole) == sha256_file(again)
    cli.ok("parse", drawn, "-o", tmp_path / "parts", *ON, "--limit", "2")


def test_a_run_short_of_memory_ends_with_71_and_is_resumed(
    cli: Cli, drawn: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    child = started(SHORT + RUN_C2L, "fit", drawn, "-o", run, *FIT, "--save-steps", "1")
    _, errors = child.communicate()
    assert child.returncode == 71, errors
    assert "not enough memory on the GPU" in errors
    assert "Traceback" not in errors
    said = cli.ok("fit", drawn, "-o", run, *FIT, "--resume").err
    assert "resumed at step 2" in said


def test_two_runs_side_by_side_end_as_one_by_itself(cli: Cli, drawn: Path, tmp_path: Path) -> None:
    words = ("fit", drawn, *FIT, "--fixed-order")
    both = [started(RUN_C2L, *words, "-o", tmp_path / name) for name in ("a", "b")]
    cli.ok(*words, "-o", tmp_path / "alone")
    for child in both:
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    sums = {sha256_file(tmp_path / n / "predictor.safetensors") for n in ("a", "b", "alone")}
    assert len(sums) == 1


def test_resuming_is_proved_in_a_fixed_order(cli: Cli, drawn: Path, tmp_path: Path) -> None:
    words = ("fit", drawn, "-o", tmp_path / "run", *FIT, "--fixed-order", "--prove-resume")
    assert "proved" in (ended := cli.ok(*words)).out + ended.err


def test_a_gpu_that_is_not_there_is_refused(cli: Cli, drawn: Path, tmp_path: Path) -> None:
    ended = cli("fit", drawn, "-o", tmp_path / "run", *FIT, "--device", "cuda:7")
    assert ended.code == 2
    assert "cuda:7" in ended.err
    assert not (tmp_path / "run").exists()
