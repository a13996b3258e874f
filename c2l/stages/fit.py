"""fit: Algorithm 1 of the paper inside PiCIE's epoch loop, from images to a stored predictor."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from c2l import schema
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.freshness import CHANGED_PHOTOS, require_same_photos
from c2l.artifacts.lineage import (
    CENTROIDS,
    DATA,
    FEATURES,
    PREDICTOR,
    WEIGHTS,
    Source,
    as_json,
    source,
)
from c2l.artifacts.outputs import hold, refuse_existing
from c2l.artifacts.runs import Run
from c2l.data.cache import build_cache
from c2l.data.dataset import Dataset
from c2l.data.decoding import Skips
from c2l.data.reading import open_images
from c2l.data.records import Record
from c2l.errors import BadInputError, StoppedError, UsageError
from c2l.figure.cache import build_figures
from c2l.figure.model import FIGURE_VERSION
from c2l.model.in_force import in_force
from c2l.model.network import build_network
from c2l.model.predictor import load_start
from c2l.nn.backbone import dense_side
from c2l.nn.network import ParsingNetwork
from c2l.options import FitOptions, identity, needs_figures, recorded
from c2l.runtime.device import pick_device
from c2l.runtime.files import output_errors, sha256_file, unchanged
from c2l.runtime.json_files import read_json, write_json
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import voice
from c2l.runtime.signals import StopRequest
from c2l.runtime.threads import prepare_cpu
from c2l.training.epochs import run_epochs
from c2l.training.final import store_predictor
from c2l.training.frozen import FrozenLayer, open_frozen
from c2l.training.job import Job
from c2l.training.trainer import Trainer
from c2l.training.views import PhotoViews, ViewSource

GO_ON = "go on with it by --resume, replace it by --overwrite, or name another output"


def plan(data: Path, options: FitOptions) -> dict[str, Any]:
    """What ``--dry-run`` says; everything that is read is opened and checked as by ``fit``."""
    options = in_force(options)
    dataset = open_images(data, options)
    with ExitStack() as stack:
        device = pick_device(options.device)
        frozen = open_frozen(options, device, stack)
        options = frozen.settle(options) if frozen else options
        _require_batches(options, len(dataset.records))
        net, _ = _network(options, frozen)
        _start_centroids(options, device)
    images, side = len(dataset.records), dense_side(options.image_size)
    model = sum(t.numel() * t.element_size() for t in net.state_dict().values())
    # Adam keeps two more values a parameter; one checkpoint is written while the others stand.
    checkpoints = 3 * model * options.keep
    pixels = 0 if frozen else images * options.image_size**2 * 3
    batch = options.image_size**2 * 3 * options.batch_size
    features = side * side * options.fpn_dim * 4 * options.batch_size
    return {
        "images": images,
        "steps": (options.epochs + options.warmup) * -(-images // options.batch_size),
        "parameters": sum(p.numel() for p in net.parameters()),
        "disk_bytes_while_training": checkpoints
        + 3 * model
        + pixels
        + images * side * side * (2 * options.fpn_dim + 3),
        "disk_bytes_after": checkpoints + model,
        "memory_bytes_of_pixels_and_maps_of_a_batch": 2 * (5 * batch + 2 * features),
        "device": str(device),
        "image_size": options.image_size,
        "batch_size": options.batch_size,
        "attention_stride": options.attention_stride,
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
    # A folder that is a link stays one: what it leads to is replaced.
    output = Path(os.path.realpath(output)) if output.is_symlink() else output
    if resume and overwrite:
        raise UsageError("--resume goes on with a run, --overwrite replaces it: choose one")
    options = in_force(options, output if resume else None)
    # A run that is there is refused before any image is decoded; one that a failed start left
    # behind holds nothing.
    if not resume and output.exists() and not Run.is_empty(output):
        named = (options.checkpoint, options.init, options.features, options.weights)
        read = [data, *(Path(name) for name in named if name)]
        refuse_existing(output, overwrite=overwrite, inputs=read, hint=GO_ON)
    with ExitStack() as stack, hold(output), StopRequest() as stop:
        run, job = _prepare(stack, data, output, options, stop, resume=resume, overwrite=overwrite)
        if job is None:
            voice.say(f"{output}: finished already")
            _close(run, options, max(run.steps(), default=0))
            return output
        run_epochs(job)
        store_predictor(job)
        _close(run, options, job.trainer.position.step)
    return output


def _close(run: Run, options: FitOptions, step: int) -> None:
    """Note the end and remove what is needed no more; what a kill left undone is made up for."""
    if run.ended_with() is None:
        sums = {
            "predictor_sha256": sha256_file(run.predictor),
            "metrics_sha256": run.learned_sha256(),
        }
        run.log({"kind": "done", "step": step, **sums})
    with output_errors(run.path):
        shutil.rmtree(run.scratch, ignore_errors=True)
        run.forget_epochs(before=options.warmup + options.epochs + 1)
        run.forget_previous()


def _require_batches(options: FitOptions, images: int) -> None:
    """Refuse a batch in which batch normalisation would see one value a channel.

    Raises:
        UsageError: a last batch of one photo whose deepest map is one pixel.
    """
    if options.image_size < 64 and images % options.batch_size == 1 and not options.features:
        raise UsageError(
            f"--image-size {options.image_size}: the last batch holds one photo, whose deepest "
            "map is one pixel: batch normalisation needs two values",
            hint="use --image-size 64 or more, or another --batch-size",
        )


def _prepare(
    stack: ExitStack,
    data: Path,
    output: Path,
    options: FitOptions,
    stop: StopRequest,
    *,
    resume: bool,
    overwrite: bool,
) -> tuple[Run, Job | None]:
    """The run and what its epochs work with; no job when the run is finished already."""
    dataset = open_images(data, options)
    device = pick_device(options.device)
    frozen = open_frozen(options, device, stack)
    options = frozen.settle(options) if frozen else options
    _require_batches(options, len(dataset.records))
    with unchanged(*([Path(options.init)] if options.init else [])):
        net, config = _network(options, frozen)
        start = _start_centroids(options, device)
    config["data"] = _described(dataset)
    made_from = _made_from(options, dataset, frozen, config)
    if frozen:
        frozen.require_images(dataset.records, data)
    run = _open_run(output, options, config, made_from, resume=resume, overwrite=overwrite)
    if run.predictor.is_file():
        require_same_photos(output, dataset)
        return run, None
    with _taken_back(run, resume=resume):
        views: ViewSource
        views = (
            frozen.views
            if frozen
            else _photo_views(stack, run, dataset.records, options, device, stop)
        )
        trainer = Trainer(run, net.to(device), options, stop, len(views.names))
        if resume:
            found = trainer.restore()
            at = f"resumed at step {trainer.position.step}, epoch {trainer.position.epoch}"
            voice.say(at if found else f"{output}: nothing was saved yet, begins at step 0")
        figures = None
        if isinstance(views, PhotoViews) and needs_figures(options):
            figures = build_figures(views.cache, device, stop)
            stack.callback(figures.close)
    return run, Job(trainer, views, options, device, start, figures)


@contextmanager
def _taken_back(run: Run, *, resume: bool) -> Iterator[None]:
    """A start that fails leaves no run behind, and the run that it was to replace as it was."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException:
        if not resume:
            run.undo_create()
        raise


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
        "options": recorded(options),
        "weights_sha256": weights.sha256,
        "init_sha256": sha256_file(Path(options.init)) if options.init else "",
        "checkpoint_sha256": start,
        "frozen_layer": "",
        "guess": FIGURE_VERSION if needs_figures(options) else 0,
    }
    return net, config | (frozen.config if frozen else {})


