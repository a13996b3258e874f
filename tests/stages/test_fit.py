"""A run holds the trained predictor, and one that was stopped ends as if it never had been."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import forked
import h5py
import numpy as np
import pytest
import torch
from conftest import BACKBONE, FIT, HEADS, PHOTOS, RUN_C2L, Cli, fork_python, stop_after
from safetensors.numpy import load_file

from c2l.model.build import build_network
from c2l.model.loading import load_predictor
from c2l.options import FitOptions, recorded
from c2l.runtime.streams import epoch_order
from c2l.training.loop import Trainer
from c2l.training.state import digest

STOP_AFTER_FOUR_STEPS = """
import os, signal
from c2l.training.loop import Trainer
step = Trainer.step
def step_and_stop(self, *arguments):
    step(self, *arguments)
    if self.state.position.step == 4:
        os.kill(os.getpid(), signal.SIGTERM)
Trainer.step = step_and_stop
"""

# Two steps on the four photos.
STOPPABLE = (*FIT, "-b", "2", "--epochs", "1")


def predictor(run: Path) -> dict[str, Any]:
    """The tensors of a run's predictor."""
    return load_file(run / "predictor.safetensors")


def metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def learned(run: Path) -> list[dict[str, Any]]:
    """The metrics without those of the checkpoints, of which a stopped run has more."""
    return [line for line in metrics(run) if line["kind"] != "checkpoint"]


def assert_same_predictor(run: Path, other: Path) -> None:
    """Bit for bit the same tensors."""
    mine, theirs = predictor(run), predictor(other)
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def test_a_run_folder_holds_what_it_should_and_no_scratch(trained: Path) -> None:
    assert sorted(os.listdir(trained)) == [
        "config.json",
        "inputs.json",
        "metrics.jsonl",
        "predictor.safetensors",
        "step-00000003",
    ]
    assert sorted(os.listdir(trained / "step-00000003")) == [
        "COMMITTED",
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]
    config = json.loads((trained / "config.json").read_text())
    expected = FitOptions(
        image_size=64,
        batch_size=4,
        weights="none",
        backbone=BACKBONE,
        fpn_dim=16,
        amp="off",
        pixel_dim=8,
        attention_stride=1,
        clusters=3,
        warmup=0,
        merge_clusters="none",
        sharpen=False,
        epochs=1,
        split="train",
    )
    assert config["options"] == recorded(expected)
    assert config["format"] == "c2l-run"
    assert config["data"]["images"] == 9
    assert config["data"]["split"] == "train"


def test_the_metrics_hold_health_losses_and_the_end(trained: Path) -> None:
    lines = metrics(trained)
    kinds = ["epoch", "gradients", "step", "checkpoint", "predictor", "done"]
    assert [r["kind"] for r in lines] == kinds
    epoch, gradients, step, checkpoint, final, done = lines
    state = json.loads((trained / "step-00000003" / "state.json").read_text())
    assert checkpoint["parameters_sha256"] == state["parameters_sha256"]
    assert (gradients["epoch"], gradients["step"]) == (0, 0)
    assert gradients["gradient_view"] > 0
    assert gradients["gradient_part"] > 0
    # The sparse code sees detached features unless told otherwise.
    assert gradients["gradient_code"] == 0
    assert sum(final["cluster_sizes"]) == pytest.approx(1, abs=1e-5)
    assert final["groups"] is None
    assert sum(epoch["cluster_sizes"]) == pytest.approx(1, abs=1e-5)
    assert (step["epoch"], step["step"], done["step"]) == (0, 3, 3)
    total = step["loss_view"] + 0.5 * step["loss_part"] + 0.3 * step["loss_code"]
    assert step["loss"] == pytest.approx(total, abs=1e-5)


def test_the_predictor_holds_the_network_and_the_pixels_of_each_cluster(trained: Path) -> None:
    tensors = predictor(trained)
    assert tensors["classifier.centroids"].shape == (3, 16)
    assert tensors["classifier.counts"].sum() == 9 * 16 * 16
    model = load_file(trained / "step-00000003" / "model.safetensors")
    classifier = {"classifier.centroids", "classifier.counts"}
    assert {f"model.{name}" for name in model} | classifier == tensors.keys()
    for name, values in model.items():
        np.testing.assert_array_equal(values, tensors[f"model.{name}"])


