"""fit: Algorithm 1 of the paper inside PiCIE's epoch loop, from images to a stored predictor."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.features import read_features
from c2l.artifacts.files import (
    output_errors,
    read_json,
    refuse_existing,
    sha256_file,
    write_json,
)
from c2l.artifacts.runs import Run
from c2l.artifacts.targets import TargetsReader, read_targets, write_targets
from c2l.clustering.merge import (
    FigureStatistics,
    PositionStatistics,
    figure_shares,
    merge_by_border,
    merge_by_figure,
)
from c2l.data.layouts import open_dataset
from c2l.data.views import epoch_order
from c2l.errors import BadInputError, UsageError
from c2l.nn.losses import class_weights, clustering_loss
from c2l.nn.part import part_contrastive_loss
from c2l.nn.warmup import figure_loss
from c2l.options import ExtractOptions, FitOptions, identity
from c2l.pipeline.device import limit_threads, pick_device, precision
from c2l.pipeline.figures import FigureCache, build_figures
from c2l.pipeline.health import health
from c2l.pipeline.images import Skips, build_cache
from c2l.pipeline.network import build_network, effective
from c2l.pipeline.predictor import load_start, options_from, save_predictor
from c2l.pipeline.progress import Steps, steps, voice
from c2l.pipeline.signals import StopRequest
from c2l.pipeline.targets import cluster_pass, feature_buffer
from c2l.pipeline.training import Trainer
from c2l.pipeline.views import PhotoViews, StoredViews, ViewSource

Indices = NDArray[np.int64]
# Steps between the lines of metrics.jsonl.
LOG_EVERY = 10


@dataclass(frozen=True)
class Job:
    """What the epoch loop works with.

    Attributes:
        trainer: network, optimiser, position.
        views: where the two views come from.
        options: of the run, with the method's modules settled.
        device: of the network.
        start: centroids of both views that start the first epoch, or None.
        figures: the photos' own figures, where the warm-up or the merge needs them.
    """

    trainer: Trainer
    views: ViewSource
    options: FitOptions
    device: torch.device
    start: tuple[Tensor, Tensor] | None
    figures: FigureCache | None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.views.names)

    def groups(self, size: int, epoch: int) -> list[Indices]:
        """The images in an epoch's order, in batches."""
        order = epoch_order(self.options.seed, epoch, self.count)
        return [order[i : i + size] for i in range(0, self.count, size)]


