"""The project keeps its own rules: rooms, one-way imports, packages, help for options."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2l import options

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("c2l/**/*.py"), *ROOT.glob("cli/*.py")])
EXAMPLES = sorted(path for path in ROOT.glob("examples/**/*") if path.is_file())
TEXTS = sorted(
    path
    for pattern in (
        "*",
        "c2l/**/*",
        "cli/*",
        "docs/*",
        "examples/**/*",
        "tests/**/*",
        "benchmarks/**/*",
    )
    for path in ROOT.glob(pattern)
    if path.suffix in {".py", ".toml", ".md", ".sh", ".yaml"}
    or path.name in {"Makefile", "Snakefile"}
)
MOST_LINES = 400

# What everything may import: the words the program is written in, and what they import themselves.
VOCABULARY: dict[str, set[str]] = {
    "__version__": set(),
    "errors": set(),
    "options": {"errors", "schema"},
    "schema": set(),
}
# What each room may import besides, nearest to the ground first; docs: CONTRIBUTING.md.
ROOMS: dict[str, set[str]] = {
    "runtime": set(),
    "data": {"runtime"},
    "synth": {"runtime"},
    "nn": {"runtime"},
    "clustering": {"runtime"},
    "figure": {"runtime", "data", "nn"},
    "scoring": {"runtime", "clustering", "data", "figure"},
    "drawing": {"runtime"},
    "artifacts": {"runtime", "data", "scoring"},
    "model": {"runtime", "artifacts", "clustering", "figure", "nn"},
    "training": {
        *("runtime", "artifacts", "clustering", "data", "figure", "model", "nn", "scoring"),
        "synth",
    },
    "export": {"runtime", "artifacts", "data", "drawing", "figure", "model"},
    # Stages meet through files, never through each other.
    "stages": {
        *(
            "runtime",
            "artifacts",
            "clustering",
            "data",
            "drawing",
            "export",
            "figure",
            "model",
            "nn",
        ),
        *("scoring", "synth", "training"),
    },
    "api": {"runtime", "artifacts", "data", "drawing", "model", "stages"},
    "cli": {"runtime", "artifacts", "data", "drawing", "model", "nn", "stages", "synth"},
}
# Never imported in a room, not even inside a function.
FOREIGN = {
    "options": {"torch", "numpy", "faiss", "h5py", "safetensors", "click"},
    "runtime": {"faiss", "h5py", "safetensors", "click"},
    "data": {"torch", "faiss", "h5py", "safetensors", "click"},
    "synth": {"torch", "faiss", "h5py", "safetensors", "click"},
    "nn": {"faiss", "h5py", "safetensors", "click"},
    "clustering": {"h5py", "safetensors", "click"},
    "figure": {"faiss", "h5py", "safetensors", "click"},
    "scoring": {"faiss", "h5py", "safetensors", "click"},
    "drawing": {"torch", "faiss", "h5py", "safetensors", "scipy", "click"},
    "artifacts": {"faiss", "click"},
    "model": {"faiss", "h5py", "safetensors", "click"},
    "training": {"faiss", "h5py", "safetensors", "click"},
    "export": {"faiss", "h5py", "safetensors", "click"},
    "stages": {"faiss", "h5py", "safetensors", "click"},
    "api": {"torch", "faiss", "h5py", "safetensors", "click"},
    "cli": {"torch", "faiss", "h5py", "safetensors"},
}
# What imports a module in a program that is written as text.
IN_TEXT = re.compile(r"\b(?:from|import)\s+(c2l(?:\.\w+)+|torch|faiss|h5py)\b")


def room_of(path: Path) -> str:
    """The room a file belongs to."""
    first, *rest = path.relative_to(ROOT).parts
    return "cli" if first == "cli" else rest[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """The full names of the modules a file imports anywhere in it, in functions and in strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            yield from (
                [f"c2l.{alias.name}" for alias in node.names] if module == "c2l" else [module]
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from IN_TEXT.findall(node.value)


def named(path: Path) -> str:
    """A path as it is written."""
    return path.relative_to(ROOT).as_posix()


def problems_of(room: str, module: str) -> str:
    """Why a room may not import a module, empty where it may."""
    if module.split(".")[0] in FOREIGN.get(room, set()):
        return f"{room} does not use {module}"
    if not module.startswith("c2l."):
        return ""
    inner = module.split(".")[1]
    allowed = VOCABULARY[room] if room in VOCABULARY else ROOMS[room] | VOCABULARY.keys()
    if room == "stages" and inner == room:
        return "stages meet through files, never through each other"
    return "" if inner in {room, *allowed} else f"{room} may not import {module}"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS or room in VOCABULARY, f"{room}: say here what it may import"
    found = {problems_of(room, module) for module in imports_of(path)}
    assert found <= {""}, sorted(found)


def test_rooms_form_no_circle() -> None:
    done: set[str] = set()
    for room, allowed in ROOMS.items():
        assert allowed <= done, f"{room} imports what stands above it: {sorted(allowed - done)}"
        done.add(room)


def test_an_import_in_a_function_or_a_string_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from c2l.stages import fit\n"
        "CODE = 'import json; from c2l.training.loop import run'\n"
    )
    assert sorted(imports_of(file)) == ["c2l.stages", "c2l.training.loop"]


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_examples_know_c2l_by_its_commands_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^\s*(?:from|import)\s+(?:c2l|c2l_cli)\b.*", text, re.MULTILINE) == []


