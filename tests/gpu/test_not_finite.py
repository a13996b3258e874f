"""On a GPU steps that are not finite are skipped there, and found where the host waits anyway."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from devices import on_each_device
from torch import Tensor

from c2l.errors import NonFiniteError
from c2l.model.build import build_network
from c2l.options import FitOptions
from c2l.training.state import TrainingState, digest

OPTIONS = FitOptions(method="picie", weights="none", fpn_dim=8, warmup=0, part="off", pixel="off")


class Unwatched(TrainingState):
    """On the CPU, steps as on a GPU: the host looks at the tenth."""

    def require_finite(self) -> None:
        if self.position.step % 10 == 0 and self.position.step:
            super().require_finite()
        elif len(self._unchecked):
            self._skip_if_not_finite(self._unchecked[-1][0])


@on_each_device
def test_nothing_is_learned_from_the_first_bad_step_on_and_its_batch_is_named(device: str) -> None:
    net, _ = build_network(OPTIONS, None, 0, seed=0)
    kind = Unwatched if device == "cpu" else TrainingState
    state = kind(SimpleNamespace(), net.to(device), OPTIONS)  # type: ignore[arg-type]
    weight = next(net.parameters())

    def step(number: int, factor: float) -> None:
        loss: Tensor = factor * weight.square().sum()
        state.descend(loss, f"step {number}", f"Images: {number}.jpg")

    step(1, 1.0)
    step(2, 1.0)
    before = digest(dict(net.state_dict()))
    for number, factor in enumerate([math.nan, 1.0, math.inf, 1.0, 1.0, 1.0, 1.0], start=3):
        step(number, factor)
    assert digest(dict(net.state_dict())) == before
    assert float(state.optimizer.state[weight]["step"]) == 2
    assert bool(torch.isfinite(state.optimizer.state[weight]["exp_avg"]).all())
    with pytest.raises(NonFiniteError, match=r"step 3: loss nan.*Images: 3\.jpg"):
        step(10, 1.0)
