"""A whole run of ``teach``: from options to a run folder, new or resumed."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from c2l.artifacts.drawn import located
from c2l.artifacts.lineage import WEIGHTS, Source, source
from c2l.artifacts.outputs import hold
from c2l.model.build import build_network
from c2l.nn.network import ParsingNetwork
from c2l.options import TeachOptions, recorded
from c2l.runtime.device import fixed_order, pick_device
from c2l.runtime.signals import StopRequest
from c2l.synth.stream import drawings
from c2l.training.drawing_pool import Pool, drawing_size
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
from c2l.training.teacher import Teacher, TeachingState
from c2l.training.tensorboard import mirrored, writer_class


def teach(
    output: Path, options: TeachOptions, *, resume: bool = False, overwrite: bool = False
) -> Path:
    """Train on drawings, and store the predictor; the errors are those of ``stages.teach.teach``.

    Returns:
        The run folder.
    """
    options.check()
    if options.tensorboard is not None:
        writer_class()
    output = followed(output)
    refuse_output(output, options, resume=resume, overwrite=overwrite)
    with ExitStack() as stack, hold(output), StopRequest() as stop:
        stack.enter_context(fixed_order(options.fixed_order))
        device = pick_device(options.device)
        net, config, sources = _network(options)
        if resume:
            run = resume_run(output, options, config)
        else:
            run = begin_run(output, config, sources, overwrite=overwrite)
        if run.predictor.is_file():
            close_finished(run)
            return output
        with undone_on_failure(run, resume=resume):
            state = TeachingState(run, net.to(device), options)
            if resume:
                restore(state)
            stack.enter_context(mirrored(run, options.tensorboard))
            pool = Pool(run.scratch / "drawings", options, stop)
            stack.callback(pool.close)
        Teacher(state, pool, device, stop).train()
        close_run(run, state.position.step)
    return output


def _network(options: TeachOptions) -> tuple[ParsingNetwork, dict[str, Any], list[Source]]:
    """The network as the run begins, the run's configuration, and its inputs."""
    net, weights = build_network(options, None, 0, seed=options.seed)
    sources = []
    if options.weights not in ("none", "imagenet"):
        sources = [source(WEIGHTS, located(Path(options.weights)), weights.sha256)]
    # Another version draws other pictures: a run is not resumed with them.
    size = drawing_size(options.seed, options.draw_size, 0)
    (first,) = drawings(options.seed, size, stop=1)
    drawn = hashlib.sha256(first.picture.tobytes() + first.labels.tobytes()).hexdigest()
    config = {
        "stage": options.stage,
        "options": recorded(options),
        "weights_sha256": weights.sha256,
        "first_drawing_sha256": drawn,
    }
    return net, config, sources
