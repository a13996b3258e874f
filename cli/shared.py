"""What every command takes, and how it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from c2l.runtime.text import printable

from .commands import SETTINGS
from .grouped import GroupedCommand, GroupedOption, help_of
from .ranked import hush

Function = Callable[..., Any]
PATH = click.Path(path_type=Path)


def grouped(name: str, **settings: Any) -> Callable[[Function], click.Command]:
    """Make a function the command of a name; ``settings`` are of ``GroupedCommand``."""

    def decorate(function: Function) -> click.Command:
        make = click.command(
            name, cls=GroupedCommand, context_settings=SETTINGS, help=help_of(function), **settings
        )
        return make(function)

    return decorate


def switch(
    *names: str, group: str = "Running", saved: bool = False, text: str, **settings: Any
) -> Callable[[Function], Function]:
    """An option of a single call, which no file of options holds unless it is ``saved``."""
    return click.option(
        *names, cls=GroupedOption, group=group, saved=saved, is_flag=True, help=text, **settings
    )


as_json = switch("--json", "as_json", text="Print one JSON object on stdout.")
dry_run = switch("--dry-run", text="Print what would be done: items, disk, memory.")
overwrite = switch("--overwrite", group="Data", text="Replace an existing output.")


def common(command: Function) -> Function:
    """--config, --print-config, -q, -v, --trust: what every command takes."""
    for add in (
        switch(
            "--trust/--no-trust",
            saved=True,
            default=False,
            text="Open HDF5 files without a trial in a child process.",
        ),
        switch("-v", "--verbose", text="Print more."),
        switch("-q", "--quiet", text="Print only errors."),
        switch(
            "--print-config",
            expose_value=False,
            text="Print the options in force as a file for --config.",
        ),
        click.option(
            "--config",
            cls=GroupedOption,
            saved=False,
            type=click.Path(dir_okay=False),
            expose_value=False,
            metavar="FILE",
            help="Read options from this TOML file; options and --preset on the command line win.",
        ),
    ):
        command = add(command)
    return command


def output(what: str) -> Callable[[Function], Function]:
    """-o and --overwrite."""

    def decorate(command: Function) -> Function:
        named: Callable[[Function], Function] = click.option(
            "-o",
            "--output",
            cls=GroupedOption,
            group="Data",
            saved=False,
            required=True,
            type=PATH,
            help=what,
        )
        return named(overwrite(command))

    return decorate


def named_files(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """PATH or NAME=PATH; a file may have an equals sign in its own name."""
    files = []
    for value in values:
        name, _separator, path = ("", "", value) if Path(value).exists() else value.rpartition("=")
        files.append((name, Path(path)))
    return files


def set_verbosity(quiet: bool, verbose: bool) -> None:
    """How much is said on stderr."""
    from c2l.runtime.progress import console

    console.level = 0 if quiet else 2 if verbose else 1
    hush()


def show(values: dict[str, Any], *, json_wanted: bool) -> None:
    """A small result on stdout."""
    import json

    if json_wanted:
        click.echo(json.dumps(values))
        return
    width = max(len(k) for k in values)
    for key, value in values.items():
        if isinstance(value, int) and not isinstance(value, bool):
            text = f"{value:,}"
        else:
            text = value if isinstance(value, str) else json.dumps(value)
        click.echo(f"{key.replace('_', ' '):<{width}}  {printable(text)}")
