"""Trains the network on drawings, which come with their labels.

Each step takes a batch from the pool, distorts it, and descends the cross-entropy of a 1x1
convolution on m. A moving average of the weights becomes the predictor.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from c2l.artifacts.predictor import StoredPredictor, write_predictor
from c2l.clustering.kmeans import count_labels
from c2l.data.labels import Merge, load_merge, published_space
from c2l.errors import OutOfMemoryError
from c2l.model.build import seeded
from c2l.model.classifier import Head
from c2l.nn.clustering_loss import cross_entropy
from c2l.nn.distort import distort, sample_distortion
from c2l.nn.resize import resize
from c2l.options import TeachOptions, recorded
from c2l.runtime.device import precision, send, upload
from c2l.runtime.progress import progress
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import Purpose, stream
from c2l.training.drawing_pool import Pool
from c2l.training.state import State
from c2l.training.view_sources import prefetch

Indices = NDArray[np.int64]
# Modules that only training has.
HEAD, AVERAGE, AVERAGE_HEAD, SEEN = "head", "average", "average_head", "seen"
# With --start-size: the share of the steps in which pictures grow, and by how many pixels at once.
GROWING, GROWTH = 0.75, 16
# With --class-weights root: the share below which a label counts no more for being rare, and how
# much of the weights' logarithm is taken from the predictor's biases. Weighted cross-entropy learns
# p(y | x) w_y up to a factor, so 1 gives back p(y | x) (logit adjustment, Menon et al. 2021).
RAREST, CORRECTION = 1e-3, 0.5


def taught_labels(options: TeachOptions) -> Merge:
    """The merge of ATR's labels, which drawings have, into the classes that are trained."""
    return load_merge("fine" if options.left_right else "parts", published_space("atr"))


def mirrored(names: tuple[str, ...]) -> list[int]:
    """The class of each class in a mirror: left is right there."""
    swap = {"left": "right", "right": "left"}
    parts = [name.partition("-") for name in names]
    return [names.index(f"{swap.get(side, side)}{dash}{rest}") for side, dash, rest in parts]


class Seen(nn.Module):
    """Pixels of each class seen so far, (K,) int64, kept with the checkpoints."""

    counts: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.int64))

    def add(self, labels: Tensor) -> Tensor:
        """Count a batch; (K,) weights by the square root of the inverse frequency."""
        self.counts += count_labels(labels.flatten(), len(self.counts))
        return self.weights()

    def weights(self) -> Tensor:
        """(K,) weights of the labels seen so far."""
        shares = self.counts / self.counts.sum().clamp_min(1)
        return shares.clamp_min(RAREST).rsqrt()


