"""c2l extract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ExtractOptions

from .shared import SETTINGS, as_json, common, dry_run, output, pick, set_voice, show, stage_options


@click.command("extract", context_settings=SETTINGS)
@click.argument("data", type=click.Path(path_type=Path))
@output("The feature store (HDF5) to write.")
@stage_options(ExtractOptions)
@dry_run
@as_json
@common
def command(
    data: Path,
    output: Path,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Write dense features of every image in DATA.

    \b
    Example:
      c2l extract photos/ -o features.h5 --image-size 320 --layer layer4
    """
    from c2l.stages.extract import extract, plan

    set_voice(quiet, verbose)
    options = pick(ExtractOptions, values)
    if dry_run:
        show(plan(data, options), json_wanted=as_json)
        return
    path = extract(data, output, options, overwrite=overwrite)
    show({"features": str(path)}, json_wanted=as_json)
