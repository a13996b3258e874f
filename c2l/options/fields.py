"""What an option is: a dataclass field with its help, its bounds, and how its value is checked.

The options of a stage are called

- given: as the user wrote them, a preset's among them; a number may be ``auto``;
- in force: those that a stage runs with: checked, and with a number for each ``auto``;
- recorded: those that an artifact holds, the decisive ones and some that explain it;
- stored: read back from an artifact, with defaults for what it does not hold;
- decisive: those that decide the result, which a resumed run must share;
- changed: recorded ones that are not the default, which the command of an artifact repeats.
"""

from __future__ import annotations

import math
import types
import typing
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Final, TypeVar

from c2l.errors import UsageError

T = TypeVar("T", bound="Options")

# Headings of the help, in its order.
GROUPS: Final = (
    "Data",
    "Start",
    "Method",
    "Features",
    "Modules",
    "Clusters",
    "K-means",
    "Scores",
    "Pictures",
    "Checkpoints",
    "Running",
)


class Auto(int):
    """A whole number that is not chosen yet: what suits the machine is taken when a stage starts.

    An ``int``, so that options whose numbers are chosen are plain integers to everything else;
    its value, 0, lies outside the bounds of every option that takes it.
    """

    def __repr__(self) -> str:
        return "auto"

    __str__ = __repr__


AUTO: Final = Auto()


def option(
    default: Any, text: str, *, group: str, choices: tuple[str, ...] = (), **extra: Any
) -> Any:
    """A dataclass field that also carries its help text and allowed values.

    Args:
        default: the default value; ``AUTO`` also lets the option take ``auto``.
        text: one sentence of help, shown by ``--help``.
        group: the heading it stands under, one of ``GROUPS``.
        choices: the allowed values of a string option.
        extra: ``flags`` (short names), ``metavar``, ``minimum``/``maximum`` (inclusive bounds),
            ``identity`` (False: changing it does not change the result, so a run may be
            resumed with another value), ``recorded`` (True: still part of the configuration
            that artifacts hold), ``repeated`` (False: left out of the command that makes an
            artifact again), ``reads`` (the value may name an input: a "path", a "file" where one
            has that name, or a "folder" that may also lie in the data set), ``role`` (what that
            input is to the artifact, as ``artifacts.lineage`` has it), ``formerly`` (the option's
            name in older artifacts).
    """
    return field(
        default=default, metadata={"help": text, "group": group, "choices": choices, **extra}
    )


def flag(name: str) -> str:
    """A field's option on the command line."""
    return f"--{name.replace('_', '-')}"


def types_of(kind: type[Options]) -> dict[str, tuple[type, ...]]:
    """The types that each option of a stage takes, by field name."""
    hints = typing.get_type_hints(kind)
    return {
        item.name: typing.get_args(hints[item.name])
        if isinstance(hints[item.name], types.UnionType)
        else (hints[item.name],)
        for item in fields(kind)
    }


def value_of(item: Field[Any], kinds: tuple[type, ...], value: Any) -> Any:
    """A value, checked; a whole number becomes a float where the option takes one.

    Args:
        item: the option.
        kinds: the types that it takes.
        value: of any type.

    Raises:
        ValueError: says what was expected and what was found.
    """
    if isinstance(item.default, Auto) and isinstance(value, Auto):
        return value
    if float in kinds and type(value) is int and abs(value) < 1 << 53:
        value = float(value)
    if type(value) not in kinds or not _is_within(item, value):
        found = str(value).lower() if isinstance(value, bool) else ascii(value)[:100]
        raise ValueError(f"expected {_expected(item, kinds)}, found {found}")
    return value


def _is_within(item: Field[Any], value: Any) -> bool:
    """Whether a value of the right type is finite, within its bounds and among the choices."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        choices = item.metadata["choices"]
        return not choices or value in choices
    low, high = item.metadata.get("minimum", -math.inf), item.metadata.get("maximum", math.inf)
    return math.isfinite(value) and low <= value <= high


def _expected(item: Field[Any], kinds: tuple[type, ...]) -> str:
    if item.metadata["choices"]:
        return " or ".join(item.metadata["choices"])
    if bool in kinds:
        return "true or false"
    if str in kinds:
        return "text"
    low, high = item.metadata.get("minimum"), item.metadata.get("maximum")
    what = "a whole number" if int in kinds else "a number"
    if low is not None and high is not None:
        what += f" from {low} to {high}"
    elif low is not None:
        what += f" of {low} or more"
    return f"{what}, or auto" if isinstance(item.default, Auto) else what


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base of every stage's options.

    Attributes:
        stage: the command whose presets set these options; empty where none does.
    """

    stage: ClassVar[str] = ""

    def check(self) -> None:
        """Refuse values and combinations of values that cannot work, before any file is read.

        Raises:
            UsageError: names the options at fault and the way out.
        """
        kinds = types_of(type(self))
        for item in fields(self):
            try:
                value_of(item, kinds[item.name], getattr(self, item.name))
            except ValueError as error:
                raise UsageError(f"{flag(item.name)}: {error}") from None


def roles(kind: type[Options]) -> dict[str, str]:
    """The options that name an input, with its role."""
    return {f.name: f.metadata["role"] for f in fields(kind) if "role" in f.metadata}


def decisive_options(options: Options) -> dict[str, Any]:
    """The options that decide a stage's result, by name.

    Without those that name an input: it decides by its content, whose hash the artifact holds.
    """
    return {
        f.name: getattr(options, f.name)
        for f in fields(options)
        if f.metadata.get("identity", True) and "role" not in f.metadata
    }


def recorded(options: Options) -> dict[str, Any]:
    """The options that an artifact holds: those that decide its result, or explain it."""
    return {
        f.name: getattr(options, f.name)
        for f in fields(options)
        if f.metadata.get("identity", True) or f.metadata.get("recorded")
    }


def changed(options: Options) -> dict[str, Any]:
    """The recorded options that differ from the defaults, by name."""
    defaults = type(options)()
    kept = {f.name for f in fields(options) if f.metadata.get("repeated", True)}
    return {k: v for k, v in recorded(options).items() if k in kept and v != getattr(defaults, k)}


def known(kind: type[Options], values: dict[str, Any]) -> dict[str, Any]:
    """The values of an artifact that a stage takes as options, by their present names."""
    names = {f.name: (f.name, f.metadata.get("formerly")) for f in fields(kind)}
    return {name: values[old] for name, olds in names.items() for old in olds if old in values}


def stored(kind: type[T], values: dict[str, Any]) -> T:
    """Options that were stored with an artifact, checked; unknown ones are left out.

    Raises:
        UsageError: names the option that cannot be, or that was never chosen.
    """
    found, kinds, values = {}, types_of(kind), known(kind, values)
    for item in fields(kind):
        try:
            if item.name in values:
                found[item.name] = value_of(item, kinds[item.name], values[item.name])
            if isinstance(found.get(item.name, item.default), Auto):
                raise ValueError("expected a number, found none")
        except ValueError as error:
            raise UsageError(f"{flag(item.name)}: {error}") from None
    options = kind(**found)
    options.check()
    return options
