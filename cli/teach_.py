"""c2l teach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import TeachOptions

from .grouped import GroupedOption
from .shared import PATH, switch
from .stage import Call, stage


@stage("teach", writes="Run folder to write.")
@switch("--resume", group="Checkpoints", text="Continue a stopped run.")
@click.option(
    "--export",
    cls=GroupedOption,
    group="Data",
    saved=False,
    type=PATH,
    metavar="FILE",
    help="Also write the predictor to this .safetensors file, in half precision.",
)
def command(call: Call[TeachOptions], resume: bool, export: Path | None) -> dict[str, Any]:
    """Teach the network by drawings of people and store the predictor in a run folder.

    No photograph is read: people are drawn as training goes, each with the labels of its own
    drawing. The predictor names ATR's parts and stands wherever a run of fit does.

    \b
    Examples:
      c2l teach -o run
      c2l teach -o run --resume
      c2l teach -o run --preset drawn --export predictor.safetensors
    """
    from c2l.stages.teach import plan, teach

    if call.dry_run:
        return plan(call.options)
    path = teach(call.output, call.options, resume=resume, overwrite=call.overwrite, export=export)
    found: dict[str, Any] = {"run": str(path)}
    if export is not None:
        found |= {"export": str(export), "export_bytes": export.stat().st_size}
    return found
