"""Scores in the report: headline, table, classes and confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from c2l.drawing.charts import bar, heat_map
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


def headline(scores: Scores | None, rivals: Sequence[Rival]) -> str:
    """The scores with their intervals, and a comparison with the best trivial predictor."""
    if scores is None:
        return ""
    cards = "".join(_card(scores, key, label) for key, label in _CARDS)
    return f'<section><div class="cards">{cards}</div>{_verdict(scores, rivals)}</section>\n'


def _card(scores: Scores, key: str, label: str) -> str:
    first = " first" if key == "miou" else ""
    low_high = _interval(scores, key)
    between = f"{percent(low_high[0])} to {percent(low_high[1])}" if low_high else ""
    return (
        f'<div class="card{first}"><div class="label">{label}</div>'
        f'<div class="value">{percent(scores.get(key))} <small>%</small></div>'
        + (f'<div class="range">{between} <span>(95 % interval)</span></div>' if between else "")
        + "</div>"
    )


def _verdict(scores: Scores, rivals: Sequence[Rival]) -> str:
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
    return f'<p class="note">{escape(text[:1].upper() + text[1:])}</p>' if text else ""


def _paired(scores: Scores, shown: str) -> str:
    """The interval of the difference to a trivial predictor, paired by image."""
    name = next((n for n, label in _TRIVIAL.items() if label == shown), shown)
    ends = ((scores.get("differences") or {}).get(name) or {}).get("miou") or ()
    low_high = [number(end) for end in ends]
    if len(low_high) != 2 or None in low_high:
        return ""
    low, high = (f"{100 * end:+.1f}" for end in low_high if end is not None)
    return f"; 95 % interval of the difference, paired by image: {low} to {high}"


def score_table(scores: Scores | None, rivals: Sequence[Rival]) -> str:
    """The method, its rivals and, below a heading, the trivial predictors."""
    rows = _rows(scores, rivals)
    own = number(scores.get("miou")) if scores is not None else None
    if own is None and not rows:
        return ""
    body = []
    if scores is not None and own is not None:
        made = ((scores.get("lineage") or {}).get("made_from") or {}).get("options")
        name = method_name(str(scores.get("method", "this run")), made)
        row = Rival(name, own, number(scores.get("pixel_accuracy")))
        body.append(_table_row(row, "own", _interval(scores, "miou")))
    body += [_table_row(row, "rival") for row in rows if not row.trivial]
    trivial = [_table_row(row, "trivial") for row in rows if row.trivial]
    if trivial:
        heading = '<tr class="group"><th colspan="4" scope="rowgroup">Nothing learned</th></tr>'
        body += [heading, *trivial]
    return (
        "<section><h2>Scores</h2><table><thead><tr>"
        '<th scope="col">Method</th><th scope="col" class="num">mIoU %</th><th></th>'
        '<th scope="col" class="num">Accuracy %</th>'
        f"</tr></thead><tbody>{''.join(body)}</tbody></table></section>\n"
    )


def _table_row(row: Rival, kind: str, interval: Sequence[float] | None = None) -> str:
    return (
        f'<tr class="{kind}"><th scope="row">{escape(row.name)}</th>'
        f'<td class="num">{percent(row.miou)}</td>'
        f'<td class="bars">{bar(row.miou, kind=kind, interval=interval)}</td>'
        f'<td class="num">{percent(row.accuracy)}</td></tr>'
    )


def _rows(scores: Scores | None, rivals: Sequence[Rival]) -> list[Rival]:
    """The rivals, then those trivial predictors of ``scores`` that are not among them."""
    rows = [Rival(*row) for row in rivals]
    given = {row.name for row in rows}
    for key, values in ((scores or {}).get("baselines") or {}).items():
        name, miou = _TRIVIAL.get(key, key), number(values.get("miou"))
        if miou is not None and not given & {key, name}:
            rows.append(Rival(name, miou, number(values.get("pixel_accuracy")), True))
    return rows


def classes_section(scores: Scores | None, legend: Sequence[tuple[str, Sequence[int]]] = ()) -> str:
    """The IoU of each class as a bar in the colour of the legend."""
    if scores is None or not scores.get("iou"):
        return ""
    colours = dict(legend)
    rows = []
    for name, raw in scores["iou"].items():
        value = number(raw)
        drawn = "" if value is None else bar(value, kind="class", colour=colours.get(name))
        shown = "not in the labels" if value is None else percent(value)
        rows.append(
            f'<tr><th scope="row">{escape(str(name))}</th>'
            f'<td class="num">{shown}</td><td class="bars">{drawn}</td></tr>'
        )
    return (
        "<section><h2>Classes</h2><table><thead><tr>"
        '<th scope="col">Class</th><th scope="col" class="num">IoU %</th><th></th>'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></section>\n"
    )


def confusion_section(scores: Scores | None) -> str:
    """The confusion matrix as a heat map, with clusters sorted by their matched class."""
    if scores is None or not scores.get("confusion"):
        return ""
    confusion = np.asarray(scores["confusion"], dtype=np.int64)
    clusters, classes = confusion.shape
    names = [str(name) for name in scores.get("classes") or range(classes)]
    matching = (scores.get("matching") or {}).get("clusters_to_classes")
    if matching is None or len(matching) != clusters:
        matching = [-1] * clusters
    order = sorted(range(clusters), key=lambda k: (matching[k] < 0, matching[k], k))
    labels = [
        f"{k} \N{RIGHTWARDS ARROW} {names[matching[k]]}" if 0 <= matching[k] < classes else f"{k}"
        for k in order
    ]
    return (
        '<section><h2>Confusion</h2><p class="note">Rows are clusters with their matched classes, '
        "columns are true classes. Cells show percent of the row; hover for pixel counts."
        f'</p><div class="scroll">{heat_map(confusion[order], labels, names)}</div>'
        "</section>\n"
    )


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
