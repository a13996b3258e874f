"""The report: one self-contained HTML file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.drawing.charts import css_colour
from c2l.drawing.content import ReportContent, Tile
from c2l.drawing.curves import curves_section
from c2l.drawing.scores import classes_section, confusion_section, headline, score_table
from c2l.drawing.style import STYLE
from c2l.runtime.files import replacing

# Panels are displayed at about this width; twice the width would help only high-density screens.
_PANEL_WIDTH = 320
_JPEG_QUALITY = 82

# The page may load nothing: no scripts, fonts or frames, and only embedded images.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(path: Path, content: ReportContent) -> None:
    """Write the report as a self-contained HTML file.

    Pictures are encoded one at a time, so memory does not grow with their number.

    Args:
        path: the output.
        content: the content; missing pieces are left out.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        for piece in _page(content):
            file.write(piece.encode())


def _page(content: ReportContent) -> Iterator[str]:
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
    )
    yield _heading(content)
    yield headline(content.scores, content.rivals)
    yield score_table(content.scores, content.rivals)
    yield from _extremes(content)
    yield from _pictures(content)
    yield classes_section(content.scores, content.legend)
    yield confusion_section(content.scores)
    yield curves_section(content.metrics)
    yield _values("Configuration", content.configuration)
    yield _values("Lineage", content.lineage)
    yield "</main></body></html>\n"


def _heading(content: ReportContent) -> str:
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in content.facts
    )
    return (
        f"<header><h1>{escape(content.title)}</h1>"
        + (f'<p class="soft">{escape(content.subtitle)}</p>' if content.subtitle else "")
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
        + "</header>\n"
    )


def _pictures(content: ReportContent) -> Iterator[str]:
    started = False
    for tile in content.tiles:
        if not started:
            labelled = tile.truth is not None
            yield (
                '<section><h2>Pictures</h2><p class="note">From the left: the photo, the parts '
                f"predicted in it{', its labels' if labelled else ''}.</p>{_legend(content.legend)}"
                f'<div class="tiles{" wide" if labelled else ""}">\n'
            )
            started = True
        yield _figure(tile)
    if started:
        yield "</div></section>\n"


def _extremes(content: ReportContent) -> Iterator[str]:
    """The best, median and worst photos, prediction and labels side by side."""
    if not content.extremes:
        return
    kinds = ", ".join(kind for kind, _ in content.extremes)
    yield (
        f"<section><h2>{escape(kinds.capitalize())}</h2>"
        f'<p class="note">{escape(content.extremes_note)} Predictions are on the left, labels '
        f"on the right.</p>{_legend(content.legend)}\n"
    )
    for kind, tiles in content.extremes:
        yield f'<h3 class="kind">{escape(kind.capitalize())}</h3><div class="tiles three">\n'
        for tile in tiles:
            yield _figure(tile, photo=False)
        yield "</div>"
    yield "</section>\n"


def _legend(legend: Sequence[tuple[str, Sequence[int]]]) -> str:
    items = "".join(
        f'<li><span class="swatch" style="background:{css_colour(rgb)}"></span>{escape(name)}</li>'
        for name, rgb in legend
    )
    return f'<ul class="keys">{items}</ul>' if items else ""


def _figure(tile: Tile, *, photo: bool = True) -> str:
    panels = [("photo", tile.image)] if photo else []
    panels.append(("prediction", tile.overlay))
    if tile.truth is not None:
        panels.append(("labels", tile.truth))
    pictures = "".join(
        f'<span><img alt="{escape(tile.name)}, {kind}" src="{jpeg_uri(pixels)}"></span>'
        for kind, pixels in panels
    )
    note = f" <span>{escape(tile.note)}</span>" if tile.note else ""
    return (
        f'<figure><div class="panels">{pictures}</div>'
        f"<figcaption>{escape(tile.name)}{note}</figcaption></figure>\n"
    )


def jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    """A JPEG data URI of an image, reduced to the width of a panel.

    Args:
        pixels: (H, W, 3) uint8 RGB.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.width > _PANEL_WIDTH:
        height = max(1, round(image.height * _PANEL_WIDTH / image.width))
        image = image.resize((_PANEL_WIDTH, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _values(title: str, values: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in _flatten(values)
    )
    if not rows:
        return ""
    return (
        f"<details><summary>{escape(title)}</summary>"
        f'<table class="values"><tbody>{rows}</tbody></table></details>\n'
    )


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{name}", text