def plan(data: Path, options: FitOptions) -> dict[str, Any]:
    """What ``--dry-run`` says."""
    dataset = open_dataset(data, split=options.split)
    images, side = len(dataset.records), options.image_size // 4
    features = images * side * side * options.fpn_dim * 2
    return {
        "images": images,
        "steps": (options.epochs + options.warmup) * -(-images // options.batch_size),
        "disk_bytes": images * options.image_size**2 * 3 + features + 2 * images * side * side,
        "disk_bytes_after": 4 * 50_000_000,
        "device": str(pick_device(options.device)),
    }


def fit(
    data: Path,
    output: Path,
    options: FitOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train, and store the predictor.

    Returns:
        The run folder.

    Raises:
        BadInputError: the data, weights, features or the run to resume.
        ConfigDiffersError: ``resume`` under other options.
        NonFiniteError: a loss or gradient that is not finite.
        StoppedError: a signal came; the state is saved.
        OutputError: the run folder cannot be written.
    """
    limit_threads()
    options = effective(options)
    if options.sharpen and options.merge_clusters != "figure":
        raise UsageError("--sharpen needs --merge-clusters figure")
    # A run that is there is refused before any image is decoded.
    if not resume:
        refuse_existing(output, overwrite=overwrite)
    with ExitStack() as stack, StopRequest() as stop:
        if resume and Run.open(output).predictor.is_file():
            # Only whether it is the same run is still asked, and nothing is touched.
            Run.open(output).require_same({"options": identity(options)})
            voice.say(f"{output}: finished already")
            return output
        run, job = _prepare(stack, data, output, options, stop, resume=resume, overwrite=overwrite)
        _run_epochs(job)
        _store_predictor(job)
        run.log({"kind": "done", "step": job.trainer.position.step})
    with output_errors(output):
        shutil.rmtree(run.scratch, ignore_errors=True)
        run.forget_epochs(before=options.warmup + options.epochs + 1)
    return output


def _prepare(
    stack: ExitStack,
    data: Path,
    output: Path,
    options: FitOptions,
    stop: StopRequest,
    *,
    resume: bool,
    overwrite: bool,
) -> tuple[Run, Job]:
    device = pick_device(options.device)
    frozen = _frozen_layer(options, stack)
    if frozen:
        options = replace(
            options,
            image_size=frozen[0].image_size,
            backbone=frozen[0].backbone,
            gradients_input=frozen[0].gradients_input,
        )
    if options.checkpoint and frozen:
        raise UsageError("--checkpoint and --features cannot both give the start")
    made = frozen[0] if frozen else options
    if options.checkpoint:
        # Whatever the weights, the run's network replaces them.
        made = replace(options, weights="none")
    net, weights = build_network(
        made,
        options,
        options.clusters,
        seed=frozen[0].seed if frozen else options.seed,
        layer=frozen[0].layer if frozen else "fpn",
        frozen_channels=frozen[1].reader.channels if frozen else 0,
    )
    if frozen and weights.sha256 != frozen[2]:
        raise BadInputError(
            weights.source, f"not the weights that {options.features} was made with"
        )
    config: dict[str, Any] = {"options": identity(options), "weights_sha256": weights.sha256}
    config["init_sha256"] = sha256_file(Path(options.init)) if options.init else ""
    config["checkpoint_sha256"] = (
        load_start(net, Path(options.checkpoint)) if options.checkpoint else ""
    )
    config["frozen_layer"] = frozen[0].layer if frozen else ""
    if frozen:
        config["frozen_channels"] = frozen[1].reader.channels
        config["frozen_seed"] = frozen[0].seed
    dataset = open_dataset(data, split=options.split)
    config["data"] = {
        "root": str(dataset.root.resolve()),
        "layout": dataset.layout,
        "split": dataset.split,
        "images": len(dataset.records),
    }
    if frozen and set(frozen[1].names) - {r.name for r in dataset.records}:
        raise BadInputError(
            str(options.features), f"holds other images than {data}", hint="extract them again"
        )
    run = _open_run(output, config, resume=resume, overwrite=overwrite)
    views: ViewSource
    views = frozen[1] if frozen else _photo_views(stack, run, dataset.records, options, device)
    trainer = Trainer(run, net.to(device), options, stop, len(views.names))
    if resume and trainer.restore():
        voice.say(f"resumed at step {trainer.position.step}, epoch {trainer.position.epoch}")
    figures = None
    if isinstance(views, PhotoViews) and (options.warmup or options.merge_clusters == "figure"):
        figures = build_figures(views.cache, device)
    start = _start_centroids(options, device)
    return run, Job(trainer, views, options, device, start, figures)


def _open_run(output: Path, config: dict[str, Any], *, resume: bool, overwrite: bool) -> Run:
    if not resume:
        return Run.create(output, config, overwrite=overwrite)
    run = Run.open(output)
    run.require_same(config)
    return run


def _photo_views(
    stack: ExitStack, run: Run, records: Any, options: FitOptions, device: torch.device
) -> PhotoViews:
    folder = Path(options.cache_dir) if options.cache_dir else run.scratch
    skips = Skips(options.on_error)
    cache = build_cache(records, folder, options.image_size, options.workers, skips)
    stack.callback(cache.close)
    inputs = run.path / "inputs.json"
    known = _inputs(cache.inputs_sha256, skips)
    if inputs.is_file():
        if read_json(inputs, what="a run's inputs")["inputs_sha256"] != cache.inputs_sha256:
            raise BadInputError(
                run.path, "the photos have changed since the run began", hint="start a new run"
            )
    else:
        write_json(inputs, known)
    return PhotoViews(cache, options.seed, device, options.amp)


def _inputs(digest: str, skips: Skips) -> dict[str, Any]:
    return {"inputs_sha256": digest, "skipped": skips.reasons}


def _frozen_layer(
    options: FitOptions, stack: ExitStack
) -> tuple[ExtractOptions, StoredViews, str] | None:
    """The feature store of a heads-only run, and how its features were made."""
    if options.features is None:
        return None
    path = Path(options.features)
    reader = stack.enter_context(read_features(path))
    made = options_from(ExtractOptions, reader.config, path)
    if not reader.has_views or reader.sampled or reader.has_pca or made.checkpoint:
        raise BadInputError(
            path,
            "heads are trained on both views of whole maps of a backbone",
            hint="make them with: c2l extract DATA -o features.h5 --views",
        )
    if options.merge_clusters == "figure":
        raise UsageError("--merge-clusters figure needs photos, not --features")
    if options.warmup:
        raise UsageError("--warmup trains the backbone, which --features leaves frozen")
    device = pick_device(options.device)
    return (
        made,
        StoredViews(reader, device, options.amp),
        reader.attribute(schema.ATTR_WEIGHTS_SHA256),
    )


def _start_centroids(options: FitOptions, device: torch.device) -> tuple[Tensor, Tensor] | None:
    if options.init is None:
        return None
    path = Path(options.init)
    stored = read_clusters(path)
    first, second = stored.views or (stored.centroids, stored.centroids)
    if first.shape != (options.clusters, options.fpn_dim):
        raise BadInputError(
            path,
            f"centroids of shape {first.shape}; this run needs "
            f"({options.clusters}, {options.fpn_dim})",
            hint=f"cluster features of layer fpn with -k {options.clusters}",
        )
    return torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)


def _run_epochs(job: Job) -> None:
    trainer, options = job.trainer, job.options
    while trainer.position.epoch < options.warmup + options.epochs and not trainer.finished:
        epoch = trainer.position.epoch
        trainer.enter_epoch(epoch)
        if epoch < options.warmup:
            _warmup_epoch(job, epoch)
        else:
            target = trainer.run.epoch_file(epoch)
            if not (target.is_file() and trainer.position.batch):
                _cluster_epoch(job, epoch, target)
            with read_targets(target) as targets:
                _train_epoch(job, epoch, targets)
        if not trainer.finished:
            trainer.end_epoch()


def _prefetch(
    views: ViewSource, groups: Sequence[Indices], targets: TargetsReader | None
) -> Iterator[tuple[Indices, Any, list[NDArray[np.uint8]]]]:
    """Batches with their labels, the next one read while this one is used."""

    def load(group: Indices) -> tuple[Indices, Any, list[NDArray[np.uint8]]]:
        labels = [targets.labels(view, group) for view in (0, 1)] if targets else []
        return group, views.load(group), labels

    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(load, group) for group in groups[:2]]
        for group in [*groups[2:], None, None][: len(groups)]:
            ready = pending.pop(0).result()
            if group is not None:
                pending.append(pool.submit(load, group))
            yield ready


def _warmup_epoch(job: Job, epoch: int) -> None:
    """Label-free: ground, upper and lower of each photo's own figure, under random crops."""
    trainer, options = job.trainer, job.options
    if not isinstance(job.views, PhotoViews) or trainer.head is None or job.figures is None:
        raise UsageError("--warmup needs photos")
    groups = job.groups(options.batch_size, epoch)[trainer.position.batch :]
    trainer.net.train()
    with steps(f"warm-up {epoch + 1}/{options.warmup}", job.count) as bar:
        for group, loaded, _ in _prefetch(job.views, groups, None):
            x, targets = job.views.warmup(loaded, job.figures, epoch)
            with precision(job.device, options.amp):
                y = trainer.net(x)
            loss = figure_loss(trainer.head(y), targets)
            trainer.step(loss, [job.views.names[int(i)] for i in group])
            _log_step(job, epoch, {"loss_figure": loss}, loss, bar, len(group), len(groups))
            trainer.pause()
            if trainer.finished:
                return


@torch.no_grad()
def _cluster_epoch(job: Job, epoch: int, path: Path) -> None:
    """Both views' centroids mu and labels z for the whole epoch (Eq. 6)."""
    net, options = job.trainer.net, job.options
    net.eval()
    groups = job.groups(min(options.kmeans_batch, options.batch_size * 2), epoch)
    side = options.image_size // 4
    needed = job.count * side * side * options.fpn_dim * 2
    first = epoch == options.warmup and job.start is not None
    with (
        steps(_title("cluster", job, epoch), 2 * job.count) as bar,
        write_targets(path, job.count, {"epoch": epoch}) as writer,
    ):
        for view in (0, 1):

            def encode(group: Indices, view: int = view) -> Tensor:
                m = job.views.view(net, job.views.load(group), epoch, view)
                with precision(job.device, options.amp):
                    return net.embed(m)[0]

            def store(group: Indices, labels: NDArray[np.uint8], view: int = view) -> None:
                writer.store(view, group, labels)

            scratch = job.trainer.run.scratch / f"view{view + 1}.f16"
            with feature_buffer(scratch, job.device, needed) as buffer:
                found = cluster_pass(
                    encode,
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


def _title(what: str, job: Job, epoch: int) -> str:
    return f"{what} {epoch - job.options.warmup + 1}/{job.options.epochs}"


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
            (targets.counts[0], targets.counts[1]), contingency.reshape(clusters, clusters)
        )
    for what in record["collapsed"]:
        voice.say(f"warning: epoch {epoch}: {what}")
    job.trainer.run.log({"kind": "epoch", "epoch": epoch, **record})


def _train_epoch(job: Job, epoch: int, targets: TargetsReader) -> None:
    """One shuffled pass with the epoch's labels (the second loop of Algorithm 1)."""
    trainer, options = job.trainer, job.options
    groups = job.groups(options.batch_size, epoch)[trainer.position.batch :]
    mu = [torch.from_numpy(c).to(job.device) for c in targets.centroids]
    counts = [torch.from_numpy(c).to(job.device) for c in targets.counts]
    weights = [class_weights(c, options.class_weights) for c in counts]
    trainer.net.train()
    with steps(_title("train", job, epoch), job.count) as bar:
        bar.done = trainer.position.batch * options.batch_size
        for group, loaded, labels in _prefetch(job.views, groups, targets):
            z = [torch.from_numpy(values).to(job.device) for values in labels]
            terms = _losses(job, loaded, epoch, z, mu, weights)
            loss = terms["loss_view"] + options.part_weight * terms["loss_part"]
            loss = loss + options.pixel_weight * terms["loss_code"]
            trainer.step(loss, [job.views.names[int(i)] for i in group])
            _log_step(job, epoch, terms, loss, bar, len(group), len(groups))
            trainer.pause()
            if trainer.finished:
                return


def _losses(
    job: Job,
    loaded: Any,
    epoch: int,
    z: list[Tensor],
    mu: list[Tensor],
    weights: list[Tensor | None],
) -> dict[str, Tensor]:
    """L_view, L_r and L_c of a batch (Eq. 8)."""
    net, options = job.trainer.net, job.options
    m = [job.views.view(net, loaded, epoch, view) for view in (0, 1)]
    y, codes = [], []
    for features in m:
        with precision(job.device, options.amp):
            embedded, code = net.embed(features)
        y.append(embedded)
        codes.append(code)
    within = [clustering_loss(y[v], z[v], mu[v], weights[v]) for v in (0, 1)]
    view_loss = (within[0] + within[1]) / 2
    if options.cross_view:
        across = [clustering_loss(y[v], z[1 - v], mu[1 - v], weights[1 - v]) for v in (0, 1)]
        view_loss = (view_loss + (across[0] + across[1]) / 2) / 2
    part_loss = torch.zeros((), device=job.device)
    if net.part is not None:
        with precision(job.device, options.amp):
            vectors = [net.part(m[v], y[v], z[v]) for v in (0, 1)]
        part_loss = part_contrastive_loss(
            vectors[0][0], vectors[1][0], options.tau, (vectors[0][1], vectors[1][1])
        )
    return {
        "loss_view": view_loss,
        "loss_part": part_loss,
        "loss_code": (codes[0] + codes[1]) / 2,
    }


def _log_step(
    job: Job,
    epoch: int,
    terms: dict[str, Tensor],
    loss: Tensor,
    bar: Steps,
    count: int,
    groups: int,
) -> None:
    position = job.trainer.position
    info = ""
    if position.step % LOG_EVERY == 0 or position.batch >= -(-job.count // job.options.batch_size):
        values = {name: round(float(value.detach()), 6) for name, value in terms.items()}
        record = {"kind": "step", "epoch": epoch, "step": position.step}
        job.trainer.run.log({**record, "loss": round(float(loss.detach()), 6), **values})
        info = f"loss {float(loss.detach()):.3f}"
    bar.advance(count, info)


@torch.no_grad()
def _store_predictor(job: Job) -> None:
    """A fresh k-means on un-augmented images, and the label-free merge when asked for."""
    net, options = job.trainer.net, job.options
    net.eval()
    epoch = options.warmup + options.epochs
    groups = job.groups(min(options.kmeans_batch, options.batch_size * 2), epoch)
    positions = PositionStatistics(options.clusters)
    figures = FigureStatistics(options.clusters)
    side = options.image_size // 4
    needed = job.count * side * side * options.fpn_dim * 2

    def encode(group: Indices) -> Tensor:
        m = job.views.plain(net, job.views.load(group))
        with precision(job.device, options.amp):
            return net.embed(m)[0]

    def store(group: Indices, labels: NDArray[np.uint8]) -> None:
        positions.add(labels)
        if job.figures is not None:
            figures.add(labels, job.figures.sides(group).cpu().numpy())

    started = time.monotonic()
    scratch = job.trainer.run.scratch / "plain.f16"
    with (
        steps("final k-means", job.count) as bar,
        feature_buffer(scratch, job.device, needed) as (buffer),
    ):
        found = cluster_pass(
            encode,
            groups,
            options.clusters,
            options,
            seed=options.seed,
            epoch=epoch,
            buffer=buffer,
            store=store,
            bar=bar,
        )
    voice.say(f"final k-means took {time.monotonic() - started:.1f} s", level=2)
    groups_K, shares = None, None
    if options.merge_clusters == "border":
        groups_K = merge_by_border(positions, options.merge_threshold)
    elif options.merge_clusters == "figure":
        groups_K = merge_by_figure(figures)
        shares = figure_shares(figures) if options.sharpen else None
    save_predictor(
        job.trainer.run.predictor,
        net,
        found.centroids,
        found.counts,
        groups_K,
        shares,
        identity(options),
    )
