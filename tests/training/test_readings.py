"""Every reading of the method that an option names changes the loss that it should, no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import FIT, Cli
from safetensors import safe_open

Losses = dict[str, float]
TERMS = ("loss_view", "loss_part", "loss_code")


def first_losses(cli: Cli, photos: Path, run: Path, *switches: str) -> Losses:
    """The losses of a run's first batch, before any weight has moved."""
    cli.ok("fit", photos, "-o", run, *FIT, "--max-steps", "1", *switches)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (step,) = [line for line in lines if line["kind"] == "step"]
    return {name: step[name] for name in ("loss", *TERMS)}


@pytest.fixture(scope="module")
def usual(cli: Cli, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Losses:
    """Those of the defaults."""
    return first_losses(cli, few, tmp_path_factory.mktemp("usual") / "run")


# The terms that a reading changes; the pixel consistent module's output enters what is clustered,
# and so every term.
VIEW, PART, CODE = TERMS
EVERY = {VIEW, PART, CODE}


@pytest.mark.parametrize(
    ("switches", "changed"),
    [
        ("--tau 0.5", {PART}),
        ("--part map", {PART}),
        ("--part pooled", {PART}),
        ("--part global", {PART}),
        ("--part off", {PART}),
        ("--part-weight 0.25", set()),
        ("--pixel-weight 0.15", set()),
        ("--class-weights none", {VIEW}),
        ("--class-weights inverse", {VIEW}),
        ("--no-cross-view", {VIEW}),
        ("--sparsity 0.5", {CODE}),
        ("--ista-steps 3", EVERY),
        ("--code-input normalise", set()),
        ("--code-input raw", EVERY),
        ("--pixel ffn", EVERY),
        ("--pixel off", EVERY),
        ("--pixel-dim 4", EVERY),
        ("--heads 1", EVERY),
        ("--attention-stride 2", EVERY),
        ("--attention-stride 4", EVERY),
        ("--gradients-input", EVERY),
        ("-k 6", {VIEW, PART}),
    ],
)
def test_a_reading_changes_the_losses_that_it_should(
    cli: Cli, few: Path, tmp_path: Path, usual: Losses, switches: str, changed: set[str]
) -> None:
    found = first_losses(cli, few, tmp_path / "run", *switches.split())
    assert {name for name in TERMS if abs(found[name] - usual[name]) > 2e-6} == changed
    alpha = 0.25 if switches == "--part-weight 0.25" else 0.5
    beta = 0.15 if switches == "--pixel-weight 0.15" else 0.3
    total = found[VIEW] + alpha * found[PART] + beta * found[CODE]
    assert found["loss"] == pytest.approx(total, abs=3e-6)


def test_more_clusters_than_parts_are_merged_to_the_parts(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    for kind in ("border", "figure"):
        run = tmp_path / kind
        cli.ok("fit", few, "-o", run, *FIT, "--max-steps", "1", "-k", "6", "--merge-clusters", kind)
        with safe_open(run / "predictor.safetensors", "numpy") as file:
            groups = file.get_tensor("groups")
        assert groups.shape == (6,)
        assert set(groups.tolist()) <= {0, 1, 2}


def test_image_gradients_are_two_more_channels_of_the_first_layer(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    cli.ok("fit", few, "-o", run, *FIT, "--max-steps", "1", "--gradients-input")
    with safe_open(run / "predictor.safetensors", "numpy") as file:
        assert file.get_tensor("model.backbone.body.conv1.0.weight").shape[1] == 5
    cli.ok("render", run, few, "-o", tmp_path / "pictures", "--limit", "1")
