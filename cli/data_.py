"""c2l data: make a synthetic set, or check a folder."""

from __future__ import annotations

import json
import re
import shutil
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
    refuse_existing(out, overwrite=overwrite, inputs=[call.config])
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
    """Report what c2l finds in FOLDER, what it leaves out, and what is wrong.

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

# Remarks of a kind that are shown; --json has all.
SHOWN = 4
# Of the words before a remark, and of lines where there is no terminal.
MARGIN, WIDTH = 6, 100
LONGEST_TITLE = 24


def _print(report: dict[str, Any]) -> None:
    click.echo(f"{printable(report['root'])}: layout {report['layout']}")
    rows = _rows(report)
    width = min(max(len(title) for title, _ in rows), LONGEST_TITLE) + 2
    for title, text in rows:
        _wrap(printable(title, lines=False).ljust(width), text, width)
    wrong = {remark["file"] for remark in report["problems"]}
    left = [one for one in report["left_out"] if one["file"] not in wrong]
    _remarks("left", _by_folder(left))
    _remarks("note", report["notes"])
    _remarks("WRONG", report["problems"])
    count = len(report["problems"])
    many = "1 problem" if count == 1 else f"{count} problems"
    click.echo(many if count else "nothing wrong")


def _rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What is there, by title."""
    from c2l.data.labels import IDENTITY

    rows = [("files", report["line"])]
    for name, count in report["splits"].items():
        rows.append((f"split {name}", f"{count['images']} ({count['labelled']} labelled)"))
    if report["unlisted"]:
        rows.append(("in no split", str(report["unlisted"])))
    if report["texts"]:
        rows.append(("texts read", ", ".join(report["texts"])))
    for side in ("height", "width"):
        if extent := report[side]:
            text = f"{extent['min']} to {extent['max']}, median {extent['median']} pixels"
            rows.append((side, text))
    formats = ", ".join(f"{n} {k}" for k, n in report["formats"].items())
    rows.append(("formats", formats or "none read"))
    if report["merge"]:
        rows += [("labels", report["labels_by"]), ("pixels", _shares(report["labels"]))]
        if report["merge"] != IDENTITY:
            rows.append(("classes", f"{report['merge']}: {_shares(report['classes'])}"))
        if not_scored := _unscored(report["pixels"]):
            rows.append(("not scored", not_scored))
    return rows


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


def _wrap(first: str, text: str, margin: int) -> None:
    """A text in the width of the terminal; no name of a file or percentage is broken."""
    lines = textwrap.wrap(
        printable(text, lines=False).replace(" %", "\N{NO-BREAK SPACE}%"),
        max(shutil.get_terminal_size((WIDTH, 24)).columns, 2 * margin),
        initial_indent=first,
        subsequent_indent=" " * margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines or [first.rstrip()]).replace("\N{NO-BREAK SPACE}", " "))


def _shares(pixels: dict[str, int]) -> str:
    total = sum(pixels.values())
    shares = [f"{name} {100 * count / total:.2f} %" for name, count in pixels.items() if count]
    return ", ".join(shares) or "none"


def _unscored(pixels: dict[str, Any] | None) -> str:
    from c2l.data.unscored import Pixels

    return "" if pixels is None else Pixels.stored(pixels).said().partition(": ")[2]


def _remarks(word: str, remarks: list[dict[str, Any]]) -> None:
    """Of remarks that differ in nothing but names and numbers, the first few, and what to do."""
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for remark in remarks:
        kind = re.sub(r"\d+|'[^']*'|\S+/\S+", "#", remark["problem"])
        kinds.setdefault((kind, remark.get("hint") or ""), []).append(remark)
    for (_, hint), group in kinds.items():
        shown = group if len(group) <= SHOWN + 1 else group[:SHOWN]
        for remark in shown:
            _wrap(word.ljust(MARGIN), f"{remark['file']}: {remark['problem']}", MARGIN)
        if len(shown) < len(group):
            more = f"and {len(group) - len(shown)} more like these: --json lists all"
            _wrap(word.ljust(MARGIN), more, MARGIN)
        if hint:
            _wrap(" " * MARGIN, f"next: {hint}", MARGIN)
