"""fit: images to a stored predictor, by Algorithm 1 of the paper inside PiCIE's epochs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from c2l.nn.pyramid import dense_side
from c2l.options import FitOptions
from c2l.runtime.device import pick_device
from c2l.runtime.ranks import open_ranks
from c2l.training.fit_run import allowed, train
from c2l.training.inputs import open_inputs
from c2l.training.session import has_begun


def plan(
    data: Path, output: Path, options: FitOptions, *, resume: bool = False, overwrite: bool = False
) -> dict[str, Any]:
    """What ``--dry-run`` says; everything that is read is opened and checked as by ``fit``."""
    with ExitStack() as stack:
        options = allowed(data, output, options, resume=resume, overwrite=overwrite)
        inputs = open_inputs(data, options, stack)
    options, net = inputs.options, inputs.net
    images, side = len(inputs.dataset.records), dense_side(options.image_size)
    steps = (options.epochs + options.warmup) * -(-images // options.batch_size)
    model = sum(t.numel() * t.element_size() for t in net.state_dict().values())
    # Adam keeps two more values per parameter; one checkpoint is written while the others stand.
    checkpoints = 3 * model * options.keep
    pixels = 0 if inputs.frozen else images * options.image_size**2 * 3
    batch = options.image_size**2 * 3 * options.batch_size
    features = side * side * options.fpn_dim * 4 * options.batch_size
    return {
        "images": images,
        "steps": min(steps, options.max_steps or steps),
        "parameters": sum(p.numel() for p in net.parameters()),
        "disk_bytes_while_training": checkpoints
        + 3 * model
        + pixels
        + images * side * side * (2 * options.fpn_dim + 3),
        "disk_bytes_after": checkpoints + model,
        "memory_bytes_of_pixels_and_maps_of_a_batch": 2 * (5 * batch + 2 * features),
        "device": str(inputs.device),
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
    with open_ranks(pick_device(options.device)) as ranks:
        begun = ranks.together(lambda: has_begun(output, overwrite=overwrite))
        return train(
            data, output, options, ranks=ranks, resume=resume or begun, overwrite=overwrite
        )
