"""What a training run carries from step to step, all of which is in its checkpoints."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from c2l.artifacts.lineage import quoted
from c2l.artifacts.runs import Checkpoint, Run
from c2l.errors import BadInputError, NonFiniteError
from c2l.figure.warmup import FigureHead, warmup_rate
from c2l.nn.network import ParsingNetwork
from c2l.options import FitOptions
from c2l.runtime.files import sha256_file
from c2l.runtime.progress import voice
from c2l.runtime.signals import StopRequest

GO_ON = "go on with the same command and --resume"


@dataclass
class Position:
    """Where a run is.

    Attributes:
        epoch: counted from 0, the warm-up's epochs first.
        batch: batches of the epoch that are done.
        step: optimiser steps since the start.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0


class Trainer:
    """Network, optimiser and position; saves and restores them, and takes steps.

    Args:
        run: the run folder.
        net: the network on its device.
        options: of the run.
        stop: the request to stop.
        images: number of images.
    """

    def __init__(
        self, run: Run, net: ParsingNetwork, options: FitOptions, stop: StopRequest, images: int
    ) -> None:
        self.run, self.net, self.options, self.stop = run, net, options, stop
        self.batches = -(-images // options.batch_size)
        self.position = Position()
        self.head: FigureHead | None = None
        self._targets_sha256 = ""
        self._saved_at = time.monotonic()
        self.optimizer = self._begin_phase(0)

    def _begin_phase(self, epoch: int) -> torch.optim.Adam:
        """A fresh optimiser for the warm-up or the training proper, and the warm-up's head."""
        warming = epoch < self.options.warmup
        self.head = None
        if warming:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.options.seed + 3)
                self.head = FigureHead(self.options.fpn_dim)
            self.head.to(next(self.net.parameters()).device)
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
        return own + (list(self.head.parameters()) if self.head else [])

    def enter_epoch(self, epoch: int) -> None:
        """Begin an epoch; leaving the warm-up starts the optimiser anew."""
        if epoch == self.options.warmup and self.options.warmup and not self.position.batch:
            self.optimizer = self._begin_phase(epoch)

    @property
    def finished(self) -> bool:
        """Whether ``--max-steps`` is reached."""
        return 0 < self.options.max_steps <= self.position.step

    def step(self, loss: Tensor, names: list[str]) -> None:
        """One optimiser step, unless loss or gradient is not finite.

        Args:
            loss: scalar.
            names: of the batch's images, for the error.

        Raises:
            NonFiniteError: names the batch; no step was taken.
        """
        if self.head is not None:
            done = self.position.epoch * self.batches + self.position.batch
            rate = warmup_rate(self.options.warmup_lr, done, self.options.warmup * self.batches)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        grads = [p.grad for p in self.trained() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        if not bool(torch.isfinite(norm + loss.detach())):
            place = f"epoch {self.position.epoch}, batch {self.position.batch}"
            raise NonFiniteError(
                f"{place}: loss {float(loss.detach())}, gradient norm {float(norm)}; "
                f"no step was taken. Images: {', '.join(names[:8])}"
                + (" ..." if len(names) > 8 else ""),
                hint="lower --lr, or try --amp off; go on from the last checkpoint by --resume",
            )
        self.optimizer.step()
        self.net.constrain()
        self.position.batch += 1
        self.position.step += 1

    def pause(self) -> None:
        """At a step boundary: save when it is time to, stop when asked to.

        Raises:
            StoppedError: a signal came, and the state is saved.
        """
        options, step = self.options, self.position.step
        due = time.monotonic() - self._saved_at > options.save_minutes * 60
        due |= options.save_steps > 0 and step % options.save_steps == 0
        if due or self.stop.received:
            self.save()
        if self.stop.received:
            where = f"stopped at step {self.position.step}, state saved in {self.run.path}"
            self.stop.check(where, GO_ON)

    def leave_if_asked(self) -> None:
        """Where nothing is worth saving: the newest checkpoint is where the run goes on.

        Raises:
            StoppedError: a signal came.
        """
        steps = self.run.steps()
        saved = f"the state of step {steps[-1]} is saved" if steps else "nothing was trained yet"
        self.stop.check(f"stopped; {saved} in {self.run.path}", GO_ON)

    def work_on(self, targets: Path) -> None:
        """Note the targets of the epoch that is trained, which its checkpoints depend on."""
        self._targets_sha256 = sha256_file(targets)

    def end_epoch(self) -> None:
        """Move on to the next epoch and save."""
        self.position.epoch, self.position.batch = self.position.epoch + 1, 0
        self.save()
        self.run.forget_old_epochs()

    def save(self) -> None:
        """Write a checkpoint, and a line of the metrics that tells its parameters' digest."""
        model = dict(self.net.state_dict())
        if self.head is not None:
            model |= {f"warmup_head.{k}": v for k, v in self.head.state_dict().items()}
        sum_of_all = digest(model)
        place = {"step": self.position.step, "parameters_sha256": sum_of_all}
        self.run.log({"kind": "checkpoint", **place})
        state = {
            "epoch": self.position.epoch,
            "batch": self.position.batch,
            "targets_sha256": self._targets_sha256 if self.position.batch else "",
            "metrics_bytes": self.run.metrics_size(),
            "parameters_sha256": sum_of_all,
        }
        optimizer = {
            f"{index}.{name}": value
            for index, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }
        self.run.save(
            Checkpoint(self.position.step, model, optimizer, state), keep=self.options.keep
        )
        self._saved_at = time.monotonic()

    def restore(self) -> bool:
        """Take up the newest sound checkpoint.

        Returns:
            False when there is none yet.

        Raises:
            BadInputError: not one of those that are there is sound, or it does not fit the
                network.
        """
        self.run.clean()
        checkpoint = self.run.latest(self._has_its_targets)
        passed = [s for s in self.run.steps() if checkpoint is None or s > checkpoint.step]
        if passed:
            self._tell_passed(passed, found=checkpoint is not None)
        if checkpoint is None:
            self.run.rewind_metrics(0)
            return False
        state = checkpoint.state
        self.position = Position(state["epoch"], state["batch"], checkpoint.step)
        # At the very end of the warm-up the saved optimiser is still the warm-up's.
        ended = self.position.epoch - (0 if self.position.batch else 1)
        self.optimizer = self._begin_phase(max(ended, 0))
        head = {k: v for k, v in checkpoint.model.items() if k.startswith("warmup_head.")}
        try:
            self.net.load_state_dict({k: v for k, v in checkpoint.model.items() if k not in head})
            if self.head is not None:
                self.head.load_state_dict(
                    {k.removeprefix("warmup_head."): v for k, v in head.items()}
                )
            self._restore_optimizer(checkpoint.optimizer)
        except (RuntimeError, ValueError, KeyError) as error:
            first = str(error).split("\n", 1)[0]
            raise BadInputError(self.run.path, f"its checkpoint does not fit: {first}") from None
        missing = state["metrics_bytes"] - self.run.metrics_size()
        self.run.rewind_metrics(state["metrics_bytes"])
        if missing > 0:
            voice.say(f"{self.run.metrics}: {missing:,} bytes of earlier metrics are gone")
            self.run.log({"kind": "lost", "bytes": missing})
        return True

    def _tell_passed(self, steps: list[int], *, found: bool) -> None:
        """Say which checkpoints are not gone on with; work that is there is not begun anew."""
        many = "checkpoints of steps" if len(steps) > 1 else "checkpoint of step"
        why = "damaged, without labels, or another run's"
        what = f"the {many} {', '.join(map(str, steps))} cannot be used: {why}"
        if not found:
            raise BadInputError(
                self.run.path,
                what,
                hint=f"see what is damaged: c2l verify {quoted(self.run.path)}; begin anew by "
                "--overwrite",
            )
        voice.say(f"{self.run.path}: {what}")

    def _has_its_targets(self, state: dict[str, Any]) -> bool:
        """Whether it says where it lies, and the labels of that epoch are there, as they were."""
        if not {"epoch", "batch", "metrics_bytes"} <= state.keys():
            return False
        wanted = state.get("targets_sha256")
        if not wanted:
            return True
        path = self.run.epoch_file(state["epoch"])
        return path.is_file() and sha256_file(path) == wanted

    def _restore_optimizer(self, tensors: dict[str, Tensor]) -> None:
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".", 1)
            states.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        # The fused step goes through the memory of a parameter and of its moments side by side,
        # whatever their strides: moments must lie as their parameter does, channels last.
        for parameter, state in self.optimizer.state.items():
            for name, value in state.items():
                if value.shape == parameter.shape:
                    state[name] = torch.empty_like(parameter).copy_(value)


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of all parameters' bytes in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(
            tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()
