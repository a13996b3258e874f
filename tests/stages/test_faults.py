"""Faults that may come to every stage: a signal, a second writer, a reader, a read-only disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from conftest import FIT, NETWORK, PHOTOS, RUN_C2L, Cli, fork_python, mounted
from PIL import Image

from c2l import schema
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.locks import lock_file
from c2l.runtime.json_files import read_json
from c2l.runtime.progress import Progress

STAGES = ("extract", "cluster", "fit", "eval", "render")
KEEP_STATE = ("extract", "fit")
HOLD = """
import sys, time
from pathlib import Path
from c2l.artifacts.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(120)
"""


@contextmanager
def writing(output: Path) -> Iterator[int]:
    """Another process holds the lock of an output; its number."""
    program = [sys.executable, "-c", HOLD, str(output)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            first.stdout.readline()
            yield first.pid
        finally:
            first.kill()


@pytest.fixture
def words(people: Path, store: Path, trained: Path) -> dict[str, tuple[str | Path, ...]]:
    """A command of every stage, without its output."""
    return {
        "extract": ("extract", people, *PHOTOS, *NETWORK),
        "cluster": ("cluster", store, "-k", "3"),
        "fit": ("fit", people, *FIT, "--epochs", "1"),
        "eval": ("eval", trained, people, "--split", "val", "--bootstrap", "0"),
        "render": ("render", trained, people, "--split", "val"),
    }


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_in_the_midst_of_a_stage_keeps_its_state_or_leaves_nothing(
    cli: Cli,
    words: dict[str, tuple[str | Path, ...]],
    tmp_path: Path,
    stage: str,
    sent: signal.Signals,
) -> None:
    output = tmp_path / "out"
    advance, seen = Progress.advance, []

    def interrupted(self: Progress, *arguments: object) -> None:
        advance(self, *arguments)  # type: ignore[arg-type]
        if not seen:
            seen.append(sent)
            os.kill(os.getpid(), sent)

    with mock.patch.object(Progress, "advance", interrupted):
        outcome = cli(*words[stage], "-o", output)
    assert seen, "the signal was never sent"
    assert outcome.code == (75 if stage in KEEP_STATE else 130), outcome.err
    assert sent.name in outcome.err
    assert outcome.out == ""
    if stage not in KEEP_STATE:
        assert os.listdir(tmp_path) == []
    more = ("--resume",) if stage == "fit" else ()
    cli.ok(*words[stage], "-o", output, *more)
    assert output.exists()


@pytest.mark.parametrize("stage", STAGES)
def test_a_second_writer_of_any_stage_is_told_who_writes_and_touches_nothing(
    cli: Cli, words: dict[str, tuple[str | Path, ...]], tmp_path: Path, stage: str
) -> None:
    output = tmp_path / "out"
    with writing(output) as number:
        outcome = cli(*words[stage], "-o", output)
        assert outcome.code == 5
        assert f"process {number} on {os.uname().nodename}" in outcome.err
        assert os.listdir(tmp_path) == [lock_file(output).name]


def test_two_runs_in_one_folder_the_second_leaves_the_first_as_it_was(
    cli: Cli, words: dict[str, tuple[str | Path, ...]], trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with writing(run) as number:
        for more in ("--resume", "--overwrite"):
            outcome = cli(*words["fit"], "-o", run, more)
            assert (outcome.code, str(number) in outcome.err) == (5, True)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_reader_keeps_its_file_while_it_is_replaced(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    command = ("extract", people, "-o", path, *PHOTOS, *NETWORK)
    cli.ok(*command)
    with h5py.File(path, "r") as reader:
        first = reader["features"][0]
        cli.ok(*command, "--stride", "2", "--overwrite")
        last = reader["features"][11]
        np.testing.assert_array_equal(reader["features"][0], first)
        assert last.shape == (16, 16, 16)
    with h5py.File(path, "r") as reader:
        assert reader["features"].shape == (12, 8, 8, 16)
        np.testing.assert_array_equal(reader["features"][0], first[::2, ::2])


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that is mounted read-only."""
    with mounted(tmp_path / "sealed", "ro,size=1m") as place:
        yield place


