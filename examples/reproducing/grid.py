"""The grid as a data file: tables of rows, each row some options of c2l's commands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problems import BAD_INPUT, USAGE, ProblemError

Options = dict[str, Any]
COMMANDS = ("fit", "extract", "cluster", "eval")
# What the script itself gives to each command.
RESERVED = {
    *("output", "overwrite", "resume", "seed", "split", "config", "dry-run", "json", "help"),
    *("quiet", "verbose", "merge", "baselines", "rival", "cache-dir"),
}
# Options of fit that extract has too.
EVERYWHERE = {
    *("image-size", "batch-size", "weights", "backbone", "fpn-dim", "gradients-input"),
    *("amp", "on-error"),
}
METRICS = ("miou", "pixel_accuracy")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")
TABLE_KEYS = {"title", "note", "extra", "rows"}
ROW_KEYS = {"name", "label", "against", "paper", "fit", "extract", "cluster"}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        name: of its folder.
        label: what the table calls it.
        against: the row it is compared with; "" for none.
        paper: the paper's figures in percent, by metric.
        steps: the commands that make its predictor, each with the row's own options.
    """

    name: str
    label: str
    against: str
    paper: dict[str, float]
    steps: tuple[tuple[str, Options], ...]


@dataclass(frozen=True)
class Table:
    """A table: rows that are read one below the other."""

    name: str
    title: str
    note: str
    extra: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Grid:
    """All tables, and the options that every row shares, by command."""

    path: Path
    common: dict[str, Options]
    tables: tuple[Table, ...]


def read_grid(path: Path) -> Grid:
    """A grid file.

    Raises:
        ProblemError: it is missing, not TOML, or holds a mistake; the key is named.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProblemError(f"{path}: not a grid: {error}", BAD_INPUT) from None
    reader = _Reader(path)
    reader.only(values, {*COMMANDS, "tables"}, "the grid")
    common = {name: reader.options(values.get(name, {}), name, name) for name in COMMANDS}
    tables = reader.table_of(values.get("tables", {}), "tables")
    if not tables:
        raise reader.wrong("no tables: expected [tables.NAME] with [[tables.NAME.rows]]")
    return Grid(path, common, tuple(reader.table(name, table) for name, table in tables.items()))


@dataclass(frozen=True)
class _Reader:
    """One reading of a grid file."""

    path: Path

    def wrong(self, text: str) -> ProblemError:
        return ProblemError(f"{self.path}: {text}", BAD_INPUT)

    def only(self, values: Options, known: set[str], where: str) -> None:
        unknown = sorted(set(values) - known)
        if unknown:
            raise self.wrong(
                f"{where}: unknown key {unknown[0]!r}; expected {', '.join(sorted(known))}"
            )

    def table_of(self, value: Any, where: str) -> Options:
        if not isinstance(value, dict):
            raise self.wrong(f"{where}: expected a table, found {value!r}")
        return value

    def name(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise self.wrong(f"{where}: expected a name that can be a folder's, found {value!r}")
        return value

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise self.wrong(f"{where}: expected text, found {value!r}")
        return value

    def options(self, value: Any, command: str, where: str) -> Options:
        options = {}
        for name, one in self.table_of(value, where).items():
            if not isinstance(one, str | int | float):
                raise self.wrong(f"{where}.{name}: expected one value, found {one!r}")
            options[name.replace("_", "-")] = plain(one)
        taken = sorted(RESERVED & set(options))
        if taken:
            raise self.wrong(f"{where}: {taken[0]} is not for the grid to set")
        return options

    def table(self, name: str, value: Any) -> Table:
        where = f"tables.{self.name(name, 'tables')}"
        values = self.table_of(value, where)
        self.only(values, TABLE_KEYS, where)
        if not isinstance(values.get("extra", False), bool):
            raise self.wrong(f"{where}.extra: expected true or false")
        given = values.get("rows")
        if not isinstance(given, list) or not given:
            raise self.wrong(f"{where}: expected at least one [[{where}.rows]]")
        rows: list[Row] = []
        for number, row in enumerate(given, 1):
            rows.append(self.row(row, f"{where}.rows[{number}]", rows))
        return Table(
            name,
            self.text(values.get("title", name), f"{where}.title"),
            self.text(values.get("note", ""), f"{where}.note"),
            values.get("extra", False),
            tuple(rows),
        )

    def row(self, value: Any, where: str, before: list[Row]) -> Row:
        values = self.table_of(value, where)
        self.only(values, ROW_KEYS, where)
        name = self.name(values.get("name"), f"{where}.name")
        earlier = [row.name for row in before]
        if name in earlier:
            raise self.wrong(f"{where}: a second row of the name {name!r}")
        against = values.get("against", earlier[-1] if earlier else "")
        if against and against not in earlier:
            raise self.wrong(f"{where}.against: no row {against!r} before this one")
        commands = tuple(c for c in ("fit", "extract", "cluster") if c in values)
        if commands not in (("fit",), ("extract", "cluster")):
            raise self.wrong(f"{where}: expected fit = {{...}}, or both extract and cluster")
        steps = tuple((c, self.options(values[c], c, f"{where}.{c}")) for c in commands)
        paper = self.table_of(values.get("paper", {}), f"{where}.paper")
        self.only(paper, set(METRICS), f"{where}.paper")
        for metric, figure in paper.items():
            if isinstance(figure, bool) or not isinstance(figure, int | float):
                raise self.wrong(f"{where}.paper.{metric}: expected a number in percent")
        label = self.text(values.get("label", name), f"{where}.label")
        return Row(name, label, against, {k: float(v) for k, v in paper.items()}, steps)


def plain(value: Any) -> Any:
    """1.0 and 1 are the same value of an option."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_setting(text: str) -> list[tuple[str, str, Any]]:
    """``[COMMAND.]NAME=VALUE`` of the command line.

    Without a command it is fit's, and extract's too where it is about photos or the backbone, so
    that every method sees the same.

    Returns:
        Command, option and value of each command it is for.
    """
    name, separator, value = text.partition("=")
    command, dot, option = name.rpartition(".")
    command = command if dot else "fit"
    if not separator or not option or command not in COMMANDS:
        raise ProblemError(f"--set {text}: expected [COMMAND.]NAME=VALUE", USAGE)
    option = option.replace("_", "-")
    if option in RESERVED:
        raise ProblemError(f"--set {text}: {option} has a setting of its own, or none", USAGE)
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except ValueError:
        parsed = value
    settled = plain(parsed) if isinstance(parsed, str | int | float) else value
    both = not dot and option in EVERYWHERE
    return [(name, option, settled) for name in (("fit", "extract") if both else (command,))]


