"""Drawings teach as a pure function of seed and step, whatever stops the run and who draws."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FIT, RUN_C2L, TEACH, Cli, fork_python
from PIL import Image
from safetensors.numpy import load_file

from c2l.artifacts.predictor import read_predictor, write_predictor
from c2l.options import TeachOptions
from c2l.runtime.signals import StopRequest
from c2l.training import drawing_pool
from c2l.training.drawing_pool import Pool, drawing_size
from c2l.training.teacher import Seen, learning_rate, mirrored, side_at, taught_labels

OPTIONS = TeachOptions(draw_size=48, pool=6, batch_size=4, reuse=2.0, workers=1)
# Ends by the named signal after the step of that number.
STOP = """
import os, signal
from c2l.training.teacher import TeachingState
follow = TeachingState.follow
def follow_and_stop(self):
    follow(self)
    if self.position.step == 4:
        os.kill(os.getpid(), signal.{})
TeachingState.follow = follow_and_stop
"""


@pytest.fixture(autouse=True)
def drawing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawings are made by this process, unless several are asked for."""
    count = drawing_pool.worker_count
    monkeypatch.setattr(drawing_pool, "worker_count", lambda n: count(n) if n > 1 else 0)


def batches(path: Path, options: TeachOptions, first: int, last: int) -> list[np.ndarray]:
    """Pictures with their labels as a fourth channel, of some steps."""
    pool = Pool(path, options, StopRequest())
    try:
        pool.begin(first)
        pairs = [pool.batch(step) for step in range(first, last)]
    finally:
        pool.close()
    return [np.concatenate([p, z[..., None]], axis=3) for p, z in pairs]


def test_batches_are_the_same_for_any_number_of_workers_and_from_any_step(tmp_path: Path) -> None:
    whole = batches(tmp_path / "whole", OPTIONS, 0, 5)
    two = TeachOptions(**{**vars(OPTIONS), "workers": 2})
    later = batches(tmp_path / "later", two, 3, 5)
    np.testing.assert_array_equal(np.stack(whole[3:]), np.stack(later))
    # The file of the later run knows nothing of step 1; the whole one has forgotten it.
    for name in ("whole", "later"):
        again = batches(tmp_path / name, OPTIONS, 1, 3)
        np.testing.assert_array_equal(np.stack(whole[1:3]), np.stack(again))


def test_a_drawing_that_is_damaged_on_the_disk_is_drawn_again(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    whole = batches(path, OPTIONS, 0, 2)
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), len(data) // 6):
        data[place + 5000] ^= 1
    path.write_bytes(data)
    np.testing.assert_array_equal(np.stack(whole), np.stack(batches(path, OPTIONS, 0, 2)))


def test_a_batch_holds_different_drawings_and_new_ones_replace_the_oldest(tmp_path: Path) -> None:
    def distinct(found: np.ndarray) -> set[bytes]:
        return {one.tobytes() for one in found}

    found = batches(tmp_path / "pool", OPTIONS, 0, 12)
    assert all(len(distinct(batch)) == 4 for batch in found)
    # Two new ones a step: after three steps the first six are gone.
    assert not distinct(np.concatenate(found[:2])) & distinct(np.concatenate(found[5:]))
    uses = len(np.concatenate(found)) / len(distinct(np.concatenate(found)))
    assert 1.2 < uses < 2.5


def test_drawings_have_the_shapes_of_photographs_and_about_as_many_pixels() -> None:
    sizes = [drawing_size(0, 96, index) for index in range(300)]
    assert {w > h for w, h in sizes} == {True, False}
    assert all(abs(w * h / 96**2 - 1) < 0.03 for w, h in sizes)
    assert sizes[7] == drawing_size(0, 96, 7)


def test_left_and_right_of_a_pair_are_one_class_or_change_places_in_a_mirror() -> None:
    joined = taught_labels(TeachOptions())
    assert len(joined.classes) == 15
    assert mirrored(joined.classes) == list(range(15))
    assert joined.table[9] == joined.table[10] == joined.classes.index("shoes")
    apart = taught_labels(TeachOptions(left_right=True))
    swap = {
        a: apart.classes[b] for a, b in zip(apart.classes, mirrored(apart.classes), strict=True)
    }
    assert swap["left-arm"] == "right-arm"
    assert swap["right-shoe"] == "left-shoe"
    assert swap["hat"] == "hat"


def test_the_rate_rises_then_falls_to_nothing() -> None:
    options = TeachOptions(steps=110, warmup_steps=10, lr=0.5)
    assert learning_rate(options, 0) == pytest.approx(0.05)
    assert learning_rate(options, 10) == pytest.approx(0.5)
    assert learning_rate(options, 60) == pytest.approx(0.25)
    assert learning_rate(options, 109) < 0.001


def test_pictures_grow_over_three_quarters_of_the_steps() -> None:
    options = TeachOptions(steps=400, start_size=96, image_size=168)
    sides = [side_at(options, step) for step in range(400)]
    assert (sides[0], sides[150], sides[299], sides[300]) == (96, 128, 160, 168)
    assert sides == sorted(sides)
    assert {side_at(TeachOptions(steps=4), step) for step in range(4)} == {128}


