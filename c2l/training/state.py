"""What a training run carries from step to step, and its checkpoints."""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from c2l.artifacts.checkpoints import Checkpoint, Position
from c2l.artifacts.lineage import quoted
from c2l.artifacts.runs import Run
from c2l.errors import BadInputError, NonFiniteError
from c2l.figure.warmup import FigureHead
from c2l.model.build import seeded
from c2l.nn.network import ParsingNetwork
from c2l.options import CheckpointOptions, FitOptions
from c2l.runtime.files import sha256_file
from c2l.runtime.progress import console
from c2l.runtime.ranks import ALONE, Ranks
from c2l.runtime.signals import StopRequest

# Steps between the lines of metrics.jsonl.
LOG_EVERY = 10
# The warm-up's head among the heads.
FIGURE = "figure"
RESUME = "resume with the same command and --resume"
# Both options decide the result, so that a run cannot be resumed under others.
LOWER = "start a new run with a lower --lr, or with --amp off; --overwrite replaces this one"

O = TypeVar("O", bound=CheckpointOptions)  # noqa: E741  # the options of the stage


class State(ABC, Generic[O]):
    """Network, heads, optimiser and position of a run of any stage that trains.

    Args:
        run: the run folder.
        net: the network on its device.
        options: of the run.
        ranks: that share the run.

    Attributes:
        heads: modules that only training has, by name.
        saved_at: ``time.monotonic()`` of the last checkpoint.
        targets_sha256: of the targets of the epoch that is trained.
    """

    def __init__(self, run: Run, net: ParsingNetwork, options: O, ranks: Ranks = ALONE) -> None:
        self.run, self.net, self.options, self.ranks = run, net, options, ranks
        self.position = Position()
        self.heads = nn.ModuleDict()
        self.saved_at = time.monotonic()
        self.targets_sha256 = ""
        self._unchecked: list[tuple[Tensor, str, str]] = []
        self.optimizer = self._begin_phase(0)

    @abstractmethod
    def _begin_phase(self, epoch: int) -> torch.optim.Optimizer:
        """The heads of the phase that an epoch belongs to, fresh, and its optimiser."""

    @abstractmethod
    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained."""

    @property
    def place(self) -> str:
        """How far the run is, for messages."""
        return f"step {self.position.step}"

    def is_logged(self, *, last: bool) -> bool:
        """Whether the metrics hold the step that was taken: every tenth, and the ``last`` ones."""
        return last or self.position.step % LOG_EVERY == 0

    def descend(self, loss: Tensor, place: str, batch: str) -> None:
        """One step of the optimiser, unless loss or gradient is not finite.

        Args:
            loss: scalar, this rank's part.
            place: where in the run this is, for the error.
            batch: what the batch consists of, for the error.

        Raises:
            NonFiniteError: names the batch; no step was taken, nor one after it.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [p.grad for p in self.trained() if p.grad is not None]
        value = loss.detach().clone()
        if not self.ranks.alone:
            sum_over(self.ranks, [*grads, value])
        found = torch.stack([value, torch.nn.utils.get_total_norm(grads)])
        self._unchecked.append((found, place, batch))
        if found.device.type == "cpu":
            self.require_finite()
        else:
            self._skip_if_not_finite(found)
        self.optimizer.step()
        self.net.constrain()
        self.position.batch += 1
        self.position.step += 1
        if self.is_logged(last=False):
            self.require_finite()

    def _skip_if_not_finite(self, found: Tensor) -> None:
        """Let the device itself skip this step and all that follow; the host would have to wait."""
        skip = (~torch.isfinite(found).all()).float()
        before = getattr(self.optimizer, "found_inf", None)
        # The fused optimisers read this attribute.
        self.optimizer.found_inf = skip if before is None else torch.maximum(skip, before)  # type: ignore[attr-defined]

    def require_finite(self) -> None:
        """Check the steps that nobody looked at yet, where the host waits for the device anyway.

        Raises:
            NonFiniteError: names the first batch whose loss or gradient is not finite.
        """
        steps, self._unchecked = self._unchecked, []
        if not steps:
            return
        values = torch.stack([found for found, _, _ in steps]).tolist()
        for (loss, norm), (_, place, batch) in zip(values, steps, strict=True):
            if not math.isfinite(loss + norm):
                what = f"{place}: loss {loss}, gradient norm {norm}; no step was taken. {batch}"
                error = NonFiniteError(what, hint=LOWER)
                error.alike = True
                raise error

    def save_or_stop(self, stop: StopRequest) -> None:
        """Between two steps: save when it is time to, stop when asked to.

        Raises:
            StoppedError: a signal came, and the state is saved.
        """
        options, step = self.options, self.position.step
        due = time.monotonic() - self.saved_at > options.save_minutes * 60
        due |= options.save_steps > 0 and step % options.save_steps == 0
        agreed = self.ranks.agree(stop, due)
        if agreed.due or agreed.stop:
            self.save()
        if agreed.stop:
            stop.check(f"stopped at step {step}, state saved in {self.run.path}", RESUME)

    def save(self) -> None:
        """Write a checkpoint, and a line of the metrics with its parameters' digest.

        Raises:
            NonFiniteError: as ``require_finite``.
        """
        self.require_finite()
        network, heads = dict(self.net.state_dict()), dict(self.heads.state_dict())
        sha256 = digest(network | {f"heads.{name}": value for name, value in heads.items()})
        place = {"step": self.position.step, "parameters_sha256": sha256}
        self.ranks.require_same(str(self.run.path), place)
        self.run.log({"kind": "checkpoint", **place})
        moments = {
            f"{index}.{name}": value
            for index, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }
        targets = self.targets_sha256 if self.position.batch else ""
        size = self.run.metrics_size()
        checkpoint = Checkpoint(self.position, network, heads, moments, targets, size, sha256)
        self.ranks.first_does(lambda: self.run.save(checkpoint, keep=self.options.keep))
        self.saved_at = time.monotonic()

    def restore(self) -> bool:
        """Take up the newest sound checkpoint.

        Returns:
            False if there are no checkpoints yet.

        Raises:
            BadInputError: there are checkpoints and none is sound, or it does not fit the
                network.
        """
        self.run.clean()
        checkpoint = self.run.latest()
        unusable = [
            s for s in self.run.steps() if checkpoint is None or s > checkpoint.position.step
        ]
        if unusable:
            self._report_unusable(unusable, others=checkpoint is not None)
        if checkpoint is None:
            self.run.rewind_metrics(0)
            return False
        self.position = checkpoint.position
        # At the very end of the warm-up the saved optimiser is still the warm-up's.
        ended = self.position.epoch - (0 if self.position.batch else 1)
        self.optimizer = self._begin_phase(max(ended, 0))
        try:
            self.net.load_state_dict(checkpoint.network)
            self.heads.load_state_dict(checkpoint.heads)
            self._restore_optimizer(checkpoint.optimizer)
        except (RuntimeError, ValueError, KeyError) as error:
            first = str(error).split("\n", 1)[0]
            raise BadInputError(self.run.path, f"its checkpoint does not fit: {first}") from None
        missing = checkpoint.metrics_bytes - self.run.metrics_size()
        self.run.rewind_metrics(checkpoint.metrics_bytes)
        if missing > 0:
            console.print(f"{self.run.metrics}: {missing:,} bytes of earlier metrics are missing")
            self.run.log({"kind": "lost", "bytes": missing})
        return True

    def _report_unusable(self, steps: list[int], *, others: bool) -> None:
        """Report the checkpoints that are skipped; a run never starts again unasked."""
        many = "checkpoints of steps" if len(steps) > 1 else "checkpoint of step"
        why = "damaged, without labels, or another run's"
        what = f"the {many} {', '.join(map(str, steps))} cannot be used: {why}"
        if not others:
            raise BadInputError(
                self.run.path,
                what,
                hint=f"see what is damaged: c2l verify {quoted(self.run.path)}; start again with "
                "--overwrite",
            )
        console.print(f"{self.run.path}: {what}")

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".", 1)
            states.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        # The fused step walks the memory of a parameter and of its moments side by side,
        # whatever their strides: moments must lie as their parameter does, channels last.
        for parameter, state in self.optimizer.state.items():
            for name, value in state.items():
                if value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter).copy_(value)