def pick_tables(grid: Grid, wanted: list[str]) -> tuple[Table, ...]:
    """The tables that are asked for: by name, by the paper's number, or all.

    Without any it is those that are not extra.
    """
    if not wanted:
        return tuple(table for table in grid.tables if not table.extra) or grid.tables
    chosen: list[Table] = []
    for name in wanted:
        found = [
            table
            for table in grid.tables
            if name == "all" or _means(name, table.name) or _means(f"table{name}", table.name)
        ]
        if not found:
            known = ", ".join(table.name for table in grid.tables)
            raise ProblemError(f"--table {name}: {grid.path} has {known}", USAGE)
        chosen += [table for table in found if table not in chosen]
    return tuple(table for table in grid.tables if table in chosen)


def _means(name: str, table: str) -> bool:
    return table == name or table.startswith(f"{name}-")


def check_options(grid: Grid, known: Callable[[str], set[str]], settings: Any) -> None:
    """Refuse an option that its command does not have, before hours of work.

    Args:
        grid: the grid.
        known: the long options of a command, without dashes.
        settings: the (command, option, value) of the command line.
    """
    for command, option, _ in settings:
        if option not in known(command):
            raise ProblemError(f"--set {option}: c2l {command} has no --{option}", USAGE)
    for command, options in grid.common.items():
        _check(grid.path, command, command, options, known)
    for table in grid.tables:
        for row in table.rows:
            for command, options in row.steps:
                _check(grid.path, f"{table.name}, {row.name}", command, options, known)


def _check(
    path: Path, where: str, command: str, options: Options, known: Callable[[str], set[str]]
) -> None:
    for option in options:
        if option not in known(command):
            raise ProblemError(f"{path}: {where}: c2l {command} has no --{option}", BAD_INPUT)