@pytest.mark.parametrize("stage", STAGES)
def test_an_output_that_cannot_be_written_is_74_before_any_work(
    cli: Cli, words: dict[str, tuple[str | Path, ...]], sealed: Path, stage: str
) -> None:
    with mock.patch.object(Progress, "advance", side_effect=AssertionError("work was done")):
        outcome = cli(*words[stage], "-o", sealed / "out")
    assert outcome.code == 74, outcome.err
    assert "Read-only file system" in outcome.err
    assert "next: choose an output in a writable folder" in outcome.err


def test_changed_weights_are_not_resumed(cli: Cli, few: Path, tmp_path: Path) -> None:
    from conftest import BACKBONE, stop_after
    from safetensors.torch import save_file
    from torchvision.models import get_model

    weights, own = tmp_path / "w.safetensors", get_model(BACKBONE).state_dict()
    save_file(own, weights)
    command = ("fit", few, "-o", tmp_path / "run", *FIT, "-b", "2", "--weights", weights)
    with stop_after(1):
        assert cli(*command).code == 75
    save_file({name: value + 1 for name, value in own.items()}, weights)
    outcome = cli(*command, "--resume")
    assert outcome.code == 4, outcome.err
    assert "weights_sha256" in outcome.err


def relabelled(people: Path, place: Path, change: dict[str, int] | int) -> Path:
    """The people with other masks: all of one label, or some labels exchanged."""
    folder = place / "people"
    shutil.copytree(people, folder)
    for path in (folder / "SegmentationClassAug").iterdir():
        mask = np.array(Image.open(path))
        if isinstance(change, int):
            mask[:] = change
        else:
            for old, new in change.items():
                mask[mask == int(old)] = new
        Image.fromarray(mask).save(path)
    return folder


def test_masks_that_are_ignored_altogether_are_no_score_of_zero(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    folder = relabelled(people, tmp_path, 255)
    outcome = cli("eval", trained, folder, "-o", tmp_path / "e.json", "--split", "val")
    assert outcome.code == 3
    assert "every pixel is ignored" in outcome.err
    assert not (tmp_path / "e.json").exists()


def test_a_class_that_is_nowhere_is_named_and_left_out_of_the_mean(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    legs = {str(label): 0 for label in (5, 6, 7, 8, 9, 10, 12, 13)}
    folder = relabelled(people, tmp_path, legs)
    outcome = cli.ok("eval", trained, folder, "-o", tmp_path / "e.json", "--split", "val")
    found = read_json(tmp_path / "e.json", what="scores")
    assert found["iou"]["lower"] is None
    present = [found["iou"][name] for name in ("background", "upper")]
    assert found["miou"] == pytest.approx(np.mean(present))
    assert "no labelled pixel shows lower: left out of the means" in outcome.err


def test_a_cluster_that_stays_empty_is_counted_and_kept(cli: Cli, tmp_path: Path) -> None:
    """Features of two distinct values, and five clusters."""
    values = np.eye(2, 3, dtype=np.float16)
    with write_features(tmp_path / "f.h5", StoreLayout(("a", "b"), (4, 4), 3), {}, {}) as writer:
        for index in (0, 1):
            rows = {schema.FEATURES: np.broadcast_to(values[index], (4, 4, 3))}
            rows[schema.ORIG_SIZE] = np.array([8, 8], np.int32)
            writer.write(index, rows | {schema.IMAGE_SHA256: np.array("0" * 64, "S64")})
        writer.finish(np.arange(2), {}, {schema.ATTR_INPUTS: "0" * 64})
    outcome = cli.ok("cluster", tmp_path / "f.h5", "-o", tmp_path / "c.h5", "-k", "5")
    found = read_clusters(tmp_path / "c.h5")
    assert np.isfinite(found.centroids).all()
    assert sorted(found.counts.tolist()) == [0, 0, 0, 16, 16]
    assert "3 of 5 clusters are empty" in outcome.err


def test_a_killed_run_is_not_begun_anew_when_resume_is_forgotten(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    program = (
        "import os, signal\nfrom c2l.training.state import TrainingState as S\nsave = S.save\n"
        "def die(self):\n    save(self)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "S.save = die\n"
    )
    options = ("-b", "2", "--epochs", "1", "--save-steps", "1")
    command = ("fit", few, "-o", tmp_path / "run", *FIT, *options)
    assert fork_python(program + RUN_C2L, *command).returncode == -signal.SIGKILL
    outcome = cli(*command)
    assert outcome.code == 2
    assert "--resume" in outcome.err
    cli.ok(*command, "--resume")