def _described(dataset: Dataset) -> dict[str, Any]:
    return {
        "layout": dataset.layout,
        "split": dataset.split,
        "images": len(dataset.records),
    }


def _made_from(
    options: FitOptions,
    dataset: Dataset,
    frozen: FrozenLayer | None,
    config: dict[str, Any],
) -> list[Source]:
    """The run's inputs; the digest of the photos follows in ``inputs.json``."""
    found = [source(DATA, dataset.root, "")]
    if options.weights not in ("none", "imagenet") and not options.checkpoint:
        found.append(source(WEIGHTS, Path(options.weights), config["weights_sha256"]))
    if options.checkpoint:
        start = Path(options.checkpoint) / schema.PREDICTOR
        found.append(source(PREDICTOR, start, config["checkpoint_sha256"]))
    if options.init:
        found.append(source(CENTROIDS, Path(options.init), config["init_sha256"]))
    if frozen:
        found.append(source(FEATURES, frozen.path, sha256_file(frozen.path)))
    return found


def _compared(options: FitOptions) -> dict[str, Any]:
    """The options that a resumed run must share; files count by their content alone."""
    files = ("weights", "checkpoint", "init", "features")
    return {k: v for k, v in identity(options).items() if k not in files}


def _open_run(
    output: Path,
    options: FitOptions,
    config: dict[str, Any],
    made_from: list[Source],
    *,
    resume: bool,
    overwrite: bool,
) -> Run:
    """The run folder; torch keeps the run's first number of threads, since sums depend on it."""
    if not resume:
        full = config | {"threads": worker_count(), "lineage": as_json(made_from)}
        run = Run.create(output, full, overwrite=overwrite)
    else:
        run = Run.open(output)
        run.require_same(config | {"options": _compared(options)})
    prepare_cpu(int(run.config.get("threads", 0)))
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
    inputs = run.path / schema.RUN_INPUTS
    if not inputs.is_file() and run.steps():
        raise BadInputError(
            inputs, "is gone: which photos the run began with is not known", hint="put it back"
        )
    if not inputs.is_file():
        known = {"inputs_sha256": cache.inputs_sha256, "skipped": skips.reasons}
        write_json(inputs, known, sealed=True)
        return PhotoViews(cache, options.seed, device, options.amp)
    stored = read_json(inputs, what="a run's inputs", sealed=True)
    if stored.get("inputs_sha256") != cache.inputs_sha256:
        raise BadInputError(run.path, CHANGED_PHOTOS, hint="start a new run")
    return PhotoViews(cache, options.seed, device, options.amp)


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
