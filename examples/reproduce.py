#!/usr/bin/env python3
"""Run the paper's Tables 1, 2 and 3 on a data set, over several seeds, by the commands of c2l.

    examples/reproduce.py DATA OUT [--table 1] [--seeds 0,1,2] [--weights FILE] ...

Every cell is a run folder OUT/TABLE/ROW/seed-N; OUT/results.md and OUT/results.json hold the
tables. The same command again goes on where it was: what is finished is not run twice.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from reproducing import cells as c
from reproducing.grid import (
    Grid,
    Table,
    check_options,
    pick_tables,
    read_grid,
    read_setting,
)
from reproducing.problems import BAD_INPUT, DONE, STOPPED, USAGE, ProblemError
from reproducing.results import collect
from reproducing.running import Outcome, Runner, Stop, locked
from reproducing.tables import markdown, percent

OWN = ("image-size", "batch-size", "weights")
DESCRIPTION = (__doc__ or "").split("\n\n")[0]
EXAMPLE = """example:
  examples/reproduce.py photos/ out --table 1 --image-size 128 --batch-size 32 --epochs 3 \\
    --weights resnet18.safetensors --set attention-stride=2
"""


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, report; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        return _reproduce(given)
    except ProblemError as error:
        print(f"reproduce: error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  next: {error.hint}", file=sys.stderr)
        return error.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reproduce.py",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    here = Path(__file__).parent
    add("data", type=Path, metavar="DATA", help="a data set with labels for its scored split")
    add("output", type=Path, metavar="OUT", help="the folder of every artifact")
    add("--grid", type=Path, default=here / "grid.toml", help="tables and rows (grid.toml)")
    add("--table", action="append", default=[], metavar="NAME[,NAME]",
        help="1, 2, 3, another table's name, or all; without it those of the paper")  # fmt: skip
    add("--seeds", default="0,1,2", metavar="N[,N]", help="seeds of every row (0,1,2)")
    add("--train", metavar="SPLIT", default="train", help="split that is trained on (train)")
    add("--val", metavar="SPLIT", default="val", help="split that is scored (val)")
    add("--whole", action="store_true", help="a data set without splits: train on and score all")
    add("--merge", action="append", default=[], metavar="NAME|FILE",
        help="labels that are scored; may be repeated (upper-lower, and fine)")  # fmt: skip
    add("--weights", metavar="WHICH", help="of the backbone: imagenet, none or a file (imagenet)")
    add("--image-size", type=int, metavar="N", help="as in c2l fit")
    add("--batch-size", type=int, metavar="N", help="as in c2l fit")
    add("--epochs", type=int, metavar="N", help="as in c2l fit")
    add("--device", metavar="NAME", help="as in c2l fit")
    add("--workers", type=int, metavar="N", help="as in c2l fit")
    add("--set", action="append", default=[], metavar="[COMMAND.]NAME=VALUE", dest="settings",
        help="any other option of fit (or of extract, cluster, eval) in every row")  # fmt: skip
    add("--jobs", type=int, default=1, metavar="N", help="cells that run side by side (1)")
    add("--slim", action="store_true", help="remove a cell's checkpoints once it is scored")
    add("--overwrite", action="store_true", help="replace cells made under other options")
    add("--dry-run", action="store_true", help="list the cells: done, partial, missing, stale")
    add("--json", action="store_true", help="one JSON object on stdout")
    add("--c2l", default=os.environ.get("C2L", "c2l"), metavar="CMD", help="how c2l is called")
    return parser


def _reproduce(given: argparse.Namespace) -> int:
    grid = read_grid(given.grid)
    tables = pick_tables(grid, [n for names in given.table for n in names.split(",") if n])
    settings = _settings(given, grid)
    cells = c.cells_of(grid, settings)
    wanted = _wanted(tables, cells, settings)
    if given.dry_run:
        return _list(wanted, settings, as_json=given.json)
    with locked(settings.output) as lock, Stop() as stop:
        left = _left(wanted, settings, overwrite=given.overwrite)
        runner = Runner(settings, stop, lock, slim=given.slim)
        runner.note_baselines(list(cells.values()))
        if left:
            _look_at_data(settings)
        outcomes: dict[str, tuple[c.Cell, Outcome]] = {}
        results = _write(tables, cells, settings, outcomes)
        say(f"{len(wanted) - len(left)} of {len(wanted)} cells are done, {len(left)} to run")
        for cell, outcome in runner.run(left, given.jobs):
            outcomes[str(cell.home)] = (cell, outcome)
            results = _write(tables, cells, settings, outcomes)
            _tell(cell, outcome, settings, outcomes, len(left), given.jobs)
        if all(c.state_of(cell, settings).name == "done" for cell in wanted):
            shutil.rmtree(runner.cache, ignore_errors=True)
            for cell in wanted:
                c.link(cell)
        print(json.dumps(results) if given.json else markdown(results), end="")
        say(f"tables in {settings.output / 'results.md'}")
        unfinished = sum(c.state_of(cell, settings).name != "done" for cell in wanted)
        if unfinished:
            say(f"{unfinished} of {len(wanted)} cells are left; the same command goes on with them")
    return _exit_code([outcome for _, outcome in outcomes.values()], stopped=bool(stop.received))


def _wanted(
    tables: tuple[Table, ...], cells: dict[tuple[str, str, int], c.Cell], settings: c.Settings
) -> list[c.Cell]:
    """The cells of some tables, each once; all rows of a seed come before the next seed."""
    found = {}
    for seed in settings.seeds:
        for table in tables:
            for row in table.rows:
                cell = cells[table.name, row.name, seed]
                found[cell.home] = cell
    wanted = list(found.values())
    names = {table.name for table in tables}
    for cell in wanted:
        cell.shared = [path for path in cell.shared if path.parent.parent.name in names]
    return wanted


def _exit_code(outcomes: list[Outcome], *, stopped: bool) -> int:
    """75 where something is left to go on with; else that of the first cell that failed."""
    if stopped or any(outcome.state == "stopped" for outcome in outcomes):
        return STOPPED
    return next((o.code for o in outcomes if o.state == "failed"), DONE)


def _settings(given: argparse.Namespace, grid: Grid) -> c.Settings:
    if given.jobs < 1:
        raise ProblemError(f"--jobs {given.jobs}: expected 1 or more", USAGE)
    if not given.data.is_dir():
        raise ProblemError(f"{given.data}: no such folder of data", BAD_INPUT)
    command = tuple(shlex.split(given.c2l))
    if not command or shutil.which(command[0]) is None:
        raise ProblemError(
            f"--c2l {given.c2l}: no such command", BAD_INPUT, hint="install c2l, or say --c2l CMD"
        )
    merges = tuple(dict.fromkeys(given.merge or ["upper-lower", "fine"]))
    names = [Path(merge).stem for merge in merges]
    if len(set(names)) < len(names):
        raise ProblemError(f"--merge: two of one name: {', '.join(merges)}", USAGE)
    named = [one for text in given.settings for one in read_setting(text)]
    common = c.common_options(grid, [*_everywhere(given), *named])
    known = _Known(command)
    check_options(grid, known, named)
    whole = given.whole
    return c.Settings(
        data=given.data,
        output=given.output,
        train=None if whole else given.train,
        val=None if whole else given.val,
        seeds=_seeds(given.seeds),
        merges=merges,
        common=common,
        command=command,
        hashes=_hashes(grid, common, merges),
    )


def _everywhere(given: argparse.Namespace) -> list[tuple[str, str, Any]]:
    """The settings that the script has options of its own for, by command."""
    found: list[tuple[str, str, Any]] = []
    for name in OWN:
        value = getattr(given, name.replace("-", "_"))
        found += [(command, name, value) for command in ("fit", "extract") if value is not None]
    if given.epochs is not None:
        found.append(("fit", "epochs", given.epochs))
    for name in ("device", "workers"):
        value = getattr(given, name)
        commands = ("fit", "extract", "cluster", "eval") if value is not None else ()
        found += [(command, name, value) for command in commands]
    return found


def _seeds(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() for word in words):
        raise ProblemError(f"--seeds {text}: expected numbers, as in 0,1,2", USAGE)
    return tuple(dict.fromkeys(int(word) for word in words))


def _hashes(grid: Grid, common: dict[str, Any], merges: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 of the files that are named: a changed file is another setting."""
    weights = [options.get("weights") for options in common.values()]
    weights += [o.get("weights") for t in grid.tables for r in t.rows for _, o in r.steps]
    files = {str(w) for w in weights if w not in (None, "none", "imagenet")}
    files |= {merge for merge in merges if merge.endswith(".toml") or os.path.isfile(merge)}
    return {name: c.sha256(Path(name)) for name in sorted(files)}


