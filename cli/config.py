"""Files of options: ``--config`` and ``--preset`` read them, ``--print-config`` writes them."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from c2l import __version__
from c2l.errors import UsageError
from c2l.options import GROUPS, Auto, preset_file, preset_names
from c2l.runtime.text import printable, read_toml

from .commands import COMMANDS, DATA_COMMANDS
from .grouped import GroupedOption

# The key of a context's ``meta`` that holds where each default comes from, by parameter.
ORIGINS = "c2l.origins"


def read_defaults(context: click.Context, config: str | None, preset: str | None) -> None:
    """Take a command's defaults from files.

    A preset of the command line wins over a file of options, which wins over the preset it names.

    Raises:
        BadInputError: a file cannot be read, or is not TOML.
        UsageError: a name or value that no option has.
    """
    values = _read(context, Path(config)) if config else {}
    origins = dict.fromkeys(values, str(config))
    if name := preset or values.get("preset"):
        given = _read(context, _preset_file(name, str(context.command.name)))
        named = dict.fromkeys(given, f"preset {name}")
        origins = origins | named if preset else named | origins
        values = values | given if preset else given | values
    context.default_map, context.meta[ORIGINS] = values, origins


def _preset_file(name: str, stage: str) -> Path:
    file = Path(name)
    return file if name not in preset_names(stage) and file.is_file() else preset_file(name, stage)


def _options_of(command: click.Command) -> dict[str, GroupedOption]:
    """The options that a file may hold, by their names there."""
    return {p.key: p for p in command.params if isinstance(p, GroupedOption) and p.saved}


def _read(context: click.Context, path: Path) -> dict[str, Any]:
    """The values of a file for a command, by parameter; its table wins over the top of the file.

    What stands at the top may be meant for other commands.
    """
    command, content = context.command, read_toml(path, "a file of options")
    table = content.get(str(command.name), {})
    if not isinstance(table, dict):
        raise UsageError(
            f"{path}: {command.name}: expected a table of options, [{command.name}], "
            f"found {ascii(table)[:100]}"
        )
    known, commands = _options_of(command), {*COMMANDS, *DATA_COMMANDS}
    own: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            if key not in commands:
                raise _unknown(path, f"[{key}]", key, commands)
        elif _normal(key) in known:
            own[key] = value
        elif _normal(key) not in (others := _all_options(context)):
            raise _unknown(path, key, key, others | commands)
    for key in table:
        if _normal(key) not in known:
            raise _unknown(path, f"[{command.name}] {key}", key, set(known))
    for keys in (own, table):
        for key in keys:
            if key != _normal(key) and _normal(key) in keys:
                raise UsageError(f"{path}: {_normal(key)} stands there twice, also as {key}")
    found = {}
    for key, value in (own | table).items():
        option = known[_normal(key)]
        try:
            found[str(option.name)] = option.check(value)
        except ValueError as error:
            raise UsageError(f"{path}: {key}: {error}") from None
    return found


def _normal(key: str) -> str:
    """A name as on the command line; underlines are taken for hyphens."""
    return key.replace("_", "-")


def _unknown(path: Path, shown: str, key: str, names: set[str]) -> UsageError:
    near = get_close_matches(_normal(key), names, 1)
    return UsageError(
        f"{path}: {shown}: no option or table of this name",
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _all_options(context: click.Context) -> set[str]:
    """Names of the options of all commands."""
    waiting, names = [context.find_root().command], set[str]()
    while waiting:
        command = waiting.pop()
        if isinstance(command, click.Group):
            inner = (command.get_command(context, name) for name in command.list_commands(context))
            waiting += [one for one in inner if one]
        names |= _options_of(command).keys()
    return names


def as_toml(context: click.Context, in_force: dict[str, Any]) -> str:
    """The options of a command as a file that ``--config`` takes, with where each comes from.

    Args:
        context: the parsed command line.
        in_force: values in force by parameter; others are as they were given.
    """
    values = context.params | in_force
    path = context.command_path
    lines = [f"# {path}, version {__version__}: the options in force, for {path} --config FILE"]
    lines.append(f"[{context.command.name}]")
    options = sorted(
        _options_of(context.command).values(), key=lambda option: GROUPS.index(option.group)
    )
    for option in options:
        name = str(option.name)
        value = values[name]
        lines += ["", *_comment(option)]
        if value is None:
            lines.append(f"# {option.key} is not set")
            continue
        if option.multiple:
            value = ["=".join(map(str, one)) for one in value]
        origin = printable(_origin(context, option, value), lines=False)
        lines.append(f"{option.key} = {_toml(value)}{f'  # {origin}' if origin else ''}")
    return "\n".join(lines) + "\n"


def _comment(option: GroupedOption) -> list[str]:
    import textwrap

    return textwrap.wrap(
        option.help or "", 98, initial_indent="# ", subsequent_indent="# ", break_long_words=False
    )


def _origin(context: click.Context, option: GroupedOption, value: Any) -> str:
    """Where a value comes from; nothing for a default."""
    source = context.get_parameter_source(str(option.name))
    if source == ParameterSource.COMMANDLINE:
        return "given"
    if source == ParameterSource.DEFAULT_MAP:
        return f"from {context.meta[ORIGINS][option.name]}"
    return "auto" if str(option.default) == "auto" and value != "auto" else ""


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, str | Auto):
        value = str(value)
        if not value.isprintable():
            raise UsageError(f"{value!a}: a file of options holds only printable text")
        return json.dumps(value, ensure_ascii=False)  # TOML has the same escapes
    return str(value).lower() if isinstance(value, bool) else repr(value)
