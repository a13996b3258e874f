"""Pages from the templates in ``pages/``: one self-contained file each."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from c2l.drawing.scores import NONE, number, percent
from c2l.runtime.files import replacing

# What every page begins with, so that --overwrite replaces no other file.
STARTS = b"<!doctype html>\n<!-- c2l-page -->\n"


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page as its template yields it, so that memory does not grow with its pictures.

    Args:
        path: the output.
        template: its name in ``pages/``.
        values: what the template shows. All text is escaped.

    Raises:
        OutputError: the file cannot be written.
    """
    page = _environment().get_template(template).generate(**values)
    with replacing(path) as partial, partial.open("wb") as file:
        for piece in page:
            file.write(piece.encode(errors="replace"))


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=PackageLoader("c2l.drawing", "pages"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    script = _text("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        "style": Markup(_text("report.css")),
        "script": Markup(script),
        # The page may load nothing, and runs no script but its own.
        "policy": (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'"
        ),
        "none": NONE,
    }
    environment.filters |= {"percent": percent, "number": number, "colour": _colour}
    return environment


def _text(name: str) -> str:
    return (files("c2l.drawing") / "pages" / name).read_text(encoding="utf-8")


def _colour(rgb: Any) -> str:
    """A colour in CSS."""
    return f"rgb({int(rgb[0])} {int(rgb[1])} {int(rgb[2])})"
