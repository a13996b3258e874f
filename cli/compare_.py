"""c2l compare."""

from __future__ import annotations

from pathlib import Path

import click

from c2l.options import CompareOptions

from .grouped import GroupedOption
from .shared import PATH, named_files, overwrite
from .stage import Call, stage


@stage("compare", plans=False)
@click.argument("files", nargs=-1, required=True, callback=named_files, metavar="[NAME=]EVAL...")
@click.option(
    "-o",
    "--output",
    cls=GroupedOption,
    group="Data",
    saved=False,
    type=PATH,
    help="Write the table to this file too.",
)
@overwrite
def command(
    call: Call[CompareOptions],
    files: list[tuple[str, Path]],
    output: Path | None,
    overwrite: bool,
) -> None:
    """Put several eval.json side by side in one table.

    Runs that differ in the seed are one row: mean and spread over seeds. A row is named by its
    method and the options that tell it from others, or by NAME=FILE.

    \b
    Examples:
      c2l compare runs/*/eval.json --against PiCIE
      c2l compare before=old.json after=new.json -o table.md
    """
    from c2l.stages.compare import as_text, compare, write_comparison

    options = call.options
    options.check()
    comparison = compare(files, against=options.against or "", mixed=options.mixed)
    shown = {"agreement": options.agreement}
    if output is not None:
        write_comparison(comparison, output, options.format, **shown, overwrite=overwrite)
    click.echo(as_text(comparison, "json" if call.json else "markdown", **shown), nl=False)
