"""c2l data: make a synthetic set, or check a folder."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import click

from c2l.errors import ExitCode, UsageError
from c2l.options import CheckOptions, SynthOptions
from c2l.runtime.text import printable
from c2l.schema import SYNTH_MARKER

from .commands import DATA_COMMANDS
from .grouped import group_of
from .shared import PATH
from .stage import Call, stage


@group_of(DATA_COMMANDS, "data")
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
    from c2l.runtime.progress import progress
    from c2l.synth.writer import write_synthetic_set

    options, overwrite = call.options, call.overwrite
    if call.dry_run:
        # About a quarter of a byte per pixel as JPEG and PNG together.
        pixels = options.count * options.image_size**2 * 3 // 2
        return {"images": options.count, "disk_bytes": pixels // 4}
    refuse_existing(out, overwrite=overwrite)
    if out.exists() and not (out / SYNTH_MARKER).is_file():
        raise UsageError(f"{out}: was not made by data synth, so --overwrite will not remove it")
    with claim(out, overwrite=overwrite), progress("synth", options.count) as bar:
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
    """Say what FOLDER is as a data set, what was taken and left, and what is wrong.

    The exit code is 3 when something is wrong. --json lists every file.

    \b
    Examples:
      c2l data check photos/
      c2l data check photos/ --split val --merge upper-lower
      c2l data check photos/ --masks parsing --labels atr
    """
    from c2l.data.check import check_dataset
    from c2l.data.records import Choices
    from c2l.runtime.progress import progress

    options = call.options
    with progress("check", 0, "files", brief=True) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.advance(done - bar.done)

        report = check_dataset(
            folder,
            split=options.split,
            merge=options.merge,
            workers=options.workers,
            progress=advance,
            choices=Choices.of(options),
        )
    if call.json:
        click.echo(json.dumps(report.as_dict()))
    else:
        _print(report.as_dict())
    return int(ExitCode.BAD_INPUT if report.problems else ExitCode.OK)


command.add_command(synth)
command.add_command(check)

# Lines of a kind that are shown; --json has all.
SHOWN = 4
WIDTH = 100


def _print(report: dict[str, Any]) -> None:
    click.echo(f"{printable(report['root'])}: layout {report['layout']}, {report['line']}")
    for name, count in report["splits"].items():
        _row(f"split {name}", f"{count['images']} ({count['labelled']} labelled)")
    if report["unlisted"]:
        _row("in no split", str(report["unlisted"]))
    if report["texts"]:
        _row("texts read", ", ".join(report["texts"]))
    for side in ("height", "width"):
        if spread := report[side]:
            _row(side, f"{spread['min']} to {spread['max']}, median {spread['median']} pixels")
    _row("formats", ", ".join(f"{n} {k}" for k, n in report["formats"].items()) or "none read")
    if report["merge"]:
        _row("labels", report["labels_by"])
        _row("pixels", _shares(report["labels"]))
        _row(f"classes of {report['merge']}", _shares(report["classes"]))
        if not_scored := _unscored(report["pixels"]):
            _row("not scored", not_scored)
    _remarks("left", _by_folder(report["left_out"]))
    _remarks("note", report["notes"])
    _remarks("WRONG", report["problems"])
    count = len(report["problems"])
    many = "1 problem" if count == 1 else f"{count} problems"
    click.echo(many if count else "nothing wrong")


def _by_folder(left_out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Files left out as remarks; one for many of a folder and reason."""
    folders: dict[tuple[str, str], list[str]] = {}
    for one in left_out:
        folder = one["file"].rstrip("/").rpartition("/")[0]
        folders.setdefault((one["why"], folder), []).append(one["file"])
    remarks = []
    for (why, folder), files in folders.items():
        if len(files) > SHOWN:
            files = [f"{folder or '.'}/ ({len(files)} files)"]
        remarks += [{"file": file, "problem": why} for file in files]
    return remarks


def _row(title: str, text: str) -> None:
    first, rest = f"{title:<12}  ", " " * 14
    for line in textwrap.wrap(printable(text, lines=False), WIDTH - len(first)) or [""]:
        click.echo(first + line)
        first = rest


def _shares(pixels: dict[str, int]) -> str:
    total = sum(pixels.values())
    shares = [f"{name} {100 * count / total:.2f} %" for name, count in pixels.items() if count]
    return ", ".join(shares) or "none"


def _unscored(pixels: dict[str, Any] | None) -> str:
    from c2l.data.unscored import Pixels

    return "" if pixels is None else Pixels.stored(pixels).said().partition(": ")[2]


def _remarks(word: str, remarks: list[dict[str, Any]]) -> None:
    """Of remarks that differ in nothing but names and numbers, the first few."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for remark in remarks:
        kinds.setdefault(re.sub(r"\d+|'[^']*'|\S+/\S+", "#", remark["problem"]), []).append(remark)
    for group in kinds.values():
        shown = group if len(group) <= SHOWN + 1 else group[:SHOWN]
        for remark in shown:
            hint = f" ({remark['hint']})" if remark.get("hint") else ""
            click.echo(f"{word:<5} {printable(remark['file'])}: {remark['problem']}{hint}")
        if len(shown) < len(group):
            click.echo(f"{word:<5} and {len(group) - len(shown)} more like these: --json lists all")
