"""The report: one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from c2l.drawing.content import ReportContent
from c2l.drawing.curves import charts
from c2l.drawing.gallery import CROPS, PRESENT, Gallery
from c2l.drawing.page import write_page
from c2l.drawing.scores import cards, classes, confusion, score_rows, verdict
from c2l.drawing.thumbnails import PHOTO_SIDE

# Most photos in a report: at 20 to 40 kB each, a page that a phone still opens.
MOST_PHOTOS = 200


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report as a self-contained HTML file.

    Pictures are encoded one at a time, so memory does not grow with their number.

    Args:
        path: the output.
        content: the content; missing pieces are left out.

    Raises:
        OutputError: the file cannot be written.
    """
    scores, rivals = content.scores, content.rivals
    write_page(
        path,
        "report.html",
        content=content,
        cards=cards(scores),
        verdict=verdict(scores, rivals),
        rows=score_rows(scores, rivals),
        classes=classes(scores, content.legend),
        confusion=confusion(scores),
        gallery=Gallery(content),
        charts=charts(content.metrics),
        details={
            name: list(_flatten(values))
            for name, values in (
                ("Configuration", content.configuration),
                ("Lineage", content.lineage),
            )
            if values
        },
        side=PHOTO_SIDE,
        most_photos=MOST_PHOTOS,
        most_crops=CROPS,
        present=PRESENT,
    )


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{name}", text