def test_training_moves_the_backbone(trained: Path) -> None:
    options = FitOptions(weights="none", backbone=BACKBONE, fpn_dim=16)
    start = build_network(options, None, 0, seed=0)[0]
    before = start.state_dict()["backbone.body.conv1.0.weight"].numpy()
    after = predictor(trained)["model.backbone.body.conv1.0.weight"]
    assert 0 < np.abs(after - before).max() < 4e-4  # three steps of Adam at 1e-4


@pytest.mark.parametrize(
    ("switches", "modules"),
    [
        (("--part", "off"), {"pixel"}),
        (("--part", "map"), {"part", "pixel"}),
        (("--part", "pooled"), {"part", "pixel"}),
        (("--part", "global"), {"part", "pixel"}),
        (("--part", "assigned", "--attention-stride", "2"), {"pixel"}),
        (("--pixel", "off"), set()),
        (("--pixel", "ffn"), {"pixel"}),
        (("--no-cross-view",), {"pixel"}),
        (("--class-weights", "none"), {"pixel"}),
        (("--class-weights", "inverse"), {"pixel"}),
        (("--method", "picie"), set()),
        (("--merge-clusters", "border", "-k", "6"), {"pixel"}),
        (("--merge-clusters", "figure", "-k", "6", "--sharpen"), {"pixel"}),
        (("--merge-clusters", "ground", "-k", "6"), {"pixel"}),
        (("--code-input", "raw", "--ista-steps", "2", "--heads", "4"), {"pixel"}),
    ],
    ids=lambda value: "-".join(value).replace("--", "") if isinstance(value, tuple) else "",
)
def test_every_switch_trains_with_the_modules_it_names(
    cli: Cli, few: Path, tmp_path: Path, switches: tuple[str, ...], modules: set[str]
) -> None:
    run = tmp_path / "run"
    cli.ok("fit", few, "-o", run, *FIT, "--max-steps", "1", *switches)
    tensors = predictor(run)
    found = {name.split(".")[1] for name in tensors if name.startswith("model.")}
    assert found == modules | {"backbone", "pyramid"}
    clusters = 6 if "-k" in switches else 3
    assert tensors["classifier.centroids"].shape == (clusters, 16)
    assert ("groups" in tensors) == ("-k" in switches)
    done = metrics(run)[-1]
    assert (done["kind"], done["step"]) == ("done", 1)
    (step,) = [r for r in metrics(run) if r["kind"] == "step"]
    assert math.isfinite(step["loss"])
    assert (step["loss_part"] != 0) == (switches not in (("--part", "off"), ("--method", "picie")))
    sparse = "pixel" in modules and "ffn" not in switches
    assert (step["loss_code"] > 0) == sparse


def test_the_warm_up_has_epochs_and_a_loss_of_its_own(cli: Cli, few: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cli.ok("fit", few, "-o", run, *FIT, "--warmup", "1", "--epochs", "1")
    records = learned(run)
    assert [(r["kind"], r.get("epoch")) for r in records] == [
        ("step", 0),
        ("epoch", 1),
        ("gradients", 1),
        ("step", 1),
        ("predictor", None),
        ("done", None),
    ]
    assert records[0]["loss"] == records[0]["loss_figure"] > 0
    assert "loss_view" in records[3]
    assert not any("warmup_head" in name for name in predictor(run))


@pytest.mark.parametrize("sharpen", [False, True])
def test_the_likeliest_component_of_the_mixture_is_the_part(
    cli: Cli, people: Path, trained: Path, tmp_path: Path, sharpen: bool
) -> None:
    run, found = tmp_path / "run", tmp_path / "e.json"
    last = ("--final-clusters", "mixture", *(["--sharpen"] if sharpen else []))
    cli.ok("fit", people, "-o", run, *FIT, "--epochs", "0", "--checkpoint", trained, *last)
    tensors = predictor(run)
    weights = torch.from_numpy(tensors["classifier.weights"])
    assert weights.shape == tensors["classifier.centroids"].shape == (3, 16)
    assert tensors["groups"].tolist() == [0, 1, 2]
    side = int(FIT[FIT.index("--image-size") + 1]) // 4
    assert int(tensors["classifier.counts"].sum()) == 12 * side * side

    # The scores are the log of the posterior up to what the components share.
    read = load_predictor(run, torch.device("cpu"), None)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    scores = read.scores(images)
    with torch.no_grad():
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        y = torch.nn.functional.normalize(read.encoder.net(x).float(), dim=1)
    bias = torch.from_numpy(tensors["classifier.bias"])
    expected = torch.einsum("bchw,kc->bkhw", y, weights) + bias[:, None, None]
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)
    if not sharpen:
        (labels, _) = read.predict(images, [(16, 16), (16, 16)])
        np.testing.assert_array_equal(labels, scores[0].argmax(0))

    cli.ok("eval", run, people, "-o", found, "--split", "val", "--no-baselines")
    stored = json.loads(found.read_text())
    assert stored["matching"]["kind"] == "by name"
    assert cli.ok("verify", run).code == 0


