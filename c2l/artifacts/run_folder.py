"""Run folders as ``inspect``, ``status`` and ``verify`` see them; ``runs`` writes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import Format, Link, score_or_draw
from c2l.artifacts.checkpoints import damaged_files
from c2l.artifacts.lineage import DATA, Source, from_json
from c2l.artifacts.predictor import read_predictor
from c2l.artifacts.runs import Run
from c2l.artifacts.tensors import summary as tensors_summary
from c2l.artifacts.untrusted.types import RUN_DATA_KINDS, RUN_INPUTS_KINDS, require_kinds
from c2l.options import FitOptions, TeachOptions
from c2l.runtime.json_files import read_json


def _open(path: Path) -> Run:
    """The run of a folder, or of its configuration."""
    return Run.open(path if path.is_dir() else path.parent)


def _inputs(run: Run) -> dict[str, Any]:
    """What the run notes of its photos; nothing before it has decoded them."""
    path = run.path / schema.RUN_INPUTS
    inputs = read_json(path, what="a run's inputs") if path.is_file() else {}
    require_kinds(path, inputs, RUN_INPUTS_KINDS)
    return inputs


def _summary(path: Path) -> dict[str, Any]:
    run = _open(path)
    predictor = tensors_summary(run.predictor) if run.predictor.is_file() else None
    metrics = run.read_metrics()
    epochs = [m for m in metrics if m.get("kind") == "epoch"]
    taken = [m for m in metrics if m.get("kind") == "step"]
    return {
        "path": str(path),
        "kind": schema.FORMAT_RUN,
        "finished": predictor is not None,
        "predictor": {k: predictor[k] for k in ("bytes", "values_stored")} if predictor else None,
        "checkpoints": run.steps(),
        "last_step": taken[-1] if taken else None,
        "health": epochs[-1] if epochs else None,
        "left_out": _inputs(run).get("skipped", {}),
        "config": run.config,
    }


def _link(path: Path) -> Link:
    run = _open(path)
    inputs = _inputs(run)
    require_kinds(run.path / schema.RUN_CONFIG, run.config.get("data", {}), RUN_DATA_KINDS)
    data, digest = run.config.get("data", {}), inputs.get("inputs_sha256", "")
    found = from_json(run.config.get("lineage", []), path)
    steps = run.steps()
    taught = run.config.get("stage") == TAUGHT.stage
    if not (found or taught):
        found = [Source(DATA, data.get("root", "DATA"), "")]
    return Link(
        format=TAUGHT if taught else FORMAT,
        path=run.path,
        sources=tuple(
            Source(s.role, s.path, digest if s.role == DATA else s.sha256) for s in found
        ),
        options=run.config.get("options", {}),
        takes=() if taught else (DATA,),
        # A run that was killed between the two steps is finished by --resume.
        complete=run.predictor.is_file() and run.ended_with() is not None,
        done=f"saved at step {steps[-1]}" if steps else "nothing saved yet",
        images=data.get("images", 0),
        split=data.get("split"),
        skipped=frozenset(inputs.get("skipped", {})),
    )


def _checkpoints(path: Path) -> str | None:
    """Every committed checkpoint matches its marker."""
    run, bad = _open(path), []
    for step in run.steps():
        folder = run.step_folder(step)
        bad += [f"{folder.name}/{name}" for name in damaged_files(folder)]
        if not run.has_made(step):
            return f"{folder.name} is another run's"
    return f"do not fit their commit marker: {', '.join(bad)}" if bad else None


def _predictor(path: Path) -> str | None:
    """The predictor is the one that the run ended with; every value is finite."""
    run = _open(path)
    if run.predictor.is_file():
        read_predictor(run.predictor)
        run.require_own_predictor()
    return None


def _metrics(path: Path) -> str | None:
    """The metrics have the digest that the line which ends the run holds."""
    run = _open(path)
    end = run.end()
    if not end:
        return None
    if "metrics_sha256" not in end:
        return "names no digest of its metrics: an earlier version made it"
    same = run.learned_sha256() == end["metrics_sha256"]
    return None if same else f"{schema.RUN_METRICS} was changed since the run ended"


FORMAT = Format(
    name=schema.FORMAT_RUN,
    summary=_summary,
    link=_link,
    checks=(("checkpoints", _checkpoints), ("predictor", _predictor), ("metrics", _metrics)),
    stage="fit",
    options=FitOptions,
    resume=("--resume",),
    following=score_or_draw,
)
# A run that drawings teach reads no data set.
TAUGHT = replace(FORMAT, stage="teach", options=TeachOptions)
