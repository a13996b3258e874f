"""A run folder keeps whole checkpoints and believes no half-written one."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import file_size_limit

from c2l import schema
from c2l.artifacts.checkpoints import STEP_FILES, Checkpoint, Position
from c2l.artifacts.registry import read_link
from c2l.artifacts.runs import Run
from c2l.errors import BadInputError, ConfigDiffersError, OutputError, UsageError
from c2l.model.loading import options_from
from c2l.options import FitOptions, Options, TeachOptions, option, recorded
from c2l.runtime.files import partial_sibling

OPTIONS = FitOptions(lr=1e-4, clusters=3, image_size=64, batch_size=4, attention_stride=1)
CONFIG: dict[str, Any] = {"options": recorded(OPTIONS), "data": {"count": 8}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A new run."""
    return Run.create(tmp_path / "run", CONFIG, overwrite=False)


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(
        Position(step // 10, step % 10, step),
        network={"weight": torch.full((3,), float(step))},
        heads={"figure.prototypes": torch.full((4,), step + 0.25)},
        optimizer={"0.exp_avg": torch.full((2,), step + 0.5)},
    )


def file_of(run: Run, step: int, name: str) -> Path:
    return run.path / f"step-{step:08d}" / name


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-2] ^= 1
    path.write_bytes(raw)


def newest(run: Run) -> int:
    found = run.latest()
    assert found is not None
    return found.position.step


def test_a_checkpoint_round_trips(run: Run) -> None:
    run.save(checkpoint(12), keep=2)
    found = Run.open(run.path).latest()
    assert found is not None
    assert found.position == Position(epoch=1, batch=2, step=12)
    assert torch.equal(found.network["weight"], torch.full((3,), 12.0))
    assert torch.equal(found.heads["figure.prototypes"], torch.full((4,), 12.25))
    assert torch.equal(found.optimizer["0.exp_avg"], torch.full((2,), 12.5))


def test_a_checkpoint_has_a_file_of_heads_only_where_there_are_heads(run: Run) -> None:
    run.save(checkpoint(1), keep=2)
    run.save(replace(checkpoint(2), heads={}), keep=2)
    files = [sorted(os.listdir(file_of(run, step, ""))) for step in (1, 2)]
    others = sorted(["COMMITTED", *STEP_FILES])
    assert files == [sorted([*others, schema.STEP_HEADS]), others]
    found = run.latest()
    assert found is not None
    assert found.heads == {}


def test_a_checkpoint_with_its_head_among_the_model_is_read_by_parts(run: Run) -> None:
    """As checkpoints were before heads had a file of their own."""
    made = checkpoint(3)
    prototypes = made.heads["figure.prototypes"]
    model = {**made.network, "warmup_head.prototypes": prototypes}
    run.save(replace(made, network=model, heads={}), keep=2)
    found = run.latest()
    assert found is not None
    assert found.network.keys() == {"weight"}
    assert found.heads.keys() == {"figure.prototypes"}
    assert torch.equal(found.heads["figure.prototypes"], prototypes)


def test_a_checkpoint_without_the_targets_that_it_names_falls_back(run: Run) -> None:
    for step in (1, 2):
        run.save(checkpoint(step), keep=2)
    targets = run.epoch_file(0)
    targets.parent.mkdir()
    targets.write_text("labels")
    sha256 = hashlib.sha256(b"labels").hexdigest()
    run.save(replace(checkpoint(3), targets_sha256=sha256), keep=3)
    assert newest(run) == 3
    targets.write_text("others")
    assert newest(run) == 2
    targets.unlink()
    assert newest(run) == 2


def test_the_newest_are_kept(run: Run) -> None:
    for step in (1, 2, 10, 9_999_999_99):
        run.save(checkpoint(step), keep=2)
    assert run.steps() == [10, 999_999_999]
    assert newest(run) == 999_999_999
    left = sorted(p.name for p in run.path.iterdir())
    assert left == ["config.json", "step-00000010", "step-999999999"]


def test_a_half_written_checkpoint_is_not_believed(run: Run) -> None:
    run.save(checkpoint(1), keep=2)
    run.save(checkpoint(2), keep=2)
    file_of(run, 2, schema.STEP_COMMIT).unlink()
    assert run.steps() == [1]
    assert newest(run) == 1
    run.save(checkpoint(2), keep=2)
    assert newest(run) == 2


