"""teach: drawings, which come with their labels, to a stored predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2l.model.build import build_network
from c2l.options import TeachOptions
from c2l.runtime.device import pick_device
from c2l.training import teach_run


def plan(options: TeachOptions) -> dict[str, Any]:
    """What ``--dry-run`` says."""
    options.check()
    net, _ = build_network(options, None, 0, seed=options.seed)
    model = sum(t.numel() * t.element_size() for t in net.state_dict().values())
    drawn = options.pool + int(options.steps * options.batch_size / options.reuse)
    return {
        "steps": options.steps,
        "drawings": drawn,
        "parameters": sum(p.numel() for p in net.parameters()),
        # Two moments and an average of each weight per checkpoint; one is written beside the rest.
        "disk_bytes_while_training": 4 * options.pool * options.draw_size**2
        + 4 * model * (options.keep + 1),
        "disk_bytes_after": 4 * model * options.keep + model,
        "device": str(pick_device(options.device)),
    }


def teach(
    output: Path,
    options: TeachOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train the network on drawings, and store the predictor.

    Args:
        output: the run folder to write.
        options: see ``TeachOptions``.
        resume: continue a stopped run.
        overwrite: replace an existing run.

    Returns:
        The run folder.

    Raises:
        BadInputError: the weights or the run to resume.
        UsageError: an output exists, or is an input.
        ConfigDiffersError: ``resume`` under other options, or with another version's drawings.
        NonFiniteError: a loss or gradient that is not finite.
        StoppedError: a signal came; the state is saved.
        LockedError: another process trains into the run folder.
        OutputError: the run folder cannot be written.
    """
    return teach_run.teach(output, options, resume=resume, overwrite=overwrite)