def test_a_stopped_mixture_is_fitted_again(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixture = ("--final-clusters", "mixture", "--epochs", "1")
    cli.ok("fit", few, "-o", tmp_path / "whole", *FIT, *mixture)

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("c2l.training.clustering.expectation_maximisation", stop)
        assert cli("fit", few, "-o", tmp_path / "run", *FIT, *mixture).code != 0
    cli.ok("fit", few, "-o", tmp_path / "run", *FIT, *mixture, "--resume")
    whole, again = predictor(tmp_path / "whole"), predictor(tmp_path / "run")
    for name in whole:
        np.testing.assert_array_equal(again[name], whole[name], err_msg=name)


def test_another_run_gives_the_start(cli: Cli, trained: Path, few: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cli.ok("fit", few, "-o", run, *FIT, "--epochs", "0", "--checkpoint", trained)
    given, taken = predictor(trained), predictor(run)
    for name in taken:
        if name.startswith("model."):
            np.testing.assert_array_equal(taken[name], given[name], err_msg=name)
    outcome = cli(
        "fit", few, "-o", tmp_path / "x", *FIT, "--fpn-dim", "32", "--checkpoint", trained
    )
    assert outcome.code == 3
    assert "--fpn-dim" in outcome.err


def test_the_first_clustering_starts_from_stored_centroids_on_the_stored_views(
    cli: Cli, people: Path, store: Path, clusters: Path, tmp_path: Path
) -> None:
    """The views that fit clusters in epoch 0 are those that extract --views stores."""
    run = tmp_path / "run"
    options = (*FIT, "--method", "picie", "--init", clusters)
    with stop_after(1):
        assert cli("fit", people, "-o", run, *options).code == 75
    order = epoch_order(0, 0, 12)
    for view in ("view1", "view2"):
        with h5py.File(store, "r") as features, h5py.File(clusters, "r") as start:
            points = features[f"features_{view}"][:].reshape(12, 256, 16).astype(np.float64)
            centroids = start[f"centroids_{view}"][:].astype(np.float64)
        seen = np.zeros(3)
        for group in (order[:8], order[8:]):  # two batches of clustering, twice --batch-size
            batch = points[group].reshape(-1, 16)
            labels = np.square(batch[:, None] - centroids).sum(-1).argmin(1)
            for k in range(3):
                mine = batch[labels == k]
                seen[k] += len(mine)
                if len(mine):
                    centroids[k] += len(mine) / seen[k] * (mine.mean(0) - centroids[k])
        with h5py.File(run / "epoch-0000" / "clusters.h5", "r") as targets:
            np.testing.assert_allclose(targets[f"centroids_{view}"][:], centroids, atol=2e-3)
            labels = targets[f"assignments_{view}"][:].reshape(12, 256)
        distances = np.square(points[:, :, None] - centroids).sum(-1)
        assert (distances.argmin(-1) == labels).mean() > 0.99


def test_centroids_of_another_shape_cannot_start_a_run(
    cli: Cli, few: Path, clusters: Path, tmp_path: Path
) -> None:
    outcome = cli("fit", few, "-o", tmp_path / "r", *FIT, "-k", "4", "--init", clusters)
    assert outcome.code == 3
    assert "-k 4" in outcome.err


@pytest.mark.parametrize(
    ("switches", "code", "said"),
    [
        (("--warmup", "1"), 2, "before the warm-up"),
        (("--seed", "1"), 3, "of a network of the seed 0"),
        (("--checkpoint", "trained"), 3, "of a network of other weights"),
    ],
)
def test_centroids_of_other_features_cannot_start_a_run(
    cli: Cli,
    few: Path,
    clusters: Path,
    trained: Path,
    tmp_path: Path,
    switches: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    words = [trained if word == "trained" else word for word in switches]
    outcome = cli("fit", few, "-o", tmp_path / "r", *FIT, "--init", clusters, *words)
    assert outcome.code == code
    assert said in outcome.err
    assert os.listdir(tmp_path) == []


def test_centroids_of_a_trained_networks_features_start_a_run_from_both(
    cli: Cli, few: Path, trained: Path, tmp_path: Path
) -> None:
    store, found = tmp_path / "f.h5", tmp_path / "c.h5"
    cli.ok("extract", few, "-o", store, *PHOTOS, "--checkpoint", trained, "--seed", "2")
    cli.ok("cluster", store, "-o", found, "-k", "3")
    start = ("--checkpoint", trained, "--init", found)
    cli.ok("fit", few, "-o", tmp_path / "r", *FIT, "--epochs", "1", *start)


@pytest.mark.parametrize("dim", [16, 24])
def test_heads_alone_leave_the_backbone_as_it_was_and_can_have_other_channels(
    cli: Cli, people: Path, store: Path, tmp_path: Path, dim: int
) -> None:
    run = tmp_path / "run"
    words = (*FIT, "--epochs", "1", "--features", store, "--fpn-dim", str(dim))
    cli.ok("fit", people, "-o", run, *words)
    options = FitOptions(weights="none", backbone=BACKBONE, fpn_dim=16)
    start = build_network(options, None, 0, seed=0)[0]
    tensors = predictor(run)
    for name, values in start.state_dict().items():
        np.testing.assert_array_equal(tensors[f"model.{name}"], values.numpy(), err_msg=name)
    assert tensors["model.projection.weight"].shape == (dim, 16, 1, 1)
    read = load_predictor(run, torch.device("cpu"), None)
    assert read.scores(np.zeros((1, 64, 64, 3), np.uint8)).shape == (1, 3, 16, 16)
    # Its pyramid was never trained, and what was trained is for other features.
    started = cli("fit", people, "-o", tmp_path / "x", *FIT, "--checkpoint", run)
    assert started.code == 3
    assert "stored features" in started.err


def test_heads_record_the_network_of_their_features(
    cli: Cli, people: Path, store: Path, tmp_path: Path
) -> None:
    words = (*FIT, "--epochs", "0", "--weights", "imagenet", "--image-size", "128")
    done = cli.ok("fit", people, "-o", tmp_path / "run", *words, "--features", store)
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert (options["weights"], options["image_size"]) == ("none", 64)
    assert f"the network is that of {store}: --image-size 64 --weights none" in done.err


def test_heads_need_both_views(cli: Cli, people: Path, layer4: Path, tmp_path: Path) -> None:
    outcome = cli("fit", people, "-o", tmp_path / "r", *FIT, "--features", layer4)
    assert outcome.code == 3
    assert "found features of one view" in outcome.err
    assert "--views" in outcome.err


def test_a_run_stopped_by_a_signal_ends_as_an_unbroken_one(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    """Stopped in the second of two epochs, in a process of its own; default precision."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = (*PHOTOS, "--weights", "none", "--fpn-dim", "16", *HEADS, "--epochs", "2")
    cli.ok("fit", people, "-o", whole, *options)
    stopped = fork_python(STOP_AFTER_FOUR_STEPS + RUN_C2L, "fit", people, "-o", broken, *options)
    assert stopped.returncode == 75, stopped.stderr
    assert "SIGTERM" in stopped.stderr
    assert "--resume" in stopped.stderr
    assert not (broken / "predictor.safetensors").exists()
    outcome = cli.ok("fit", people, "-o", broken, *options, "--resume")
    assert "resumed at step 4" in outcome.err
    assert_same_predictor(broken, whole)
    assert learned(broken) == learned(whole)
    assert [m for m in metrics(broken) if m.get("step") == 6] == [
        m for m in metrics(whole) if m.get("step") == 6
    ]
    assert {"step-00000004", "step-00000006"} <= set(os.listdir(broken))
    assert "scratch" not in os.listdir(broken)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_stopped_in_or_after_its_warm_up_ends_as_an_unbroken_one(
    cli: Cli, few: Path, tmp_path: Path, steps: int
) -> None:
    options = (*FIT, "-b", "2", "--warmup", "1", "--epochs", "1", "--merge-clusters", "figure")
    cli.ok("fit", few, "-o", tmp_path / "whole", *options)
    with stop_after(steps):
        assert cli("fit", few, "-o", tmp_path / "broken", *options).code == 75
    cli.ok("fit", few, "-o", tmp_path / "broken", *options, "--resume")
    assert_same_predictor(tmp_path / "broken", tmp_path / "whole")


@pytest.fixture
def stopped(cli: Cli, few: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the four photos and a run on them that was stopped after its first step."""
    photos, run = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(few, photos)
    with stop_after(1):
        outcome = cli("fit", photos, "-o", run, *STOPPABLE)
    assert outcome.code == 75
    assert "state saved" in outcome.err
    return photos, run


def test_other_options_are_not_resumed(cli: Cli, stopped: tuple[Path, Path]) -> None:
    photos, run = stopped
    outcome = cli("fit", photos, "-o", run, *STOPPABLE, "--resume", "--lr", "0.5")
    assert outcome.code == 4
    assert "options.lr: the run has 0.0001, now 0.5" in outcome.err
    assert "batch_size" not in outcome.err


def test_what_does_not_change_the_result_may_change_on_resuming(
    cli: Cli, stopped: tuple[Path, Path]
) -> None:
    photos, run = stopped
    other = ("--save-minutes", "1", "--keep", "3", "--workers", "1", "--device", "cpu")
    cli.ok("fit", photos, "-o", run, *STOPPABLE, "--resume", *other)


def test_changed_photos_are_not_resumed(cli: Cli, stopped: tuple[Path, Path]) -> None:
    photos, run = stopped
    shutil.copyfile(photos / "a.jpg", photos / "b.jpg")
    outcome = cli("fit", photos, "-o", run, *STOPPABLE, "--resume")
    assert outcome.code == 3
    assert "the photos have changed since the run began: changed b.jpg" in outcome.err
    (photos / "b.jpg").rename(photos / "z.jpg")
    outcome = cli("fit", photos, "-o", run, *STOPPABLE, "--resume")
    assert outcome.code == 3
    assert "began: added z.jpg; missing b.jpg" in outcome.err


def test_a_run_resumed_without_its_options_names_them_before_weights_are_read(
    cli: Cli, stopped: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, run = stopped
    monkeypatch.setattr("c2l.training.fit_run.open_inputs", lambda *_: pytest.fail("opened"))
    outcome = cli("fit", photos, "-o", run, "--resume")
    assert outcome.code == 4
    assert "options.epochs: the run has 1, now 2" in outcome.err
    assert "options.weights: the run has 'none', now 'imagenet'" in outcome.err


def test_a_finished_run_is_not_called_one_of_other_photos(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(few, photos)
    command = ("fit", photos, "-o", tmp_path / "run", *FIT, "--epochs", "0", "--resume")
    cli.ok(*command[:-1])
    assert "finished already" in cli.ok(*command).err
    shutil.copyfile(photos / "a.jpg", photos / "b.jpg")
    outcome = cli(*command)
    assert outcome.code == 3
    assert "photos have changed since the run began: changed b.jpg" in outcome.err


def test_nothing_is_not_resumed(cli: Cli, few: Path, tmp_path: Path) -> None:
    outcome = cli("fit", few, "-o", tmp_path / "none", *FIT, "--resume")
    assert (outcome.code, os.listdir(tmp_path)) == (3, [])
    assert "c2l fit DATA" in outcome.err


def test_a_run_is_replaced_only_when_asked(cli: Cli, few: Path, stopped: tuple[Path, Path]) -> None:
    run = stopped[1]
    before = sorted(os.listdir(run))
    assert cli("fit", few, "-o", run, *FIT, "--max-steps", "1").code == 2
    assert sorted(os.listdir(run)) == before
    cli.ok("fit", few, "-o", run, *FIT, "--max-steps", "1", "--overwrite")
    content = (run / "predictor.safetensors").read_bytes()
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    kept = "".join(s for s in lines[:-1] if json.loads(s)["kind"] != "checkpoint")
    assert metrics(run)[-1] == {
        "kind": "done",
        "step": 1,
        "predictor_sha256": hashlib.sha256(content).hexdigest(),
        "metrics_sha256": hashlib.sha256(kept.encode()).hexdigest(),
    }


def test_a_folder_that_is_no_run_is_never_removed(cli: Cli, few: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    outcome = cli("fit", few, "-o", folder, *FIT, "--max-steps", "1", "--overwrite")
    assert outcome.code == 2
    assert os.listdir(folder) == ["thesis.txt"]


def test_a_loss_that_is_not_finite_takes_no_step(cli: Cli, few: Path, tmp_path: Path) -> None:
    step, digests = Trainer.step, []

    def second_is_nan(self: Trainer, loss: torch.Tensor, group: Any) -> None:
        bad, net = self.state.position.step == 1, self.state.net
        before = digest(net.state_dict())
        try:
            step(self, loss * math.nan if bad else loss, group)
        finally:
            names = [self.views.names[i] for i in group]
            digests.append((before, digest(net.state_dict()), names))

    with mock.patch.object(Trainer, "step", second_is_nan):
        outcome = cli("fit", few, "-o", tmp_path / "run", *FIT, "-b", "2", "--epochs", "1")
    assert outcome.code == 6
    (first, second) = digests
    assert first[0] != first[1]
    assert second[0] == second[1]
    assert "epoch 0, batch 1" in outcome.err
    assert "no step was taken" in outcome.err
    assert all(name in outcome.err for name in second[2])
    assert not (tmp_path / "run" / "predictor.safetensors").exists()


@pytest.mark.parametrize(
    ("switches", "place"),
    [
        # The matching of more parts than are tried one by one, and the step after it.
        (("-k", "8", "-b", "2"), "epoch 0, batch 1"),
        # The first pass after it: of the next epoch, of the warm-up's end, of the predictor.
        (("--epochs", "2"), "epoch 1: features"),
        (("--warmup", "1", "--warmup-lr", "1e20"), "epoch 1: features"),
        (("--part", "off", "--pixel", "off"), "epoch 1: features"),
    ],
)
def test_a_run_that_diverges_says_so_wherever_it_is_seen_first_and_how_to_start_again(
    cli: Cli, few: Path, tmp_path: Path, switches: tuple[str, ...], place: str
) -> None:
    command = ("fit", few, "-o", tmp_path / "run", *FIT, "--epochs", "1", *switches)
    outcome = cli(*command, "--lr", "1e20")
    assert outcome.code == 6, outcome.err
    assert place in outcome.err
    assert "jpg" in outcome.err
    assert "a lower --lr" in outcome.err
    assert "--resume" not in outcome.err


def test_what_a_run_that_diverged_and_one_of_other_options_hint_at_works(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    """Both options that change the result and --resume: never."""
    command = ("fit", few, "-o", tmp_path / "run", *FIT, "--epochs", "1", "-b", "2")
    for again in ((), ("--resume", "--lr", "1e-4")):
        outcome = cli(*command, "--lr", "1e20", *again)
        assert outcome.code == (4 if again else 6)
        assert "start a new run" in outcome.err
        assert "--overwrite replaces this one" in outcome.err
        assert "--checkpoint" not in outcome.err
    cli.ok(*command, "--overwrite", "--lr", "1e-4")


def test_a_broken_photo_is_left_out_when_asked(cli: Cli, few: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(few, photos)
    (photos / "b.jpg").write_bytes(b"\xff\xd8 no photo")
    outcome = cli("fit", photos, "-o", tmp_path / "x", *FIT, "--max-steps", "1")
    assert outcome.code == 3
    assert "b.jpg" in outcome.err
    run = tmp_path / "run"
    cli.ok("fit", photos, "-o", run, *FIT, "--max-steps", "1", "--on-error", "skip")
    assert list(json.loads((run / "inputs.json").read_text())["skipped"]) == ["b.jpg"]
    assert predictor(run)["classifier.counts"].sum() == 3 * 256


def test_a_dry_run_counts_steps_and_writes_nothing(cli: Cli, people: Path, tmp_path: Path) -> None:
    said = cli.ok(
        "fit", people, "-o", tmp_path / "r", *FIT, "--epochs", "3", "--dry-run", "--json"
    ).values
    assert (said["images"], said["steps"]) == (12, 9)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pixel-dim", "16"), "--pixel-dim 16"),
        (("--heads", "3"), "--heads 3"),
        (("--device", "cuda:99"), "cuda:99"),
        (("--sharpen",), "--merge-clusters figure"),
        (("--final-clusters", "mixture", "-k", "4"), "-k 3"),
        (("--final-clusters", "mixture", "--merge-clusters", "figure"), "--merge-clusters"),
        (("-k", "1"), "-k"),
    ],
)
def test_options_that_cannot_work_are_refused(
    cli: Cli, few: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    outcome = cli("fit", few, "-o", tmp_path / "r", *FIT, *options)
    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert said in outcome.err


def test_the_signal_handlers_are_given_back(cli: Cli, few: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    cli.ok("fit", few, "-o", tmp_path / "r", *FIT, "--max-steps", "1")
    assert signal.getsignal(signal.SIGTERM) is before


def test_resuming_is_proved_on_the_users_own_machine(
    cli: Cli, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the shortest run too: without a warm-up and with one epoch."""
    monkeypatch.setattr("c2l.stages.prove.subprocess", forked)
    run = tmp_path / "run"
    found = cli.ok("fit", people, "-o", run, *FIT, "--epochs", "1", "--prove-resume")
    said = dict(line.split("  ", 1) for line in found.out.splitlines())
    assert said["proved"].strip() == "true"
    assert json.loads(said["differs"]) == []
    stops = json.loads(said["stops"])
    assert [stop["signal"] for stop in stops] == ["SIGKILL", "SIGTERM"]
    assert 2 <= stops[0]["after_step"] < stops[1]["after_step"] < int(said["steps"])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "other",
    ["predictor.safetensors", "metrics.jsonl", "model.safetensors", "optimizer.safetensors"],
)
def test_a_run_that_does_not_resume_is_found_out(
    cli: Cli,
    people: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
) -> None:
    """Finished runs stand for those that the proof starts; the resumed one ends otherwise."""
    saved = []

    def start(_: Path, __: object, run: Path, options: FitOptions, *, resume: bool) -> None:
        assert (options.warmup, options.epochs, options.save_steps) == (1, 2, 1)
        if not resume:
            shutil.copytree(trained, run)
        else:
            (file,) = run.rglob(other)
            lines = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(lines[1:]))

    def stop(_: object, __: Path, number: int, sent: signal.Signals) -> int:
        # The first one is killed five steps late, after the second one was to stop.
        saved.append(number + 5 * (sent == signal.SIGKILL))
        return saved[-1]

    monkeypatch.setattr("c2l.stages.prove._start", start)
    monkeypatch.setattr("c2l.stages.prove._stop", stop)
    monkeypatch.setattr("c2l.stages.prove._finish", lambda _: None)
    words = ("--warmup", "3", "--epochs", "0", "--prove-resume")
    outcome = cli("fit", people, "-o", tmp_path / "run", *FIT, *words)
    assert outcome.code == 1
    (line,) = (s for s in outcome.err.splitlines() if "differs" in s)
    assert other.removesuffix(".safetensors").removesuffix(".jsonl") in line.partition("in: ")[2]
    # It is stopped again only after a step of its own.
    assert saved == [7, 8]


def test_a_run_killed_before_its_last_line_is_closed_by_resuming(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    assert '"done"' in lines[-1]
    (run / "metrics.jsonl").write_text("".join(lines[:-1]))
    (run / "scratch").mkdir()
    options = (*FIT, "--epochs", "1", "--split", "train", "--resume")
    cli.ok("fit", people, "-o", run, *options)
    assert (run / "metrics.jsonl").read_text() == "".join(lines)
    assert not (run / "scratch").exists()
