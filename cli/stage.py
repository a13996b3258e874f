"""What the commands of the stages have in common: options from one class, a plan, a result."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import click

from c2l.options import Options

from .commands import options_of
from .grouped import CONFIG, GroupedOption
from .params import stage_options
from .ranked import require_ranked
from .shared import (
    Function,
    as_json,
    common,
    dry_run,
    grouped,
    output,
    overwrite,
    set_verbosity,
    show,
)

T = TypeVar("T", bound=Options)


@dataclass(frozen=True)
class Call(Generic[T]):
    """How a stage was called.

    Attributes:
        options: of the stage.
        output: what ``-o`` names; the working folder where the command has no ``-o``.
        overwrite: replace an existing output.
        dry_run: only say what would be done.
        json: print one JSON object.
        config: the file that ``--config`` names.
    """

    options: T
    output: Path
    overwrite: bool
    dry_run: bool
    json: bool
    config: Path | None

    def left_out(self, made: Path) -> dict[str, list[str]]:
        """For ``--json``: names of the photos that the artifact leaves out."""
        from c2l.artifacts.registry import read_link

        return {"left_out": sorted(read_link(made).skipped)} if self.json else {}


def stage(
    name: str,
    *,
    writes: str = "",
    plans: bool = True,
    in_force: Callable[[Any], Options] = lambda options: options,
) -> Callable[[Function], click.Command]:
    """Make a function the command of a stage.

    It is called with a ``Call`` and the command's own parameters. A dictionary that it returns
    is printed; a number is the exit code.

    Args:
        name: of the command, a row of the table of commands.
        writes: what ``-o`` names, where the command has to have it.
        plans: whether it has ``--dry-run``.
        in_force: gives the options in force, for ``--print-config``.
    """
    kind = options_of(name)

    def picked(values: dict[str, Any]) -> Options:
        return kind(**{f.name: values.pop(f.name) for f in fields(kind)})

    def shown(values: dict[str, Any]) -> dict[str, Any]:
        options = picked(dict(values))
        options.check()
        return vars(in_force(options))

    def decorate(function: Function) -> click.Command:
        @functools.wraps(function)
        def run(**values: Any) -> Any:
            require_ranked(name)
            set_verbosity(values.pop("quiet"), values.pop("verbose"))
            options = picked(values)
            call = Call(
                options=options,
                output=values.pop("output") if writes else Path(),
                overwrite=values.pop("overwrite") if writes or plans else False,
                dry_run=values.pop("dry_run") if plans else False,
                json=values.pop("as_json"),
                config=_config(),
            )
            if writes and call.config and not values.get("resume"):
                from c2l.artifacts.outputs import refuse_inputs

                refuse_inputs(call.output, [call.config])
            if writes and call.dry_run and "resume" not in values:
                from c2l.artifacts.outputs import refuse_existing

                refuse_existing(call.output, overwrite=call.overwrite)
            result = function(call, **values)
            if isinstance(result, dict):
                show(result, json_wanted=call.json)
                return None
            return result

        # In the help, what a command has of its own stands before what it shares with others.
        own = run.__dict__.pop("__click_params__", [])
        command: Function = run
        for add in (common, as_json, *([dry_run] if plans else [])):
            command = add(command)
        command = stage_options(kind)(command)
        run.__dict__["__click_params__"] += own
        if writes:
            command = output(writes)(command)
        elif plans:
            command = overwrite(command)
        return grouped(name, in_force=shown)(command)

    return decorate


def _config() -> Path | None:
    given = click.get_current_context().meta.get(CONFIG)
    return Path(given) if given else None


def _rivals(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, Path]]:
    pairs: list[tuple[str, Path]] = []
    for value in values:
        name, separator, path = value.rpartition("=")
        if not separator or not name or not path:
            raise click.BadParameter(f"{value!r}: expected NAME=eval.json")
        if name in dict(pairs):
            raise click.BadParameter(f"two rivals are called {name!r}")
        pairs.append((name, Path(path)))
    return pairs


rivals = click.option(
    "--rival",
    "rivals",
    cls=GroupedOption,
    group="Scores",
    multiple=True,
    metavar="NAME=FILE",
    callback=_rivals,
    help="Show another method's eval.json of the same photos and labels in the score table; may "
    "be repeated.",
)
