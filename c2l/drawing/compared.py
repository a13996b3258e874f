"""Runs and their scores side by side on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2l.drawing.comparison import HEADS, difference_text, mean_text
from c2l.drawing.curves import compared
from c2l.drawing.page import write_page
from c2l.drawing.scores import number, trivial_name
from c2l.schema import AGREEMENT


@dataclass(frozen=True)
class RunContent:
    """What a page shows of a run: its name, its metrics in order, and its options."""

    name: str
    metrics: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A row of the score table.

    Attributes:
        name: of the method or run.
        kind: ``rival`` or ``trivial``.
        miou: mean over seeds in 0..1, or None.
        ends: interval over photos, or one standard deviation over seeds about the mean.
        cells: scores as text, by their headings' order.
        differences: to another row, as text.
        seeds: how many.
    """

    name: str
    kind: str
    miou: float | None
    ends: tuple[float, float] | None
    cells: list[str]
    differences: list[str]
    seeds: int


def write_comparison_page(
    path: Path,
    title: str,
    comparison: Mapping[str, Any] | None,
    runs: Sequence[RunContent],
    *,
    agreement: bool = False,
) -> None:
    """Write runs and scores as a self-contained HTML file.

    Args:
        path: the output.
        title: heading of the page.
        comparison: what ``compare`` found, None without scores.
        runs: for curves and the options that differ.
        agreement: also show NMI and ARI.

    Raises:
        OutputError: the file cannot be written.
    """
    heads = HEADS | (AGREEMENT if agreement else {})
    against = comparison["against"] if comparison else None
    write_page(
        path,
        "compare.html",
        title=title,
        comparison=comparison,
        against=against,
        heads=list(heads.values()),
        # The differences of NMI and ARI are in the JSON of ``compare``.
        difference_heads=list(HEADS.values()) if against else [],
        rows=_rows(comparison, list(heads), against) if comparison else [],
        classes=_classes(comparison) if comparison else [],
        charts=compared([(run.name, run.metrics) for run in runs]),
        runs=[run.name for run in runs],
        differing=_differing(runs),
    )


def _rows(comparison: Mapping[str, Any], metrics: list[str], against: str | None) -> list[Row]:
    rows = []
    for kind, found in (("rival", comparison["rows"]), ("trivial", comparison["trivial"])):
        for row in found:
            intervals, differences = row.get("intervals", {}), row.get("differences", {})
            miou = row["miou"]
            rows.append(
                Row(
                    row["name"] if kind == "rival" else trivial_name(row["name"]),
                    kind,
                    number(miou["mean"]),
                    _ends(miou, intervals.get("miou")),
                    [mean_text(row[metric], intervals.get(metric)) for metric in metrics],
                    [difference_text(differences.get(metric)) for metric in HEADS if against],
                    miou["seeds"],
                )
            )
    return rows


def _ends(miou: Mapping[str, Any], interval: Sequence[object] | None) -> tuple[float, float] | None:
    mean, deviation = number(miou["mean"]), number(miou["std"])
    if mean is not None and deviation is not None:
        return max(0.0, mean - deviation), min(1.0, mean + deviation)
    low, high = map(number, interval or (None, None))
    return None if low is None or high is None else (low, high)


def _classes(comparison: Mapping[str, Any]) -> list[tuple[str, list[tuple[float | None, bool]]]]:
    """For each class its name, and the mean IoU of each row and whether it is the best."""
    names = dict.fromkeys(name for row in comparison["rows"] for name in row["iou"])
    found = []
    for name in names:
        means = [number(row["iou"].get(name, {}).get("mean")) for row in comparison["rows"]]
        best = max((mean for mean in means if mean is not None), default=None)
        several = len(means) > 1
        found.append((name, [(m, several and m is not None and m == best) for m in means]))
    return found


def _differing(runs: Sequence[RunContent]) -> list[tuple[str, list[str]]]:
    """Options whose values differ between the runs, as text."""
    names = dict.fromkeys(name for run in runs for name in run.options)
    rows = []
    for name in names:
        values = [run.options.get(name) for run in runs]
        texts = [v if isinstance(v, str) else json.dumps(v, default=str) for v in values]
        if len(set(texts)) > 1:
            rows.append((name, texts))
    return rows
