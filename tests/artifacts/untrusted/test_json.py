"""JSON files made to harm: refused with code 3, never a traceback."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from conftest import Cli
from drawn import mask, save

from c2l import schema
from c2l.artifacts.checkpoints import Checkpoint, Position
from c2l.artifacts.freshness import Freshness
from c2l.artifacts.registry import read_link, summarise
from c2l.artifacts.runs import Run
from c2l.artifacts.scores import read_scores
from c2l.artifacts.untrusted.guard import trust_files
from c2l.data.records import Choices
from c2l.drawing.masks import write_legend
from c2l.errors import BadInputError, C2LError, UsageError
from c2l.model.loading import options_from
from c2l.options import ExtractOptions, FitOptions, Options, RenderOptions, preset, stored
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import digest_of, read_json, strict_json, write_json


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
    assert 'src="data:image/' in page  # it ended, with its pictures


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
    values = json.loads(json.dumps(vars(options)))
    assert stored(type(options), {**values, "unknown": 1}) == options


def test_an_option_that_is_not_stored_is_the_default_unless_the_machine_would_choose_it() -> None:
    assert stored(ExtractOptions, {}) == ExtractOptions()
    values = vars(preset(FitOptions, "paper"))
    for name in ("image_size", "batch_size", "attention_stride"):
        with pytest.raises(UsageError, match=name.replace("_", "-")):
            stored(FitOptions, {k: v for k, v in values.items() if k != name})
    with pytest.raises(UsageError, match="image-size"):
        stored(FitOptions, {**values, "image_size": "auto"})


def test_stored_options_that_cannot_work_together_are_refused() -> None:
    values = {**vars(preset(FitOptions, "paper")), "sharpen": True}
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


# Values of other types than those that artifacts have.
OTHERS: tuple[Any, ...] = ([], {}, "/proc/self/mem", "x" * 300, "\0", -1, 0.5, None, [1], {"x": 1})


def variants(value: Any, depth: int = 3, turn: Iterator[int] | None = None) -> Iterator[Any]:
    """An object with one value, of it or of what is in it, left out or of another type.

    Each place in it takes some of the other values by turns.
    """
    places = list(value) if isinstance(value, dict) else range(min(len(value), 1))
    for place in places:
        inner = value[place]
        if depth and isinstance(inner, dict | list):
            deeper = variants(inner, depth - 1, turn or count())
        else:
            deeper = iter(())
        some = OTHERS[next(turn) % 4 :: 4] if turn else OTHERS
        for other in (*some, *deeper):
            changed = copy.copy(value)
            changed[place] = other
            yield changed
        if isinstance(value, dict):
            yield {k: v for k, v in value.items() if k != place}


def use(path: Path) -> None:
    """What inspect, status and verify do with an artifact; what is wrong with it is said."""
    with suppress(C2LError):
        summarise(path)
    try:
        link = read_link(path)
    except C2LError:
        return
    link.command("--overwrite")
    link.format.following(link, "DATA", lambda: False)
    Choices.stored(link.options)
    fresh = Freshness(thorough=True)
    for source in link.sources:
        fresh.problem(link, source)
    for _, check in link.format.checks:
        with suppress(C2LError):
            check(path)


def sealed(path: Path, value: Any) -> None:
    """Write JSON with the digest of its content, or of several lines without."""
    if isinstance(value, dict):
        value = {**value, schema.JSON_SEAL: digest_of(value)}
    lines = value if isinstance(value, list) else [value]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


@pytest.fixture
def run(tmp_path: Path, trained: Path) -> Path:
    """A run that holds next to nothing, under the options of a true one."""
    config = read_json(trained / schema.RUN_CONFIG, what="a run", sealed=True)
    run = Run.create(tmp_path / "run", config, overwrite=False)
    tensors = {"a": torch.zeros(2)}
    run.save(Checkpoint(Position(), tensors, {}, tensors), keep=2)
    shutil.copy(trained / schema.RUN_INPUTS, run.path)
    shutil.copy(trained / schema.RUN_METRICS, run.path)
    return run.path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with one mask and its legend."""
    path = tmp_path / "pictures" / "masks"
    save(path / "a.png", mask(0))
    made_from = {
        "options": vars(RenderOptions()),
        "rivals": ["--rival a=b.json"],
        "lineage": [{"role": "data", "path": str(tmp_path / "none"), "sha256": "0"}],
        "skipped": {"b.jpg": "broken"},
        "photos": ["a.jpg"],
        "files": {"masks/a.png": sha256_file(path / "a.png")},
    }
    write_legend(path / schema.LEGEND, [(i, f"part {i}", (0, 0, i)) for i in range(3)], made_from)
    return path.parent


@pytest.mark.parametrize(
    "name",
    [
        schema.RUN_CONFIG,
        schema.RUN_INPUTS,
        schema.RUN_METRICS,
        f"step-00000000/{schema.STEP_STATE}",
        f"step-00000000/{schema.STEP_COMMIT}",
    ],
)
def test_a_run_of_any_json_is_told_without_a_traceback(run: Path, name: str) -> None:
    path = run / name
    if path.suffix == ".jsonl":
        value = [json.loads(line) for line in path.read_text().splitlines()[-3:]]
    else:
        value = json.loads(path.read_text())
    for changed in variants(value):
        sealed(path, changed)
        use(run)
    path.write_bytes(b"\xff\xfe\n" + b"[" * 9999)
    use(run)


def test_a_legend_of_any_json_is_told_without_a_traceback(pictures: Path) -> None:
    path = pictures / "masks" / schema.LEGEND
    for changed in variants(json.loads(path.read_text())):
        path.write_text(json.dumps(changed))
        use(pictures)


def test_scores_of_any_json_are_told_without_a_traceback(scores: Path, tmp_path: Path) -> None:
    value, path = read_json(scores, what="scores", sealed=True), tmp_path / "e.json"
    for source in value["lineage"]["sources"]:
        source["path"] = str(tmp_path / "none")
    value["lineage"]["made_from"] = {}
    for name in ("baselines", "baseline_confusions_raw", "differences"):
        value[name] = dict(list(value[name].items())[:1])
    for changed in variants(value, 1):
        sealed(path, changed)
        use(path)


@pytest.mark.parametrize("attribute", [schema.ATTR_CONFIG, schema.ATTR_LINEAGE])
@pytest.mark.parametrize("kind", ["store", "clusters"])
def test_hdf5_of_any_json_is_told_without_a_traceback(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, attribute: str
) -> None:
    path = tmp_path / "a.h5"
    shutil.copy(request.getfixturevalue(kind), path)
    trust_files(True)
    with h5py.File(path, "r") as file:
        value = json.loads(file.attrs[attribute])
    for changed in variants({attribute: value}, 1):
        with h5py.File(path, "r+") as file:
            file.attrs[attribute] = json.dumps(changed.get(attribute))
        use(path)
