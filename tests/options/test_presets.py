"""The presets are the published protocols, option by option, and docs say what they set."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from conftest import Cli

import c2l.api
from c2l.errors import UsageError
from c2l.options import (
    AUTO,
    FitOptions,
    Options,
    TeachOptions,
    preset,
    preset_file,
    preset_names,
)
from c2l.options.presets import FOLDER

METHOD = Path(__file__).parents[2] / "docs" / "method.md"
# Groups of options that a protocol consists of, but for those that name files or this machine.
PROTOCOL = {"Data", "Start", "Method", "Modules", "Clusters", "K-means"}
NOT_PROTOCOL = {
    *("split", "images", "masks", "exif", "on_error", "cache_dir", "checkpoint", "init"),
    *("features", "preset", "max_steps"),
    *("warmup_lr", "merge_threshold", "mixture_iterations"),
}


# Every preset that comes with c2l, with the options of its stage.
PRESETS = [(kind, name) for kind in (FitOptions, TeachOptions) for name in preset_names(kind.stage)]


def test_the_presets_are_the_published_protocols_and_our_own_network() -> None:
    assert [name for _, name in PRESETS] == ["paper", "picie", "drawn", "drawn-start"]
    assert {name for _, name in PRESETS} == {path.stem for path in FOLDER.glob("*")}


def test_the_paper_is_taken_by_its_word() -> None:
    """Section 4.2, Eq. 4, 7 and 8."""
    options = preset(FitOptions, "paper")
    assert (options.image_size, options.kmeans_batch, options.batch_size) == (320, 192, 96)
    assert (options.backbone, options.weights, options.fpn_dim) == ("resnet18", "imagenet", 128)
    assert not options.gradients_input
    assert (options.part_weight, options.pixel_weight) == (0.5, 0.3)
    assert (options.cross_view, options.code_input, options.attention_stride) == (False, "raw", 1)
    assert options.clusters == 3
    assert (options.warmup, options.merge_clusters, options.sharpen) == (0, "none", False)
    assert (options.method, options.final_clusters) == ("c2l", "kmeans")


def test_picie_is_the_loop_without_the_modules_across_the_views() -> None:
    options = preset(FitOptions, "picie")
    assert (options.method, options.cross_view) == ("picie", True)
    assert (options.image_size, options.kmeans_batch, options.batch_size) == (320, 192, 96)
    assert (options.clusters, options.warmup, options.merge_clusters) == (3, 0, "none")
    assert (options.epochs, options.lr, options.class_weights) == (10, 1e-4, "frequency")


@pytest.mark.parametrize(("kind", "name"), PRESETS)
def test_a_preset_leaves_no_part_of_the_protocol_to_the_defaults(
    kind: type[Options], name: str
) -> None:
    """So that another default does not change it."""
    table = tomllib.loads(preset_file(name, kind.stage).read_text())[kind.stage]
    given = {k.replace("-", "_") for k in table}
    wanted = {
        f.name
        for f in fields(kind)
        if f.metadata["group"] in PROTOCOL and f.name not in NOT_PROTOCOL
    }
    if name == "picie":
        wanted -= {f.name for f in fields(FitOptions) if f.metadata["group"] == "Modules"}
    assert given == wanted


@pytest.mark.parametrize(("kind", "name"), PRESETS)
def test_a_preset_holds_from_the_command_line_and_from_python(
    cli: Cli, kind: type[Options], name: str
) -> None:
    words = ("--preset", name, "--seed", "3", "--device", "cpu", "--print-config")
    (table,) = tomllib.loads(cli.ok(kind.stage, *words).out).values()
    with mock.patch(f"c2l.stages.{kind.stage}.{kind.stage}") as called:
        places = {"fit": ("photos", "run"), "teach": ("run",)}[kind.stage]
        getattr(c2l.api, kind.stage)(*places, preset=name, seed=3, device="cpu")
    (options,) = (value for value in called.call_args.args if isinstance(value, kind))
    assert options == preset(kind, name, seed=3, device="cpu")
    given = tomllib.loads(preset_file(name, kind.stage).read_text())[kind.stage]
    assert {key: table[key] for key in given} == given


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        (FitOptions, "drawn", "choose paper or picie"),
        (TeachOptions, "paper", "choose drawn or drawn-start"),
    ],
)
def test_a_preset_that_the_stage_does_not_have_is_refused_with_those_it_has(
    cli: Cli, kind: type[Options], name: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=f"--preset {name}: {kind.stage} has no") as refused:
        preset(kind, name)
    assert str(refused.value.hint).startswith(f"{hint};")
    assert hint in cli(kind.stage, "--preset", name, "--print-config").err


def test_other_options_win_over_a_preset() -> None:
    options = preset(FitOptions, "paper", epochs=1, batch_size=AUTO)
    assert (options.epochs, options.batch_size, options.preset) == (1, AUTO, "paper")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def test_the_method_page_says_what_each_preset_sets() -> None:
    """Every row of its table, and a row for every option in which a preset is not the default."""
    table = METHOD.read_text().split("## Defaults and presets", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `--([\w-]+)` \|(.*)\|$", table, re.MULTILINE))
    columns = [FitOptions(), preset(FitOptions, "paper"), preset(FitOptions, "picie")]
    for name, row in rows.items():
        values = [_shown(getattr(options, name.replace("-", "_"))) for options in columns]
        assert [cell.strip() for cell in row.split("|")] == values, name
    differing = {
        f.name.replace("_", "-")
        for f in fields(FitOptions)
        if f.name != "preset" and len({_shown(getattr(o, f.name)) for o in columns}) > 1
    }
    assert rows.keys() == differing