class TeachingState(State[TeachOptions]):
    """The state of a run of ``teach``: the head, and the moving average of network and head."""

    def _begin_phase(self, epoch: int) -> torch.optim.AdamW:
        options, device = self.options, next(self.net.parameters()).device
        classes = len(taught_labels(options).classes)
        with seeded(options.seed + 3):
            head = nn.Conv2d(options.fpn_dim, classes, 1)
        modules = {
            HEAD: head,
            AVERAGE: copy.deepcopy(self.net),
            AVERAGE_HEAD: copy.deepcopy(head),
            SEEN: Seen(classes),
        }
        self.heads = nn.ModuleDict(modules).to(device)
        return torch.optim.AdamW(
            self.trained(), lr=options.lr, weight_decay=options.weight_decay, fused=True
        )

    def trained(self) -> list[nn.Parameter]:
        """The network's parameters and the head's; averages follow them."""
        return [*self.net.parameters(), *self.heads[HEAD].parameters()]

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averages towards the weights, faster in the first steps; buffers too."""
        step = self.position.step
        share = 1 - min(self.options.average, (1 + step) / (10 + step))
        share = 1.0 if self.options.average == 0 else share
        pairs = ((self.heads[AVERAGE], self.net), (self.heads[AVERAGE_HEAD], self.heads[HEAD]))
        for average, module in pairs:
            own, given = average.state_dict(), module.state_dict()
            floats = [name for name, value in own.items() if value.is_floating_point()]
            torch._foreach_lerp_([own[n] for n in floats], [given[n] for n in floats], share)
            for name in own.keys() - floats:
                own[name].copy_(given[name])


@dataclass
class Teacher:
    """One teaching run.

    Attributes:
        state: network, head, averages, optimiser and position: what checkpoints hold.
        pool: of drawings.
        device: of the network.
        stop: the request to stop.
    """

    state: TeachingState
    pool: Pool
    device: torch.device
    stop: StopRequest

    def train(self) -> None:
        """All steps that are left, then the predictor; can be stopped and resumed anywhere."""
        state, options = self.state, self.state.options
        merge = taught_labels(options)
        self.table = torch.tensor(merge.table, device=self.device)
        self.mirror = torch.tensor(mirrored(merge.classes), device=self.device)
        state.net.train()
        done = state.position.step
        if done < options.steps:
            self.pool.begin(done)
        with (
            progress(options.stage, options.steps, "steps") as bar,
            prefetch(self.load, self.groups(done)) as batches,
        ):
            bar.begin(done)
            try:
                for group, (pictures, labels) in batches:
                    step = int(group[0])
                    loss = self.loss(step, pictures, labels)
                    self.set_rate(step)
                    state.descend(loss, f"step {step}", f"Drawings of seed {options.seed}.")
                    state.follow()
                    bar.advance(info=self.log_step(loss))
                    state.save_or_stop(self.stop)
            except OutOfMemoryError:
                # A signal to all processes ends those that draw first.
                if self.stop.received:
                    state.save_or_stop(self.stop)
                raise
        if state.position.step not in state.run.steps():
            state.save()
        self.store()

    def groups(self, done: int) -> list[Indices]:
        """The steps that are left, each by itself, as ``prefetch`` takes them."""
        return list(np.arange(done, self.state.options.steps)[:, None])

    def load(self, group: Indices) -> tuple[Tensor, Tensor]:
        """The drawings of a step on the device."""
        pictures, labels = self.pool.batch(int(group[0]))
        return upload(pictures, self.device).permute(0, 3, 1, 2), upload(labels, self.device)

    def loss(self, step: int, pictures_B3PP: Tensor, atr_BPP: Tensor) -> Tensor:
        """Cross-entropy of a step's drawings under fresh distortions, a scalar."""
        options, heads = self.state.options, self.state.heads
        how = sample_distortion(stream(options.seed, Purpose.DISTORT, epoch=step), len(atr_BPP))
        side = side_at(options, step)
        x, z = distort(pictures_B3PP, atr_BPP, how, side, options.loss_stride)
        z = self.table[z]
        flip = send(torch.from_numpy(how.flip), self.device)[:, None, None]
        z = torch.where(flip, self.mirror[z], z)
        with precision(self.device, options.amp):
            m = self.state.net.features(x.contiguous(memory_format=torch.channels_last))
        logits = resize(heads[HEAD](m.float()), (z.shape[1], z.shape[2]))
        seen = heads[SEEN]
        assert isinstance(seen, Seen)
        weights = seen.add(z)
        return cross_entropy(logits, z, weights if options.class_weights == "root" else None)

    def set_rate(self, step: int) -> None:
        """The learning rate of a step: a rise, then a cosine."""
        for group in self.state.optimizer.param_groups:
            group["lr"] = learning_rate(self.state.options, step)

    def log_step(self, loss: Tensor) -> str:
        """Every ten steps and at the end, the loss; what the progress shows of it."""
        position, options = self.state.position, self.state.options
        if not self.state.is_logged(last=position.step >= options.steps):
            return ""
        value, rate = float(loss.detach()), learning_rate(options, position.step - 1)
        record = {"kind": "step", "epoch": 0, "step": position.step}
        self.state.run.log({**record, "loss": round(value, 6), "lr": rate})
        return f"loss {value:.3f}"

    def store(self) -> None:
        """Write the predictor, from the averages."""
        state = self.state
        net, head = state.heads[AVERAGE], state.heads[AVERAGE_HEAD].state_dict()
        names = taught_labels(state.options).classes
        bias = head["bias"]
        if state.options.class_weights == "root":
            seen = state.heads[SEEN]
            assert isinstance(seen, Seen)
            bias = bias - CORRECTION * seen.weights().log()
        classifier = Head(head["weight"].flatten(1), bias, names)
        counts = state.heads[SEEN].state_dict()["counts"].cpu()
        shares = (counts / counts.sum().clamp_min(1)).tolist()
        shown = {name: round(share, 6) for name, share in zip(names, shares, strict=True)}
        state.run.log({"kind": "taught", "shares": shown})
        write_predictor(
            state.run.predictor,
            StoredPredictor(
                network=net.state_dict(),
                classifier=classifier.kind,
                names=classifier.names,
                tensors=classifier.tensors(),
                groups=None,
                shares=None,
                config=recorded(state.options),
                stage=state.options.stage,
            ),
        )


def learning_rate(options: TeachOptions, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear rise, then a cosine down to 0."""
    rise = options.warmup_steps
    if step < rise:
        return options.lr * (step + 1) / rise
    share = (step - rise) / max(1, options.steps - rise)
    return options.lr * (1 + math.cos(math.pi * share)) / 2


def side_at(options: TeachOptions, step: int) -> int:
    """Side in pixels of the pictures of a step (progressive resizing, Tan and Le 2021)."""
    first, last = options.start_size or options.image_size, options.image_size
    share = min(1.0, step / (GROWING * options.steps))
    return first + GROWTH * round(share * (last - first) / GROWTH) if share < 1 else last
