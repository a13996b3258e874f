"""Reading an eval.json, checked before any of it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from c2l import schema
from c2l.artifacts.files import read_json
from c2l.errors import BadInputError

HINT = "make one with: c2l eval RUN DATA -o eval.json"
NUMBERS = ("miou", "pixel_accuracy", "mean_class_accuracy")


def read_scores(path: Path) -> dict[str, Any]:
    """An eval.json.

    Raises:
        BadInputError: missing, not JSON, of another format or version, or lacking what c2l
            writes; a matching that names classes that are not there.
    """
    value = read_json(path, what="an eval.json", hint=HINT)
    if value.get("format") != schema.FORMAT_EVAL:
        raise BadInputError(path, f"not an eval.json of c2l: {value.get('format')!r}", hint=HINT)
    if value.get("format_version") != schema.FORMAT_VERSION:
        found = value.get("format_version")
        raise BadInputError(
            path, f"format version {found}; this c2l reads {schema.FORMAT_VERSION}", hint=HINT
        )
    try:
        _check(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInputError(path, f"damaged: {type(error).__name__}: {error}", hint=HINT) from None
    return value


def _check(value: dict[str, Any]) -> None:
    for name in NUMBERS:
        number = value[name]
        if number is not None and not 0 <= float(number) <= 1:
            raise ValueError(f"{name} is {number}")
    classes = [str(name) for name in value["classes"]]
    labels = [str(name) for name in value["label_space"]["names"]]
    str(value["label_space"]["name"])
    confusion = np.array(value["confusion"], dtype=np.int64)
    raw = np.array(value["confusion_raw"], dtype=np.int64)
    if confusion.ndim != 2 or confusion.shape[1] != len(classes) or (confusion < 0).any():
        raise ValueError(f"a confusion matrix of shape {confusion.shape}, {len(classes)} classes")
    if raw.shape != (len(confusion), len(labels)) or (raw < 0).any():
        raise ValueError(f"confusion_raw of shape {raw.shape}, {len(labels)} labels")
    for name in ("matching", "hungarian", "many_to_one"):
        matching = value[name].get("clusters_to_classes", [])
        if any(not -1 <= int(found) < len(classes) for found in matching):
            raise ValueError(f"{name} names classes that are not there")
    for name in ("matching", "many_to_one"):
        if len(value[name]["clusters_to_classes"]) != len(confusion):
            raise ValueError(f"{name} does not name every cluster")
    for name, found in value.get("baselines", {}).items():
        for number in NUMBERS:
            if found[number] is not None:
                float(found[number])
        str(name)
    if not isinstance(value.get("lineage", {}), dict) or not isinstance(value["iou"], dict):
        raise ValueError("lineage and iou are not objects")
