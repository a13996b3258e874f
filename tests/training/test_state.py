"""A run takes plain Adam steps, refuses non-finite ones, and resumes exactly where it was."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from c2l.artifacts.checkpoints import Position
from c2l.artifacts.runs import Run
from c2l.errors import BadInputError, NonFiniteError, StoppedError
from c2l.figure.warmup import warmup_rate
from c2l.nn.backbone import Backbone
from c2l.nn.network import ParsingNetwork
from c2l.nn.pixel import PixelConsistentModule
from c2l.nn.pyramid import FeaturePyramid
from c2l.nn.sparse import SparseCode
from c2l.options import FitOptions
from c2l.runtime.signals import StopRequest
from c2l.training.loop import Trainer
from c2l.training.state import TrainingState, digest

OPTIONS = FitOptions(
    fpn_dim=8, lr=1e-3, warmup=0, warmup_lr=1e-2, weights="none", save_minutes=1e6, batch_size=2
)
IMAGES = 6  # three batches per epoch
GROUP = np.array([0])


class Tiny(nn.Module):
    """Stands for the backbone where its features do not matter."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {"layer1": 3, "layer2": 3, "layer3": 3, "layer4": 3}
        self.weight = nn.Parameter(torch.ones(3))


def network(*, frozen: bool = False, dim: int = 8) -> ParsingNetwork:
    torch.manual_seed(0)
    backbone: Backbone = Tiny()  # type: ignore[assignment]
    pyramid = FeaturePyramid(backbone.channels, dim)
    pixel = PixelConsistentModule(dim, 2, SparseCode(dim, 4, sparsity=0.1))
    projection = nn.Conv2d(3, dim, 1) if frozen else None
    return ParsingNetwork(backbone, pyramid, pixel, None, projection=projection)