class _Known:
    """The options of c2l's commands, as their --help lists them."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.command = command
        self.found: dict[str, set[str]] = {}

    def __call__(self, name: str) -> set[str]:
        if name not in self.found:
            words = [*self.command, name, "--help"]
            code, text = _ask(words)
            if code:
                raise ProblemError(f"{' '.join(words)}: ended with {code}\n{text}", BAD_INPUT)
            options = re.findall(r"--([a-z][a-z0-9-]*)", text)
            self.found[name] = set(options)
        return self.found[name]


def _ask(words: list[str]) -> tuple[int, str]:
    """Run a short command: exit code, and all it said."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ProblemError(f"{words[0]}: cannot be run: {error.strerror}", BAD_INPUT) from None
    return done.returncode, done.stdout.strip()


def _look_at_data(settings: c.Settings) -> None:
    """Whether both splits can be read, before anything is trained on."""
    nowhere = str(settings.output / ".none")
    data = str(settings.data)
    for words, split in (
        (["fit", data, "--weights", "none"], settings.train),
        (["eval", nowhere, data], settings.val),
    ):
        command = [*settings.command, *words, "-o", nowhere, "--dry-run"]
        code, text = _ask([*command, *(["--split", split] if split else [])])
        if code:
            raise ProblemError(text.removeprefix("c2l: error: "), code if code > 0 else BAD_INPUT)


