"""Algorithm 1 of the paper inside PiCIE's epochs, to be read from top to bottom.

Each epoch clusters both views of all photos (Eq. 6), then trains on the labels found (Eq. 8).
Before the first, optionally, epochs of warm-up on the photos' own figures; after the last, one
clustering of the photos without augmentation, which becomes the predictor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.artifacts.targets import read_targets, write_targets
from c2l.artifacts.untrusted.guard import remember
from c2l.clustering.kmeans import count_labels
from c2l.errors import NonFiniteError, UsageError
from c2l.figure.cache import FigureCache
from c2l.figure.warmup import figure_loss, warmup_rate
from c2l.nn.batch_norm import average_statistics
from c2l.nn.clustering_loss import Target, class_weights
from c2l.nn.pyramid import dense_side
from c2l.options import FitOptions
from c2l.runtime.device import fetched, precision, upload
from c2l.runtime.progress import Progress, console, progress
from c2l.runtime.ranks import Ranks
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import epoch_order
from c2l.scoring.health import health
from c2l.training.buffer import feature_buffer
from c2l.training.clustering import (
    ClusterBatches,
    Clustering,
    FigureMixture,
    Fitted,
    KMeans,
    unit_of,
)
from c2l.training.final import Merging, store_predictor
from c2l.training.state import FIGURE, LOWER, RESUME, TrainingState
from c2l.training.terms import Batch, gradient_norms, loss_of
from c2l.training.view_sources import PhotoViews, ViewSource, prefetch, prefetch_parts

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

    @property
    def ranks(self) -> Ranks:
        """That share the run."""
        return self.state.ranks

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
                self.ranks.require_same(str(targets), {"sha256": state.targets_sha256})
                self.train_epoch(epoch, targets)
            if not self.finished:
                state.end_epoch()
        if self.finished and self.ranks.from_first(state.position.step not in state.run.steps()):
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
            prefetch_parts(load, self.batches_left(epoch), self.ranks) as batches,
        ):
            bar.begin(state.position.batch * options.batch_size)
            for group, loaded in batches:
                x, part_probs = views.warmup(loaded)
                with precision(self.device, options.amp):
                    y = state.net(x)
                loss = figure_loss(state.heads[FIGURE](y), part_probs)
                # Every image has as many pixels.
                loss = loss if self.ranks.alone else loss * self.ranks.share
                self.step(loss, group)
                self.log_step(epoch, {FIGURE: loss}, loss, bar, len(group))
                state.save_or_stop(self.stop)
                if self.finished:
                    return

    @torch.no_grad()
    def cluster_epoch(self, epoch: int, path: Path) -> None:
        """Centroids mu and labels z of both views (Eq. 6): the first loop of Algorithm 1."""
        batches, first = self.cluster_batches(epoch), epoch == self.options.warmup
        with ExitStack() as stack:
            bar = stack.enter_context(
                progress(self.title("cluster", epoch), len(VIEWS) * self.images)
            )
            writing = write_targets(path, self.images, {"epoch": epoch}, needed=self.label_bytes)
            targets = stack.enter_context(writing) if self.ranks.first else None
            for view in VIEWS:
                start = self.start[view] if self.start and first else None
                method = KMeans(self.options, batches, epoch=epoch, start=start, stop=self.stop)
                store = partial(targets.store, view) if targets else None
                found, counts = self.cluster(method, epoch, view, store, bar)
                if targets:
                    targets.finish(view, found.centroids.cpu().numpy(), counts.numpy())

        def seen() -> dict[str, Any]:
            with read_targets(path) as stored:
                return health(stored.counts, stored.centroids, stored.contingency())

        record = self.ranks.first_does(seen, self.stop)
        if not self.ranks.first:
            # The first rank of this run wrote it.
            remember(path)
        for what in record["collapsed"]:
            console.print(f"warning: epoch {epoch}: {what}")
        self.state.run.log({"kind": "epoch", "epoch": epoch, **record})

    def cluster(
        self,
        method: Clustering,
        epoch: int,
        view: int | None,
        store: Callable[[Indices, Labels], None] | None,
        bar: Progress,
    ) -> tuple[Fitted, Tensor]:
        """Cluster the features of all images, then label every pixel; one forward pass serves both.

        Ranks compute the features and labels of their images, and exchange sums and labels.

        Args:
            method: the clustering.
            epoch: whose order and transforms are used.
            view: which one, or None for the images without augmentation.
            store: takes images and the labels of their pixels, (B, h, w) uint8; only on the first
                rank.
            bar: counts images.

        Returns:
            What the method found, and (K,) int64 pixels of each cluster.
        """
        net, ranks, passed, grid = self.state.net, self.ranks, self.cluster_batches(epoch), (0, 0)
        units, finite = [unit for part in passed.mine for unit in part], list[Tensor]()
        net.eval()
        load = partial(self.views.load, epoch=epoch, views=() if view is None else (view,))
        m_of = self.views.plain if view is None else partial(self.views.view, view=view)
        name = "plain" if view is None else f"view{view + 1}"
        scratch = self.state.run.scratch / f"{name}{ranks.suffix}.f16"
        with feature_buffer(scratch, self.device, self.map_bytes // ranks.size) as buffer:
            with prefetch(load, units) as batches:
                for group, part in zip(passed.groups, passed.mine, strict=True):
                    self.stop_if_asked()
                    for unit, loaded in islice(batches, len(part)):
                        y, _ = self.embed(m_of(net, loaded))
                        finite.append(torch.isfinite(y).all())
                        grid = (y.shape[2], y.shape[3])
                        method.add(unit, y)
                        buffer.append(y.permute(0, 2, 3, 1).flatten(0, 2))
                    bar.advance(len(group))
            self.require_finite(finite, units, epoch)
            found = method.fit(buffer)
            clusters = len(found.centroids)
            counts = torch.zeros(clusters, dtype=torch.int64, device=self.device)

            def labelled() -> Iterator[tuple[Indices, Tensor]]:
                for unit, points in zip(units, buffer, strict=True):
                    z = found.labels(points)
                    counts.add_(count_labels(z, clusters))
                    yield unit, z.view(len(unit), *grid).to(torch.uint8)

            arrived = fetched(labelled())
            for group, part in zip(passed.groups, passed.mine, strict=True):
                self.stop_if_asked()
                labels = [of_unit for _, of_unit in islice(arrived, len(part))]
                of_all = [one for of_rank in ranks.to_first(labels) for one in of_rank]
                if store:
                    store(group, of_all[0] if len(of_all) == 1 else np.concatenate(of_all))
        return found, ranks.sum(counts).cpu()

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
            prefetch_parts(load, self.batches_left(epoch), self.ranks) as batches,
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
                loss = loss_of(Batch(net, options, m, y, code, seen, self.ranks))
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
        if not self.ranks.alone and options.batch_norm == "rank":
            average_statistics(state.net, self.ranks)

    def log_step(
        self, epoch: int, terms: dict[str, Tensor], loss: Tensor, bar: Progress, count: int
    ) -> None:
        """Every ten steps and at the epoch's end, the loss and its unweighted terms."""
        position, info = self.state.position, ""
        if self.state.is_logged(last=position.batch >= self.batches_per_epoch):
            total, *each = self.ranks.sum(torch.stack([loss, *terms.values()])).tolist()
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
        norms = gradient_norms(weighted, m, self.ranks)
        return record | {f"gradient_{name}": norm for name, norm in norms.items()}

    def stop_if_asked(self) -> None:
        """Stop without saving: a resumed run starts from the newest checkpoint.

        Raises:
            StoppedError: a signal came.
        """
        if self.ranks.agree(self.stop).stop:
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
            method = FigureMixture(self.figures.parts, options.mixture_iterations, self.ranks)
        else:
            method = KMeans(options, self.cluster_batches(epoch), epoch=epoch, stop=self.stop)
        merging = Merging(options, self.figures)
        with progress(f"final {method.name}", self.images) as bar:
            store = merging.add if self.ranks.first else None
            found, counts = self.cluster(method, epoch, None, store, bar)
        self.ranks.first_does(
            lambda: store_predictor(self.state, found.classifier(counts), counts, merging)
        )

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

    def cluster_batches(self, epoch: int) -> ClusterBatches:
        """The mini-batches of a clustering pass."""
        size = self.options.batch_size
        groups = self.batches(epoch, min(self.options.kmeans_batch, 2 * size))
        return ClusterBatches(groups, unit_of(size), self.ranks, self.device)

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
