"""c2l name."""

from __future__ import annotations

import json
from pathlib import Path

import click

from c2l.runtime.text import printable

from .grouped import GroupedOption
from .shared import PATH, as_json, common, grouped, set_verbosity


@grouped("name")
@click.argument("artifact", type=PATH)
@click.argument("names", nargs=-1, metavar="[ID=NAME]...")
@click.option(
    "--weights",
    cls=GroupedOption,
    group="Data",
    saved=False,
    metavar="FILE",
    help="Read the weights of a clusters file's network here, if they have moved.",
)
@as_json
@common
def command(
    artifact: Path,
    names: tuple[str, ...],
    weights: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Give names to the clusters or parts of ARTIFACT (a run or a clusters file), or list them.

    They are kept beside the predictor, which stays as it is, and shown by eval, render and export.
    Scores do not change: classes are still matched as without names. An empty name (2=) takes the
    given one back.

    \b
    Examples:
      c2l name run
      c2l name run 2=sleeves 3="left hand"
    """
    from c2l.stages.name import name

    set_verbosity(quiet, verbose)
    rows = name(artifact, names, weights)
    if as_json:
        click.echo(json.dumps({"artifact": str(artifact), "names": rows}))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        own = "" if row["own"] == row["name"] else row["own"]
        line = f"{row['id']:>3}  {row['name']:<{width}}  {row['colour']}  {own}".rstrip()
        click.echo(printable(line, lines=False))
