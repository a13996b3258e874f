"""The numbers of the tables, read from the files of the finished cells."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import cells as c
from .grid import METRICS, Table

HEALTH = ("cluster_entropy", "view_agreement")
TERMS = ("view", "part", "code")
# Of what metrics.jsonl holds of each term.
KINDS = ("gradient", "loss")
Cells = dict[tuple[str, str, int], c.Cell]


def spread(values: dict[int, float]) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds; None where there are too few.

    Args:
        values: by seed.
    """
    count = len(values)
    mean = math.fsum(values.values()) / count if count else None
    deviation = None
    if mean is not None and count > 1:
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values.values()) / (count - 1))
    by_seed = {str(seed): value for seed, value in values.items()}
    return {"mean": mean, "std": deviation, "n": count, "values": by_seed}


def collect(tables: Iterable[Table], cells: Cells, settings: c.Settings) -> list[dict[str, Any]]:
    """Every table with what is there so far."""
    return [_table(table, cells, settings) for table in tables]


def _table(table: Table, cells: Cells, settings: c.Settings) -> dict[str, Any]:
    scored: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}
    rows = []
    for row in table.rows:
        own = {seed: cells[table.name, row.name, seed] for seed in settings.seeds}
        scored[row.name] = {merge: _scores(own, settings, merge) for merge in settings.merges}
        rows.append(
            {
                "name": row.name,
                "label": row.label,
                "paper": row.paper,
                "scores": {m: _spreads(by_seed) for m, by_seed in scored[row.name].items()},
                "against": row.against or None,
                "difference": {
                    merge: _differences(scored[row.name][merge], scored[row.against][merge])
                    for merge in settings.merges
                }
                if row.against
                else None,
                "health": _health(own),
                "cells": {
                    str(seed): {
                        "folder": str(cell.home.relative_to(settings.output)),
                        "state": c.state_of(cell, settings).name,
                    }
                    for seed, cell in own.items()
                },
            }
        )
    return {
        "name": table.name,
        "title": table.title,
        "note": table.note,
        "rows": rows,
        "baselines": {m: _baselines(cells, settings, m) for m in settings.merges},
    }


def _scores(own: dict[int, c.Cell], settings: c.Settings, merge: str) -> dict[int, dict[str, Any]]:
    """The scores of a row by seed, of the cells that have them."""
    found = {}
    for seed, cell in own.items():
        if c.state_of(cell, settings).name != "stale" and c.is_scored(cell, settings, merge):
            values = c.read_object(cell.home / c.score_file(settings, merge))
            if values is not None:
                found[seed] = values
    return found


def _spreads(by_seed: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {m: spread({seed: float(v[m]) for seed, v in by_seed.items()}) for m in METRICS}


def _differences(
    own: dict[int, dict[str, Any]], other: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """Seed by seed, over the seeds that both have."""
    both = [seed for seed in own if seed in other]
    return {
        metric: spread({s: float(own[s][metric]) - float(other[s][metric]) for s in both})
        for metric in METRICS
    }


def _baselines(cells: Cells, settings: c.Settings, merge: str) -> dict[str, Any]:
    """The trivial predictors; they are scored once a seed, with the first cell that ended."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for (_, _, seed), cell in cells.items():
        if not c.is_scored(cell, settings, merge):
            continue
        values = c.read_object(cell.home / c.score_file(settings, merge)) or {}
        for name, scores in values.get("baselines", {}).items():
            found.setdefault(name, {}).setdefault(seed, scores)
    return {name: _spreads(by_seed) for name, by_seed in found.items()}


def _health(own: dict[int, c.Cell]) -> dict[str, Any] | None:
    """Label-free health over seeds: first and last epoch of each figure, and all alarms."""
    runs = {seed: _lines(cell.home / "metrics.jsonl") for seed, cell in own.items()}
    runs = {seed: lines for seed, lines in runs.items() if lines}
    if not runs:
        return None
    health: dict[str, Any] = {}
    for name in HEALTH:
        health[name] = _ends({s: _series(lines, "epoch", name) for s, lines in runs.items()})
    for kind, record in zip(KINDS, ("gradients", "step"), strict=True):
        for term in TERMS:
            name = f"{kind}_{term}"
            health[name] = _ends({s: _series(lines, record, name) for s, lines in runs.items()})
    health["collapsed"] = {
        str(seed): [alarm for line in lines for alarm in _alarms(line)]
        for seed, lines in runs.items()
    }
    return health


def _alarms(line: dict[str, Any]) -> list[str]:
    where = f"epoch {line['epoch']}" if "epoch" in line else "predictor"
    return [f"{where}: {what}" for what in line.get("collapsed", ())]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics; one that a kill cut off is left out."""
    lines = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            lines.append(value)
    return lines


def _series(lines: list[dict[str, Any]], kind: str, name: str) -> list[float]:
    """A figure by epoch: the mean of what an epoch logged of it."""
    epochs: dict[int, list[float]] = {}
    for line in lines:
        if line.get("kind") == kind and isinstance(line.get(name), int | float):
            epochs.setdefault(int(line.get("epoch", 0)), []).append(float(line[name]))
    return [math.fsum(values) / len(values) for _, values in sorted(epochs.items())]


def _ends(series: dict[int, list[float]]) -> dict[str, Any]:
    filled = {seed: values for seed, values in series.items() if values}
    return {
        "first": spread({seed: values[0] for seed, values in filled.items()}),
        "last": spread({seed: values[-1] for seed, values in filled.items()}),
    }
