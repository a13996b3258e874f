"""c2l inspect."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from c2l.errors import BadInputError
from c2l.runtime.text import printable

from .shared import as_json, common, grouped, set_verbosity, switch


@grouped("inspect")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@switch(
    "--preview/--no-preview",
    default=None,
    text="Draw parts or clusters of some photos; by default on a terminal only.",
)
@as_json
@common
def command(
    artifacts: tuple[Path, ...], preview: bool | None, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Show the contents of each ARTIFACT: shapes, units, lineage, health.

    On a terminal, parts or clusters of three photos are drawn too, in the colours it has.

    \b
    Examples:
      c2l inspect features.h5 run
      c2l inspect parts --preview
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
            if sys.stdout.isatty() if preview is None else preview:
                _draw(Path(summary["path"]))
    # The artifacts that were read come first.
    for one in broken[:-1]:
        click.echo(f"c2l: error: {one.message}", err=True)
    if broken:
        raise broken[-1]


def _draw(path: Path) -> None:
    from c2l.artifacts.registry import preview
    from c2l.drawing.blocks import draw

    if (found := preview(path)) is not None:
        maps = [(printable(name, lines=False), ids) for name, ids in found.maps]
        draw(maps, [printable(name, lines=False) for name in found.names], sys.stdout)


def _print(value: dict[str, Any], indent: str) -> None:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and len(json.dumps(inner)) > 80:
            click.echo(printable(f"{indent}{key}:"))
            _print(inner, indent + "  ")
        else:
            text = inner if isinstance(inner, str) else json.dumps(inner)
            click.echo(printable(f"{indent}{key}: {text}"))
