"""Folders of masks, overlays and a report, as their legend describes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from c2l import schema
from c2l.artifacts.chain import MOST_PREVIEWED, Format, Link, Preview, json_summary
from c2l.artifacts.lineage import DATA, PREDICTOR, from_json
from c2l.artifacts.untrusted.names import require_fit
from c2l.artifacts.untrusted.types import (
    LEGEND_KINDS,
    LEGEND_TEXTS,
    require_kinds,
    require_texts,
)
from c2l.data.masks import read_mask
from c2l.errors import BadInputError
from c2l.options import RenderOptions
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import read_json


def legend_of(path: Path) -> tuple[Path, dict[str, Any]]:
    """Path and content of the legend.

    Args:
        path: the legend, the folder of masks, or the folder of pictures.

    Raises:
        BadInputError: missing or damaged.
    """
    places = (path / "masks" / schema.LEGEND, path / schema.LEGEND, path)
    legend = next((place for place in places if place.is_file()), places[0])
    return legend, read_json(legend, what="a legend of masks")


def _summary(path: Path) -> dict[str, Any]:
    legend, values = legend_of(path)
    return json_summary(legend, schema.FORMAT_MASKS, values)


def _link(path: Path) -> Link:
    place, legend = legend_of(path)
    require_kinds(place, legend, LEGEND_KINDS)
    require_texts(place, legend, LEGEND_TEXTS)
    options = legend.get("options", {})
    return Link(
        format=FORMAT,
        path=place.parent.parent,
        sources=tuple(from_json(legend.get("lineage", []), path)),
        options=options,
        takes=(PREDICTOR, DATA),
        split=options.get("split"),
        skipped=frozenset(legend.get("skipped", {})),
        extra=tuple(legend.get("rivals", [])),
        names=frozenset(legend["photos"]) if "photos" in legend else None,
    )


def _hash_again(path: Path) -> str | None:
    """Every file has the hash that was stored when it was drawn; masks hold the legend's ids."""
    place, legend = legend_of(path)
    require_kinds(place, legend, LEGEND_KINDS)
    known = {schema.IGNORE, *_ids(place, legend.get("labels", []))}
    if "files" not in legend:
        return "names no hashes of its files: an earlier version made it"
    # Names of any origin: nothing outside the folder is looked at.
    require_fit(place, list(legend["files"]))
    for name, wanted in legend["files"].items():
        if not os.path.isfile(path / name):
            return f"{name} is not there"
        if sha256_file(path / name) != wanted:
            return f"{name} was changed since it was drawn"
    for mask in sorted((path / "masks").rglob("*.png")):
        unknown = set(np.unique(read_mask(mask)).tolist()) - known
        if unknown:
            return f"{mask} holds ids that the legend lacks: {sorted(unknown)[:5]}"
    return None


def _ids(path: Path, labels: list[Any]) -> Iterator[int]:
    for label in labels:
        found = label.get("id") if isinstance(label, dict) else None
        if type(found) is not int:
            raise BadInputError(path, "damaged: 'labels' is not a list of objects with an id")
        yield found


def _preview(path: Path) -> Preview:
    """Parts of the first photos."""
    place, legend = legend_of(path)
    names = {int(label["id"]): str(label.get("name")) for label in legend.get("labels", [])}
    found = islice(sorted(place.parent.rglob("*.png")), MOST_PREVIEWED)
    maps = [(str(mask.relative_to(place.parent)), read_mask(mask)) for mask in found]
    return Preview(maps, [names.get(i, str(i)) for i in range(max(names, default=-1) + 1)])


FORMAT = Format(
    name=schema.FORMAT_MASKS,
    summary=_summary,
    link=_link,
    checks=(("masks", _hash_again),),
    stage="render",
    options=RenderOptions,
    preview=_preview,
)
