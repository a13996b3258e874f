"""c2l compare."""

from __future__ import annotations

from pathlib import Path

import click

from .shared import SETTINGS, as_json, common, set_voice


def _files(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """FILE or NAME=FILE; a file may have an equals sign in its own name."""
    files = []
    for value in values:
        name, _separator, path = ("", "", value) if Path(value).exists() else value.rpartition("=")
        files.append((name, Path(path)))
    return files


@click.command("compare", context_settings=SETTINGS)
@click.argument("files", nargs=-1, required=True, callback=_files, metavar="[NAME=]EVAL...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file for the table too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="Format of that file.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--against", default="", metavar="NAME", help="The row to take differences to.")
@click.option(
    "--mixed",
    is_flag=True,
    help="Also what is scored on different photos, splits, label merges or label spaces.",
)
@as_json
@common
def command(
    files: list[tuple[str, Path]],
    output: Path | None,
    form: str,
    overwrite: bool,
    against: str,
    mixed: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Put several eval.json side by side in one table.

    Runs that differ in the seed are one row: mean and spread over seeds. A row is named by its
    method and the options that tell it from others, or by NAME=FILE.

    \b
    Example:
      c2l compare runs/*/eval.json --against PiCIE
      c2l compare before=old.json after=new.json -o table.md
    """
    from c2l.stages.compare import as_text, compare, write_comparison

    set_voice(quiet, verbose)
    comparison = compare(files, against=against, mixed=mixed)
    if output is not None:
        write_comparison(comparison, output, form, overwrite=overwrite)
    click.echo(as_text(comparison, "json" if as_json else "markdown"), nl=False)
