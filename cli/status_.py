"""c2l status."""

from __future__ import annotations

import json
from pathlib import Path

import click

from c2l.runtime.text import printable

from .shared import as_json, common, grouped, set_verbosity


@grouped("status")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("."))
@as_json
@common
def command(folder: Path, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Show which artifacts in FOLDER are done, partial or stale, and the next command for each.

    Inputs are compared by their hashes, which are kept in ~/.cache/c2l. The artifacts' own content
    is not checked: c2l verify does that.

    \b
    Example:
      c2l status results/
    """
    from c2l.stages.status import status, summary

    set_verbosity(quiet, verbose)
    entries = status(folder)
    if as_json:
        click.echo(json.dumps(summary(entries)))
        return
    if not entries:
        click.echo(f"{folder}: no artifacts")
    width = max((len(entry.path) for entry in entries), default=0)
    for entry in entries:
        line = f"{entry.path:<{width}}  {entry.state:<13}  {entry.why}".rstrip()
        click.echo(printable(line, lines=False))
        if entry.next:
            click.echo(f"  next: {printable(entry.next)}")
