"""results.md: the tables as a person reads them."""

from __future__ import annotations

from typing import Any

from .grid import METRICS

NONE = "-"
PAPER_NOTE = (
    "The paper's columns are there to be read, not to be compared with: they were measured on "
    "ATR, from ImageNet weights, and over other classes. With N classes mIoU is at least pixel "
    "accuracy / N, since no union is larger than all pixels; 71.32 % accuracy over the three "
    "classes that the paper names would force at least 23.8 % mIoU, and it reports 16.27 %. What "
    "can be held against it is the order of the rows."
)
LEGEND = (
    "Mean ± sample standard deviation over n seeds, in percent. The difference is taken seed by "
    "seed (in brackets: seeds in which it is above 0); without a name it is to the row before. "
    "Rows in brackets train nothing."
)
HEALTH_LEGEND = (
    "First → last epoch, mean over seeds; no label is read. A gradient is the norm of a loss term "
    "at the backbone, weight included; a loss is without its weight."
)


def markdown(results: dict[str, Any]) -> str:
    """The whole page."""
    lines = ["# Results", "", f"Data: `{results['data']}`; seeds {results['seeds']}.", ""]
    lines += [f"    {results['command']}", "", LEGEND, "", PAPER_NOTE, ""]
    for table in results["tables"]:
        lines += _table(table, results["merges"])
    if results["unfinished"]:
        lines += ["## Not finished", ""]
    for one in results["unfinished"]:
        lines += [f"- `{one['folder']}`: {one['state']}{_code(one)}"]
        if one["tail"]:
            lines += ["", "  ```", *(f"  {line}" for line in one["tail"].splitlines()), "  ```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _code(one: dict[str, Any]) -> str:
    return f" (exit code {one['code']}, see `{one['log']}`)" if one["code"] else ""


def _table(table: dict[str, Any], merges: list[str]) -> list[str]:
    lines = [f"## {table['title']}", ""]
    lines += [table["note"], ""] if table["note"] else []
    for merge in merges:
        lines += [f"Labels: {merge}", "", *_scores(table, merge), ""]
    return [*lines, HEALTH_LEGEND, "", *_health(table), ""]


def _scores(table: dict[str, Any], merge: str) -> list[str]:
    paper = [m for m in METRICS if any(m in row["paper"] for row in table["rows"])]
    names = {"miou": "mIoU", "pixel_accuracy": "pixel acc."}
    head = ["", "mIoU", "pixel acc.", "n", "mIoU, difference", "pixel acc., difference"]
    rows = []
    before = ""
    for row in table["rows"]:
        scores, against = row["scores"][merge], row["against"]
        cells = [row["label"], *(percent(scores[m]) for m in METRICS), str(scores["miou"]["n"])]
        for metric in METRICS:
            text = _difference(row["difference"][merge][metric]) if against else NONE
            named = against and against != before and text != NONE
            cells.append(f"{text} to {against}" if named else text)
        cells += [f"{row['paper'][m]:.2f}" if m in row["paper"] else NONE for m in paper]
        rows.append(cells)
        before = row["name"]
    for name, scores in table["baselines"][merge].items():
        cells = [f"({name})", *(percent(scores[m]) for m in METRICS), str(scores["miou"]["n"])]
        rows.append([*cells, *[NONE] * (len(METRICS) + len(paper))])
    return _grid([*head, *(f"the paper's {names[m]}, not comparable" for m in paper)], rows)


def percent(value: dict[str, Any]) -> str:
    """A fraction's mean and deviation, in percent."""
    if value["mean"] is None:
        return NONE
    text = f"{100 * value['mean']:.2f}"
    return text if value["std"] is None else f"{text} ± {100 * value['std']:.2f}"


def _difference(value: dict[str, Any]) -> str:
    if value["mean"] is None:
        return NONE
    text = f"{100 * value['mean']:+.2f}"
    up = sum(v > 0 for v in value["values"].values())
    text += "" if value["std"] is None else f" ± {100 * value['std']:.2f}"
    return f"{text} ({up}/{value['n']})"


def _health(table: dict[str, Any]) -> list[str]:
    kinds = [
        ("cluster entropy", "cluster_entropy"),
        ("views agree", "view_agreement"),
        *((f"{kind} {term}", f"{kind}_{term}") for kind in ("gradient", "loss")
          for term in ("view", "part", "code")),
    ]  # fmt: skip
    rows = []
    for row in table["rows"]:
        health = row["health"]
        if health is None:
            continue
        alarms = sum(len(found) for found in health["collapsed"].values())
        rows.append([row["label"], *(_ends(health[key]) for _, key in kinds), str(alarms)])
    return _grid(["", *(title for title, _ in kinds), "collapse alarms"], rows) if rows else []


def _ends(value: dict[str, Any]) -> str:
    first, last = value["first"]["mean"], value["last"]["mean"]
    return NONE if first is None else f"{first:.3g} → {last:.3g}"


def _grid(head: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 1)}",
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows),
    ]
