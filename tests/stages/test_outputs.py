"""No command replaces what it reads, whichever argument, option or file of options names it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from conftest import Cli

from c2l import options
from c2l.artifacts.outputs import JSON, refuse_existing
from c2l.errors import UsageError
from c2l.options import Options, flag
from c2l.runtime.files import CHUNK_BYTES

# The commands that read photos or runs, with their arguments.
COMMANDS: dict[str, tuple[type[Options], tuple[str, ...]]] = {
    "extract": (options.ExtractOptions, ("data",)),
    "cluster": (options.ClusterOptions, ("artifact",)),
    "fit": (options.FitOptions, ("data",)),
    "teach": (options.TeachOptions, ()),
    "eval": (options.EvalOptions, ("artifact", "data")),
    "render": (options.RenderOptions, ("artifact", "data")),
    "export": (options.ExportOptions, ("artifact",)),
    "parse": (options.ParseOptions, ("data",)),
}
READ = [
    (command, item.name)
    for command, (kind, _) in COMMANDS.items()
    for item in fields(kind)
    if item.metadata.get("reads")
]


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set, an artifact and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/pictures", "pictures"):
        Path(name).mkdir(parents=True)
    Path("artifact").touch()
    return tmp_path


def refused(cli: Cli, *words: str | Path) -> None:
    """The command is refused for its output."""
    outcome = cli(*words, "--overwrite")
    assert outcome.code == 2, outcome.err
    assert "cannot be the output" in outcome.err


@pytest.mark.parametrize(("command", "option"), READ)
@pytest.mark.usefixtures("inputs")
def test_what_an_option_names_is_no_output(cli: Cli, command: str, option: str) -> None:
    read = Path("pictures/given")
    read.touch()
    arguments = COMMANDS[command][1]
    for output in ("pictures", "pictures/given"):
        refused(cli, command, *arguments, flag(option), read, "-o", output)
    assert read.is_file()


@pytest.mark.parametrize("command", [name for name, (_, given) in COMMANDS.items() if given])
@pytest.mark.usefixtures("inputs")
def test_no_argument_is_an_output(cli: Cli, command: str) -> None:
    arguments = COMMANDS[command][1]
    for output in arguments:
        refused(cli, command, *arguments, "-o", output)


@pytest.mark.parametrize("option", ["--images", "--masks"])
@pytest.mark.usefixtures("inputs")
def test_a_folder_named_by_its_place_in_the_data_set_is_no_output(cli: Cli, option: str) -> None:
    Path("data/pictures/masks").mkdir()
    for command in ("fit", "render"):
        arguments = COMMANDS[command][1]
        refused(cli, command, *arguments, option, "pictures/masks", "-o", "data/pictures")


@pytest.mark.parametrize("command", [*COMMANDS, "synth"])
@pytest.mark.usefixtures("inputs")
def test_a_file_of_options_is_no_output(cli: Cli, command: str) -> None:
    config = Path("pictures/options.toml")
    config.touch()
    named = ("--config", config)
    if command == "synth":
        refused(cli, "data", "synth", "pictures", *named)
    else:
        refused(cli, command, *COMMANDS[command][1], *named, "-o", "pictures")


@pytest.mark.usefixtures("inputs")
def test_rivals_and_weights_are_not_replaced(cli: Cli) -> None:
    rival = Path("pictures/rival.json")
    rival.touch()
    refused(cli, "render", "artifact", "data", "--rival", f"a={rival}", "-o", "pictures")


def test_scores_are_not_replaced_by_their_comparison(
    cli: Cli, scores: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "e.json"
    copy.write_bytes(scores.read_bytes())
    refused(cli, "compare", copy, "--format", "json", "-o", copy)
    assert copy.read_bytes() == scores.read_bytes()


@pytest.mark.usefixtures("inputs")
def test_a_name_that_is_no_file_may_be_an_output(cli: Cli) -> None:
    """A folder ``paper`` is not what ``--preset paper`` reads."""
    Path("paper").mkdir()
    outcome = cli("fit", "data", "-o", "paper", "--preset", "paper", "--overwrite")
    assert "cannot be the output" not in outcome.err


@pytest.mark.parametrize(
    ("content", "ours"),
    [
        (b"", True),
        (b"{", False),
        (b"{}", False),
        (b'{"a": 1}', False),
        (b'{"format": "c2l-eval"}', True),
        # Across the border of two blocks that are read, at each place.
        *((b"{" + b" " * (CHUNK_BYTES - left) + b"c2l-eval", True) for left in range(1, 6)),
        (b"{" + b" " * (CHUNK_BYTES - 3) + b"c2l", False),
    ],
)
def test_only_what_names_a_format_of_c2l_is_replaced(
    tmp_path: Path, content: bytes, ours: bool
) -> None:
    path = tmp_path / "e.json"
    path.write_bytes(content)
    if ours:
        refuse_existing(path, overwrite=True, starts=JSON)
        return
    with pytest.raises(UsageError, match="was not written by c2l"):
        refuse_existing(path, overwrite=True, starts=JSON)