def loss_of(trainer: Trainer) -> Tensor:
    total = torch.zeros(())
    for number, parameter in enumerate(trainer.state.trained()):
        total = total + ((parameter - 0.1 * number) ** 2).sum()
    return total


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A new run."""
    return Run.create(tmp_path / "run", {}, overwrite=False)


def trainer_of(
    run: Run, options: FitOptions = OPTIONS, net: ParsingNetwork | None = None
) -> Trainer:
    views: Any = SimpleNamespace(names=tuple(f"{i}.png" for i in range(IMAGES)))
    state = TrainingState(run, net or network(), options)
    return Trainer(state, views, torch.device("cpu"), StopRequest())


def digest_of(trainer: Trainer) -> str:
    return digest(trainer.state.net.state_dict())


def steps(trainer: Trainer, count: int) -> None:
    for _ in range(count):
        trainer.step(loss_of(trainer), GROUP)


def test_restored_moments_lie_as_their_parameters_do(run: Run) -> None:
    def channels_last() -> Trainer:
        net = network(frozen=True)
        net.projection = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
        return trainer_of(run, net=net)

    torch.manual_seed(1)
    first = channels_last()
    steps(first, 1)
    first.state.save()
    second = channels_last()
    assert second.state.restore()
    for parameter, state in second.state.optimizer.state.items():
        assert state["exp_avg"].stride() == state["exp_avg_sq"].stride() == parameter.stride()
    steps(first, 1)
    steps(second, 1)
    assert digest_of(second) == digest_of(first)


def test_steps_are_adams_followed_by_the_projection(run: Run) -> None:
    trainer, reference = trainer_of(run), trainer_of(run)
    optimizer = torch.optim.Adam(reference.state.net.parameters(), lr=1e-3, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(reference).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        reference.state.net.constrain()
    steps(trainer, 3)
    assert digest_of(trainer) == digest_of(reference)
    assert trainer.state.position == Position(epoch=0, batch=3, step=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_takes_no_step_and_names_the_batch(
    run: Run, value: float
) -> None:
    trainer = trainer_of(run)
    steps(trainer, 1)
    before = digest_of(trainer)
    trainer.views = SimpleNamespace(names=[f"{i}.png" for i in range(12)])  # type: ignore[assignment]
    with pytest.raises(NonFiniteError, match="epoch 0, batch 1") as caught:
        trainer.step(loss_of(trainer) * value, np.arange(12))
    assert caught.value.exit_code == 6
    assert "0.png, 1.png" in caught.value.message
    assert "..." in caught.value.message
    assert digest_of(trainer) == before
    assert trainer.state.position.step == 1


def test_a_gradient_that_is_not_finite_takes_no_step(run: Run) -> None:
    trainer = trainer_of(run)
    before = digest_of(trainer)
    weight = trainer.state.net.backbone.get_parameter("weight")
    with pytest.raises(NonFiniteError):
        trainer.step((weight - weight).sum().sqrt(), GROUP)
    assert digest_of(trainer) == before


def test_resuming_from_a_checkpoint_is_as_if_it_had_never_stopped(run: Run, tmp_path: Path) -> None:
    whole = trainer_of(Run.create(tmp_path / "whole", {}, overwrite=False))
    steps(whole, 6)
    first = trainer_of(run)
    steps(first, 4)
    run.log({"step": 4})
    first.state.save()
    run.log({"step": 5})
    steps(first, 1)

    second = trainer_of(run)
    assert second.state.restore()
    assert (second.state.position.step, second.state.position.batch) == (4, 4)
    saved = {"kind": "checkpoint", "step": 4}
    assert run.read_metrics() == [
        {"step": 4},
        saved | {"parameters_sha256": digest_of(second)},
    ]
    steps(second, 2)
    assert digest_of(second) == digest_of(whole)


def test_without_a_checkpoint_the_run_begins_anew(run: Run) -> None:
    run.log({"step": 1})
    assert not trainer_of(run).state.restore()
    assert run.read_metrics() == []


def test_damaged_checkpoints_are_named_and_work_is_never_begun_anew_in_silence(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = trainer_of(run)
    for _ in range(2):
        steps(trainer, 2)
        run.log({"step": trainer.state.position.step})
        trainer.state.save()
    written = run.metrics.read_bytes()

    def damage(step: int) -> None:
        path = run.path / f"step-{step:08d}" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    damage(4)
    second = trainer_of(run)
    assert second.state.restore()
    assert second.state.position.step == 2
    assert "the checkpoint of step 4 cannot be used" in capsys.readouterr().err
    run.metrics.write_bytes(written)
    damage(2)
    with pytest.raises(BadInputError, match="checkpoints of steps 2, 4 cannot be used") as caught:
        trainer_of(run).state.restore()
    assert "c2l verify" in str(caught.value.hint)
    assert run.metrics.read_bytes() == written


def test_a_checkpoint_of_another_network_is_refused(run: Run) -> None:
    trainer = trainer_of(run)
    steps(trainer, 1)
    trainer.state.save()
    other = trainer_of(run, net=network(dim=10))
    with pytest.raises(BadInputError, match="does not fit"):
        other.state.restore()


def test_a_signal_saves_the_state_then_stops(run: Run) -> None:
    trainer = trainer_of(run)
    steps(trainer, 2)
    trainer.state.save_or_stop(trainer.stop)
    assert run.latest() is None
    trainer.stop.received = signal.SIGTERM.name
    with pytest.raises(StoppedError, match="SIGTERM: stopped at step 2") as caught:
        trainer.state.save_or_stop(trainer.stop)
    assert caught.value.exit_code == 75
    assert "--resume" in (caught.value.hint or "")
    found = run.latest()
    assert found is not None
    assert found.position.step == 2
    assert found.parameters_sha256 == digest_of(trainer)


def test_an_epochs_end_is_saved_and_its_targets_are_forgotten(run: Run) -> None:
    trainer = trainer_of(run)
    steps(trainer, 2)
    for epoch in (0, 1):
        run.epoch_file(epoch).parent.mkdir()
    trainer.state.end_epoch()
    found = run.latest()
    assert found is not None
    assert found.position == Position(1, 0, 2)
    assert not run.epoch_file(0).parent.exists()
    assert run.epoch_file(1).parent.exists()


def test_a_frozen_backbone_is_not_trained(run: Run) -> None:
    trainer = trainer_of(run, net=network(frozen=True))
    net = trainer.state.net
    before = {k: v.clone() for k, v in net.state_dict().items()}
    steps(trainer, 2)
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert {name.split(".")[0] for name in changed} == {"pixel", "projection"}


def test_max_steps_finishes(run: Run) -> None:
    trainer = trainer_of(run, replace(OPTIONS, max_steps=2))
    assert not trainer.finished
    steps(trainer, 2)
    assert trainer.finished
    unlimited = trainer_of(run)
    steps(unlimited, 3)
    assert not unlimited.finished


def test_the_warm_up_has_a_head_and_a_rate_of_its_own(run: Run) -> None:
    trainer = trainer_of(run, replace(OPTIONS, warmup=1))
    assert list(trainer.state.heads) == ["figure"]
    assert trainer.state.optimizer.param_groups[0]["lr"] == 1e-2
    head = next(iter(trainer.state.heads.parameters())).clone()
    steps(trainer, 1)
    assert not torch.equal(next(iter(trainer.state.heads.parameters())), head)
    assert trainer.state.optimizer.param_groups[0]["lr"] == warmup_rate(1e-2, 0, 3)
    steps(trainer, 2)
    assert trainer.state.optimizer.param_groups[0]["lr"] == warmup_rate(1e-2, 2, 3)
    trainer.state.end_epoch()
    trainer.state.begin_epoch()
    assert not list(trainer.state.heads)
    assert trainer.state.optimizer.param_groups[0]["lr"] == 1e-3
    assert not trainer.state.optimizer.state_dict()["state"]


def with_its_head_in_the_model(run: Run) -> None:
    """The newest checkpoint as it was written before heads had a file of their own."""
    found = run.latest()
    assert found is not None
    head = found.heads["figure.prototypes"]
    model = {**found.network, "warmup_head.prototypes": head}
    run.save(replace(found, network=model, heads={}), keep=2)


@pytest.mark.parametrize("old", [False, True], ids=["", "old"])
@pytest.mark.parametrize("at_the_end", [False, True], ids=["within", "end"])
def test_resuming_the_warm_up_is_exact(
    run: Run, tmp_path: Path, at_the_end: bool, old: bool
) -> None:
    options = replace(OPTIONS, warmup=1)

    def train(trainer: Trainer, *, stopped: bool) -> None:
        while trainer.state.position.step < 5:
            if trainer.state.position.epoch == 0 and trainer.state.position.batch == 3:
                trainer.state.end_epoch()
                if stopped and at_the_end:
                    return
            trainer.state.begin_epoch()
            steps(trainer, 1)
            if stopped and not at_the_end and trainer.state.position.step == 2:
                trainer.state.save()
                return

    whole = trainer_of(Run.create(tmp_path / "whole", {}, overwrite=False), options)
    train(whole, stopped=False)
    train(trainer_of(run, options), stopped=True)
    if old:
        with_its_head_in_the_model(run)
    second = trainer_of(run, options)
    assert second.state.restore()
    train(second, stopped=False)
    assert digest_of(second) == digest_of(whole)


def test_digest_depends_on_names_and_values_and_not_on_order() -> None:
    a, b = torch.ones(2), torch.zeros(3)
    assert digest({"a": a, "b": b}) == digest({"b": b, "a": a})
    assert digest({"a": a}) != digest({"b": a})
    assert digest({"a": a}) != digest({"a": a + 1e-7})
