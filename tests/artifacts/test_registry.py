"""A format of artifacts is one module and one row: inspect, status and verify know it by that."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import pytest
from conftest import Cli

from c2l import options, schema
from c2l.artifacts import lineage
from c2l.artifacts.chain import Format, Link
from c2l.artifacts.lineage import DATA, Source
from c2l.artifacts.registry import FORMATS, TENSORS, Row, format_of, read_link
from c2l.errors import BadInputError, ForeignError
from c2l.options import ClusterOptions, Options, roles


def test_every_format_that_is_written_has_a_row() -> None:
    written = {value for name, value in vars(schema).items() if name.startswith("FORMAT_")}
    others = {schema.FORMAT_VERSION, schema.FORMAT_SYNTH}
    assert written - others == FORMATS.keys() - {TENSORS}
    for name, row in FORMATS.items():
        assert import_module(row.module).FORMAT.name == name


KINDS = [k for k in vars(options).values() if isinstance(k, type) and issubclass(k, Options)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_option_that_names_a_file_says_what_it_is_to_the_artifact(kind: type[Options]) -> None:
    files = {"FILE", "NAME|FILE", "RUN", "WHICH"}
    named = {f.name for f in fields(kind) if f.metadata.get("metavar") in files} - {"preset"}
    found = roles(kind)
    assert found.keys() == named
    known = {value for name, value in vars(lineage).items() if name.isupper()}
    assert set(found.values()) <= known


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format of JSON files, as another module would add it."""

    def summary(path: Path) -> dict[str, Any]:
        return {"path": str(path), "kind": "c2l-flags"}

    def link(path: Path) -> Link:
        value = json.loads(path.read_text())
        source = Source(DATA, value["data"], "")
        return Link(made.FORMAT, path, (source,), {"clusters": value["clusters"]}, (DATA,))

    def check(path: Path) -> str | None:
        return None if json.loads(path.read_text())["clusters"] < 9 else "too many"

    made: Any = ModuleType("flags")
    made.FORMAT = Format(
        "c2l-flags",
        summary,
        link,
        checks=(("clusters", check),),
        stage="flag",
        options=ClusterOptions,
        following=lambda link, data, _: f"c2l wave {link.path.name} {data}",
    )
    monkeypatch.setitem(sys.modules, "flags", made)
    monkeypatch.setitem(FORMATS, "c2l-flags", Row("flags"))


@pytest.mark.usefixtures("flags")
def test_a_new_format_needs_a_module_and_a_row(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, clusters in (("good", 4), ("bad", 10)):
        value = {"format": "c2l-flags", "data": str(few), "clusters": clusters}
        Path(f"{name}.json").write_text(json.dumps(value))
    found = cli.ok("inspect", "good.json", "--json").values["artifacts"]
    assert [artifact["kind"] for artifact in found] == ["c2l-flags"]
    assert read_link(Path("good.json")).command().endswith("-o good.json --clusters 4")
    (first, second) = cli.ok("status", ".", "--json").values["artifacts"]
    assert (first["path"], first["stage"], first["state"]) == ("bad.json", "flag", "done")
    assert second["next"].startswith("c2l wave good.json ")
    assert cli("verify", "good.json").code == 0
    outcome = cli("verify", "bad.json")
    assert outcome.code == 3
    assert "clusters: too many" in outcome.out


def test_what_belongs_to_a_run_is_verified_with_it(cli: Cli, trained: Path) -> None:
    outcome = cli("verify", trained / "predictor.safetensors")
    assert outcome.code == 3
    assert "name the run" in outcome.err


def test_a_comparison_is_inspected_and_its_damage_found(
    cli: Cli, scores: Path, tmp_path: Path
) -> None:
    path = tmp_path / "all.json"
    cli.ok("compare", scores, "-o", path, "--format", "json")
    assert '"kind": "c2l-comparison"' in cli.ok("inspect", path, "--json").out
    path.write_text(path.read_text().replace('"mean"', '"mane"', 1))
    assert cli("inspect", path).code == 3


def test_another_programs_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file["x"] = [1, 2]
    (tmp_path / "theirs.json").write_text('{"format": "geojson"}')
    (tmp_path / "theirs.txt").write_text("words")
    (tmp_path / "folder" / "step-1").mkdir(parents=True)
    (tmp_path / "folder" / "config.json").write_text('{"format": "theirs"}')
    for name in ("theirs.h5", "theirs.json", "theirs.txt", "folder"):
        with pytest.raises(ForeignError):
            format_of(tmp_path / name)
    (tmp_path / "broken.h5").write_text("words")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "folder" / "config.json").write_text("{")
    for name in ("broken.h5", "broken.json", "folder", "missing.h5"):
        with pytest.raises(BadInputError) as caught:
            format_of(tmp_path / name)
        assert not isinstance(caught.value, ForeignError)
