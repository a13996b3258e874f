"""Options that cannot work are refused by every stage itself; a run keeps the numbers of auto."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NETWORK, Cli, stop_after

from c2l.errors import UsageError
from c2l.model import in_force
from c2l.options import (
    ClusterOptions,
    EvalOptions,
    ExtractOptions,
    FitOptions,
    RenderOptions,
    SynthOptions,
)
from c2l.stages import cluster, evaluate, extract, fit, prove, render
from c2l.synth.writer import write_synthetic_set

NONE = Path("none")
CALLS: dict[str, Callable[[Path], Any]] = {
    "extract": lambda out: extract.extract(NONE, out, ExtractOptions(seed=-1)),
    "extract, planned": lambda _: extract.plan(NONE, ExtractOptions(seed=-1)),
    "cluster": lambda out: cluster.cluster(NONE, out, ClusterOptions(seed=-1)),
    "cluster, planned": lambda _: cluster.plan(NONE, ClusterOptions(seed=-1)),
    "fit": lambda out: fit.fit(NONE, out, FitOptions(seed=-1)),
    "fit, resumed": lambda out: fit.fit(NONE, out, FitOptions(seed=-1), resume=True),
    "fit, planned": lambda _: fit.plan(NONE, NONE, FitOptions(seed=-1)),
    "fit, proved": lambda out: prove.prove_resume(NONE, out, FitOptions(seed=-1)),
    "eval": lambda out: evaluate.evaluate(NONE, NONE, out, EvalOptions(seed=-1)),
    "eval, planned": lambda _: evaluate.plan(NONE, NONE, EvalOptions(seed=-1)),
    "render": lambda out: render.render(NONE, NONE, out, RenderOptions(seed=-1)),
    "render, planned": lambda _: render.plan(NONE, NONE, RenderOptions(seed=-1)),
    "data synth": lambda out: write_synthetic_set(out, SynthOptions(seed=-1)),
}


@pytest.mark.parametrize("stage", CALLS)
def test_a_stage_checks_its_options_before_it_reads_or_writes(stage: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--seed: expected a whole number from 0"):
        CALLS[stage](tmp_path / "out")
    assert os.listdir(tmp_path) == []


# A network as small as can be, on whatever images auto takes.
AUTO = (
    *NETWORK,
    "--pixel-dim",
    "8",
    "--device",
    "cpu",
    "--warmup",
    "0",
    "--epochs",
    "2",
    "-k",
    "3",
)


def memory(monkeypatch: pytest.MonkeyPatch, granted: int) -> None:
    """Let the machine grant so many bytes."""
    monkeypatch.setattr(in_force, "memory_of", lambda _: granted)


def test_a_resumed_run_keeps_the_numbers_of_the_machine_that_it_began_on(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, command = tmp_path / "run", ("fit", few, "-o", tmp_path / "run", *AUTO)
    memory(monkeypatch, 64 << 30)
    with stop_after(1):
        begun = cli(*command)
    assert begun.code == 75
    assert "--image-size 128" in begun.err
    assert "--batch-size 32" in begun.err
    memory(monkeypatch, 1 << 30)
    new = cli.ok("fit", few, "-o", tmp_path / "new", *AUTO, "--dry-run", "--json")
    assert new.values["batch_size"] == 4
    other = cli(*command, "--resume", "--batch-size", "4")
    assert other.code == 4
    assert "options.batch_size: the run has 32, now 4" in other.err
    resumed = cli.ok(*command, "--resume", "--image-size", "128")
    assert "resumed at step 1" in resumed.err
    assert "--batch-size" not in resumed.err
    options = json.loads((run / "config.json").read_text())["options"]
    assert (options["image_size"], options["batch_size"], options["attention_stride"]) == (
        128,
        32,
        2,
    )


def test_a_run_of_a_preset_says_so(cli: Cli, few: Path, tmp_path: Path) -> None:
    small = ("--image-size", "64", "-b", "4", *NETWORK, "--pixel-dim", "8", "--epochs", "0")
    cli.ok("fit", few, "-o", tmp_path / "run", "--preset", "paper", *small)
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert options["preset"] == "paper"
    assert (options["part"], options["merge_clusters"], options["clusters"]) == ("map", "none", 3)
    # It is no part of what a resumption must share: the options themselves are.
    plain = {k.replace("_", "-"): v for k, v in options.items() if k != "preset" and v is not None}
    lines = [f"{k} = {json.dumps(v)}" for k, v in plain.items()]
    (tmp_path / "own.toml").write_text("[fit]\n" + "\n".join(lines))
    again = ("fit", few, "-o", tmp_path / "run", "--config", tmp_path / "own.toml", "--resume")
    assert "finished already" in cli.ok(*again).err
