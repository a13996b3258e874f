"""c2l data: make a synthetic set, or check a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from c2l.errors import ExitCode, UsageError
from c2l.options import CheckOptions, SynthOptions
from c2l.schema import SYNTH_MARKER

from .commands import DATA_COMMANDS, SETTINGS
from .grouped import TableGroup
from .shared import PATH
from .stage import Call, stage


@click.group("data", cls=TableGroup, table=DATA_COMMANDS, context_settings=SETTINGS)
def command() -> None:
    """Make a synthetic set of people, or check what a folder holds."""


@stage("synth")
@click.argument("out", type=PATH)
def synth(call: Call[SynthOptions], out: Path) -> dict[str, Any]:
    """Write synthetic people with pixel labels to OUT, in the layout of ATR.

    \b
    Examples:
      c2l data synth people
      c2l data synth people -n 1000 --image-size 320 --seed 1
    """
    from c2l.artifacts.outputs import claim, refuse_existing
    from c2l.runtime.progress import steps
    from c2l.synth.writer import write_synthetic_set

    options, overwrite = call.options, call.overwrite
    if call.dry_run:
        # About a quarter of a byte per pixel as JPEG and PNG together.
        pixels = options.count * options.image_size**2 * 3 // 2
        return {"images": options.count, "disk_bytes": pixels // 4}
    refuse_existing(out, overwrite=overwrite)
    if out.exists() and not (out / SYNTH_MARKER).is_file():
        raise UsageError(f"{out}: was not made by data synth, so --overwrite will not remove it")
    with claim(out, overwrite=overwrite), steps("synth", options.count) as bar:
        write_synthetic_set(
            out,
            options,
            replace=overwrite,
            progress=lambda done, _: bar.advance(done - bar.done),
        )
    return {"data": str(out), "images": options.count}


@stage("check", plans=False)
@click.argument("folder", type=PATH)
def check(call: Call[CheckOptions], folder: Path) -> int:
    """Say what FOLDER is as a data set, and what is wrong with it, file by file.

    The exit code is 3 when something is wrong.

    \b
    Examples:
      c2l data check photos/
      c2l data check photos/ --split val --merge upper-lower
    """
    from c2l.data.check import check_dataset
    from c2l.runtime.progress import steps

    options = call.options
    with steps("check", 0, "files") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.advance(done - bar.done)

        report = check_dataset(
            folder,
            split=options.split,
            merge=options.merge,
            workers=options.workers,
            progress=progress,
        )
    if call.json:
        click.echo(json.dumps(report.as_dict()))
    else:
        _print(report.as_dict())
    return int(ExitCode.BAD_INPUT if report.problems else ExitCode.OK)


command.add_command(synth)
command.add_command(check)


def _print(report: dict[str, Any]) -> None:
    images = report["images"]
    click.echo(f"{report['root']}: layout {report['layout']}")
    click.echo(f"images        {_count(images)}")
    for name, count in report["splits"].items():
        click.echo(f"  split {name:<15} {_count(count)}")
    for side in ("height", "width"):
        if spread := report[side]:
            click.echo(
                f"{side:<13} {spread['min']} to {spread['max']}, median {spread['median']} pixels"
            )
    click.echo("formats       " + ", ".join(f"{n} {k}" for k, n in report["formats"].items()))
    _histogram("labels", report["labels"])
    if report["merge"]:
        _histogram(f"classes of {report['merge']}", report["classes"])
    for note in report["notes"]:
        click.echo(f"note  {note['file']}: {note['problem']}")
    for problem in report["problems"]:
        click.echo(f"WRONG {problem['file']}: {problem['problem']}")
    count = len(report["problems"])
    many = "1 problem" if count == 1 else f"{count} problems"
    click.echo(many if count else "nothing wrong")


def _count(count: dict[str, int]) -> str:
    return f"{count['images']} ({count['labelled']} labelled)"


def _histogram(title: str, pixels: dict[str, int]) -> None:
    total = sum(pixels.values())
    if total:
        click.echo(title)
        for name, count in pixels.items():
            click.echo(f"  {name:<16} {100 * count / total:6.2f} %")
