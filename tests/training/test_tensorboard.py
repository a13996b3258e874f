"""The curves in TensorBoard are the run's metrics, each step once, also after a stop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from conftest import FIT, Cli, stop_after

from c2l.artifacts.runs import Run
from c2l.training.tensorboard import mirrored

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
OPTIONS = (*FIT, "-b", "2", "--epochs", "1")


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    """Steps and values as TensorBoard shows them."""
    loaded = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs c2l[tensorboard]"
    ).EventAccumulator(str(folder))
    loaded.Reload()
    return [(event.step, event.value) for event in loaded.Scalars(tag)]


def logged(run: Path, key: str, kind: str = "step") -> list[tuple[int, float]]:
    """The same from the metrics."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(r["step"], pytest.approx(r[key], rel=1e-6)) for r in records if r["kind"] == kind]


def test_a_stopped_and_resumed_run_has_each_step_once(cli: Cli, few: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs c2l[tensorboard]")
    run, folder = tmp_path / "run", tmp_path / "curves"
    words = ("fit", few, "-o", run, *OPTIONS, "--tensorboard", folder)
    with stop_after(1):
        assert cli(*words).code == 75
    # Killed after its checkpoint: this line is dropped, and the step taken again.
    lost = {"kind": "step", "epoch": 0, "step": 2, "loss": 99.0, "loss_view": 99.0}
    ended = Run.open(run)
    with mirrored(ended, str(folder)):
        ended.log(lost)
    assert curve(folder / "run", "loss/total")[-1] == (2, 99.0)
    cli.ok(*words, "--resume")
    for tag, key in (("loss/total", "loss"), ("loss/view", "loss_view")):
        assert curve(folder / "run", tag) == logged(run, key)
    assert len(curve(folder / "run", "epoch/view_agreement")) == 1
    assert "tensorboard" not in json.loads((run / "config.json").read_text())["options"]


def test_a_run_that_gets_curves_late_has_those_of_its_metrics(
    trained: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="needs c2l[tensorboard]")
    for _ in range(2):
        with mirrored(Run.open(trained), str(tmp_path)):
            pass
    assert curve(tmp_path / trained.name, "loss/total") == logged(trained, "loss")


@pytest.mark.parametrize("command", ["fit", "teach"])
def test_without_tensorboard_the_extra_is_named(
    cli: Cli, few: Path, tmp_path: Path, command: str
) -> None:
    words: tuple[Any, ...] = (few,) if command == "fit" else ()
    absent = {"tensorboard": None, "torch.utils.tensorboard": None}
    with mock.patch.dict(sys.modules, absent):
        outcome = cli(command, *words, "-o", tmp_path / "run", "--tensorboard", tmp_path / "t")
    assert outcome.code == 2
    assert "c2l[tensorboard]" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_curves_that_cannot_be_written_do_not_end_a_training(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="needs c2l[tensorboard]")
    from torch.utils.tensorboard import SummaryWriter

    full = OSError(28, "No space left on device")
    broken = mock.patch.object(SummaryWriter, "add_scalar", side_effect=full)
    with broken, mirrored(Run.open(trained), str(tmp_path)):
        pass
    said = capsys.readouterr().err
    assert said.count("no more curves for TensorBoard: [Errno 28] No space left") == 1