def test_rare_labels_weigh_the_root_of_how_rare_they_are() -> None:
    seen = Seen(3)
    labels = torch.tensor([0] * 90 + [1] * 9 + [2])
    first = seen.add(labels)
    assert float(first[1] / first[0]) == pytest.approx(np.sqrt(10))
    weights = seen.add(torch.zeros(900, dtype=torch.int64))
    assert seen.counts.tolist() == [990, 9, 1]
    assert float(weights[1] / weights[0]) == pytest.approx(np.sqrt(110))


@pytest.mark.parametrize("sent", ["SIGTERM", "SIGKILL"])
def test_a_stopped_run_ends_as_one_that_was_not(
    cli: Cli, taught: Path, tmp_path: Path, sent: str
) -> None:
    run = tmp_path / "run"
    words = ("teach", "-o", run, *TEACH, "--save-steps", "3")
    stopped = fork_python(STOP.format(sent) + RUN_C2L, *words)
    assert stopped.returncode == (75 if sent == "SIGTERM" else -9), stopped.stderr
    saved = 4 if sent == "SIGTERM" else 3
    assert (run / f"step-{saved:08d}" / "COMMITTED").is_file()
    if sent == "SIGTERM":
        shutil.rmtree(run / "scratch")
    said = cli.ok(*words, "--resume").err
    assert f"resumed at step {saved}" in said
    mine, whole = (
        load_file(run / "predictor.safetensors"),
        load_file(taught / "predictor.safetensors"),
    )
    assert mine.keys() == whole.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, whole[name], err_msg=name)
    kinds = ("step", "taught")
    lines = [
        [json.loads(s) for s in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (run, taught)
    ]
    learned = [[line for line in some if line["kind"] in kinds] for some in lines]
    assert learned[0] == learned[1]
    assert not (run / "scratch").exists()


def test_another_option_is_refused_on_resumption(cli: Cli, taught: Path) -> None:
    outcome = cli("teach", "-o", taught, *TEACH, "--reuse", "3", "--resume")
    assert outcome.code == 4
    assert "reuse" in outcome.err


def test_a_loss_that_is_not_finite_takes_no_step(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("teach", "-o", tmp_path / "run", *TEACH, "--lr", "1e30", "--warmup-steps", "0")
    assert outcome.code == 6
    assert "no step was taken. Drawings of seed 0" in outcome.err


def test_a_run_that_drawings_taught_stands_wherever_a_run_of_fit_does(
    cli: Cli, taught: Path, few: Path, tmp_path: Path
) -> None:
    from c2l import load

    parsing = load(taught).parse(np.zeros((40, 30, 3), np.uint8))
    assert parsing.names == taught_labels(TeachOptions()).classes
    np.testing.assert_allclose(parsing.scores.sum(0), 1, atol=1e-5)
    cli.ok("render", taught, few, "-o", tmp_path / "pictures")
    found = np.unique(np.asarray(Image.open(tmp_path / "pictures" / "masks" / "a.png")))
    assert found.max() < 15
    assert '"finished": true' in cli.ok("inspect", taught, "--json").out
    cli.ok("verify", taught)
    status = cli.ok("status", taught.parent, "--json").values["artifacts"]
    assert [(a["stage"], a["state"]) for a in status if a["path"].endswith("run")] == [
        ("teach", "done")
    ]
    extracted = tmp_path / "f.h5"
    cli.ok("extract", few, "-o", extracted, "--checkpoint", taught, "--image-size", "64")
    cli.ok("fit", few, "-o", tmp_path / "fit", *FIT, "--epochs", "0", "--checkpoint", taught)
    network = load_file(tmp_path / "fit" / "predictor.safetensors")
    own = load_file(taught / "predictor.safetensors")
    name = next(n for n in own if n.startswith("model.pyramid."))
    np.testing.assert_array_equal(network[name], own[name])


def test_the_export_stands_for_itself_with_half_of_the_bytes(
    cli: Cli, taught: Path, few: Path, tmp_path: Path
) -> None:
    from c2l import load

    file = taught.with_name("predictor.safetensors")
    assert os.path.getsize(file) < 0.55 * os.path.getsize(taught / "predictor.safetensors")
    photo = few / "a.jpg"
    whole, half = load(taught).parse(photo), load(file).parse(photo)
    assert whole.names == half.names
    np.testing.assert_allclose(half.scores, whole.scores, atol=0.02)
    assert (half.labels == whole.labels).mean() > 0.95
    content = read_predictor(file)
    larger = tmp_path / "larger.safetensors"
    write_predictor(larger, replace(content, config={**content.config, "test_size": 96}))
    assert load(larger).parse(photo).scores.shape[1:] == (96, 96)
    assert load(larger, image_size=64).parse(photo).scores.shape[1:] == half.scores.shape[1:]
