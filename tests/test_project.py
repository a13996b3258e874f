"""The project keeps its own rules: packages, one-way imports, help for options, short files."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2l import options

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("c2l/**/*.py"), *ROOT.glob("cli/*.py")])
EXAMPLES = sorted(ROOT.glob("examples/**/*.py"))
TEXTS = sorted(
    path
    for pattern in ("*", "c2l/**/*", "cli/*", "docs/*", "examples/**/*", "tests/*", "benchmarks/*")
    for path in ROOT.glob(pattern)
    if path.suffix in {".py", ".toml", ".md", ".sh"} or path.name == "Makefile"
)
MOST_LINES = 400

# What everything may import: the words the program is written in.
VOCABULARY = {"__version__", "errors", "options", "schema"}
# What each part may import besides, nearest to the ground first. Parts that stand side by side
# know nothing of each other; nn draws its transforms from the parameters of data.views.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "options": set(),
    "schema": set(),
    "artifacts": set(),
    "data": set(),
    "clustering": set(),
    "scoring": set(),
    "drawing": set(),
    "nn": {"data.views"},
    "pipeline": {"artifacts", "clustering", "data", "nn", "scoring"},
    "stages": {"artifacts", "clustering", "data", "drawing", "nn", "pipeline", "scoring"},
    "cli": {"artifacts", "data", "pipeline", "stages"},
}
# Never imported here, not even inside a function.
FOREIGN = {
    "data": {"torch", "faiss", "h5py"},
    "scoring": {"torch", "faiss", "h5py"},
    "drawing": {"torch", "faiss", "h5py", "scipy"},
    "nn": {"faiss", "h5py", "safetensors"},
    "clustering": {"h5py", "safetensors"},
    "pipeline": {"h5py", "safetensors", "faiss"},
    "stages": {"h5py", "safetensors", "faiss"},
    "cli": {"torch", "h5py", "safetensors", "faiss"},
}


def part_of(path: Path) -> str:
    """The part of the program a file belongs to."""
    first, *rest = path.relative_to(ROOT).parts
    return "cli" if first == "cli" else rest[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """The full names of the modules a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            yield from (
                [f"c2l.{alias.name}" for alias in node.names] if module == "c2l" else [module]
            )


def named(path: Path) -> str:
    """A path as it is written."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    assert part in ALLOWED, f"{part}: say here what it may import"
    allowed = ALLOWED[part] | VOCABULARY | {part}
    if part == "stages":
        # Stages meet through files, never through each other.
        allowed.discard("stages")
    if part in VOCABULARY:
        allowed = set()
    for module in imports_of(path):
        if module.startswith("c2l."):
            inner = module.removeprefix("c2l.")
            assert allowed & {inner, inner.split(".")[0]}, f"{named(path)} imports {module}"
        assert module.split(".")[0] not in FOREIGN.get(part, set()), f"{named(path)}: {module}"


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_examples_know_c2l_by_its_commands_alone(path: Path) -> None:
    assert not {"c2l", "c2l_cli"} & {module.split(".")[0] for module in imports_of(path)}


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
        text, choices = field.metadata["help"], field.metadata["choices"]
        assert text.strip().endswith("."), field.name
        assert field.default is not dataclasses.MISSING, field.name
        assert not choices or field.default in choices, field.name
        for bound, sign in (("minimum", 1), ("maximum", -1)):
            if bound in field.metadata:
                assert sign * field.default >= sign * field.metadata[bound], field.name


def test_every_option_has_a_name_of_its_own() -> None:
    """The same word means the same wherever it is taken."""
    kinds: dict[str, set[str]] = {}
    for kind in STAGES:
        for field in dataclasses.fields(kind):
            kinds.setdefault(field.name, set()).add(str(field.type).removesuffix(" | None"))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", [*SOURCES, *EXAMPLES], ids=named)
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
    source = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert [name for name in sorted(named) if f"def {name}(" not in source] == []
    files = set(re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", page))
    assert [name for name in sorted(files) if not (ROOT / name).is_file()] == []
