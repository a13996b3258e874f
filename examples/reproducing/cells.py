"""Cells of the grid: one row under one seed, where it lies, what is there, what is left to run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .grid import COMMANDS, Grid, Options, Row, Table
from .problems import BAD_INPUT, OUTPUT, ProblemError

# Options that do not change a result: a cell made under others is still the same cell.
INDIFFERENT = {"device", "workers", "save-minutes", "save-steps", "keep"}
STATES = ("done", "partial", "missing", "stale")
PREDICTOR = {"fit": "predictor.safetensors", "cluster": "clusters.h5"}
FEATURES = "features.h5"


@dataclass(frozen=True)
class Settings:
    """What holds for the whole grid.

    Attributes:
        data, output: the data set, and the folder of everything that is written.
        train, val: splits; None takes everything.
        seeds: of the cells of each row.
        merges: label merges; the first is that of eval.json.
        common: options by command, those of the grid and of the command line.
        command: how c2l is called.
        hashes: SHA-256 of the files among weights and merges.
    """

    data: Path
    output: Path
    train: str | None
    val: str | None
    seeds: tuple[int, ...]
    merges: tuple[str, ...]
    common: dict[str, Options]
    command: tuple[str, ...]
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass
class Cell:
    """One row under one seed; rows of the same options share it.

    Attributes:
        home: its folder, named after the first row of the grid that has it.
        shared: the folders of the other rows, which are links to it.
        seed: of everything in it.
        steps: the commands that make its predictor, with all their options.
        trained_by: what decides the predictor.
    """

    home: Path
    seed: int
    steps: tuple[tuple[str, Options], ...]
    trained_by: dict[str, Any]
    shared: list[Path] = field(default_factory=list)

    @property
    def record_path(self) -> Path:
        """What the cell was made under; beside the folder, which is c2l's."""
        return self.home.with_name(f"{self.home.name}.json")

    @property
    def log(self) -> Path:
        """What its commands said."""
        return self.home.with_name(f"{self.home.name}.log")

    @property
    def predictor(self) -> Path:
        """What is scored appears when this does."""
        return self.home / PREDICTOR[self.steps[-1][0]]

    @property
    def artifact(self) -> Path:
        """What eval is told."""
        return self.home if self.steps[-1][0] == "fit" else self.predictor

    def record(self) -> dict[str, Any]:
        """The record, or nothing where there is none."""
        return read_object(self.record_path) or {}

    def update(self, **values: Any) -> None:
        """Put something into the record."""
        write_text(self.record_path, json.dumps({**self.record(), **values}, indent=2) + "\n")


@dataclass(frozen=True)
class State:
    """What is there of a cell.

    Attributes:
        name: done, partial, missing or stale.
        detail: for people.
    """

    name: str
    detail: str = ""


def read_object(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_text(path: Path, text: str) -> None:
    """A file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ProblemError(f"{path}: cannot be written: {error.strerror}", OUTPUT) from None


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProblemError(f"{path}: cannot be read: {error.strerror}", BAD_INPUT) from None


def common_options(grid: Grid, settings: list[tuple[str, str, Any]]) -> dict[str, Options]:
    """The grid's options with those of the command line over them, by command."""
    common = {command: dict(grid.common[command]) for command in COMMANDS}
    for command, option, value in settings:
        common[command][option] = value
    return common


def cells_of(grid: Grid, settings: Settings) -> dict[tuple[str, str, int], Cell]:
    """Every cell of the whole grid by table, row and seed; equal ones are the same object.

    The whole grid decides whose folder a shared cell lies in, whatever tables are run.
    """
    known: dict[str, Cell] = {}
    cells = {}
    for table in grid.tables:
        for row in table.rows:
            for seed in settings.seeds:
                cell = _cell(table, row, seed, settings)
                key = json.dumps(cell.trained_by, sort_keys=True)
                first = known.setdefault(key, cell)
                if first is not cell and cell.home != first.home:
                    first.shared.append(cell.home)
                cells[table.name, row.name, seed] = first
    return cells


def _cell(table: Table, row: Row, seed: int, settings: Settings) -> Cell:
    steps = tuple((command, {**settings.common[command], **own}) for command, own in row.steps)
    weights = [options.get("weights") for _, options in steps]
    trained_by = {
        "data": str(settings.data.resolve()),
        "split": settings.train,
        "seed": seed,
        "weights_sha256": [settings.hashes.get(str(w), "") for w in weights if w is not None],
        "commands": [
            {"command": name, "options": {k: v for k, v in o.items() if k not in INDIFFERENT}}
            for name, o in steps
        ],
    }
    return Cell(settings.output / table.name / row.name / f"seed-{seed}", seed, steps, trained_by)


def score_file(settings: Settings, merge: str) -> str:
    """The name of the scores under a merge."""
    return "eval.json" if merge == settings.merges[0] else f"eval-{Path(merge).stem}.json"


def scored_by(settings: Settings, merge: str) -> dict[str, Any]:
    """What decides a file of scores, beside the predictor."""
    options = settings.common["eval"]
    return {
        "data": str(settings.data.resolve()),
        "split": settings.val,
        "merge": settings.hashes.get(merge, merge),
        # Scores under another merge are made from these.
        "first_merge": settings.hashes.get(settings.merges[0], settings.merges[0]),
        "options": {k: v for k, v in options.items() if k not in INDIFFERENT},
    }


def is_scored(cell: Cell, settings: Settings, merge: str) -> bool:
    """Whether the scores under a merge are there and are those that are asked for."""
    name = score_file(settings, merge)
    made = cell.record().get("scores", {}).get(name)
    return bool(made == scored_by(settings, merge)) and (cell.home / name).is_file()


def checkpoints(cell: Cell) -> list[int]:
    """Steps of the committed checkpoints of a run."""
    found = [p.parent.name.removeprefix("step-") for p in cell.home.glob("step-*/COMMITTED")]
    return sorted(int(step) for step in found if step.isdigit())


def state_of(cell: Cell, settings: Settings) -> State:
    """What is there of a cell, and whether it is of these options."""
    made = cell.record().get("trained_by")
    if cell.home.exists() and made is None:
        return State("stale", "it was not made by this script")
    if cell.home.exists() and made != cell.trained_by:
        return State("stale", f"made under other options: {_differing(made, cell.trained_by)}")
    for other in cell.shared:
        if other.exists() and not other.is_symlink():
            return State("stale", f"{other} is a folder of its own, from another grid")
    if cell.predictor.is_file():
        missing = [m for m in settings.merges if not is_scored(cell, settings, m)]
        return State("partial", "trained, not scored") if missing else State("done")
    steps = checkpoints(cell)
    if steps:
        return State("partial", f"stopped at step {steps[-1]}")
    if cell.home.is_dir():
        return State("partial", "stopped before the first checkpoint")
    return State("missing")


def _differing(made: Any, wanted: dict[str, Any]) -> str:
    mine, theirs = dict(_flat(made)), dict(_flat(wanted))
    names = sorted(k for k in {*mine, *theirs} if mine.get(k) != theirs.get(k))
    shown = [f"{k} was {mine.get(k)!r}, is {theirs.get(k)!r}" for k in names[:3]]
    return "; ".join(shown) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}[{number}]")
    else:
        yield prefix, value


