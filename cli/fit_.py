"""c2l fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.errors import UsageError
from c2l.options import FitOptions
from c2l.runtime.ranks import place

from .shared import PATH, switch
from .stage import Call, stage


def _in_force(options: FitOptions) -> FitOptions:
    from c2l.model.in_force import in_force

    return in_force(options)


@stage("fit", writes="Run folder to write.", in_force=_in_force)
@click.argument("data", type=PATH)
@switch("--resume", group="Checkpoints", text="Continue a stopped run.")
@switch(
    "--prove-resume",
    group="Checkpoints",
    text="Stop and resume a small run of the same kind, and check that the result is the same.",
)
def command(call: Call[FitOptions], data: Path, resume: bool, prove_resume: bool) -> dict[str, Any]:
    """Train on the images in DATA and store the predictor in a run folder.

    The defaults find people best: a label-free warm-up, then C2L with 16 clusters, which are merged
    into background, upper and lower. --preset paper is the paper's protocol.

    \b
    Examples:
      c2l fit photos/ -o run
      c2l fit photos/ -o run --resume
      c2l fit photos/ -o run --weights resnet18.safetensors --split train
      c2l fit photos/ -o paper --preset paper
      c2l fit photos/ -o run --print-config > fit.toml
    """
    from c2l.stages.fit import fit, plan

    if prove_resume:
        if place():
            raise UsageError("--prove-resume starts processes itself: leave out torchrun or srun")
        if call.dry_run:
            raise UsageError("--prove-resume trains, --dry-run does not: choose one")
        from c2l.stages.prove import prove_resume as prove

        return prove(data, call.output, call.options)
    if call.dry_run:
        return plan(data, call.output, call.options, resume=resume, overwrite=call.overwrite)
    path = fit(data, call.output, call.options, resume=resume, overwrite=call.overwrite)
    return {"run": str(path), **call.left_out(path)}
