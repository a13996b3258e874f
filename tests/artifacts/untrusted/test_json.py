"""JSON files made to harm: refused with code 3, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from c2l import schema
from c2l.artifacts.runs import Run
from c2l.artifacts.scores import read_scores
from c2l.errors import BadInputError, UsageError
from c2l.model.loading import options_from
from c2l.options import ExtractOptions, FitOptions, Options, preset, resolved, stored
from c2l.runtime.json_files import read_json, strict_json, write_json


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": 9223372036854775808}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": 1, "a": 2}',
        '{"a":' * 65 + "1" + "}" * 65,
        "[" * 100_000,
        '"\\ud800',
        "",
    ],
)
def test_what_the_standard_or_an_artifact_has_not_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(BadInputError, match="not a test"):
        read_json(tmp_path / "v.json", what="a test")


def test_what_artifacts_have_is_read() -> None:
    value = {"a": [1, -(2**63), 2**63 - 1, 0.5, None, True, "ä"], "b": {"c": {}}}
    assert strict_json(json.dumps(value)) == value
    assert strict_json("3") == 3


def test_one_flipped_bit_is_found(tmp_path: Path) -> None:
    path, value = tmp_path / "v.json", {"a": 1.25, "b": ["x", None], "1": {"c": True}}
    write_json(path, value, sealed=True)
    assert read_json(path, what="a test", sealed=True) == value
    raw = path.read_bytes()
    for place in range(len(raw)):
        for bit in range(8):
            changed = raw[:place] + bytes([raw[place] ^ (1 << bit)]) + raw[place + 1 :]
            path.write_bytes(changed)
            try:
                found = read_json(path, what="a test", sealed=True)
            except BadInputError:
                continue
            assert found == value  # white space for white space


def test_a_missing_digest_is_not_let_through(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"a": 1})
    with pytest.raises(BadInputError, match="does not match sha256"):
        read_json(tmp_path / "v.json", what="a test", sealed=True)


def path_of(value: Any, keys: str) -> tuple[Any, str]:
    *outer, last = keys.split(".")
    for key in outer:
        value = value[key]
    return value, last


def resealed(source: Path, path: Path, keys: str, value: Any) -> Path:
    """A file with one value changed by somebody who knows of the digest."""
    found = read_json(source, what="an artifact", sealed=True)
    inner, last = path_of(found, keys)
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    write_json(path, found, sealed=True)
    return path


WRONG: list[tuple[str, Any]] = [
    ("miou", "high"),
    ("miou", 2.5),
    ("miou", True),
    ("miou", ...),
    ("pixel_accuracy", [0.5]),
    ("iou", [0.5]),
    ("iou", {"\x1b[2J": 0.5}),
    ("classes", []),
    ("classes", "abc"),
    ("classes", [1, 2, 3]),
    ("classes", ["a", "b\n", "c"]),
    ("classes", ["a"] * 300),
    ("confusion", [[1, 2], [3]]),
    ("confusion", [[-1, 2, 3]] * 3),
    ("confusion", [[0.5, 2, 3]] * 3),
    ("confusion", 3),
    ("matching", []),
    ("matching.clusters_to_classes", [0, 1]),
    ("matching.clusters_to_classes", [0, 1, 7]),
    ("many_to_one.clusters_to_classes", ["a", "b", "c"]),
    ("hungarian", ...),
    ("label_space", "atr"),
    ("label_space.names", None),
    ("confusion_raw", [[1]]),
    ("baselines", {"x": {"miou": "?"}}),
    ("baseline_confusions_raw", {"x": [[1]]}),
    ("intervals", {"miou": [1]}),
    ("intervals", {"miou": 3}),
    ("lineage", "none"),
    ("lineage.options", 3),
    ("merge_table", [0, 1]),
    ("merge_table", [9] * 256),
    ("method", 4),
    ("per_image", "all"),
    ("per_image", [3]),
    ("per_image", [{"name": "a.jpg", "miou": 0.5}]),
    ("per_image", [{"name": "\x1b[2J", "miou": 0.5, "pixel_accuracy": 0.5}]),
    ("per_image", [{"name": "a.jpg", "miou": "low", "pixel_accuracy": 0.5}]),
]


@pytest.mark.parametrize(("keys", "value"), WRONG)
def test_scores_of_wrong_types_and_shapes_are_refused_by_every_command(
    cli: Cli, scores: Path, trained: Path, few: Path, tmp_path: Path, keys: str, value: Any
) -> None:
    path = resealed(scores, tmp_path / "e.json", keys, value)
    with pytest.raises(BadInputError, match="damaged"):
        read_scores(path)
    for command in (
        ("inspect", path),
        ("eval", path, "-o", tmp_path / "again.json"),
    ):
        outcome = cli(*command)
        assert (outcome.code, outcome.out) == (3, ""), outcome.err
        assert "\x1b" not in outcome.err
    assert sorted(os.listdir(tmp_path)) == ["e.json"]


def test_the_scores_of_another_number_of_clusters_draw_nothing(
    cli: Cli, scores: Path, trained: Path, few: Path, tmp_path: Path
) -> None:
    path = resealed(scores, tmp_path / "e.json", "miou", "high")
    outcome = cli("render", trained, few, "-o", tmp_path / "out", "--scores", path)
    assert outcome.code == 3
    assert os.listdir(tmp_path) == ["e.json"]


def test_no_file_is_read_because_scores_name_it(
    cli: Cli, scores: Path, trained: Path, people: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)  # reading it would wait for ever
    path = resealed(scores, tmp_path / "e.json", "lineage.options", {"merge": str(pipe)})
    options = ("--split", "val", "--scores", path, "--limit", "1")
    cli.ok("render", trained, people, "-o", tmp_path / "out", *options)
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count('src="data:image/') == 3  # photo, found, labels; one photo has no middle


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ("options", []),
        ("options.image_size", "big"),
        ("options.image_size", 10**9),
        ("options.fpn_dim", True),
        ("options.backbone", "../../x"),
        ("options.clusters", None),
        ("data", "people"),
        ("threads", "many"),
        ("frozen_channels", "x"),
        ("format_version", [1]),
    ],
)
def test_a_runs_configuration_of_wrong_types_is_refused(
    cli: Cli, trained: Path, few: Path, tmp_path: Path, keys: str, value: Any
) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(trained, run)
    resealed(trained / schema.RUN_CONFIG, run / schema.RUN_CONFIG, keys, value)
    outcome = cli("render", run, few, "-o", tmp_path / "out")
    assert outcome.code == 3, outcome.err
    assert os.listdir(tmp_path) == ["run"]


def test_a_runs_configuration_that_changed_is_refused(trained: Path, tmp_path: Path) -> None:
    text = (trained / schema.RUN_CONFIG).read_text()
    assert '"image_size": 64' in text
    (tmp_path / schema.RUN_CONFIG).write_text(text.replace('"image_size": 64', '"image_size": 65'))
    with pytest.raises(BadInputError, match="edited by hand"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    "options", [ExtractOptions(seed=3, split="train"), preset(FitOptions, "paper")]
)
def test_stored_options_come_back(options: Options) -> None:
    values = json.loads(json.dumps(resolved(options)))
    assert stored(type(options), {**values, "unknown": 1}) == options


def test_an_option_that_is_not_stored_is_the_default_unless_the_machine_would_choose_it() -> None:
    assert stored(ExtractOptions, {}) == ExtractOptions()
    values = resolved(preset(FitOptions, "paper"))
    for name in ("image_size", "batch_size", "attention_stride"):
        with pytest.raises(UsageError, match=name.replace("_", "-")):
            stored(FitOptions, {k: v for k, v in values.items() if k != name})
    with pytest.raises(UsageError, match="image-size"):
        stored(FitOptions, {**values, "image_size": "auto"})


def test_stored_options_that_cannot_work_together_are_refused() -> None:
    values = {**resolved(preset(FitOptions, "paper")), "sharpen": True}
    with pytest.raises(UsageError, match="--sharpen needs"):
        stored(FitOptions, values)
    with pytest.raises(BadInputError, match=r"run: .*--sharpen needs"):
        options_from(FitOptions, values, Path("run"))


def raising(kind: Any, values: dict[str, Any]) -> Callable[[], Any]:
    return lambda: stored(kind, values)


@pytest.mark.parametrize(
    "values",
    [{"seed": -1}, {"seed": 1.5}, {"seed": "1"}, {"split": 3}, {"amp": "on"}, {"views": 1}],
)
def test_stored_options_that_cannot_be_are_named(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        raising(ExtractOptions, values)()