def clear(cell: Cell) -> None:
    """Remove what stands in a cell's way, for --overwrite; nothing that is not this script's."""
    for path in (cell.home, *cell.shared):
        record = path.with_name(f"{path.name}.json")
        if path.is_symlink():
            path.unlink()
        elif path.exists() and "trained_by" not in (read_object(record) or {}):
            raise ProblemError(
                f"{path}: was not made by this script, so --overwrite will not remove it",
                BAD_INPUT,
                hint="name another OUT",
            )
        elif path.exists():
            shutil.rmtree(path)
        for left in (record, path.with_name(f"{path.name}.log")):
            left.unlink(missing_ok=True)


def link(cell: Cell) -> None:
    """Let every row that shares a cell find it in its own folder."""
    for path in cell.shared:
        target = os.path.relpath(cell.home, path.parent)
        if path.is_symlink() and os.readlink(path) != target:
            path.unlink()
        if not path.exists() and not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target, target_is_directory=True)


def commands(cell: Cell, settings: Settings, *, cache: Path, baselines: bool) -> Iterator[Any]:
    """What is left to run of a cell, each command made when its turn comes.

    Args:
        cell: the cell.
        settings: of the grid.
        cache: where decoded photos are kept for the cells that follow.
        baselines: whether the trivial predictors are scored beside.

    Yields:
        The command as a list of words, and the score file that it makes or None.
    """
    yield from ((words, None) for words in _training(cell, settings, cache))
    for merge in settings.merges:
        if not is_scored(cell, settings, merge):
            name = score_file(settings, merge)
            first = merge == settings.merges[0]
            words = [*settings.command, "eval"]
            if first:
                words += [str(cell.artifact), str(settings.data)]
                words += _words({**settings.common["eval"], "split": settings.val})
                words += [] if baselines else ["--no-baselines"]
            else:
                words += [str(cell.home / score_file(settings, settings.merges[0]))]
            words += ["-o", str(cell.home / name), "--merge", merge, "--seed", str(cell.seed)]
            words += ["--overwrite"] if (cell.home / name).exists() else []
            yield words, merge


def _training(cell: Cell, settings: Settings, cache: Path) -> Iterator[list[str]]:
    if cell.predictor.is_file():
        return
    for name, options in cell.steps:
        words = [*settings.command, name]
        own = {**options, "seed": cell.seed}
        if name == "cluster":
            words += [str(cell.home / FEATURES), "-o", str(cell.predictor), *_words(own)]
        else:
            words += [str(settings.data), *_words({**own, "split": settings.train})]
        if name == "fit":
            words += ["-o", str(cell.home), "--cache-dir", str(cache)]
            words += ["--resume"] if checkpoints(cell) else []
        if name == "extract":
            if (cell.home / FEATURES).is_file():
                continue
            words += ["-o", str(cell.home / FEATURES)]
        yield words


def _words(options: Options) -> list[str]:
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        elif value is not None:
            words += [f"--{name}", str(value)]
    return words


def tidy(cell: Cell, *, slim: bool) -> None:
    """Remove what a finished cell needs no more: stored features; checkpoints when asked."""
    (cell.home / FEATURES).unlink(missing_ok=True)
    for folder in cell.home.glob("step-*") if slim else ():
        # The marker goes first, so that a half-removed checkpoint is not believed.
        (folder / "COMMITTED").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
