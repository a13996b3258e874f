"""What every command has in common: help, results on stdout, settings from a file, quiet."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import h5py
import pytest
from conftest import FIT, NETWORK, PHOTOS, RUN_C2L, Cli, fork_python, run_python

from c2l import __version__

COMMANDS = [
    (),
    ("data",),
    ("data", "synth"),
    ("data", "check"),
    ("extract",),
    ("cluster",),
    ("fit",),
    ("teach",),
    ("parse",),
    ("eval",),
    ("compare",),
    ("report",),
    ("render",),
    ("export",),
    ("name",),
    ("inspect",),
    ("status",),
    ("verify",),
]
STAGES = [(n,) for n in ("extract", "cluster", "fit", "teach", "parse", "eval", "render")]

ALL_HELP = """
import json, sys
from c2l_cli.main import run
for command in json.loads(sys.argv[1]):
    try:
        run([*command, "--help"])
    except SystemExit as left:
        assert not left.code
heavy = {"torch", "torchvision", "timm", "faiss", "h5py", "scipy", "PIL", "numpy", "rich"}
heavy |= {"safetensors", "jinja2"}
print("LOADED", sorted(heavy & sys.modules.keys()))
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c) or "c2l")
def test_help_shows_an_example_under_both_names(cli: Cli, command: tuple[str, ...]) -> None:
    short, long = cli.ok(*command, "-h"), cli.ok(*command, "--help")
    assert short.out == long.out
    assert short.err == ""
    if command not in ((), ("data",)):
        _, examples = re.split("Examples?:", short.out)
        assert f"c2l {' '.join(command)} " in examples
    assert all(len(line) <= 100 for line in short.out.splitlines())


@pytest.mark.parametrize("command", STAGES, ids=lambda c: c[0])
def test_every_stage_has_the_common_options(cli: Cli, command: tuple[str, ...]) -> None:
    text = cli.ok(*command, "--help").out
    for option in (
        "--output",
        "--overwrite",
        "--seed",
        "--device",
        "--workers",
        "--config",
        "--print-config",
        "--dry-run",
        "--json",
        "--quiet",
        "--verbose",
    ):
        assert re.search(rf"{option}\b", text), option


@pytest.mark.parametrize("command", COMMANDS[1:], ids=" ".join)
def test_every_option_stands_under_one_heading(cli: Cli, command: tuple[str, ...]) -> None:
    text = cli.ok(*command, "--help").out
    below = "".join(re.findall(r"^[A-Z]\S+:\n((?:  .*\n)+)", text, re.MULTILINE))
    found = re.findall(r"^  (?:-\w, )?(--[\w-]+)", below, re.MULTILINE)
    assert len(found) == len(set(found))
    for option in ("--help", "--quiet", "--config", "--print-config"):
        assert (option in found) == (command != ("data",) or option == "--help")


