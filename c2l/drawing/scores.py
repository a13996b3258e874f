"""Scores as the report shows them: headline, table, classes and confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from c2l.drawing.content import Rival
from c2l.drawing.method_name import method_name

_TRIVIAL = {
    "everything-background": "All background",
    "kmeans-rgb": "k-means, colour",
    "kmeans-xy": "k-means, place",
    "kmeans-rgb+2xy": "k-means, colour and place",
    "centre-third": "Middle third of the columns",
    "place-and-colour": "Each photo's place and colour",
    "ordered-parts": "Each photo's figure, parts in order",
    "xy-border": "Place and border rule",
}
_KINDS = {"hungarian": "Hungarian"}
_CARDS = (
    ("miou", "Mean IoU"),
    ("pixel_accuracy", "Pixel accuracy"),
    ("mean_class_accuracy", "Mean class accuracy"),
)
NONE = "\N{EN DASH}"

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Card:
    """A score of the headline: its name, its value, and its 95 % interval or None; in 0..1."""

    name: str
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class ScoreRow:
    """A row of the score table; ``kind`` is ``own``, ``rival`` or ``trivial``."""

    name: str
    kind: str
    miou: float
    accuracy: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class ClassRow:
    """A class: its IoU in 0..1, None where the labels lack it, and its colour if it has one."""

    name: str
    iou: float | None
    colour: Sequence[int] | None


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix, clusters sorted by their class.

    Attributes:
        columns: names of the N classes.
        rows: for each cluster its name, and N pairs of pixels and share of the row.
    """

    columns: list[str]
    rows: list[tuple[str, list[tuple[int, float]]]]


def cards(scores: Scores | None) -> list[Card]:
    """The scores of the headline with their intervals."""
    if scores is None:
        return []
    return [Card(name, number(scores.get(key)), _interval(scores, key)) for key, name in _CARDS]


def verdict(scores: Scores | None, rivals: Sequence[Rival]) -> str:
    """How the score compares with the best trivial predictor, and what was scored."""
    if scores is None:
        return ""
    sentences = []
    trivial = [row for row in _rows(scores, rivals) if row.trivial]
    own = number(scores.get("miou"))
    if trivial and own is not None:
        best = max(trivial, key=lambda row: row.miou)
        # From the rounded values on the page, so that the difference agrees with them.
        points = float(percent(own)) - float(percent(best.miou))
        side = "above" if points > 0 else "below" if points < 0 else "level with"
        distance = f"{abs(points):.1f} points " if points else ""
        text = f"{distance}{side} the best trivial predictor ({best.name}, {percent(best.miou)} %)"
        sentences.append(f"{text}{_paired(scores, best.name)}.")
    images, split = scores.get("images"), scores.get("split")
    if images is not None:
        sentences.append(f"Scored on {images} images" + (f" of {split}." if split else "."))
    if skipped := scores.get("skipped"):
        sentences.append(f"Left out: {len(skipped)} ({'; '.join(map(str, skipped.values()))}).")
    kind = (scores.get("matching") or {}).get("kind")
    if kind == "by name":
        sentences.append("Parts are scored by the names that the predictor gives them.")
    elif kind:
        sentences.append(f"Clusters were named by {_KINDS.get(kind, kind)} matching.")
    many = number((scores.get("many_to_one") or {}).get("miou"))
    if many is not None:
        sentences.append(f"Each cluster matched to its most frequent class: {percent(many)} %.")
    for prefix, where in (("", ""), ("fg_", " within the labelled foreground")):
        nmi, ari = (number(scores.get(f"{prefix}{key}")) for key in ("nmi", "ari"))
        if nmi is not None and ari is not None:
            sentences.append(f"Unmatched{where}: NMI {percent(nmi)} %, ARI {percent(ari)} %.")
    text = " ".join(sentences)
    return text[:1].upper() + text[1:]