class TrainingState(State[FitOptions]):
    """The state of a run of ``fit``: a warm-up with a head of its own, then the method proper."""

    def _begin_phase(self, epoch: int) -> torch.optim.Adam:
        """A fresh optimiser for the warm-up or for the training proper, and the phase's heads."""
        warming = epoch < self.options.warmup
        self.heads = nn.ModuleDict()
        if warming:
            with seeded(self.options.seed + 3):
                self.heads[FIGURE] = FigureHead(self.options.fpn_dim)
            self.heads.to(next(self.net.parameters()).device)
        rate = self.options.warmup_lr if warming else self.options.lr
        return torch.optim.Adam(self.trained(), lr=rate, fused=True)

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained; a frozen backbone's are not."""
        frozen = self.net.projection is not None
        own = [
            p
            for name, p in self.net.named_parameters()
            if not (frozen and name.startswith(("backbone.", "pyramid.")))
        ]
        return own + list(self.heads.parameters())

    @property
    def place(self) -> str:
        return f"{super().place}, epoch {self.position.epoch}"

    def begin_epoch(self) -> None:
        """Leaving the warm-up, drop its head and start a new optimiser."""
        if self.heads and self.position.epoch >= self.options.warmup:
            self.optimizer = self._begin_phase(self.position.epoch)

    def end_epoch(self) -> None:
        """Move on to the next epoch and save."""
        self.position.epoch, self.position.batch = self.position.epoch + 1, 0
        self.save()
        self.run.forget_old_epochs()

    def depend_on(self, targets: Path) -> None:
        """Record the targets of the current epoch, which its checkpoints need."""
        self.targets_sha256 = sha256_file(targets)


def sum_over(ranks: Ranks, tensors: Sequence[Tensor]) -> None:
    """Sum tensors over all ranks, in one exchange and in place."""
    total = ranks.sum(torch.cat([tensor.flatten() for tensor in tensors]))
    parts = torch.split(total, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of all parameters' bytes in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(
            tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()
