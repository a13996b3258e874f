"""What stopped commands leave: work that is kept, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import forked
import pytest
from conftest import FIT, RUN_C2L, Cli

from c2l.artifacts.runs import Run
from c2l.data import cache as images
from c2l.data.decoding import Decoded, decode
from c2l.training.loop import Trainer


def terminate(*_: object) -> None:
    """A signal to this process."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_stop_after_max_steps_keeps_what_was_trained(cli: Cli, few: Path, tmp_path: Path) -> None:
    words = ("fit", few, *FIT, "-b", "2", "--epochs", "1", "--max-steps", "1")
    cli.ok(*words, "-o", tmp_path / "whole")
    run = tmp_path / "run"
    with mock.patch.object(Trainer, "final_clustering", stopped):
        outcome = cli(*words, "-o", run)
    assert outcome.code == 75
    assert "the state of step 1 is saved" in outcome.err
    assert Run.open(run).steps() == [1]
    assert "resumed at step 1" in cli.ok(*words, "-o", run, "--resume").err
    for name in ("predictor.safetensors", "step-00000001/model.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def stopped(trainer: Trainer) -> None:
    """What the last pass does when a signal comes."""
    terminate()
    trainer.stop_if_asked()


def test_a_proof_that_is_interrupted_leaves_no_process_and_no_file(
    people: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["fit", people, "-o", run, *FIT, "--epochs", "2", "--prove-resume"]
    proof = forked.Popen([sys.executable, "-c", RUN_C2L, *words], stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    children: list[str] = []
    while not children and time.monotonic() < limit:
        children = Path(f"/proc/{proof.pid}/task/{proof.pid}/children").read_text().split()
        time.sleep(0.01)
    assert children
    proof.send_signal(signal.SIGTERM)
    said = proof.communicate()[1]
    assert proof.returncode == 130, said
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_holds_what_is_read_is_not_replaced(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    cli.ok("fit", few, "-o", run, *FIT, "--epochs", "0")
    shutil.copytree(few, run / "photos")
    before = (run / "predictor.safetensors").read_bytes()
    outcome = cli("fit", run / "photos", "-o", run, *FIT, "--epochs", "0", "--overwrite")
    assert outcome.code == 2
    assert f"holds {run / 'photos'}, which is read" in outcome.err
    assert (run / "predictor.safetensors").read_bytes() == before


def test_a_run_folder_that_is_a_link_stays_one(cli: Cli, few: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link, there = tmp_path / "run", tmp_path / "disk" / "run"
    link.symlink_to(there)
    words = ("fit", few, "-o", link, *FIT, "--epochs", "0")
    there.mkdir()
    cli.ok(*words)
    cli.ok(*words, "--seed", "5", "--overwrite")
    assert link.is_symlink()
    assert (there / "predictor.safetensors").is_file()
    assert sorted(os.listdir(tmp_path / "disk")) == ["run"]
    pictures = tmp_path / "pictures"
    pictures.symlink_to(tmp_path / "disk" / "pictures")
    for more in ((), ("--overwrite",)):
        cli.ok("render", link, few, "-o", pictures, "--limit", "1", *more)
    assert pictures.is_symlink()
    assert (tmp_path / "disk" / "pictures" / "report.html").is_file()


def decode_and_stop(*arguments: Any) -> Iterator[Decoded]:
    """Photos, and a signal after each."""
    for image in decode(*arguments):
        terminate()
        yield image


@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_half_a_cache_of_pixels_is_not_left(
    ended: str, cli: Cli, few: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    words = ("fit", few, "-o", tmp_path / "run", *FIT, "--epochs", "0", "--cache-dir", cache)
    if ended == "killed":
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        left = f".images-64-0123.u8.{socket.gethostname()}.{child.pid}.partial"
        figures = left.replace("images", "figures")
        other = f".images-64-0123.u8.{socket.gethostname()}.{os.getpid()}.partial"
        for name in (left, figures, other):
            (cache / name).write_bytes(b"half")
        cli.ok(*words)
        assert [p.name for p in cache.glob(".*.partial")] == [other]
    else:
        with mock.patch.object(images, "decode", decode_and_stop):
            assert cli(*words).code == 75
        assert list(cache.glob(".*.partial")) == []


def test_what_a_killed_synth_left_is_removed_by_the_next(cli: Cli, tmp_path: Path) -> None:
    left = tmp_path / ".people.partial"
    (left / "JPEGImages").mkdir(parents=True)
    cli.ok("data", "synth", tmp_path / "people", "-n", "2", "--image-size", "48")
    assert os.listdir(tmp_path) == ["people"]


def test_workers_of_a_killed_synth_end(tmp_path: Path) -> None:
    words = ["data", "synth", str(tmp_path / "people"), "-n", "5000", "--workers", "2"]
    synth = subprocess.Popen(
        [sys.executable, "-c", RUN_C2L, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    tasks = Path(f"/proc/{synth.pid}/task")
    limit = time.monotonic() + 60
    children: list[str] = []
    while len(children) < 3 and time.monotonic() < limit:
        children = [c for f in tasks.glob("*/children") for c in f.read_text().split()]
        time.sleep(0.05)
    assert len(children) >= 3, "two workers, and the tracker of what they share"
    time.sleep(1)
    synth.kill()
    synth.wait()
    limit = time.monotonic() + 30
    while any(Path(f"/proc/{c}").exists() for c in children) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not [c for c in children if Path(f"/proc/{c}").exists()]
