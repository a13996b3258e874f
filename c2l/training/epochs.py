"""The epochs of a run: the warm-up's, the clustering pass and the training pass of Algorithm 1."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.artifacts.targets import TargetsReader, read_targets, write_targets
from c2l.errors import UsageError
from c2l.figure.warmup import figure_loss
from c2l.nn.losses import Target, class_weights, clustering_losses
from c2l.nn.part import part_contrastive_loss
from c2l.runtime.device import precision
from c2l.runtime.progress import Steps, steps, voice
from c2l.scoring.health import health
from c2l.training.gradients import gradients_by_term
from c2l.training.job import Indices, Job, prefetch
from c2l.training.passes import cluster_pass, feature_buffer
from c2l.training.views import PhotoViews

# Steps between the lines of metrics.jsonl.
LOG_EVERY = 10


def run_epochs(job: Job) -> None:
    """All epochs that are left, each stopped and resumed anywhere."""
    trainer, options = job.trainer, job.options
    while trainer.position.epoch < options.warmup + options.epochs and not trainer.finished:
        epoch = trainer.position.epoch
        trainer.enter_epoch(epoch)
        if epoch < options.warmup:
            _warmup_epoch(job, epoch)
        else:
            target = trainer.run.epoch_file(epoch)
            # In the middle of an epoch the trainer has checked that they are the epoch's own.
            if not trainer.position.batch:
                cluster_epoch(job, epoch, target)
            trainer.work_on(target)
            with read_targets(target) as targets:
                train_epoch(job, epoch, targets)
        if not trainer.finished:
            trainer.end_epoch()
    if trainer.finished and trainer.position.step not in trainer.run.steps():
        # What follows can be stopped as well.
        trainer.save()


def _warmup_epoch(job: Job, epoch: int) -> None:
    """Label-free: ground, upper and lower of each photo's own figure, under random crops."""
    trainer, options, views = job.trainer, job.options, job.views
    if not isinstance(views, PhotoViews) or trainer.head is None or job.figures is None:
        raise UsageError("--warmup needs photos")
    trainer.net.train()
    with steps(f"warm-up {epoch + 1}/{options.warmup}", job.count) as bar:
        bar.begin(trainer.position.batch * options.batch_size)
        load = partial(views.load_warmup, epoch=epoch, figures=job.figures)
        for group, loaded in prefetch(load, job.left(epoch)):
            x, targets = views.warmup(loaded)
            with precision(job.device, options.amp):
                y = trainer.net(x)
            loss = figure_loss(trainer.head(y), targets)
            trainer.step(loss, job.named(group))
            _log_step(job, epoch, {"loss_figure": loss}, loss, bar, len(group))
            trainer.pause()
            if trainer.finished:
                return


@torch.no_grad()
def cluster_epoch(job: Job, epoch: int, path: Path) -> None:
    """Both views' centroids mu and labels z for the whole epoch (Eq. 6)."""
    net, options = job.trainer.net, job.options
    net.eval()
    groups = job.passes(epoch)
    first = epoch == options.warmup and job.start is not None
    with (
        steps(job.title("cluster", epoch), 2 * job.count) as bar,
        write_targets(path, job.count, {"epoch": epoch}, needed=job.label_bytes) as writer,
    ):
        for view in (0, 1):

            def encode(loaded: Any, view: int = view) -> Tensor:
                job.trainer.leave_if_asked()
                m = job.views.view(net, loaded, view)
                with precision(job.device, options.amp):
                    return net.embed(m)[0]

            def store(group: Indices, labels: NDArray[np.uint8], view: int = view) -> None:
                job.trainer.leave_if_asked()
                writer.store(view, group, labels)

            load = partial(job.views.load, epoch=epoch, views=(view,))
            scratch = job.trainer.run.scratch / f"view{view + 1}.f16"
            with feature_buffer(scratch, job.device, job.map_bytes) as buffer:
                found = cluster_pass(
                    (encode(loaded) for _, loaded in prefetch(load, groups)),
                    groups,
                    options.clusters,
                    options,
                    seed=options.seed,
                    epoch=epoch,
                    buffer=buffer,
                    store=store,
                    bar=bar,
                    start=job.start[view] if first and job.start else None,
                )
            writer.finish(view, found.centroids.cpu().numpy(), found.counts.cpu().numpy())
    _log_health(job, epoch, path)


