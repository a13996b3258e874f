"""Commands whose help stands in groups and whose defaults may come from a file."""

from __future__ import annotations

import copy
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from c2l.artifacts.drawn import shipped

from .commands import SETTINGS, Row

# Keys of a context's ``meta``: whether its options are printed, and the file given by --config.
PRINTS, CONFIG = "c2l.print_config", "c2l.config"
# Where the texts of the help begin.
COLUMN = 28


def help_of(function: Callable[..., Any]) -> str | None:
    """The text of a command's help: its docstring, which ``python -OO`` leaves in the source."""
    if sys.flags.optimize < 2:
        return function.__doc__
    import ast

    function = inspect.unwrap(function)
    source = Path(function.__code__.co_filename).read_text(encoding="utf-8")
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    return next(ast.get_docstring(n) for n in found if n.name == function.__name__)


class GroupedOption(click.Option):
    """An option that stands under a heading of the help.

    Args:
        group: the heading.
        saved: whether it belongs to a file of options; one of a single call does not.
        check: gives a value of such a file as the option takes it, or raises a ValueError;
            without it text, a list of texts or a switch is expected, as the option is.
        bounds: of its number, in words.
    """

    def __init__(
        self,
        *arguments: Any,
        group: str = "Running",
        saved: bool = True,
        check: Callable[[Any], Any] | None = None,
        bounds: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.group, self.saved, self._check, self._bounds = group, saved, check, bounds

    @property
    def key(self) -> str:
        """Its name in a file of options."""
        return max(self.opts, key=len).lstrip("-")

    def check(self, value: Any) -> Any:
        """A value of a file of options, as strictly as on the command line.

        Raises:
            ValueError: says what was expected and what was found.
        """
        if self._check:
            return self._check(value)
        if self.is_flag:
            expected, right = "true or false", isinstance(value, bool)
        elif self.multiple:
            expected, right = "a list of texts", isinstance(value, list)
            right = right and all(isinstance(one, str) for one in value)
        else:
            expected, right = "text", isinstance(value, str)
        if not right:
            raise ValueError(f"expected {expected}, found {ascii(value)[:100]}")
        return value

    def get_help_extra(self, ctx: click.Context) -> Any:
        """What stands in brackets behind the help."""
        extra = super().get_help_extra(ctx)
        return {**extra, "range": self._bounds} if self._bounds else extra


class GroupedCommand(click.Command):
    """A command with its help in groups, and its options from files and into them.

    Args:
        in_force: gives the options in force, of those that were given; for ``--print-config``.
    """

    def __init__(
        self,
        *arguments: Any,
        in_force: Callable[[dict[str, Any]], dict[str, Any]] = dict,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.in_force = in_force

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, or print its options; ``--trust`` holds for all of it."""
        if not ctx.meta.get(PRINTS):
            from c2l.artifacts.untrusted.guard import trust_files

            trust_files(ctx.params.pop("trust"))
            return super().invoke(ctx)
        from .config import as_toml

        click.echo(as_toml(ctx, self.in_force(ctx.params)), nl=False)
        return None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters; none is required where the options are only printed."""
        params = super().get_params(ctx)
        if not ctx.meta.get(PRINTS):
            return params
        params = [copy.copy(param) for param in params]
        for param in params:
            param.required = False
        return params

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the files that the command line names before its other options."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        helps = self.get_help_option(ctx)
        if not (ctx.resilient_parsing or (helps and given.get(str(helps.name)))):
            ctx.meta[PRINTS] = bool(given.get("print_config"))
            ctx.meta[CONFIG] = given.get("config")
            if given.get("config") or given.get("preset"):
                from .config import read_defaults

                read_defaults(ctx, given.get("config"), given.get("preset"))
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each under its heading."""
        from c2l.options import GROUPS

        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups[getattr(param, "group", "Running")].append(record)
        for name, group in groups.items():
            if group:
                with formatter.section(name):
                    formatter.write(_two_columns(group, formatter.width))


def _two_columns(rows: list[tuple[str, str]], width: int) -> str:
    """Names and texts side by side, in the same columns in every group, never cut at a hyphen."""
    lines = []
    for term, text in rows:
        first = f"  {term}".ljust(COLUMN)
        if len(f"  {term}") > COLUMN - 2:
            lines.append(f"  {term}")
            first = " " * COLUMN
        lines += textwrap.wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=" " * COLUMN,
            break_on_hyphens=False,
            break_long_words=False,
        )
    return "\n".join(lines) + "\n"


class TableGroup(click.Group):
    """The commands of a table, each imported only when it is called, so that help is instant.

    Args:
        table: of the commands; one that is not added is ``command`` in the module ``NAME_``.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, Row], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table; one whose network is not installed is left out."""
        return [name for name in self.table if name != "parse" or shipped().is_file()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in self.table:
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"{__package__}.{cmd_name}_")
            self.add_command(module.command, cmd_name)
        return self.commands[cmd_name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; an unknown one is refused with the name nearest to it."""
        name = args[0]
        if name in self.table or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(name, self.table, 1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise click.UsageError(f"No such command '{name}'.{meant}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table."""
        with formatter.section("Commands"):
            names = self.list_commands(ctx)
            formatter.write_dl([(name, self.table[name].summary) for name in names])


def group_of(table: Mapping[str, Row], name: str | None = None) -> Callable[..., click.Group]:
    """Make a function the group of a table's commands."""

    def decorate(function: Callable[..., Any]) -> click.Group:
        settings: dict[str, Any] = {"table": table, "context_settings": SETTINGS}
        made: click.Group = click.group(name, cls=TableGroup, help=help_of(function), **settings)(
            function
        )
        return made

    return decorate
