"""A whole run of ``fit``: from a data set to a run folder, new or resumed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import torch

from c2l import __version__, schema
from c2l.artifacts.followed import FollowedRun
from c2l.artifacts.freshness import changed_photos, require_same_photos
from c2l.artifacts.outputs import hold
from c2l.artifacts.runs import Run
from c2l.data.cache import build_cache
from c2l.data.dataset import Dataset
from c2l.data.decoding import Skips
from c2l.errors import BadInputError
from c2l.figure.cache import build_figures
from c2l.model.in_force import in_force
from c2l.nn.batch_norm import over_ranks
from c2l.options import FitOptions, needs_figures
from c2l.runtime.device import fixed_order
from c2l.runtime.files import sha256_lines
from c2l.runtime.json_files import flat, read_json, write_json
from c2l.runtime.ranks import ALONE, Ranks
from c2l.runtime.signals import StopRequest
from c2l.runtime.threads import prepare_cpu
from c2l.training.inputs import Inputs, open_inputs, require_batches
from c2l.training.loop import Trainer
from c2l.training.session import (
    begin_run,
    close_finished,
    close_run,
    followed,
    refuse_output,
    restore,
    resume_run,
    undone_on_failure,
)
from c2l.training.state import TrainingState, digest
from c2l.training.tensorboard import mirrored, writer_class
from c2l.training.view_sources import PhotoViews, ViewSource


def train(
    data: Path,
    output: Path,
    options: FitOptions,
    *,
    ranks: Ranks = ALONE,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train, and store the predictor; the errors are those of ``stages.fit.fit``.

    Returns:
        The run folder.
    """
    if options.tensorboard is not None:
        writer_class()
    output = followed(output)
    with ExitStack() as stack, StopRequest() as stop:

        def opened() -> Inputs:
            refuse_output(output, options, data=data, resume=resume, overwrite=overwrite)
            chosen = in_force(options, output if resume else None)
            if ranks.first:
                stack.enter_context(hold(output))
            _require_same_options(output, chosen, resume=resume)
            stack.enter_context(fixed_order(chosen.fixed_order))
            inputs = open_inputs(data, chosen, stack)
            if inputs.frozen:
                inputs.frozen.require_images(inputs.dataset.records, data)
            return inputs

        inputs = ranks.together(opened, stop)
        _require_same_ranks(output, inputs, ranks)
        run = ranks.in_turn(
            lambda: _open_run(output, inputs, ranks, resume=resume, overwrite=overwrite), stop
        )
        if not ranks.alone:
            # A setting of each thread, and the run was opened in another one.
            prepare_cpu(int(run.config.get("threads", 0)))
        if ranks.from_first(run.predictor.is_file()):
            ranks.first_does(lambda: _close_again(run, inputs), stop)
            return output
        with undone_on_failure(run, resume=resume):
            trainer = _trainer(stack, run, inputs, stop, ranks, resume=resume)
        trainer.train()
        ranks.first_does(lambda: close_run(run, trainer.state.position.step))
    return output


def _close_again(run: Run, inputs: Inputs) -> None:
    require_same_photos(run.path, inputs.dataset)
    close_finished(run)


def _require_same_ranks(output: Path, inputs: Inputs, ranks: Ranks) -> None:
    """Refuse ranks of other options, weights, photos or another version."""
    if ranks.alone:
        return
    found = {
        "version": __version__,
        "output": output.name,
        "network_sha256": digest(inputs.net.state_dict()),
        "names_sha256": sha256_lines(r.name for r in inputs.dataset.records),
        "device": inputs.device.type,
    }
    ranks.require_same(str(output), flat(inputs.config) | found)


def allowed(
    data: Path, output: Path, options: FitOptions, *, resume: bool, overwrite: bool
) -> FitOptions:
    """The options in force; an output that keeps a run from starting is refused.

    Raises:
        UsageError: there is a run already, or options do not go together.
        BadInputError: no run to resume, or a damaged one.
        ConfigDiffersError: ``resume`` under other options.
    """
    refuse_output(output, options, data=data, resume=resume, overwrite=overwrite)
    options = in_force(options, output if resume else None)
    _require_same_options(output, options, resume=resume)
    return options


