"""Score tables on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

METHODS = {"c2l": "C2L", "picie": "PiCIE", "kmeans": "k-means", "nmf": "DFF (NMF)"}


def _percent(value: Any) -> str:
    return "   -" if value is None else f"{100 * value:4.1f}"


def print_scores(path: Path, *, json_wanted: bool) -> None:
    """The scores of one eval.json, the trivial predictors beside."""
    scores = json.loads(path.read_text(encoding="utf-8"))
    if json_wanted:
        click.echo(json.dumps(scores))
        return
    rows = [(METHODS.get(scores.get("method"), "scored"), scores, False)]
    rows += [(name, found, True) for name, found in scores.get("baselines", {}).items()]
    _table(rows)
    interval = scores.get("intervals", {}).get("miou")
    if interval:
        low, high = (100 * v for v in interval)
        click.echo(f"95 % interval of the mIoU over images: {low:.1f} to {high:.1f}")
    found = scores["iou"].items()
    click.echo("IoU: " + "  ".join(f"{name} {_percent(v).strip()}" for name, v in found))
    click.echo(f"scores in {path}")


def print_comparison(paths: dict[str, Path]) -> None:
    """Several methods' scores in one table, the first one's trivial predictors below."""
    loaded = {n: json.loads(p.read_text(encoding="utf-8")) for n, p in paths.items()}
    rows = [(name, scores, False) for name, scores in loaded.items()]
    first = next(iter(loaded.values()))
    rows += [(name, found, True) for name, found in first.get("baselines", {}).items()]
    _table(rows)


def _table(rows: list[tuple[str, dict[str, Any], bool]]) -> None:
    width = max(len(name) for name, _, _ in rows) + 2
    click.echo(f"{'':<{width}}  mIoU %  pixel acc. %  class acc. %")
    for name, scores, trivial in rows:
        shown = f"({name})" if trivial else name
        values = [
            _percent(scores[k]) for k in ("miou", "pixel_accuracy", "mean_class_accuracy")
        ]
        click.echo(f"{shown:<{width}}  {values[0]:>6}  {values[1]:>12}  {values[2]:>12}")
    click.echo("(in brackets: nothing is learned)")
