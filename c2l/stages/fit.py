"""fit: Algorithm 1 of the paper inside PiCIE's epoch loop, from images to a stored predictor."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.files import (
    output_errors,
    read_json,
    refuse_existing,
    sha256_file,
    write_json,
)
from c2l.artifacts.locks import exclusive
from c2l.artifacts.runs import Run
from c2l.data.layouts import Dataset, Record, open_dataset
from c2l.errors import BadInputError, UsageError
from c2l.nn.network import ParsingNetwork
from c2l.options import FitOptions, identity
from c2l.pipeline.device import pick_device, set_threads, thread_count
from c2l.pipeline.epochs import run_epochs
from c2l.pipeline.figures import build_figures
from c2l.pipeline.final import store_predictor
from c2l.pipeline.heads import FrozenLayer, open_frozen
from c2l.pipeline.images import Skips, build_cache
from c2l.pipeline.job import Job
from c2l.pipeline.network import build_network, effective
from c2l.pipeline.predictor import load_start
from c2l.pipeline.progress import voice
from c2l.pipeline.signals import StopRequest
from c2l.pipeline.training import Trainer
from c2l.pipeline.views import PhotoViews, ViewSource

GO_ON = "go on with it by --resume, replace it by --overwrite, or name another output"


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
        LockedError: another process trains into the run folder.
        OutputError: the run folder cannot be written.
    """
    options = effective(options)
    if options.sharpen and options.merge_clusters != "figure":
        raise UsageError("--sharpen needs --merge-clusters figure")
    if resume and Run.open(output).predictor.is_file():
        # Only whether it is the same run is still asked, and nothing is touched.
        Run.open(output).require_same({"options": identity(options)})
        voice.say(f"{output}: finished already")
        return output
    # A run that is there is refused before any image is decoded; one that a failed start left
    # behind holds nothing.
    if not resume and not Run.is_empty(output):
        refuse_existing(output, overwrite=overwrite, hint=GO_ON)
    with ExitStack() as stack, exclusive(output) as left, StopRequest() as stop:
        if left:
            voice.say(f"{output}: an earlier writer ended without finishing: {left}")
        run, job = _prepare(stack, data, output, options, stop, resume=resume, overwrite=overwrite)
        run_epochs(job)
        store_predictor(job)
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
    frozen = open_frozen(options, device, stack)
    options = frozen.settle(options) if frozen else options
    net, config = _network(options, frozen)
    dataset = open_dataset(data, split=options.split)
    config["data"] = _described(dataset)
    if frozen:
        frozen.require_images({r.name for r in dataset.records}, data)
    run = _open_run(output, config, resume=resume, overwrite=overwrite)
    views: ViewSource
    views = (
        frozen.views if frozen else _photo_views(stack, run, dataset.records, options, device, stop)
    )
    trainer = Trainer(run, net.to(device), options, stop, len(views.names))
    if resume and trainer.restore():
        voice.say(f"resumed at step {trainer.position.step}, epoch {trainer.position.epoch}")
    figures = None
    if isinstance(views, PhotoViews) and (options.warmup or options.merge_clusters == "figure"):
        figures = build_figures(views.cache, device)
    start = _start_centroids(options, device)
    return run, Job(trainer, views, options, device, start, figures)


def _network(
    options: FitOptions, frozen: FrozenLayer | None
) -> tuple[ParsingNetwork, dict[str, Any]]:
    """The network as the run begins, and where its weights came from."""
    made = frozen.made if frozen else options
    if options.checkpoint:
        # Whatever the weights, the run's network replaces them.
        made = replace(options, weights="none")
    net, weights = build_network(
        made,
        options,
        options.clusters,
        seed=frozen.made.seed if frozen else options.seed,
        layer=frozen.made.layer if frozen else "fpn",
        frozen_channels=frozen.views.reader.channels if frozen else 0,
    )
    if frozen:
        frozen.require_weights(weights)
    start = load_start(net, Path(options.checkpoint)) if options.checkpoint else ""
    config: dict[str, Any] = {
        "options": identity(options),
        "weights_sha256": weights.sha256,
        "init_sha256": sha256_file(Path(options.init)) if options.init else "",
        "checkpoint_sha256": start,
        "frozen_layer": "",
    }
    return net, config | (frozen.config if frozen else {})


def _described(dataset: Dataset) -> dict[str, Any]:
    return {
        "root": str(dataset.root.resolve()),
        "layout": dataset.layout,
        "split": dataset.split,
        "images": len(dataset.records),
    }


def _open_run(output: Path, config: dict[str, Any], *, resume: bool, overwrite: bool) -> Run:
    """The run folder; torch's threads are those the run began with, since sums depend on them."""
    if not resume:
        run = Run.create(output, config | {"threads": thread_count()}, overwrite=overwrite)
    else:
        run = Run.open(output)
        run.require_same(config)
    set_threads(int(run.config.get("threads", thread_count())))
    return run


def _photo_views(
    stack: ExitStack,
    run: Run,
    records: Sequence[Record],
    options: FitOptions,
    device: torch.device,
    stop: StopRequest,
) -> PhotoViews:
    folder = Path(options.cache_dir) if options.cache_dir else run.scratch
    skips = Skips(options.on_error)
    cache = build_cache(records, folder, options.image_size, options.workers, skips, stop)
    stack.callback(cache.close)
    inputs = run.path / "inputs.json"
    if not inputs.is_file():
        known = {"inputs_sha256": cache.inputs_sha256, "skipped": skips.reasons}
        write_json(inputs, known, sealed=True)
        return PhotoViews(cache, options.seed, device, options.amp)
    stored = read_json(inputs, what="a run's inputs", sealed=True)
    if stored.get("inputs_sha256") != cache.inputs_sha256:
        raise BadInputError(
            run.path, "the photos have changed since the run began", hint="start a new run"
        )
    return PhotoViews(cache, options.seed, device, options.amp)


def _start_centroids(options: FitOptions, device: torch.device) -> tuple[Tensor, Tensor] | None:
    if options.init is None:
        return None
    path = Path(options.init)
    stored = read_clusters(path, trust=options.trust)
    first, second = stored.views or (stored.centroids, stored.centroids)
    if first.shape != (options.clusters, options.fpn_dim):
        raise BadInputError(
            path,
            f"centroids of shape {first.shape}; this run needs "
            f"({options.clusters}, {options.fpn_dim})",
            hint=f"cluster features of layer fpn with -k {options.clusters}",
        )
    return torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)