def _require_same_options(output: Path, options: FitOptions, *, resume: bool) -> None:
    """Refuse to resume under other options, before any weights are looked for."""
    if not resume or options.features:
        return
    run = Run.open(output)
    began = run.config.get("options", {}).get("weights")
    # Weights of a file are compared by their content, later.
    named = not options.checkpoint and "none" in (began, options.weights)
    run.require_same({"options.weights": options.weights} if named else {}, options)


def _open_run(output: Path, inputs: Inputs, ranks: Ranks, *, resume: bool, overwrite: bool) -> Run:
    if not ranks.first:
        return FollowedRun.open(output)
    if resume:
        # Photos are compared, and named, once they are read.
        data = {key: value for key, value in inputs.config["data"].items() if key != "images"}
        return resume_run(output, inputs.options, inputs.config | {"data": data})
    of_ranks = {"ranks": ranks.size, "batch_norm": inputs.options.batch_norm}
    config = inputs.config | ({} if ranks.alone else of_ranks)
    return begin_run(output, config, inputs.sources(), overwrite=overwrite)


def _trainer(
    stack: ExitStack,
    run: Run,
    inputs: Inputs,
    stop: StopRequest,
    ranks: Ranks,
    *,
    resume: bool,
) -> Trainer:
    """The run at its start, or where its newest checkpoint left it."""
    options, device = inputs.options, inputs.device
    views: ViewSource
    if inputs.frozen:
        views = inputs.frozen.views
    else:
        views = photos = ranks.in_turn(
            lambda: _photo_views(stack, run, inputs.dataset, options, device, stop), stop
        )
        ranks.require_same(str(run.path), {"photos_sha256": photos.cache.inputs_sha256})
        require_batches(inputs.net, options, len(views.names), ranks)
    if not ranks.alone and options.batch_norm == "all":
        over_ranks(inputs.net, ranks)
    state = TrainingState(run, inputs.net.to(device), options, ranks)
    if resume:
        ranks.in_turn(lambda: restore(state), stop)
        ranks.require_same(str(run.path), {"resumed_at": state.position.step})
    stack.enter_context(mirrored(run, options.tensorboard if ranks.first else None))
    figures = None
    if isinstance(views, PhotoViews) and needs_figures(options):
        cache = views.cache
        figures = ranks.in_turn(lambda: build_figures(cache, device, stop), stop)
        stack.callback(figures.close)
    return Trainer(state, views, device, stop, inputs.start, figures)


def _photo_views(
    stack: ExitStack,
    run: Run,
    dataset: Dataset,
    options: FitOptions,
    device: torch.device,
    stop: StopRequest,
) -> PhotoViews:
    """The photos, decoded once, and checked to be those that the run began with."""
    folder = Path(options.cache_dir) if options.cache_dir else run.scratch
    records, skips = dataset.records, Skips(options.on_error, dataset.unusable)
    cache = build_cache(records, folder, options.image_size, options.workers, skips, stop)
    stack.callback(cache.close)
    skips.count(len(records))
    inputs = run.path / schema.RUN_INPUTS
    if inputs.is_file():
        stored = read_json(inputs, what="a run's inputs", sealed=True)
        if stored.get("inputs_sha256") != cache.inputs_sha256:
            raise changed_photos(run.path, dict(zip(cache.names, cache.sums, strict=False)))
    elif run.steps():
        raise BadInputError(
            inputs, "is missing: which photos the run began with is unknown", hint="put it back"
        )
    else:
        photos = dict(zip(cache.names, cache.sums, strict=False))
        known = {"inputs_sha256": cache.inputs_sha256, "skipped": skips.all, "photos": photos}
        write_json(inputs, known, sealed=True)
    return PhotoViews(cache, options.seed, device, options.amp)