@pytest.mark.parametrize("name", [*STEP_FILES, schema.STEP_HEADS])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_falls_back_to_the_checkpoint_before(
    run: Run, name: str, damage: str
) -> None:
    for step in (1, 2):
        run.save(checkpoint(step), keep=2)
    path = file_of(run, 2, name)
    if damage == "flip":
        flip(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    assert newest(run) == 1


def test_a_damaged_marker_falls_back_and_nothing_sound_is_nothing(run: Run) -> None:
    for step in (1, 2):
        run.save(checkpoint(step), keep=2)
    file_of(run, 2, schema.STEP_COMMIT).write_text("{")
    assert newest(run) == 1
    file_of(run, 1, schema.STEP_COMMIT).write_text("")
    assert run.latest() is None


@pytest.mark.parametrize(
    "wrong",
    [
        *({"epoch": "0"}, {"epoch": -1}, {"batch": 1.5}, {"metrics_bytes": True}, {"step": None}),
        {"targets_sha256": 0},
    ],
)
def test_a_state_of_wrong_types_falls_back_though_its_marker_fits(
    run: Run, wrong: dict[str, object]
) -> None:
    for step in (1, 2):
        run.save(checkpoint(step), keep=2)
    path, marker = (file_of(run, 2, name) for name in (schema.STEP_STATE, schema.STEP_COMMIT))
    state = json.loads(path.read_text())
    for values in ({**state, **wrong}, {k: v for k, v in state.items() if k not in wrong}):
        path.write_text(json.dumps(values))
        sums = json.loads(marker.read_text())
        sums[schema.STEP_STATE] = hashlib.sha256(path.read_bytes()).hexdigest()
        marker.write_text(json.dumps(sums))
        assert newest(run) == 1


@pytest.mark.parametrize("marker", ["{}", '{"state.json": ""}', '{"../config.json": "0"}'])
def test_a_marker_that_vouches_for_less_than_all_is_not_believed(run: Run, marker: str) -> None:
    for step in (1, 2):
        run.save(checkpoint(step), keep=2)
    file_of(run, 2, schema.STEP_COMMIT).write_text(marker)
    assert newest(run) == 1


def test_a_run_without_checkpoints_has_no_latest(run: Run) -> None:
    assert run.latest() is None
    assert run.steps() == []


def test_a_checkpoint_that_cannot_be_written_leaves_the_ones_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.save(checkpoint(1), keep=2)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("c2l.artifacts.checkpoints.save_tensors", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        run.save(checkpoint(2), keep=2)
    assert caught.value.exit_code == 74
    assert newest(run) == 1
    assert sorted(os.listdir(run.path)) == ["config.json", "step-00000001"]


def test_a_run_whose_configuration_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "run"
    for before in ([], ["run"]):
        with file_size_limit(100), pytest.raises(OutputError, match="File too large"):
            Run.create(path, CONFIG, overwrite=True)
        assert os.listdir(tmp_path) == before
        Run.create(path, CONFIG, overwrite=True).save(checkpoint(1), keep=2)
    assert newest(Run.open(path)) == 1


def test_configuration_is_kept(run: Run) -> None:
    found = Run.open(run.path)
    assert {k: found.config[k] for k in CONFIG} == CONFIG
    assert found.config["format"] == "c2l-run"
    # Neither where an input lies now nor how the run is run decides the result.
    found.require_same(CONFIG, replace(OPTIONS, weights="w.pth", checkpoint="r", keep=9))


def test_another_configuration_is_refused_with_the_keys_that_differ(run: Run) -> None:
    with pytest.raises(ConfigDiffersError) as caught:
        run.require_same({"data": {"count": 9}}, replace(OPTIONS, lr=1e-3))
    assert caught.value.exit_code == 4
    message = caught.value.message
    assert "options.lr: the run has 0.0001, now 0.001" in message
    assert "data.count: the run has 8, now 9" in message
    assert "clusters" not in message


@dataclass(frozen=True, kw_only=True)
class NewerFitOptions(FitOptions):
    """A later version's, with an option more."""

    smooth_weight: float = option(0.25, "Weight of a new term.", group="Modules")


@dataclass(frozen=True, kw_only=True)
class NewerTeachOptions(TeachOptions):
    """A later version's, with an option more."""

    smooth_weight: float = option(0.25, "Weight of a new term.", group="Method")


def test_an_option_counts_under_its_former_name(tmp_path: Path) -> None:
    stored = {k: v for k, v in recorded(TeachOptions()).items() if k != "left_right"}
    config = {"stage": "teach", "options": stored | {"sides": True}}
    run = Run.create(tmp_path / "run", config, overwrite=False)
    run.require_same({}, TeachOptions(left_right=True))
    with pytest.raises(ConfigDiffersError, match="left_right: the run has True, now False"):
        run.require_same({}, TeachOptions())
    assert options_from(TeachOptions, run.config["options"], run.path).left_right
    assert "--left-right" in read_link(run.path).command()


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (OPTIONS, NewerFitOptions(**vars(OPTIONS))),
        (TeachOptions(steps=9), NewerTeachOptions(steps=9)),
    ],
    ids=["fit", "teach"],
)
def test_an_option_that_came_after_a_run_began_counts_as_its_default(
    older: Options, newer: Any, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", {"options": recorded(older)}, overwrite=False)
    run.require_same({}, newer)
    with pytest.raises(ConfigDiffersError, match=r"smooth_weight: the run has 0\.25, now 0\.5"):
        run.require_same({}, replace(newer, smooth_weight=0.5))


def test_a_missing_or_foreign_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such run folder"):
        Run.open(tmp_path / "none")
    with pytest.raises(BadInputError, match=r"config\.json: no such file"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(BadInputError, match="not a run of this version"):
        Run.open(tmp_path)


def test_an_existing_run_is_refused_without_overwrite_and_replaced_with_it(run: Run) -> None:
    run.save(checkpoint(1), keep=2)
    with pytest.raises(UsageError, match="exists already"):
        Run.create(run.path, CONFIG, overwrite=False)
    assert newest(run) == 1
    fresh = Run.create(run.path, {"options": {}}, overwrite=True)
    assert os.listdir(run.path) == ["config.json"]
    assert fresh.latest() is None


def test_an_empty_folder_becomes_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    Run.create(tmp_path / "run", CONFIG, overwrite=False)
    assert Run.open(tmp_path / "run").config["options"] == CONFIG["options"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_never_removed(tmp_path: Path, overwrite: bool) -> None:
    folder, file = tmp_path / "photos", tmp_path / "photo.png"
    folder.mkdir()
    (folder / "one.png").write_text("precious")
    file.write_text("precious")
    for path in (folder, file):
        with pytest.raises(UsageError):
            Run.create(path, CONFIG, overwrite=overwrite)
    assert (folder / "one.png").read_text() == file.read_text() == "precious"


def test_metrics_are_appended_and_rewound(run: Run) -> None:
    assert run.read_metrics() == []
    assert run.metrics_size() == 0
    run.rewind_metrics(0)
    run.log({"step": 1})
    kept = run.metrics_size()
    run.log({"step": 2})
    assert run.read_metrics() == [{"step": 1}, {"step": 2}]
    run.rewind_metrics(kept)
    assert run.read_metrics() == [{"step": 1}]
    run.log({"step": 2, "again": True})
    assert run.read_metrics() == [{"step": 1}, {"step": 2, "again": True}]
    run.rewind_metrics(10**9)  # never makes the file longer
    assert len(run.read_metrics()) == 2


def test_a_line_cut_off_by_a_kill_is_left_out(run: Run) -> None:
    run.log({"step": 1})
    with run.metrics.open("a") as file:
        file.write('{"step": 2, "lo')
    assert run.read_metrics() == [{"step": 1}]


def test_metrics_never_hold_nan(run: Run) -> None:
    with pytest.raises(ValueError, match="JSON"):
        run.log({"loss": math.nan})
    assert run.read_metrics() == []


def test_targets_of_past_epochs_are_forgotten(run: Run) -> None:
    for epoch in range(4):
        run.epoch_file(epoch).parent.mkdir()
        run.epoch_file(epoch).write_text("")
    run.forget_epochs(before=2)
    assert [run.epoch_file(e).exists() for e in range(4)] == [False, False, True, True]


def test_a_run_killed_at_its_very_start_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    partial_sibling(path / schema.RUN_CONFIG).write_text('{"form')
    assert Run.is_empty(path)
    Run.create(path, {"a": 1}, overwrite=False)
    assert Run.open(path).config["a"] == 1
    assert os.listdir(path) == [schema.RUN_CONFIG]


def test_a_start_that_fails_gives_back_the_run_it_was_to_replace_and_not_an_older_one(
    run: Run,
) -> None:
    path = run.path
    for seed in (1, 2):
        run.save(checkpoint(1), keep=2)
        run = Run.create(path, {"seed": seed}, overwrite=True)
    run.undo_create()
    assert Run.open(path).config["seed"] == 1
    assert Run.open(path).steps() == [1]
    last = Run.create(path, {"seed": 3}, overwrite=True)
    last.forget_previous()
    assert os.listdir(path.parent) == [path.name]
