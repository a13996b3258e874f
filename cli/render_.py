"""c2l render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import RenderOptions

from .shared import (
    SETTINGS,
    as_json,
    common,
    dry_run,
    output,
    pick,
    rivals_option,
    set_voice,
    show,
    stage_options,
)


@click.command("render", context_settings=SETTINGS)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path))
@output("The folder to write.")
@rivals_option
@stage_options(RenderOptions)
@dry_run
@as_json
@common
def command(
    artifact: Path,
    images: Path,
    output: Path,
    rivals: list[tuple[str, Path]],
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Draw what ARTIFACT (a run folder or a clusters file) finds in IMAGES.

    Writes masks at each photo's own size, overlays, a contact sheet and one HTML report.

    \b
    Example:
      c2l render run photos/ -o pictures --scores eval.json
    """
    from c2l.stages.render import plan, render

    set_voice(quiet, verbose)
    options = pick(RenderOptions, values)
    if dry_run:
        show(plan(artifact, images, options), json_wanted=as_json)
        return
    path = render(artifact, images, output, options, rivals, overwrite=overwrite)
    show({"pictures": str(path), "report": str(path / "report.html")}, json_wanted=as_json)
