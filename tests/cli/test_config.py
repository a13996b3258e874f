"""Options from files: which wins, what is refused, and that what is printed is read back."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import FIT, NETWORK, PHOTOS, Cli

from c2l.options import (
    CheckOptions,
    ClusterOptions,
    CompareOptions,
    EvalOptions,
    ExportOptions,
    ExtractOptions,
    FitOptions,
    Options,
    ParseOptions,
    RenderOptions,
    ReportOptions,
    SynthOptions,
    TeachOptions,
    has_auto,
)

PRINTED = "--print-config"


def write_config(folder: Path, text: str) -> Path:
    """A file of options."""
    path = folder / "options.toml"
    path.write_text(text)
    return path


def printed(cli: Cli, *words: str | Path) -> dict[str, Any]:
    """The options that a command prints, without its table's name."""
    (table,) = tomllib.loads(cli.ok(*words, PRINTED).out).values()
    assert isinstance(table, dict)
    return table


def test_options_come_from_a_file_and_the_command_line_wins(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    config = write_config(
        tmp_path,
        'image-size = 96\nseed = 5\n[extract]\nimage_size = 64\nweights = "none"\nfpn-dim = 24\n'
        '[fit]\nepochs = 7\nwarmup = 0\nweights = "none"\n',
    )
    command = ("extract", few, "-o", tmp_path / "f.h5", "--config", config, "--dry-run", "--json")
    assert cli.ok(*command).values["shape"] == [4, 16, 16, 24]
    assert cli.ok(*command, "--fpn-dim", "16").values["shape"] == [4, 16, 16, 16]
    plan = ("fit", few, "-o", tmp_path / "r", "--config", config, "--dry-run", "--json")
    assert cli.ok(*plan, "-b", "4").values["steps"] == 7
    assert cli.ok(*plan, "-b", "4", "--epochs", "2").values["steps"] == 2


def test_command_line_then_its_preset_then_file_then_the_preset_there_then_default(
    cli: Cli, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[fit]\nepochs = 8\nheads = 4\nlr = 0.5\n")
    config = write_config(tmp_path, f'[fit]\npreset = "{own}"\nepochs = 7\nlr = 0.25\n')
    found = printed(cli, "fit", "--config", config, "--lr", "0.125")
    assert (found["lr"], found["epochs"], found["heads"], found["tau"]) == (0.125, 7, 4, 0.1)
    assert found["preset"] == str(own)
    # The command line names another preset, which leaves the file what it does not set.
    config = write_config(tmp_path, "[fit]\nepochs = 7\nsave-steps = 3\n")
    found = printed(cli, "fit", "--preset", "paper", "--config", config)
    assert (found["preset"], found["epochs"], found["save-steps"]) == ("paper", 10, 3)
    whole = tmp_path / "whole.toml"
    whole.write_text(cli.ok("fit", PRINTED).out)
    found = printed(cli, "fit", "--preset", "paper", "--config", whole)
    assert (found["clusters"], found["sharpen"], found["merge-clusters"]) == (3, False, "none")


def test_where_a_value_comes_from_is_printed_beside_it(cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, "[fit]\nkeep = 4\nclusters = 5\n")
    text = cli.ok("fit", "--preset", "paper", "--config", config, "-e", "3", PRINTED).out
    for line in (
        "epochs = 3  # given",
        f"keep = 4  # from {config}",
        "clusters = 3  # from preset paper",
        "save-steps = 0",
    ):
        assert line in text.splitlines()
    assert "image-size = 128  # auto" in cli.ok("fit", "--device", "cpu", PRINTED).out


COMMANDS: dict[tuple[str, ...], type[Options]] = {
    ("data", "synth"): SynthOptions,
    ("data", "check"): CheckOptions,
    ("extract",): ExtractOptions,
    ("cluster",): ClusterOptions,
    ("fit",): FitOptions,
    ("teach",): TeachOptions,
    ("parse",): ParseOptions,
    ("eval",): EvalOptions,
    ("compare",): CompareOptions,
    ("report",): ReportOptions,
    ("render",): RenderOptions,
    ("export",): ExportOptions,
}
# Options that are not the defaults, among them what needs quoting and what is no plain number.
OTHER: dict[tuple[str, ...], list[str]] = {
    ("data", "synth"): ["-n", "7", "--val-share", "1", "--seed", "3"],
    ("data", "check"): ["--split", 'a "b" \\ c', "--merge", "fine"],
    ("extract",): ["--layer", "layer4", "--views", "--on-error", "skip", "--weights", "w.pth"],
    ("cluster",): ["--method", "nmf", "--nmf-tolerance", "1e-9", "-k", "7"],
    ("fit",): ["--preset", "picie", "--no-cross-view", "--lr", "1e-05", "--image-size", "auto"],
    ("teach",): ["--preset", "drawn", "--class-weights", "none", "--lr", "1e-05"],
    ("parse",): ["--opacity", "1", "--exif", "ignore"],
    ("eval",): ["--no-baselines", "--rival", "A=a.json", "--rival", "B=x=b.json", "-b", "3"],
    ("compare",): ["--format", "json", "--against", "C2L, --epochs 2", "--mixed"],
    ("report",): ["--against", "a = 'b'", "--agreement"],
    ("render",): ["--opacity", "0", "--scores", "\u00e4 'e'.json", "--limit", "5"],
    ("export",): ["--image-size", "96", "--weights", "w.pth"],
}


@pytest.mark.parametrize("changed", [False, True], ids=["defaults", "changed"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_a_command_prints_it_reads_back(
    cli: Cli, tmp_path: Path, command: tuple[str, ...], changed: bool
) -> None:
    words = OTHER[command] if changed else []
    text = cli.ok(*command, *words, PRINTED).out
    config = tmp_path / "printed.toml"
    config.write_text(text, encoding="utf-8")
    again = printed(cli, *command, "--config", config)
    assert tomllib.loads(text) == {command[-1]: again}
    assert again.pop("trust") is False
    # It is every option that is not unset, with its type.
    kind = COMMANDS[command]
    options = kind(**{k.replace("-", "_"): v for k, v in again.items() if k != "rival"})
    options.check()
    assert {k.replace("-", "_") for k in again if k != "rival"} == {
        name for name, value in vars(options).items() if value is not None
    }
    if isinstance(options, FitOptions):
        assert not has_auto(options)
    if command == ("eval",):
        assert again["rival"] == (["A=a.json", "B=x=b.json"] if changed else [])


def test_a_printed_file_gives_the_same_run(cli: Cli, few: Path, tmp_path: Path) -> None:
    command = ("fit", few, "-o", tmp_path / "a", *FIT, "--epochs", "1", "--preset", "picie")
    cli.ok(*command)
    config = write_config(tmp_path, cli.ok(*command, PRINTED).out)
    cli.ok("fit", few, "-o", tmp_path / "b", "--config", config)
    one, two = (json.loads((tmp_path / name / "config.json").read_text()) for name in "ab")
    assert one["options"] == two["options"]
    assert one["options"]["preset"] == "picie"
    a, b = (tmp_path / name / "predictor.safetensors" for name in "ab")
    assert a.read_bytes() == b.read_bytes()


def test_nothing_is_read_or_written_to_print(cli: Cli, tmp_path: Path) -> None:
    outcome = cli.ok("extract", tmp_path / "none", "-o", tmp_path / "f.h5", PRINTED)
    assert outcome.err == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", [("--sharpen", "--merge-clusters", "none"), ("--lr", "x")])
def test_options_that_cannot_be_are_not_printed(cli: Cli, words: tuple[str, ...]) -> None:
    outcome = cli("fit", *words, PRINTED)
    assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("imagesize = 64\n", 2, "imagesize"),
        ("[extract]\nimage-size = 64\nfpn = 3\n", 2, "[extract] fpn"),
        ("[extrac]\nimage-size = 64\n", 2, "did you mean extract?"),
        ("imag-size = 64\n[fit]\nepochs = 7\n", 2, "did you mean image-size?"),
        ("extract = 3\n", 2, "expected a table of options, [extract]"),
        ('image-size = "wide"\n', 2, "image-size: expected a whole number from 32 to 4096"),
        ("image-size = 8\n", 2, "found 8"),
        ("image-size = 64.7\n", 2, "found 64.7"),
        ("image-size = 64.0\n", 2, "found 64.0"),
        ("image-size = true\n", 2, "found true"),
        ('image-size = "64"\n', 2, "found '64'"),
        ('image-size = "auto"\n', 2, "found 'auto'"),
        ("image-size = [64]\n", 2, "found [64]"),
        ("image-size = 2024-01-01\n", 2, "found datetime.date"),
        ('views = "yes"\n', 2, "views: expected true or false, found 'yes'"),
        ("views = 1\n", 2, "views: expected true or false, found 1"),
        ("weights = false\n", 2, "weights: expected text, found false"),
        ('layer = "layer5"\n', 2, "layer: expected fpn or layer1"),
        ('on-error = "Skip"\n', 2, "on-error: expected fail or skip"),
        ('backbone = "resnet19"\n', 2, "resnet19"),
        # They are said at each call, or not at all.
        ("overwrite = true\n", 2, "overwrite"),
        ('output = "f.h5"\n', 2, "output"),
        ('config = "x.toml"\n', 2, "config"),
        ("image-size = \n", 3, "line 1"),
        ("seed = 1\nimage-size 64\n", 3, "line 2"),
    ],
)
def test_a_file_with_a_mistake_is_refused(
    cli: Cli, few: Path, tmp_path: Path, text: str, code: int, said: str
) -> None:
    config = write_config(tmp_path, text)
    outcome = cli("extract", few, "-o", tmp_path / "f.h5", "--config", config)
    assert outcome.code == code
    assert "options.toml: " in outcome.err or said == "resnet19"
    assert said in outcome.err
    assert os.listdir(tmp_path) == ["options.toml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr = nan\n", "lr: expected a number of 0.0 or more, found nan"),
        ("lr = inf\n", "found inf"),
        ("lr = true\n", "found true"),
        ("tau = 0\n", "tau: expected a number of 0.001 or more, found 0.0"),
        ("epochs = 2.9\n", "epochs: expected a whole number of 0 or more, found 2.9"),
        ('merge-clusters = "all"\n', "merge-clusters: expected none or border or figure or ground"),
        ("sharpen = 0\n", "sharpen: expected true or false, found 0"),
        ('image-size = "Auto"\n', "image-size: expected a whole number from 32 to 4096, or auto"),
    ],
)
def test_a_preset_of_ones_own_is_read_as_strictly(
    cli: Cli, tmp_path: Path, text: str, said: str
) -> None:
    own = write_config(tmp_path, f"[fit]\n{text}")
    for name in ("--config", "--preset"):
        outcome = cli("fit", name, own, PRINTED)
        assert (outcome.code, outcome.out) == (2, "")
        assert said in outcome.err


