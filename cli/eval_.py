"""c2l eval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import EvalOptions

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


@click.command("eval", context_settings=SETTINGS)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@output("The JSON file to write.")
@rivals_option
@stage_options(EvalOptions)
@dry_run
@as_json
@common
def command(
    artifact: Path,
    data: Path | None,
    output: Path,
    rivals: list[tuple[str, Path]],
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Score ARTIFACT (a run folder or a clusters file) against the masks of DATA.

    An eval.json as ARTIFACT, without DATA, is scored again under another --merge.

    \b
    Example:
      c2l eval run photos/ -o eval.json --split val
      c2l eval eval.json -o fine.json --merge fine
    """
    from c2l.artifacts.scores import read_scores
    from c2l.stages.evaluate import evaluate, plan

    from .tables import print_scores

    set_voice(quiet, verbose)
    options = pick(EvalOptions, values)
    if dry_run:
        show(plan(artifact, data, options), json_wanted=as_json)
        return
    for _, other in rivals:
        read_scores(other)
    path = evaluate(artifact, data, output, options, overwrite=overwrite)
    print_scores(path, rivals, json_wanted=as_json)
