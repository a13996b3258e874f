"""The fields of a stage's options as options of click, in groups."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, fields
from functools import partial
from typing import Any

import click

from c2l.options import AUTO, Auto, Options, flag, types_of, value_of

from .grouped import GroupedOption

Command = Callable[..., Any]


class Number(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """A number as a field of the options takes it, from the command line or from a file."""

    name = "number"

    def __init__(self, item: Field[Any], kinds: tuple[type, ...]) -> None:
        self.item, self.kinds = item, kinds

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        """The number, checked."""
        if isinstance(value, str) and value != "auto":
            # What is no number is refused as the text that it is.
            with suppress(ValueError):
                value = int(value) if int in self.kinds else float(value)
        try:
            number: int | float = _read(self.item, self.kinds, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return number


def _read(item: Field[Any], kinds: tuple[type, ...], value: Any) -> Any:
    """A value as a user writes it, checked.

    Raises:
        ValueError: says what was expected and what was found.
    """
    may_be_auto = isinstance(item.default, Auto)
    return value_of(item, kinds, AUTO if may_be_auto and value == "auto" else value)


def stage_options(kind: type[Options]) -> Callable[[Command], Command]:
    """Add an option for every field of a stage's options."""

    def decorate(command: Command) -> Command:
        kinds = types_of(kind)
        for item in reversed(fields(kind)):
            command = _option(item, kinds[item.name])(command)
        return command

    return decorate


def _option(item: Field[Any], taken: tuple[type, ...]) -> Callable[[Command], Command]:
    about = item.metadata
    name = flag(item.name)
    settings: dict[str, Any] = {"metavar": about.get("metavar")}
    if bool in taken:
        name += f"/--no-{name.removeprefix('--')}"
    elif about["choices"]:
        settings["type"] = click.Choice(about["choices"])
    elif str not in taken:
        settings = {"type": Number(item, taken), "metavar": "N" if int in taken else "X"}
        settings["bounds"] = _bounds(about.get("minimum"), about.get("maximum"))
    if item.name == "backbone":
        # Eager, so that the list needs no other argument.
        settings |= {"callback": _check_backbone, "is_eager": True}
    return click.option(
        name,
        *about.get("flags", ()),
        item.name,
        cls=GroupedOption,
        group=about["group"],
        check=partial(_read, item, taken),
        default=item.default,
        show_default=item.default is not None,
        help=about["help"],
        **settings,
    )


def _bounds(low: float | None, high: float | None) -> str:
    """Bounds of a number, where they say more than that it counts something."""
    if high is not None:
        return f"{low} to {high}" if high < 1 << 16 else ""
    return f"at least {low}" if low not in (None, 0, 1) else ""


def _check_backbone(context: click.Context, parameter: click.Parameter, value: str) -> str:
    # The default is known to exist, and asking would load torch.
    if value == parameter.default:
        return value
    from c2l.nn.architectures import backbone_names, require_known

    if value == "list":
        click.echo("\n".join(backbone_names()))
        context.exit()
    require_known(value)
    return value
