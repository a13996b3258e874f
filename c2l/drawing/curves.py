"""Training curves of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from c2l.drawing.charts import Series, line_chart
from c2l.drawing.scores import number

# Names of losses in words; a loss that has none here is shown by its own.
_LOSSES = {
    "loss": "total",
    "loss_view": "clustering",
    "loss_part": "part contrastive",
    "loss_code": "sparse code",
    "loss_figure": "figures, in the warm-up",
}

_LOSS = "Loss"

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Chart:
    """A chart: its title, its lines' names and numbers of colours, and the SVG."""

    title: str
    lines: list[tuple[str, int]]
    svg: Markup


@dataclass(frozen=True)
class Lines:
    """The content of a chart; ``marks`` are the ends of epochs."""

    title: str
    x_label: str
    series: list[Series]
    marks: Sequence[float] = ()


def charts(metrics: Records) -> list[Chart]:
    """Charts of the loss terms and of the label-free diagnostics; empty without records."""
    return [_chart(lines) for lines in _lines(metrics)]


def compared(runs: Sequence[tuple[str, Records]]) -> list[Chart]:
    """A chart for each loss and diagnostic, with a line for each run that has it.

    Args:
        runs: names and the objects in metrics.jsonl.
    """
    found: dict[tuple[str, str], list[Series]] = {}
    for colour, (run, metrics) in enumerate(runs):
        for lines in _lines(metrics):
            for line in lines.series:
                alone = len(lines.series) == 1 and lines.title != _LOSS
                title = lines.title if alone else f"{lines.title}: {line.name}"
                found.setdefault((title, lines.x_label), []).append(
                    Series(run, line.points, colour)
                )
    return [_chart(Lines(title, x_label, own)) for (title, x_label), own in found.items()]


def _lines(metrics: Records) -> list[Lines]:
    steps = [record for record in metrics if record.get("kind") == "step"]
    epochs = [record for record in metrics if record.get("kind") == "epoch"]
    found = []
    for lines in (_losses(steps), *_diagnostics(epochs)):
        series = [line for line in lines.series if line.points]
        if series:
            found.append(replace(lines, series=series))
    return found


def _losses(steps: Records) -> Lines:
    at = _positions(steps, "step")
    series = []
    found = (key for record in steps for key in record if key.startswith("loss_"))
    for key in dict.fromkeys((*_LOSSES, *found)):
        name = _LOSSES.get(key, key.removeprefix("loss_").replace("_", " "))
        line = _series(name, at, (record.get(key) for record in steps))
        # A term that is always zero belongs to a module that is off.
        if any(y for _, y in line.points):
            series.append(line)
    ends = [
        x
        for x, record, before in zip(at[1:], steps[1:], steps, strict=False)
        if record.get("epoch") != before.get("epoch")
    ]
    return Lines(_LOSS, "step", series, ends)


def _diagnostics(epochs: Records) -> list[Lines]:
    at = _positions(epochs, "epoch")
    entropy = _series("cluster entropy", at, (r.get("cluster_entropy") for r in epochs))
    agreement = _series("view agreement", at, (r.get("view_agreement") for r in epochs))
    shares = [_shares(record.get("cluster_sizes")) for record in epochs]
    largest = _series("largest", at, (max(s, default=None) for s in shares))
    smallest = _series("smallest", at, (min(s, default=None) for s in shares))
    return [
        Lines("Cluster entropy", "epoch", [entropy]),
        Lines("Agreement of the two views", "epoch", [agreement]),
        Lines("Share of the largest and smallest cluster", "epoch", [largest, smallest]),
    ]


def _chart(lines: Lines) -> Chart:
    # More marks would hide the lines.
    marks = lines.marks if len(lines.marks) <= 40 else ()
    svg = line_chart(lines.title, lines.series, lines.x_label, marks=marks)
    keys = [(s.name, i if s.colour is None else s.colour) for i, s in enumerate(lines.series)]
    return Chart(lines.title, keys, svg)


def _series(name: str, at: Sequence[float], values: Iterable[object]) -> Series:
    pairs = ((x, number(value)) for x, value in zip(at, values, strict=True))
    return Series(name, tuple((x, y) for x, y in pairs if y is not None))


def _positions(records: Records, key: str) -> list[float]:
    """The numbers of the records, or their order if numbers are missing or not increasing."""
    given = [number(record.get(key)) for record in records]
    known = [value for value in given if value is not None]
    rising = all(a < b for a, b in pairwise(known))
    if len(known) == len(given) and rising:
        return known
    return [float(index) for index in range(len(records))]


def _shares(sizes: object) -> list[float]:
    counts = [number(size) for size in sizes] if isinstance(sizes, list | tuple) else []
    known = [count for count in counts if count is not None]
    total = sum(known)
    return [count / total for count in known] if total > 0 else []
