"""The soak scripts run, and find nothing in a few rounds of what they do in hundreds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.kills import differs
from benchmarks.soak.saves import checkpoint, fault_of
from c2l.artifacts.runs import Run

ROOT = Path(__file__).parents[2]


def test_kills_while_saving_leave_a_whole_checkpoint() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak.saves", "--count", "12"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 faults" in ended.stdout


def test_the_trial_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soak.saves.VALUES", 8)
    run = Run.create(tmp_path / "run", {}, overwrite=False)
    assert fault_of(run, 3) == "nothing left of step 3"
    run.save(checkpoint(3), keep=2)
    assert not fault_of(run, 3)
    assert not fault_of(run, 2)
    assert "acknowledged" in fault_of(run, 4)
    mixed = checkpoint(4)
    mixed.network["weight"][2] = 3
    run.save(mixed, keep=2)
    assert "holds values of [3.0, 4.0]" in fault_of(run, 4)


def test_the_comparison_of_the_kills_sees_what_differs(tmp_path: Path) -> None:
    """Predictor, last checkpoint, metrics, and the parameters at the steps that both saved."""

    def made(name: str, *, step_2: str = "b", extra: str = "", weights: bytes = b"w") -> Path:
        run = tmp_path / name
        (run / "step-00000004").mkdir(parents=True)
        (run / "predictor.safetensors").write_bytes(weights)
        for file in ("model.safetensors", "optimizer.safetensors"):
            (run / "step-00000004" / file).write_bytes(b"m")
        saved = '{{"kind": "checkpoint", "step": {}, "parameters_sha256": "{}"}}\n'.format
        lines = '{"kind": "step", "loss": 1}\n' + saved(2, step_2) + extra + saved(4, "d")
        (run / "metrics.jsonl").write_text(lines)
        return run

    whole = made("whole")
    more = '{"kind": "checkpoint", "step": 3, "parameters_sha256": "c"}\n'
    assert not differs(made("stopped", extra=more), whole)
    assert differs(made("other weights", weights=b"v"), whole)
    assert differs(made("other parameters", step_2="x"), whole)
    assert differs(made("other metrics", extra='{"kind": "step", "loss": 2}\n'), whole)
