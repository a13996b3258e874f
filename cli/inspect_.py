"""c2l inspect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from c2l.errors import BadInputError
from c2l.runtime.text import printable

from .shared import as_json, common, grouped, set_verbosity


@grouped("inspect")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
@common
def command(artifacts: tuple[Path, ...], as_json: bool, quiet: bool, verbose: bool) -> None:
    """Show the contents of each ARTIFACT: shapes, units, lineage, health.

    \b
    Example:
      c2l inspect features.h5 run
    """
    from c2l.artifacts.registry import summarise

    set_verbosity(quiet, verbose)
    found, broken = [], []
    for path in artifacts:
        try:
            found.append(summarise(path))
        except BadInputError as error:
            broken.append(error)
    if as_json and found:
        click.echo(json.dumps({"artifacts": found}))
    if not as_json:
        for summary in found:
            _print(summary, "")
    # The artifacts that were read come first.
    for one in broken[:-1]:
        click.echo(f"c2l: error: {one.message}", err=True)
    if broken:
        raise broken[-1]


def _print(value: dict[str, Any], indent: str) -> None:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and len(json.dumps(inner)) > 80:
            click.echo(printable(f"{indent}{key}:"))
            _print(inner, indent + "  ")
        else:
            text = inner if isinstance(inner, str) else json.dumps(inner)
            click.echo(printable(f"{indent}{key}: {text}"))