def test_whole_numbers_are_numbers_and_auto_is_a_word(cli: Cli, tmp_path: Path) -> None:
    own = write_config(tmp_path, '[fit]\nlr = 1\nimage-size = "auto"\nbatch-size = 8\n')
    found = printed(cli, "fit", "--config", own, "--device", "cpu")
    assert (found["lr"], found["image-size"], found["batch-size"]) == (1.0, 128, 8)


def test_a_rival_is_a_list_of_texts(cli: Cli, tmp_path: Path) -> None:
    for text in ('rival = "A=a.json"', "rival = [3]", 'rival = ["no-equals-sign"]'):
        config = write_config(tmp_path, f"[eval]\n{text}\n")
        assert cli("eval", "--config", config, PRINTED).code == 2, text


def test_a_preset_that_is_none_is_refused_with_those_that_are(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("fit", "--preset", tmp_path / "none", PRINTED)
    assert outcome.code == 2
    assert "choose paper or picie" in outcome.err


def test_an_option_in_both_spellings_is_refused(cli: Cli, few: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, "[extract]\nimage-size = 64\nimage_size = 96\n")
    outcome = cli("extract", few, "-o", tmp_path / "f.h5", "--config", config)
    assert outcome.code == 2
    assert "image-size stands there twice, also as image_size" in outcome.err


def test_a_missing_file_of_options_is_named(cli: Cli, few: Path, tmp_path: Path) -> None:
    outcome = cli("extract", few, "-o", tmp_path / "f.h5", "--config", tmp_path / "none.toml")
    assert outcome.code == 3
    assert "none.toml" in outcome.err


def test_help_is_shown_whatever_the_files_hold(cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, "nonsense")
    assert "Usage:" in cli.ok("fit", "--config", config, "--help").out


def test_a_path_that_cannot_be_printed_is_refused(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("render", "--scores", "a\nb.json", PRINTED)
    assert (outcome.code, outcome.out) == (2, "")
    assert "only printable text" in outcome.err


def test_the_command_line_is_checked_by_the_same_words(cli: Cli) -> None:
    for words, said in (
        (("--epochs", "2.9"), "expected a whole number of 0 or more, found '2.9'"),
        (("--image-size", "8"), "expected a whole number from 32 to 4096, or auto, found 8"),
        (("--lr", "nan"), "expected a number of 0.0 or more, found nan"),
    ):
        outcome = cli("fit", *words, PRINTED)
        assert outcome.code == 2
        assert said in outcome.err
        assert words[0] in outcome.err


def test_other_commands_options_may_stand_at_the_top(cli: Cli, tmp_path: Path) -> None:
    config = write_config(tmp_path, 'opacity = 7\nsplit = "val"\n[render]\nopacity = 8\n')
    assert printed(cli, "extract", "--config", config)["split"] == "val"
    assert cli("render", "--config", config, PRINTED).code == 2


def test_extract_by_a_file_is_extract_by_words(cli: Cli, few: Path, tmp_path: Path) -> None:
    words = (*PHOTOS, *NETWORK)
    config = write_config(tmp_path, cli.ok("extract", *words, PRINTED).out)
    cli.ok("extract", few, "-o", tmp_path / "a.h5", *words)
    cli.ok("extract", few, "-o", tmp_path / "b.h5", "--config", config)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