def test_every_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["setuptools"]["packages"]
    found = [
        ".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("c2l/**/__init__.py")
    ]
    assert sorted(listed) == sorted([*found, "c2l_cli"])
    folders = {path.parent for path in ROOT.glob("c2l/**/*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_data_files_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    listed = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    found = {
        path
        for path in (ROOT / "c2l").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert found <= listed


STAGES = [
    kind
    for kind in vars(options).values()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type)
]


@pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.__name__)
def test_every_option_has_help_and_a_sound_default(kind: type) -> None:
    for field in dataclasses.fields(kind):
        assert field.metadata["help"].endswith("."), field.name
        assert field.metadata["group"] in options.GROUPS, field.name
        assert field.default is not dataclasses.MISSING, field.name
    kind().check()


def test_every_option_that_names_a_file_is_known_as_an_input() -> None:
    """An output that holds one of its inputs is refused by this mark alone."""
    named = {"FILE", "NAME|FILE", "DIR", "RUN", "WHICH"}
    for kind in STAGES:
        for field in dataclasses.fields(kind):
            reads = field.metadata.get("reads")
            assert (reads is not None) == (field.metadata.get("metavar") in named), field.name
            assert reads in (None, "file", "path", "folder"), field.name


def test_every_option_has_a_name_of_its_own() -> None:
    """The same word means the same wherever it is taken."""
    kinds: dict[str, set[str]] = {}
    for kind in STAGES:
        for field in dataclasses.fields(kind):
            kinds.setdefault(field.name, set()).add(str(field.type).removesuffix(" | None"))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_source_files_are_short_and_say_why_they_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), named(path)
    assert len(text.splitlines()) <= MOST_LINES, named(path)


def test_no_file_names_one_machine_or_registry() -> None:
    # Split, so that this file does not name them either.
    folders = "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers"))
    hosts = "|".join(("py" + r"pi\.", "pythonho" + "sted", "regis" + r"try\.", "artifac" + "tory"))
    pattern = re.compile(rf"(?<![\w.}}])/(?:{folders})/|https?://[^\s\"']*(?:{hosts})")
    assert pattern.search("'/ho" + "me/somebody/photos'")
    assert pattern.search("https://py" + "pi.org/simple")
    assert len(TEXTS) > 100
    for path in TEXTS:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not pattern.search(line), f"{named(path)}:{number}: {line}"


def test_scripts_can_be_run_and_stop_at_the_first_error() -> None:
    for path in ROOT.glob("examples/*.sh"):
        assert path.stat().st_mode & 0o100, named(path)
        assert "set -euo pipefail" in path.read_text(encoding="utf-8"), named(path)


def test_every_test_and_script_that_the_reliability_page_names_is_there() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert [name for name in sorted(named) if f"def {name}(" not in source] == []
    files = set(re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", page))
    assert [name for name in sorted(files) if not (ROOT / name).is_file()] == []
