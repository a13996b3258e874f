"""Comparison tables in Markdown, with aligned columns for reading in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from c2l.runtime.text import printable
from c2l.schema import AGREEMENT

HEADS = {"miou": "mIoU", "pixel_accuracy": "pixel acc.", "mean_class_accuracy": "class acc."}
LEGEND = (
    "In percent: mean ± sample standard deviation over seeds; for a single seed [95 % interval "
    "over photos]. Rows in brackets train nothing."
)
DIFFERENCES = (
    "Differences are to {}, seed by seed; in brackets, how many of them have the sign of the mean."
)


def markdown(comparison: dict[str, Any], *, agreement: bool = False) -> str:
    """A table of the scores of all rows, below a line on the scored data.

    Args:
        comparison: the result of ``c2l.stages.compare``.
        agreement: also show NMI and ARI.
    """
    on, against = comparison["scored_on"], comparison["against"]
    split = f"of split {on['split']}" if on["split"] else "without a split"
    lead = [f"{on['images']} photos {split}, labels {on['merge']}.", LEGEND]
    if comparison["mixed"]:
        lead[0] = f"The scoring of the rows differs in {', '.join(comparison['mixed'])}."
    heads = HEADS | (AGREEMENT if agreement else {})
    head = ["", *heads.values(), "seeds"]
    if against:
        lead.append(DIFFERENCES.format(against))
        head += [f"{name}, difference" for name in heads.values()]
    named = [(row["name"], row) for row in comparison["rows"]]
    named += [(f"({row['name']})", row) for row in comparison["trivial"]]
    table = [head, *([name, *_cells(row, list(heads), against)] for name, row in named)]
    table = [[_plain(cell).replace("|", r"\|") for cell in cells] for cells in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        [text.rjust(width) if place else text.ljust(width) for place, (text, width) in enumerate(c)]
        for c in (list(zip(cells, widths, strict=True)) for cells in table)
    ]
    lines.insert(1, ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])])
    return "\n".join(
        [_plain(" ".join(lead)), "", *(f"| {' | '.join(cells)} |" for cells in lines), ""]
    )


def _plain(text: str) -> str:
    return printable(text, lines=False)


def _cells(row: dict[str, Any], metrics: Sequence[str], against: str | None) -> list[str]:
    intervals, differences = row.get("intervals", {}), row.get("differences", {})
    cells = [mean_text(row[metric], intervals.get(metric)) for metric in metrics]
    cells.append(str(row["miou"]["seeds"]))
    return cells + [difference_text(differences.get(metric)) for metric in metrics if against]


def mean_text(values: dict[str, Any], interval: list[float | None] | None) -> str:
    """A mean with its standard deviation, or with its interval for a single seed."""
    if values["mean"] is None:
        return "-"
    text = f"{100 * values['mean']:.1f}"
    if values["std"] is not None:
        return f"{text} ± {100 * values['std']:.1f}"
    low, high = interval or (None, None)
    return text if low is None or high is None else f"{text} [{100 * low:.1f}, {100 * high:.1f}]"


def difference_text(values: dict[str, Any] | None) -> str:
    """A mean difference with its standard deviation and how many seeds agree in sign."""
    if values is None or values["mean"] is None:
        return "-"
    text = f"{100 * values['mean']:+.1f}"
    text += "" if values["std"] is None else f" ± {100 * values['std']:.1f}"
    return text if values["seeds"] == 1 else f"{text} ({values['agree']} of {values['seeds']})"
