"""Options that every command shares, made from the one place where defaults are written."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union

import click

from c2l.errors import BadInputError, UsageError
from c2l.runtime.text import printable

T = TypeVar("T")
Command = Callable[..., Any]

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class FiniteFloat(click.FloatRange):
    """A number within bounds; NaN and infinity, which pass any bound, are refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _click_type(annotation: Any, metadata: Any) -> Any:
    if metadata.get("choices"):
        return click.Choice(list(metadata["choices"]))
    arguments = [a for a in typing.get_args(annotation) if a is not types.NoneType]
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    kind = arguments[0] if is_union else annotation
    if kind is int and ("minimum" in metadata or "maximum" in metadata):
        return click.IntRange(metadata.get("minimum"), metadata.get("maximum"))
    if kind is float:
        return FiniteFloat(metadata.get("minimum"), metadata.get("maximum"))
    return kind


def stage_options(kind: type[Any]) -> Callable[[Command], Command]:
    """Add a click option for every field of a stage's options."""

    def decorate(command: Command) -> Command:
        hints = typing.get_type_hints(kind)
        for item in reversed(fields(kind)):
            name = item.name.replace("_", "-")
            flag = f"--{name}/--no-{name}" if hints[item.name] is bool else f"--{name}"
            default = None if item.default is MISSING else item.default
            command = click.option(
                flag,
                *item.metadata.get("flags", ()),
                item.name,
                default=default,
                show_default=default is not None,
                type=None
                if hints[item.name] is bool
                else _click_type(hints[item.name], item.metadata),
                metavar=item.metadata.get("metavar"),
                **(_BACKBONE if item.name == "backbone" else {}),
                help=item.metadata["help"],
            )(command)
        return command

    return decorate


def _check_backbone(context: click.Context, parameter: click.Parameter, value: str) -> str:
    # The default is known to exist, and asking would load torch.
    if value == parameter.default:
        return value
    from c2l.model.network import backbone_names, check_backbone

    if value == "list":
        click.echo("\n".join(backbone_names()))
        context.exit()
    check_backbone(value)
    return value


# Eager, so that the list needs no other argument.
_BACKBONE: dict[str, Any] = {"callback": _check_backbone, "is_eager": True}


def common(command: Command) -> Command:
    """-q, -v, --trust, --config: what every command takes."""
    command = click.option(
        "--trust/--no-trust",
        default=False,
        expose_value=False,
        callback=_set_trust,
        help="Open HDF5 files without trying them out in a child process first.",
    )(command)
    command = click.option("-q", "--quiet", is_flag=True, help="Errors only.")(command)
    command = click.option("-v", "--verbose", is_flag=True, help="Say more.")(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="A TOML file of options; those on the command line win.",
    )(command)


def _set_trust(_: click.Context, __: click.Parameter, value: bool) -> None:
    from c2l.artifacts.untrusted.guard import trust_files

    trust_files(value)


def output(what: str) -> Callable[[Command], Command]:
    """-o and --overwrite."""

    def decorate(command: Command) -> Command:
        command = click.option("--overwrite", is_flag=True, help="Replace an existing output.")(
            command
        )
        return click.option(
            "-o", "--output", required=True, type=click.Path(path_type=Path), help=what
        )(command)

    return decorate


dry_run = click.option(
    "--dry-run", is_flag=True, help="Say what would be done: items, disk, memory."
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def _rivals(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, Path]]:
    pairs = []
    for value in values:
        name, separator, path = value.rpartition("=")
        if not separator or not name or not path:
            raise click.BadParameter(f"{value!r}: expected NAME=eval.json")
        pairs.append((name, Path(path)))
    return pairs


rivals_option = click.option(
    "--rival",
    "rivals",
    multiple=True,
    metavar="NAME=FILE",
    callback=_rivals,
    help="Another method's eval.json for the score table; may be repeated.",
)


def _read_config(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    import tomllib

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInputError(path, f"not a TOML file of options: {error}") from None
    command = context.command.name or ""
    if not isinstance(values.get(command, {}), dict):
        raise UsageError(f"{path}: {command} is a table of options: [{command}]")
    strangers = sorted(
        [f"[{k}]" for k, v in values.items() if isinstance(v, dict) and k not in _commands(context)]
        + [
            k
            for k, v in values.items()
            if not isinstance(v, dict) and k.replace("-", "_") not in _any_option()
        ]
    )
    if strangers:
        raise UsageError(f"{path}: no command or option is called {', '.join(strangers)}")
    # Keys under the command's own table win over those at the top.
    flat = {k: v for k, v in values.items() if not isinstance(v, dict)}
    flat |= dict(values.get(command, {}).items())
    known = {p.name for p in context.command.params}
    settled = {k.replace("-", "_"): v for k, v in flat.items()}
    unknown = sorted(k for k in (values.get(command, {}) or {}) if k.replace("-", "_") not in known)
    if unknown:
        raise UsageError(f"{path}: unknown options of {command}: {', '.join(unknown)}")
    context.default_map = {k: v for k, v in settled.items() if k in known}


def _commands(context: click.Context) -> set[str]:
    """Names of all commands."""
    root = context.find_root().command
    names = set(root.list_commands(context)) if isinstance(root, click.Group) else set()
    return names | {context.command.name or ""}


def _any_option() -> set[str]:
    """Names of the options of all stages, which may stand at the top of a file for several."""
    from c2l import options

    stages = (
        options.ExtractOptions,
        options.ClusterOptions,
        options.FitOptions,
        options.EvalOptions,
        options.RenderOptions,
        options.SynthOptions,
    )
    flags = {"overwrite", "resume", "quiet", "verbose", "trust", "as_json", "dry_run"}
    return flags | {item.name for kind in stages for item in fields(kind)}


def pick(kind: type[T], values: dict[str, Any]) -> T:
    """The options of a stage out of a command's parameters."""
    return kind(**{f.name: values[f.name] for f in fields(kind)})  # type: ignore[arg-type]


def set_voice(quiet: bool, verbose: bool) -> None:
    """How much is said on stderr."""
    from c2l.runtime.progress import voice

    voice.level = 0 if quiet else 2 if verbose else 1


def show(values: dict[str, Any], *, json_wanted: bool) -> None:
    """A small result on stdout."""
    if json_wanted:
        import json

        click.echo(json.dumps(values))
        return
    width = max(len(k) for k in values)
    for key, value in values.items():
        text = f"{value:,}" if isinstance(value, int) else printable(str(value))
        click.echo(f"{key.replace('_', ' '):<{width}}  {text}")
