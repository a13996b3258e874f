"""c2l fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import FitOptions

from .shared import SETTINGS, as_json, common, dry_run, output, pick, set_voice, show, stage_options


@click.command("fit", context_settings=SETTINGS)
@click.argument("data", type=click.Path(path_type=Path))
@output("The run folder to write.")
@click.option("--resume", is_flag=True, help="Go on with a stopped run.")
@click.option(
    "--prove-resume",
    is_flag=True,
    help="Stop and resume a small run of the same kind, say whether it ends the same, and end.",
)
@stage_options(FitOptions)
@dry_run
@as_json
@common
def command(
    data: Path,
    output: Path,
    overwrite: bool,
    resume: bool,
    prove_resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Train on the images in DATA and store the predictor in a run folder.

    \b
    Example:
      c2l fit photos/ -o run --epochs 10
      c2l fit photos/ -o run --epochs 10 --resume
    """
    from c2l.stages.fit import fit, plan

    set_voice(quiet, verbose)
    options = pick(FitOptions, values)
    if dry_run:
        show(plan(data, options), json_wanted=as_json)
        return
    if prove_resume:
        from c2l.stages.prove import prove_resume as prove

        show(prove(data, output, options), json_wanted=as_json)
        return
    path = fit(data, output, options, resume=resume, overwrite=overwrite)
    show({"run": str(path)}, json_wanted=as_json)
