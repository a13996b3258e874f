"""A whole training run: from a data set to a run folder, new or resumed.

As a program, ``python -m c2l.training.run JSON`` trains as an object says that has ``data``,
``output``, ``options`` and ``resume``: in a process of its own, a run can be killed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from c2l import schema
from c2l.artifacts.freshness import changed_photos, require_same_photos
from c2l.artifacts.lineage import as_json
from c2l.artifacts.outputs import hold, inputs_of, refuse_existing
from c2l.artifacts.runs import Run
from c2l.data.cache import build_cache
from c2l.data.dataset import Dataset
from c2l.data.decoding import Skips
from c2l.errors import BadInputError, C2LError, StoppedError, UsageError
from c2l.figure.cache import build_figures
from c2l.model.in_force import in_force
from c2l.options import FitOptions, needs_figures
from c2l.runtime.files import output_errors, sha256_file
from c2l.runtime.json_files import read_json, write_json
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import console
from c2l.runtime.signals import StopRequest
from c2l.runtime.threads import prepare_cpu
from c2l.training.inputs import Inputs, open_inputs, require_batches
from c2l.training.loop import Trainer
from c2l.training.state import TrainingState
from c2l.training.view_sources import PhotoViews, ViewSource

REPLACE = "resume it with --resume, replace it with --overwrite, or name another output"


def train(
    data: Path,
    output: Path,
    options: FitOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train, and store the predictor; the errors are those of ``stages.fit.fit``.

    Returns:
        The run folder.
    """
    # A folder that is a symbolic link stays one: its target is replaced.
    output = Path(os.path.realpath(output)) if output.is_symlink() else output
    options = allowed(data, output, options, resume=resume, overwrite=overwrite)
    with ExitStack() as stack, hold(output), StopRequest() as stop:
        inputs = open_inputs(data, options, stack)
        if inputs.frozen:
            inputs.frozen.require_images(inputs.dataset.records, data)
        run = _open_run(output, inputs, resume=resume, overwrite=overwrite)
        if run.predictor.is_file():
            require_same_photos(output, inputs.dataset)
            console.print(f"{output}: finished already")
            close_run(run, max(run.steps(), default=0))
            return output
        with undone_on_failure(run, resume=resume):
            trainer = _trainer(stack, run, inputs, stop, resume=resume)
        trainer.train()
        close_run(run, trainer.state.position.step)
    return output


def allowed(
    data: Path, output: Path, options: FitOptions, *, resume: bool, overwrite: bool
) -> FitOptions:
    """The options in force, once nothing that lies at the output is in the way of a run.

    Raises:
        UsageError: there is a run already, or options do not go together.
        BadInputError: no run to resume, or a damaged one.
        ConfigDiffersError: ``resume`` under other options.
    """
    if resume and overwrite:
        raise UsageError("--resume continues a run, --overwrite replaces it: choose one")
    # An existing run is refused before any image is decoded; one that a failed start left behind
    # holds nothing.
    if not resume:
        replaced = overwrite or Run.is_empty(output)
        read = inputs_of(options, data=data)
        refuse_existing(output, overwrite=replaced, inputs=read, hint=REPLACE)
    options = in_force(options, output if resume else None)
    if resume and not options.features:  # before weights that were not meant are looked for
        _require_same_options(Run.open(output), options)
    return options


def _require_same_options(run: Run, options: FitOptions) -> None:
    """Refuse to resume under other options, weights of no file among them."""
    began = run.config.get("options", {}).get("weights")
    named = not options.checkpoint and "none" in (began, options.weights)
    run.require_same({"options.weights": options.weights} if named else {}, options)


def _open_run(output: Path, inputs: Inputs, *, resume: bool, overwrite: bool) -> Run:
    """The run folder; torch's threads are those the run began with, since sums depend on them."""
    config = inputs.config
    if not resume:
        lineage = as_json(inputs.sources())
        full = config | {"threads": worker_count(), "lineage": lineage}
        run = Run.create(output, full, overwrite=overwrite)
    else:
        run = Run.open(output)
        # Photos are compared, and named, once they are read.
        data = {key: value for key, value in config["data"].items() if key != "images"}
        run.require_same(config | {"data": data}, inputs.options)
    prepare_cpu(int(run.config.get("threads", 0)))
    return run


@contextmanager
def undone_on_failure(run: Run, *, resume: bool) -> Iterator[None]:
    """A start that fails leaves no run behind, and restores the run that it was to replace."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException:
        if not resume:
            run.undo_create()
        raise


def _trainer(
    stack: ExitStack, run: Run, inputs: Inputs, stop: StopRequest, *, resume: bool
) -> Trainer:
    """The run at its start, or where its newest checkpoint left it."""
    options, device = inputs.options, inputs.device
    views: ViewSource
    if inputs.frozen:
        views = inputs.frozen.views
    else:
        views = _photo_views(stack, run, inputs.dataset, options, device, stop)
        require_batches(inputs.net, options, len(views.names))
    state = TrainingState(run, inputs.net.to(device), options)
    if resume:
        found, position = state.restore(), state.position
        at = f"resumed at step {position.step}, epoch {position.epoch}"
        console.print(at if found else f"{run.path}: nothing was saved yet, starts at step 0")
    figures = None
    if isinstance(views, PhotoViews) and needs_figures(options):
        figures = build_figures(views.cache, device, stop)
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


def close_run(run: Run, step: int) -> None:
    """Note the end of the run and remove what only training needs; safe to repeat after a kill."""
    if run.ended_with() is None:
        sums = {
            "predictor_sha256": sha256_file(run.predictor),
            "metrics_sha256": run.learned_sha256(),
        }
        run.log({"kind": "done", "step": step, **sums})
    with output_errors(run.path):
        shutil.rmtree(run.scratch, ignore_errors=True)
        run.forget_epochs()
        run.forget_previous()


def main(argument: str) -> None:
    """Train as a JSON object says; exits with the code of the error, its message on stderr."""
    wanted: dict[str, Any] = json.loads(argument)
    options = FitOptions(**wanted["options"])
    try:
        train(Path(wanted["data"]), Path(wanted["output"]), options, resume=wanted["resume"])
    except C2LError as error:
        print(error.message, file=sys.stderr)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main(sys.argv[1])