def _paired(scores: Scores, shown: str) -> str:
    """The interval of the difference to a trivial predictor, paired by image."""
    name = next((n for n, label in _TRIVIAL.items() if label == shown), shown)
    ends = ((scores.get("differences") or {}).get(name) or {}).get("miou") or ()
    low_high = [number(end) for end in ends]
    if len(low_high) != 2 or None in low_high:
        return ""
    low, high = (f"{100 * end:+.1f}" for end in low_high if end is not None)
    return f"; 95 % interval of the difference, paired by image: {low} to {high}"


def score_rows(scores: Scores | None, rivals: Sequence[Rival]) -> list[ScoreRow]:
    """The method, its rivals and, last, the trivial predictors."""
    rows = []
    own = number(scores.get("miou")) if scores is not None else None
    if scores is not None and own is not None:
        made = ((scores.get("lineage") or {}).get("made_from") or {}).get("options")
        name = method_name(str(scores.get("method", "this run")), made)
        accuracy = number(scores.get("pixel_accuracy"))
        rows.append(ScoreRow(name, "own", own, accuracy, _interval(scores, "miou")))
    found = _rows(scores, rivals)
    for kind in ("rival", "trivial"):
        rows += [
            ScoreRow(row.name, kind, row.miou, row.accuracy)
            for row in found
            if row.trivial == (kind == "trivial")
        ]
    return rows


def _rows(scores: Scores | None, rivals: Sequence[Rival]) -> list[Rival]:
    """The rivals, then those trivial predictors of ``scores`` that are not among them."""
    rows = [Rival(*row) for row in rivals]
    given = {row.name for row in rows}
    for key, values in ((scores or {}).get("baselines") or {}).items():
        name, miou = trivial_name(key), number(values.get("miou"))
        if miou is not None and not given & {key, name}:
            rows.append(Rival(name, miou, number(values.get("pixel_accuracy")), True))
    return rows


def classes(
    scores: Scores | None, legend: Sequence[tuple[str, Sequence[int]]] = ()
) -> list[ClassRow]:
    """The IoU of each class, with its colour of the legend."""
    colours = dict(legend)
    ious = (scores or {}).get("iou") or {}
    return [ClassRow(str(name), number(iou), colours.get(name)) for name, iou in ious.items()]


def confusion(scores: Scores | None) -> Confusion | None:
    """The confusion matrix, with clusters sorted by their matched class."""
    if scores is None or not scores.get("confusion"):
        return None
    counts = np.asarray(scores["confusion"], dtype=np.int64)
    clusters, columns = counts.shape
    names = [str(name) for name in scores.get("classes") or range(columns)]
    own = [str(name) for name in scores.get("called") or scores.get("names") or range(clusters)]
    matching = (scores.get("matching") or {}).get("clusters_to_classes")
    if matching is None or len(matching) != clusters:
        matching = [-1] * clusters
    order = sorted(range(clusters), key=lambda k: (matching[k] < 0, matching[k], k))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = []
    for k in order:
        name = own[k] if len(own) == clusters else str(k)
        if 0 <= matching[k] < columns:
            name = f"{name} \N{RIGHTWARDS ARROW} {names[matching[k]]}"
        rows.append((name, list(zip(counts[k].tolist(), shares[k].tolist(), strict=True))))
    return Confusion(names, rows)


def trivial_name(key: str) -> str:
    """What the page calls a trivial predictor."""
    return _TRIVIAL.get(key, key)


def number(value: object) -> float | None:
    """A finite number, or None for any other JSON value."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    return float(value) if math.isfinite(value) else None


def percent(value: object) -> str:
    """A fraction in percent with one decimal; a dash if there is no number."""
    known = number(value)
    return NONE if known is None else f"{100 * known:.1f}"


def _interval(scores: Scores, key: str) -> tuple[float, float] | None:
    ends = [number(end) for end in (scores.get("intervals") or {}).get(key) or ()]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]
