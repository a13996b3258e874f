"""Algorithm 1 of the paper inside PiCIE's epochs, to be read from top to bottom.

Each epoch clusters both views of all photos (Eq. 6), then trains on the labels found (Eq. 8).
Before the first, optionally, epochs of warm-up on the photos' own figures; after the last, one
clustering of the photos without augmentation, which becomes the predictor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.artifacts.targets import read_targets, write_targets
from c2l.clustering.kmeans import count_labels
from c2l.errors import NonFiniteError, UsageError
from c2l.figure.cache import FigureCache
from c2l.figure.warmup import figure_loss, warmup_rate
from c2l.nn.clustering_loss import Target, class_weights
from c2l.nn.pyramid import dense_side
from c2l.options import FitOptions
from c2l.runtime.device import fetched, precision, upload
from c2l.runtime.progress import Progress, console, progress
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import epoch_order
from c2l.scoring.health import health
from c2l.training.buffer import feature_buffer
from c2l.training.clustering import Clustering, FigureMixture, Fitted, KMeans
from c2l.training.final import Merging, store_predictor
from c2l.training.state import FIGURE, LOWER, RESUME, TrainingState
from c2l.training.terms import Batch, gradient_norms, loss_of
from c2l.training.view_sources import PhotoViews, ViewSource, prefetch

Indices = NDArray[np.int64]
Labels = NDArray[np.uint8]
VIEWS = (0, 1)


@dataclass
class Trainer:
    """One training run.

    Attributes:
        state: network, heads, optimiser and position: what checkpoints hold.
        views: where the two views come from.
        device: of the network.
        stop: the request to stop.
        start: centroids of both views that start the first epoch, or None.
        figures: the photos' own figures, where the warm-up or the final clustering needs them.
    """

    state: TrainingState
    views: ViewSource
    device: torch.device
    stop: StopRequest
    start: tuple[Tensor, Tensor] | None = None
    figures: FigureCache | None = None

    @property
    def options(self) -> FitOptions:
        """The run's options."""
        return self.state.options

    def train(self) -> None:
        """All epochs that are left, then the predictor; can be stopped and resumed anywhere."""
        state, options = self.state, self.options
        while state.position.epoch < options.warmup + options.epochs and not self.finished:
            epoch = state.position.epoch
            state.begin_epoch()
            if epoch < options.warmup:
                self.warmup_epoch(epoch)
            else:
                targets = state.run.epoch_file(epoch)
                # Resumed within an epoch, its own targets are there: the checkpoint names them.
                if not state.position.batch:
                    self.cluster_epoch(epoch, targets)
                state.depend_on(targets)
                self.train_epoch(epoch, targets)
            if not self.finished:
                state.end_epoch()
        if self.finished and state.position.step not in state.run.steps():
            # The final clustering can be stopped as well.
            state.save()
        self.final_clustering()

    @property
    def finished(self) -> bool:
        """Whether ``--max-steps`` is reached."""
        return 0 < self.options.max_steps <= self.state.position.step

    def warmup_epoch(self, epoch: int) -> None:
        """Learn background, upper and lower of each photo's own figure, under random crops."""
        state, options, views = self.state, self.options, self.views
        if not isinstance(views, PhotoViews) or self.figures is None:
            raise UsageError("--warmup needs photos")
        state.net.train()
        load = partial(views.load_warmup, epoch=epoch, figures=self.figures)
        with (
            progress(f"warm-up {epoch + 1}/{options.warmup}", self.images) as bar,
            prefetch(load, self.batches_left(epoch)) as batches,
        ):
            bar.begin(state.position.batch * options.batch_size)
            for group, loaded in batches:
                x, part_probs = views.warmup(loaded)
                with precision(self.device, options.amp):
                    y = state.net(x)
                loss = figure_loss(state.heads[FIGURE](y), part_probs)
                self.step(loss, group)
                self.log_step(epoch, {FIGURE: loss}, loss, bar, len(group))
                state.save_or_stop(self.stop)
                if self.finished:
                    return

    @torch.no_grad()
    def cluster_epoch(self, epoch: int, path: Path) -> None:
        """Centroids mu and labels z of both views (Eq. 6): the first loop of Algorithm 1."""
        groups, needed = self.cluster_batches(epoch), self.label_bytes
        with (
            progress(self.title("cluster", epoch), len(VIEWS) * self.images) as bar,
            write_targets(path, self.images, {"epoch": epoch}, needed=needed) as targets,
        ):
            for view in VIEWS:
                first = epoch == self.options.warmup
                start = self.start[view] if self.start and first else None
                method = KMeans(self.options, groups, epoch=epoch, start=start)
                store = partial(targets.store, view)
                found, counts = self.cluster(method, epoch, view, store, bar)
                targets.finish(view, found.centroids.cpu().numpy(), counts.numpy())
        with read_targets(path) as stored:
            record = health(stored.counts, stored.centroids, stored.contingency())
        for what in record["collapsed"]:
            console.print(f"warning: epoch {epoch}: {what}")
        self.state.run.log({"kind": "epoch", "epoch": epoch, **record})

    def cluster(
        self,
        method: Clustering,
        epoch: int,
        view: int | None,
        store: Callable[[Indices, Labels], None],
        bar: Progress,
    ) -> tuple[Fitted, Tensor]:
        """Cluster the features of all images, then label every pixel; one forward pass serves both.

        Args:
            method: the clustering.
            epoch: whose order and transforms are used.
            view: which one, or None for the images without augmentation.
            store: takes images and the labels of their pixels, (B, h, w) uint8.
            bar: counts images.

        Returns:
            What the method found, and (K,) int64 pixels of each cluster.
        """
        net, groups, grid = self.state.net, self.cluster_batches(epoch), (0, 0)
        finite: list[Tensor] = []
        net.eval()
        load = partial(self.views.load, epoch=epoch, views=() if view is None else (view,))
        m_of = self.views.plain if view is None else partial(self.views.view, view=view)
        scratch = self.state.run.scratch / ("plain.f16" if view is None else f"view{view + 1}.f16")
        with feature_buffer(scratch, self.device, self.map_bytes) as buffer:
            with prefetch(load, groups) as batches:
                for group, loaded in batches:
                    self.stop_if_asked()
                    y, _ = self.embed(m_of(net, loaded))
                    finite.append(torch.isfinite(y).all())
                    grid = (y.shape[2], y.shape[3])
                    method.add(group, y)
                    buffer.append(y.permute(0, 2, 3, 1).flatten(0, 2))
                    bar.advance(len(group))
            self.require_finite(finite, groups, epoch)
            found = method.fit(buffer)
            clusters = len(found.centroids)
            counts = torch.zeros(clusters, dtype=torch.int64, device=self.device)

            def labelled() -> Iterator[tuple[Indices, Tensor]]:
                for group, points in zip(groups, buffer, strict=True):
                    self.stop_if_asked()
                    z = found.labels(points)
                    counts.add_(count_labels(z, clusters))
                    yield group, z.view(len(group), *grid).to(torch.uint8)

            for group, labels in fetched(labelled()):
                store(group, labels)
        return found, counts.cpu()

    def require_finite(self, finite: list[Tensor], groups: list[Indices], epoch: int) -> None:
        """Refuse features that are not finite, once for all batches: the host waits here.

        Raises:
            NonFiniteError: names the first batch of such features.
        """
        sound = torch.stack(finite).tolist() if finite else []
        for group, is_sound in zip(groups, sound, strict=True):
            if not is_sound:
                what = f"epoch {epoch}: features that are not finite"
                raise NonFiniteError(f"{what}. {self.images_of(group)}", hint=LOWER)

    def embed(self, m: Tensor) -> tuple[Tensor, Tensor]:
        """y = S(m) of unit length, float32, and the loss of S's code."""
        with precision(self.device, self.options.amp):
            return self.state.net.embed(m)

    def train_epoch(self, epoch: int, path: Path) -> None:
        """One shuffled pass with the epoch's labels: the second loop of Algorithm 1."""
        state, options, net = self.state, self.options, self.state.net
        net.train()

        def load(group: Indices) -> tuple[Any, list[Tensor]]:
            labels = [upload(targets.labels(view, group), self.device) for view in VIEWS]
            return self.views.load(group, epoch, VIEWS), labels

        with (
            read_targets(path) as targets,
            progress(self.title("train", epoch), self.images) as bar,
            prefetch(load, self.batches_left(epoch)) as batches,
        ):
            bar.begin(state.position.batch * options.batch_size)
            mu = [torch.from_numpy(c).to(self.device) for c in targets.centroids]
            counts = [torch.from_numpy(c).to(self.device) for c in targets.counts]
            weights = [class_weights(c, options.class_weights) for c in counts]
            for group, (loaded, z) in batches:
                # m^1 = G(f(P^1(x))), m^2 = f(G(P^2(x))), y = S(m) (Eq. 5).
                m = [self.views.view(net, loaded, view) for view in VIEWS]
                y, code = zip(*map(self.embed, m), strict=True)
                seen = [Target(*one) for one in zip(z, mu, weights, strict=True)]
                loss = loss_of(Batch(net, options, m, y, code, seen))
                first = not state.position.batch
                record = self.gradients(epoch, loss.weighted, m) if first else None
                self.step(loss.total, group)
                if record:
                    state.require_finite()
                    state.run.log(record)
                self.log_step(epoch, loss.terms, loss.total, bar, len(group))
                state.save_or_stop(self.stop)
                if self.finished:
                    return

    def step(self, loss: Tensor, group: Indices) -> None:
        """One step of Adam, unless loss or gradient is not finite.

        Args:
            loss: scalar.
            group: the batch's images, for the error.

        Raises:
            NonFiniteError: names the batch; no step was taken.
        """
        state, options = self.state, self.options
        if state.position.epoch < options.warmup:
            done = state.position.epoch * self.batches_per_epoch + state.position.batch
            total = options.warmup * self.batches_per_epoch
            for settings in state.optimizer.param_groups:
                settings["lr"] = warmup_rate(options.warmup_lr, done, total)
        place = f"epoch {state.position.epoch}, batch {state.position.batch}"
        state.descend(loss, place, self.images_of(group))

    def log_step(
        self, epoch: int, terms: dict[str, Tensor], loss: Tensor, bar: Progress, count: int
    ) -> None:
        """Every ten steps and at the epoch's end, the loss and its unweighted terms."""
        position, info = self.state.position, ""
        if self.state.is_logged(last=position.batch >= self.batches_per_epoch):
            total, *each = torch.stack([loss, *terms.values()]).tolist()
            record = {"kind": "step", "epoch": epoch, "step": position.step}
            values = {f"loss_{k}": round(v, 6) for k, v in zip(terms, each, strict=True)}
            self.state.run.log({**record, "loss": round(total, 6), **values})
            info = f"loss {total:.3f}"
        bar.advance(count, info)

    def gradients(self, epoch: int, weighted: dict[str, Tensor], m: list[Tensor]) -> dict[str, Any]:
        """The metrics' line with the norm of each term's gradient on the features of both views.

        Its weight included; it is logged once the step was taken, and so is finite.
        """
        record = {"kind": "gradients", "epoch": epoch, "step": self.state.position.step}
        norms = {f"gradient_{name}": norm for name, norm in gradient_norms(weighted, m).items()}
        return record | norms

    def stop_if_asked(self) -> None:
        """Stop without saving: a resumed run starts from the newest checkpoint.

        Raises:
            StoppedError: a signal came.
        """
        if self.stop.received:
            run, saved = self.state.run, self.state.run.steps()
            what = f"the state of step {saved[-1]} is saved" if saved else "nothing was trained yet"
            self.stop.check(f"stopped; {what} in {run.path}", RESUME)

    @torch.no_grad()
    def final_clustering(self) -> None:
        """Cluster the photos without augmentation, merge the clusters, store the predictor."""
        options, epoch = self.options, self.options.warmup + self.options.epochs
        method: Clustering
        if options.final_clusters == "mixture":
            if self.figures is None:
                raise UsageError("--final-clusters mixture needs photos")
            method = FigureMixture(self.figures.parts, options.mixture_iterations)
        else:
            method = KMeans(options, self.cluster_batches(epoch), epoch=epoch)
        merging = Merging(options, self.figures)
        with progress(f"final {method.name}", self.images) as bar:
            found, counts = self.cluster(method, epoch, None, merging.add, bar)
        store_predictor(self.state, found.classifier(counts), counts, merging)

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.views.names)

    @property
    def batches_per_epoch(self) -> int:
        """Optimiser steps per epoch."""
        return -(-self.images // self.options.batch_size)

    @property
    def map_bytes(self) -> int:
        """Bytes of the float16 features of all images."""
        return self.images * dense_side(self.options.image_size) ** 2 * self.options.fpn_dim * 2

    @property
    def label_bytes(self) -> int:
        """Bytes of the labels of all images in both views."""
        return len(VIEWS) * self.images * dense_side(self.options.image_size) ** 2

    def batches(self, epoch: int, size: int) -> list[Indices]:
        """The images in an epoch's order, in batches."""
        order = epoch_order(self.options.seed, epoch, self.images)
        return [order[i : i + size] for i in range(0, self.images, size)]

    def cluster_batches(self, epoch: int) -> list[Indices]:
        """The mini-batches of a clustering pass."""
        return self.batches(epoch, min(self.options.kmeans_batch, 2 * self.options.batch_size))

    def batches_left(self, epoch: int) -> list[Indices]:
        """The training batches of an epoch that are not done yet."""
        return self.batches(epoch, self.options.batch_size)[self.state.position.batch :]

    def images_of(self, group: Indices) -> str:
        """Names of a batch's images, for an error: the first eight."""
        names = [self.views.names[int(i)] for i in group[:8]]
        return f"Images: {', '.join(names)}{' ...' if len(group) > 8 else ''}"

    def title(self, what: str, epoch: int) -> str:
        """``what`` and the epoch, counted from 1 after the warm-up."""
        return f"{what} {epoch - self.options.warmup + 1}/{self.options.epochs}"
