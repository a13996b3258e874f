"""report: runs and their scores side by side on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from c2l.artifacts.outputs import claim
from c2l.artifacts.runs import Run
from c2l.artifacts.scores import read_scores
from c2l.drawing.compared import RunContent, write_comparison_page
from c2l.drawing.page import STARTS

# The scores of a run, where they lie in its folder.
SCORES = "eval.json"


def scores_of_runs(given: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """The eval.json files among what is given, those in run folders included."""
    found = []
    for name, path in given:
        inside = path / SCORES if path.is_dir() else path
        if inside is path or inside.is_file():
            found.append((name, inside))
    return found


def report(
    given: Sequence[tuple[str, Path]],
    comparison: dict[str, Any] | None,
    output: Path,
    *,
    agreement: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write runs and scores as one HTML file.

    Args:
        given: run folders and eval.json files, each with a name or "".
        comparison: of the scores, None where there are none.
        output: the file.
        agreement: also show NMI and ARI.
        overwrite: replace an existing page of c2l.

    Returns:
        The path of the file.

    Raises:
        BadInputError: a folder does not hold a run.
        UsageError: the output exists or is read.
    """
    inputs: list[Path | None] = [path for _, path in given]
    with claim(output, overwrite=overwrite, starts=STARTS, inputs=inputs):
        runs = _numbered([_run(name, path) for name, path in given])
        title = f"{len(runs)} runs side by side" if len(runs) > 1 else f"Run {runs[0].name}"
        write_comparison_page(output, title, comparison, runs, agreement=agreement)
    return output


def _numbered(runs: Sequence[RunContent]) -> list[RunContent]:
    """Number runs that share a name, such as those of several seeds."""
    names = [run.name for run in runs]
    return [
        replace(run, name=f"{name} ({names[: index + 1].count(name)})")
        if names.count(name) > 1
        else run
        for index, (name, run) in enumerate(zip(names, runs, strict=True))
    ]


def _run(name: str, path: Path) -> RunContent:
    """A run folder with its curves, or a file of scores with the options that these record."""
    if path.is_dir():
        run = Run.open(path)
        named = name or path.absolute().name
        return RunContent(named, run.read_metrics(), run.config.get("options", {}))
    made = read_scores(path).get("lineage", {}).get("made_from")
    made = made if isinstance(made, dict) else {}
    options = made.get("options", made)
    own = path.absolute()
    named = own.parent.name if own.name == SCORES else own.stem
    return RunContent(name or named, [], options if isinstance(options, dict) else {})
