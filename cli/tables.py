"""Score tables on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from c2l.artifacts.scores import photos_scored, read_scores
from c2l.data.unscored import Pixels
from c2l.drawing.method_name import method_name
from c2l.runtime.text import printable
from c2l.schema import AGREEMENT

_HEADS = {"miou": "mIoU", "pixel_accuracy": "acc.", "mean_class_accuracy": "class acc."} | AGREEMENT


def _percent(value: Any) -> str:
    return "   -" if value is None else f"{100 * value:4.1f}"


def print_scores(path: Path, rivals: list[tuple[str, Path]], *, json_wanted: bool) -> None:
    """The scores of one eval.json beside those of rivals and the trivial predictors."""
    scores = read_scores(path)
    if json_wanted:
        click.echo(json.dumps(scores))
        return
    made = scores.get("lineage", {}).get("made_from", {})
    name = method_name(str(scores.get("method", "scored")), made.get("options"))
    rows = [(name, scores, False)]
    if elsewhere := scores.get("matched_elsewhere"):
        # What no matching enters is the same.
        rows.append((f"{name}, matched on {elsewhere['split']}", {**scores, **elsewhere}, False))
    rows += [(name, read_scores(other), False) for name, other in rivals]
    rows += [(name, found, True) for name, found in scores.get("baselines", {}).items()]
    _table(rows)
    interval = scores.get("intervals", {}).get("miou")
    if interval:
        low, high = (100 * v for v in interval)
        click.echo(f"95 % interval of {rows[0][0]}'s mIoU over images: {low:.1f} to {high:.1f}")
    _difference(scores, rows[0][0])
    found = scores["iou"].items()
    click.echo("IoU: " + "  ".join(f"{name} {_percent(v).strip()}" for name, v in found))
    click.echo(_matched(scores))
    if "labels_by" in scores:
        click.echo(f"labels: {scores['labels_by']}")
    if "photos" in scores:
        click.echo(f"photos: {scores['photos']}")
    click.echo(printable(f"scored: {photos_scored(scores)}", lines=False))
    if "pixels" in scores and (unscored := Pixels.stored(scores["pixels"]).said()):
        click.echo(unscored)
    click.echo(f"scores in {path}")


def _difference(scores: dict[str, Any], method: str) -> None:
    """How far the scored predictor is above the best trivial one, image by image."""
    known = {n: found for n, found in scores.get("baselines", {}).items() if found["miou"]}
    best = max(known, key=lambda name: known[name]["miou"], default="")
    ends = scores.get("differences", {}).get(best, {}).get("miou")
    if ends:
        points = 100 * (scores["miou"] - known[best]["miou"])
        low, high = (100 * v for v in ends)
        click.echo(
            f"{method} minus {best}, the best trivial row: {points:+.1f} points of mIoU; "
            f"95 % interval, paired by image: {low:+.1f} to {high:+.1f}"
        )


def _matched(scores: dict[str, Any]) -> str:
    """What the scored classes are, and what stands for them."""
    found, classes = scores["matching"]["clusters_to_classes"], len(scores["classes"])
    by_name = scores["matching"]["kind"] == "by name"
    kind = "parts" if by_name or scores.get("named") else "clusters"
    way = "by name" if by_name else "one to one by their overlap"
    said = f"classes: {classes} of merge {scores.get('merge')}, {len(found)} {kind} matched {way}"
    if unmatched := found.count(-1):
        many = _percent(scores["many_to_one"]["miou"]).strip()
        said += f"; {unmatched} match nothing and count as wrong (many to one: mIoU {many})"
    if missing := classes - len({*found} - {-1}):
        said += f"; {missing} classes have none"
    return said


def _table(rows: list[tuple[str, dict[str, Any], bool]]) -> None:
    # Older files have no NMI and ARI; FG needs labels of two classes beside the background.
    heads = {k: h for k, h in _HEADS.items() if any(s.get(k) is not None for _, s, _ in rows)}
    width = max(len(name) + 2 * trivial for name, _, trivial in rows)
    click.echo("  ".join([" " * width, *(head.rjust(5) for head in heads.values())]))
    for name, scores, trivial in rows:
        shown = f"({name})" if trivial else name
        values = (_percent(scores.get(k)).rjust(max(5, len(h))) for k, h in heads.items())
        click.echo("  ".join([shown.ljust(width), *values]))
    click.echo("(in percent; rows in brackets train nothing)")