def test_the_help_of_fit_has_the_headings_in_their_order(cli: Cli) -> None:
    text = cli.ok("fit", "--help").out
    assert re.findall(r"^(\S+):$", text, re.MULTILINE) == [
        *("Data", "Start", "Method", "Modules", "Clusters", "K-means", "Checkpoints", "Running"),
    ]
    # What a first run needs is at the top of its group.
    groups = dict(re.findall(r"^(\S+):\n((?:  .*\n)+)", text, re.MULTILINE))
    first = {name: re.findall(r"--[\w-]+", body)[0] for name, body in groups.items()}
    assert first["Data"] == "--output"
    assert first["Start"] == "--weights"
    assert first["Method"] == "--preset"
    assert first["Clusters"] == "--clusters"
    assert first["Checkpoints"] == "--resume"
    assert "[default: 16; 2 to 255]" in text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("fitt",), "'fit'"),
        (("data", "sinth"), "'synth'"),
        (("fit", "photos", "-o", "r", "--epocs", "3"), "'--epochs'"),
        (("data", "check", "photos", "--splitt", "val"), "'--split'"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(
    cli: Cli, words: tuple[str, ...], meant: str
) -> None:
    outcome = cli(*words)
    assert outcome.code == 2
    assert meant in outcome.err.partition("Did you mean")[2]


def test_help_loads_nothing_heavy() -> None:
    done = run_python(ALL_HELP, json.dumps(COMMANDS))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_version(cli: Cli) -> None:
    assert __version__ in cli.ok("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("extract",),
        ("extract", "photos"),
        ("cluster", "f.h5", "-o", "c.h5", "--method", "magic"),
        ("fit", "photos", "-o", "run", "--epochs", "-1"),
        ("eval", "run", "photos", "-o", "e.json", "--rival", "no-equals-sign"),
    ],
)
def test_usage_errors_end_with_2_and_leave_stdout_empty(
    cli: Cli, arguments: tuple[str, ...]
) -> None:
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_every_command_prints_one_object_and_is_silent_when_asked(
    cli: Cli, few: Path, people: Path, tmp_path: Path
) -> None:
    """The whole chain with --json -q: an object on stdout each, nothing on stderr."""
    f, c, r = tmp_path / "f.h5", tmp_path / "c.h5", tmp_path / "run"
    e, pictures = tmp_path / "e.json", tmp_path / "out"
    small = ("-n", "2", "--image-size", "48", "--workers", "1")
    chain: list[tuple[str | Path, ...]] = [
        ("data", "synth", tmp_path / "set", *small),
        ("data", "check", tmp_path / "set"),
        ("extract", few, "-o", f, *PHOTOS, *NETWORK),
        ("cluster", f, "-o", c, "-k", "3"),
        ("fit", few, "-o", r, *FIT, "--max-steps", "1"),
        ("eval", r, people, "-o", e, "--split", "val"),
        ("compare", e, "-o", tmp_path / "table.md"),
        ("render", r, few, "-o", pictures, "--scores", e),
        ("inspect", f, c, r, e),
    ]
    for command in chain:
        outcome = cli.ok(*command, "--json", "-q")
        assert isinstance(json.loads(outcome.out), dict), command
        assert outcome.out.count("\n") == 1, command
        assert outcome.err == "", command


def test_without_a_terminal_no_colours_and_progress_apart_from_results(
    few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    done = run_python(RUN_C2L, "extract", few, "-o", path, *PHOTOS, *NETWORK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"features  {path}\n"
    assert "extract: 4/4 images" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stderr


def test_an_error_is_one_message_and_the_next_step(tmp_path: Path) -> None:
    done = fork_python(RUN_C2L, "eval", tmp_path / "e.json", "-o", tmp_path / "f.json")
    assert (done.returncode, done.stdout) == (3, "")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"c2l: error: {tmp_path / 'e.json'}: ")
    assert second.startswith("  next: ")


@pytest.mark.parametrize("name", ["a.json", "a.h5"])
def test_a_pipe_in_place_of_an_artifact_keeps_nobody_waiting(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / name)
    outcome = cli("inspect", tmp_path / name)
    assert outcome.code == 3
    assert "not a regular file" in outcome.err
    cli("status", tmp_path)


def test_an_input_is_never_the_output(cli: Cli, people: Path, tmp_path: Path) -> None:
    store = tmp_path / "f.h5"
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK)
    before = store.read_bytes()
    (tmp_path / "link.h5").symlink_to(store)
    for output in (store, tmp_path / "link.h5"):
        outcome = cli("cluster", store, "-o", output, "-k", "3", "--overwrite")
        assert outcome.code == 2
        assert "cannot be the output" in outcome.err
    assert store.read_bytes() == before


def test_a_file_of_another_program_is_not_replaced(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    store, scores = tmp_path / "theirs.h5", tmp_path / "theirs.json"
    with h5py.File(store, "w") as file:
        file["x"] = range(9)
    scores.write_text('{"a": 1}')
    before = store.read_bytes(), scores.read_bytes()
    commands: list[tuple[str | Path, ...]] = [
        ("extract", people, "-o", store, *PHOTOS, *NETWORK, "--overwrite"),
        ("eval", trained, people, "-o", scores, "--split", "val", "--overwrite"),
    ]
    for command in commands:
        outcome = cli(*command)
        assert outcome.code == 2
        assert "was not written by c2l" in outcome.err
    assert (store.read_bytes(), scores.read_bytes()) == before