def _log_health(job: Job, epoch: int, path: Path) -> None:
    clusters = job.options.clusters
    contingency = np.zeros(clusters * clusters, dtype=np.int64)
    with read_targets(path) as targets:
        for index in range(job.count):
            one = np.array([index])
            first, second = targets.labels(0, one), targets.labels(1, one)
            pairs = first.astype(np.int64) * clusters + second
            contingency += np.bincount(pairs.ravel(), minlength=clusters * clusters)
        record = health(
            (targets.counts[0], targets.counts[1]),
            (targets.centroids[0], targets.centroids[1]),
            contingency.reshape(clusters, clusters),
        )
    for what in record["collapsed"]:
        voice.say(f"warning: epoch {epoch}: {what}")
    job.trainer.run.log({"kind": "epoch", "epoch": epoch, **record})


def train_epoch(job: Job, epoch: int, targets: TargetsReader) -> None:
    """One shuffled pass with the epoch's labels (the second loop of Algorithm 1)."""
    trainer, options = job.trainer, job.options
    mu = [torch.from_numpy(c).to(job.device) for c in targets.centroids]
    counts = [torch.from_numpy(c).to(job.device) for c in targets.counts]
    weights = [class_weights(c, options.class_weights) for c in counts]
    factors = {"view": 1.0, "part": options.part_weight, "code": options.pixel_weight}
    trainer.net.train()
    with steps(job.title("train", epoch), job.count) as bar:
        bar.begin(trainer.position.batch * options.batch_size)

        def load(group: Indices) -> tuple[Any, list[NDArray[np.uint8]]]:
            labels = [targets.labels(view, group) for view in (0, 1)]
            return job.views.load(group, epoch, (0, 1)), labels

        for group, (loaded, labels) in prefetch(load, job.left(epoch)):
            z = [torch.from_numpy(values).to(job.device) for values in labels]
            m = [job.views.view(trainer.net, loaded, view) for view in (0, 1)]
            targets_of = [Target(*one) for one in zip(z, mu, weights, strict=True)]
            terms = _losses(job, m, targets_of)
            weighted = {k: factors[k] * v for k, v in terms.items()}
            loss = weighted["view"] + weighted["part"] + weighted["code"]
            if not trainer.position.batch:
                _log_gradients(job, epoch, weighted, m)
            trainer.step(loss, job.named(group))
            logged = {f"loss_{name}": value for name, value in terms.items()}
            _log_step(job, epoch, logged, loss, bar, len(group))
            trainer.pause()
            if trainer.finished:
                return


def _losses(job: Job, m: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
    """L_view, L_r and L_c of a batch (Eq. 8), unweighted, from the features of both views."""
    net, options = job.trainer.net, job.options
    y, codes, clustering = [], [], []
    for view, features in enumerate(m):
        with precision(job.device, options.amp):
            embedded, code = net.embed(features)
        y.append(embedded)
        codes.append(code)
        seen = targets if options.cross_view else targets[view : view + 1]
        clustering += clustering_losses(embedded, seen)
    part_loss = torch.zeros((), device=job.device)
    if net.part is not None:
        with precision(job.device, options.amp):
            vectors = [net.part(m[v], y[v], targets[v].labels) for v in (0, 1)]
        part_loss = part_contrastive_loss(
            vectors[0][0], vectors[1][0], options.tau, (vectors[0][1], vectors[1][1])
        )
    view_loss = torch.stack(clustering).mean()
    return {"view": view_loss, "part": part_loss, "code": (codes[0] + codes[1]) / 2}


def _log_gradients(job: Job, epoch: int, weighted: dict[str, Tensor], m: list[Tensor]) -> None:
    """How hard each term of Eq. 8, its weight included, pulls at the features of both views."""
    record = {"kind": "gradients", "epoch": epoch, "step": job.trainer.position.step}
    for name, norm in gradients_by_term(weighted, m).items():
        record[f"gradient_{name}"] = norm
    job.trainer.run.log(record)


def _log_step(
    job: Job, epoch: int, terms: dict[str, Tensor], loss: Tensor, bar: Steps, count: int
) -> None:
    position = job.trainer.position
    info = ""
    if position.step % LOG_EVERY == 0 or position.batch >= job.trainer.batches:
        values = {name: round(float(value.detach()), 6) for name, value in terms.items()}
        record = {"kind": "step", "epoch": epoch, "step": position.step}
        job.trainer.run.log({**record, "loss": round(float(loss.detach()), 6), **values})
        info = f"loss {float(loss.detach()):.3f}"
    bar.advance(count, info)
