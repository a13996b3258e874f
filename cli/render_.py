"""c2l render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import RenderOptions

from .shared import SETTINGS, as_json, common, output, pick, set_voice, show, stage_options


def _rivals(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> list[Any]:
    pairs = []
    for value in values:
        name, separator, path = value.partition("=")
        if not separator or not name or not path:
            raise click.BadParameter(f"{value!r}: expected NAME=eval.json")
        pairs.append((name, Path(path)))
    return pairs


@click.command("render", context_settings=SETTINGS)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path))
@output("The folder to write.")
@click.option(
    "--rival",
    "rivals",
    multiple=True,
    metavar="NAME=FILE",
    callback=_rivals,
    help="Another method's eval.json for the report's table; may be repeated.",
)
@stage_options(RenderOptions)
@as_json
@common
def command(
    artifact: Path,
    images: Path,
    output: Path,
    rivals: list[tuple[str, Path]],
    overwrite: bool,
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
    from c2l.stages.render import render

    set_voice(quiet, verbose)
    path = render(
        artifact, images, output, pick(RenderOptions, values), rivals, overwrite=overwrite
    )
    show({"pictures": str(path), "report": str(path / "report.html")}, json_wanted=as_json)
