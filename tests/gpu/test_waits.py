"""Nothing in a step waits for the device, so that a GPU is never idle while the host computes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from devices import meta_trains, no_waits, on_what_waits
from numpy.typing import NDArray
from torch import Tensor

from c2l.clustering.kmeans import MiniBatchKMeans, assign, count_labels
from c2l.figure.warmup import figure_loss
from c2l.model.build import build_network
from c2l.nn.clustering_loss import Target, class_weights
from c2l.nn.views import view_parameters
from c2l.options import FitOptions, TeachOptions
from c2l.runtime.signals import StopRequest
from c2l.training.clustering import ClusterBatches, KMeans
from c2l.training.loop import Trainer
from c2l.training.state import FIGURE, TrainingState
from c2l.training.teacher import Teacher, TeachingState, mirrored, taught_labels
from c2l.training.terms import Batch, loss_of
from c2l.training.view_sources import LoadedPhotos, PhotoViews

__all__ = ["meta_trains"]
pytestmark = pytest.mark.usefixtures("meta_trains")
PHOTOS, SIZE = 6, 64
INDICES = np.arange(PHOTOS)
OPTIONS = FitOptions(
    weights="none",
    image_size=SIZE,
    batch_size=PHOTOS,
    clusters=3,
    attention_stride=2,
    fpn_dim=16,
    pixel_dim=8,
    warmup=1,
    amp="off",
)


class Cache:
    """Photos of noise in the place of a cache's."""

    names = tuple("abcdefghijkl")
    size = SIZE

    def __len__(self) -> int:
        return len(self.names)

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        draw = np.random.default_rng(0)
        return draw.integers(0, 256, (len(indices), SIZE, SIZE, 3), dtype=np.uint8)


def trainer(device: torch.device, epoch: int) -> Trainer:
    """A run at the second batch of an epoch, where no number is logged."""
    net, _ = build_network(OPTIONS, OPTIONS, OPTIONS.clusters, seed=0)
    state = TrainingState(SimpleNamespace(), net.to(device), OPTIONS)  # type: ignore[arg-type]
    views = PhotoViews(Cache(), 0, device, "off")  # type: ignore[arg-type]
    state.position.epoch, state.position.batch, state.position.step = epoch, 1, 1
    state.begin_epoch()
    net.train()
    return Trainer(state, views, device, StopRequest())


def loaded(run: Trainer) -> LoadedPhotos:
    """A batch as the thread that loads ahead leaves it."""
    assert isinstance(run.views, PhotoViews)
    return run.views.load(INDICES, 1)


@on_what_waits
def test_a_training_step(device: str) -> None:
    run = trainer(place := torch.device(device), 1)
    batch, net = loaded(run), run.state.net
    z = [torch.zeros(PHOTOS, 16, 16, dtype=torch.uint8, device=place) for _ in range(2)]
    mu = [torch.zeros(3, 16, device=place) for _ in range(2)]
    weight = class_weights(torch.ones(3, device=place), "frequency")
    with no_waits(place):
        m = [run.views.view(net, batch, view) for view in (0, 1)]
        y, code = zip(*map(run.embed, m), strict=True)
        seen = [Target(labels, centroids, weight) for labels, centroids in zip(z, mu, strict=True)]
        run.step(loss_of(Batch(net, OPTIONS, m, y, code, seen)).total, INDICES)
    assert run.state.position.step == 2


@on_what_waits
def test_a_step_of_the_warm_up(device: str) -> None:
    run = trainer(place := torch.device(device), 0)
    assert isinstance(run.views, PhotoViews)
    targets = torch.full((PHOTOS, 3, 16, 16), 1 / 3, device=place)
    batch = LoadedPhotos(loaded(run).pixels, view_parameters(0, 0, INDICES), targets)
    with no_waits(place):
        x, parts = run.views.warmup(batch)
        run.step(figure_loss(run.state.heads[FIGURE](run.state.net(x)), parts), INDICES)
    assert run.state.position.step == 2


@on_what_waits
def test_a_clustering_pass(device: str) -> None:
    run = trainer(place := torch.device(device), 1)
    batches = ClusterBatches([INDICES], device=place)
    method, batch = KMeans(OPTIONS, batches, epoch=1), loaded(run)
    with no_waits(place), torch.no_grad():
        y, _ = run.embed(run.views.view(run.state.net, batch, 0))
        torch.isfinite(y).all()
        method.add(INDICES, y)
        points = y.permute(0, 2, 3, 1).flatten(0, 2).half()
        means = MiniBatchKMeans.start(torch.zeros(3, 16, device=place))
        means.update_as_one([points])
        means.update(points)
        count_labels(assign(points, means.centroids), 3)
        count_labels(assign(points, means.centroids), 300)


@on_what_waits
def test_a_step_of_teach(device: str) -> None:
    options = TeachOptions(image_size=64, draw_size=64, fpn_dim=16, amp="off", class_weights="root")
    net, _ = build_network(options, None, 0, seed=0)
    place = torch.device(device)
    state = TeachingState(SimpleNamespace(), net.to(place), options)  # type: ignore[arg-type]
    pool: Any = SimpleNamespace(
        batch=lambda step: (
            np.full((32, 64, 64, 3), 200, np.uint8),
            np.ones((32, 64, 64), np.uint8),
        )
    )
    teacher = Teacher(state, pool, place, StopRequest())
    merge = taught_labels(options)
    teacher.table = torch.tensor(merge.table, device=place)
    teacher.mirror = torch.tensor(mirrored(merge.classes), device=place)
    drawings = teacher.load(np.array([3]))
    with no_waits(place):
        loss = teacher.loss(3, *drawings)
        state.descend(loss, "step 3", "")
        state.follow()
    assert state.position.step == 1


@pytest.mark.parametrize(
    "wait",
    [
        lambda there: torch.zeros(3).to(there),
        lambda there: there.copy_(torch.zeros(2)),
        lambda there: torch.tensor([1.0], device=there.device),
        lambda there: there.new_tensor([1.0]),
        lambda there: float(there.sum()),
        lambda there: there.cpu(),
        lambda there: there[there > 0],
        lambda there: torch.bincount(there.long()),
    ],
)
def test_a_wait_is_seen(wait: Callable[[Tensor], object]) -> None:
    there = torch.zeros(2, device="meta")
    with no_waits(there.device):
        there.copy_(torch.zeros(2), non_blocking=True)
        with pytest.raises((pytest.fail.Exception, RuntimeError, NotImplementedError)):
            wait(there)