def _left(wanted: list[c.Cell], settings: c.Settings, *, overwrite: bool) -> list[c.Cell]:
    """The cells that are not done, after what stands in their way is gone."""
    stale = [(cell, c.state_of(cell, settings)) for cell in wanted]
    stale = [(cell, state) for cell, state in stale if state.name == "stale"]
    if stale and not overwrite:
        cell, state = stale[0]
        more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
        raise ProblemError(
            f"{cell.home}: {state.detail}{more}",
            BAD_INPUT,
            hint="replace such cells by --overwrite, or name another OUT",
        )
    for cell, _ in stale:
        c.clear(cell)
    return [cell for cell in wanted if c.state_of(cell, settings).name != "done"]


def _list(wanted: list[c.Cell], settings: c.Settings, *, as_json: bool) -> int:
    """What --dry-run says."""
    listed: list[dict[str, Any]] = []
    for cell in wanted:
        state = c.state_of(cell, settings)
        shared = [str(path.relative_to(settings.output)) for path in cell.shared]
        folder = str(cell.home.relative_to(settings.output))
        listed.append(
            {"cell": folder, "state": state.name, "detail": state.detail, "shared": shared}
        )
    counts = {n: sum(one["state"] == n for one in listed) for n in c.STATES}
    if as_json:
        print(json.dumps({"cells": listed, "counts": counts}))
        return DONE
    for one in listed:
        detail = f"  {one['detail']}" if one["detail"] else ""
        also = f"  = {', '.join(one['shared'])}" if one["shared"] else ""
        print(f"{one['state']:<8} {one['cell']}{detail}{also}")
    print(", ".join(f"{count} {name}" for name, count in counts.items() if count))
    return DONE


def _write(
    tables: tuple[Table, ...],
    cells: dict[tuple[str, str, int], c.Cell],
    settings: c.Settings,
    outcomes: dict[str, tuple[c.Cell, Outcome]],
) -> dict[str, Any]:
    """results.json and results.md as things stand."""
    unfinished = [
        {
            "folder": str(cell.home.relative_to(settings.output)),
            "state": outcome.state,
            "code": outcome.code,
            "log": str(cell.log.relative_to(settings.output)),
            "tail": outcome.tail,
        }
        for cell, outcome in outcomes.values()
        if outcome.state != "done"
    ]
    results = {
        "format": "c2l-reproduction",
        "format_version": 1,
        "data": str(settings.data),
        "train": settings.train,
        "val": settings.val,
        "seeds": list(settings.seeds),
        "merges": list(settings.merges),
        "options": settings.common,
        "hashes": settings.hashes,
        "command": shlex.join(sys.argv),
        "tables": collect(tables, cells, settings),
        "unfinished": unfinished,
    }
    text = json.dumps(results, indent=2, allow_nan=False) + "\n"
    c.write_text(settings.output / "results.json", text)
    c.write_text(settings.output / "results.md", markdown(results))
    return results


def _tell(
    cell: c.Cell,
    outcome: Outcome,
    settings: c.Settings,
    outcomes: dict[str, tuple[c.Cell, Outcome]],
    count: int,
    jobs: int,
) -> None:
    """A line about a cell that ended."""
    name = cell.home.relative_to(settings.output)
    times = [o.seconds for _, o in outcomes.values() if o.state == "done"]
    text = f"{len(outcomes)}/{count} {name}: {outcome.state}, {outcome.seconds:.0f} s"
    if outcome.state == "done":
        scores = c.read_object(cell.home / "eval.json") or {}
        text += f", mIoU {percent({'mean': scores.get('miou'), 'std': None})} %"
    else:
        text += f", exit code {outcome.code}"
    if times and len(outcomes) < count:
        left = sum(times) / len(times) * (count - len(outcomes)) / jobs
        text += f"; about {left / 60:.0f} min left"
    say(text)
    if outcome.state == "failed":
        say("\n".join(f"    {line}" for line in outcome.tail.splitlines()))


def say(text: str) -> None:
    """To stderr; stdout holds results alone."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
