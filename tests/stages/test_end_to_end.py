"""The whole chain on synthetic people: what it learns beats what needs no learning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import Cli

from c2l.artifacts.runs import Run
from c2l.training.loop import Trainer

# 48 photos to train on: 14 epochs of warm-up of six steps, then one epoch of C2L of twelve.
PEOPLE = ("-n", "64", "--image-size", "64", "--val-share", "0.25", "--workers", "1")
PHOTOS = ("--image-size", "64", "--split", "train", "--device", "cpu", "--amp", "off")
NETWORK = ("--fpn-dim", "32", "--pixel-dim", "16", "--attention-stride", "2")
PARTS = ("-k", "16", "--merge-clusters", "figure", "--no-sharpen")
SEED = ("--seed", "1")


@pytest.fixture(scope="module")
def learned(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[float], list[float]]:
    """The scores, and the losses of every step of the warm-up and of C2L."""
    folder = tmp_path_factory.mktemp("chain")
    people, start, run = folder / "people", folder / "start", folder / "run"
    losses: list[float] = []
    step = Trainer.step

    def noting(self: Trainer, loss: Any, group: Any) -> None:
        step(self, loss, group)
        losses.append(float(loss.detach()))

    cli.ok("data", "synth", people, *PEOPLE, *SEED)
    options: tuple[str | Path, ...] = (*PHOTOS, *NETWORK, *PARTS, *SEED)
    with mock.patch.object(Trainer, "step", noting), mock.patch.object(Run, "save"):
        cli.ok(
            "fit", people, "-o", start, *options,
            "--weights", "none", "-b", "8", "--warmup", "14", "--epochs", "0",
        )  # fmt: skip
        warming = losses.copy()
        losses.clear()
        cli.ok(
            "fit", people, "-o", run, *options,
            "--checkpoint", start, "-b", "4", "--warmup", "0", "--epochs", "1",
        )  # fmt: skip
    scores, pictures = folder / "eval.json", folder / "pictures"
    cli.ok("eval", run, people, "-o", scores, "--split", "val")
    cli.ok("render", run, people, "-o", pictures, "--split", "val", "--scores", scores)
    assert len(list((pictures / "masks").glob("*.png"))) == 16
    return json.loads(scores.read_text()), warming, losses


def test_both_losses_fall(learned: tuple[dict[str, Any], list[float], list[float]]) -> None:
    _, warming, training = learned
    assert (len(warming), len(training)) == (84, 12)
    assert np.mean(warming[-6:]) < 0.9 * np.mean(warming[:6])
    assert np.mean(training[-4:]) < 0.97 * np.mean(training[:4])


def test_the_parts_found_beat_chance_and_colour_alone(
    learned: tuple[dict[str, Any], list[float], list[float]],
) -> None:
    scores = learned[0]
    assert scores["images"] == 16
    for name in ("everything-background", "kmeans-rgb", "kmeans-xy"):
        assert scores["hungarian"]["miou"] > scores["baselines"][name]["miou"] + 0.05, name
