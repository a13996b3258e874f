"""Types of the values in JSON artifacts, since a file of any origin may hold any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any

from c2l.errors import BadInputError
from c2l.options import Options, flag, known, types_of, value_of

Kinds = dict[str, type | tuple[type, ...]]

# Of a run's configuration; its options are checked one by one where they are used.
RUN_KINDS: Kinds = {
    "options": dict,
    "stage": str,
    "data": dict,
    "threads": int,
    "frozen_layer": str,
    "frozen_channels": int,
    "weights_sha256": str,
    "init_sha256": str,
    "checkpoint_sha256": str,
}

# Of a checkpoint's state.
STATE_COUNTS = ("step", "epoch", "batch", "metrics_bytes")
STATE_KINDS: Kinds = {
    **dict.fromkeys(STATE_COUNTS, int),
    "targets_sha256": str,
    "parameters_sha256": str,
    "run_sha256": str,
}


# Of what other artifacts say of their origin.
RUN_DATA_KINDS: Kinds = {"root": str, "images": int, "split": (str, NoneType)}
RUN_INPUTS_KINDS: Kinds = {"inputs_sha256": str, "skipped": dict, "photos": dict}
SCORES_KINDS: Kinds = {"lineage": dict, "images": int, "split": (str, NoneType), "skipped": dict}
LEGEND_KINDS: Kinds = {"options": dict, "labels": list, "skipped": dict, "files": dict}
NETWORK_KINDS: Kinds = {"names": list, "options": dict, "lineage": list, "graph_sha256": str}
LEGEND_TEXTS = ("rivals", "photos")


def require_kinds(path: Path, value: dict[str, Any], kinds: Kinds) -> None:
    """Refuse an object whose values are of other types; a key may be missing.

    Raises:
        BadInputError: names the key.
    """
    for key, kind in kinds.items():
        found = value.get(key)
        if key in value and (not isinstance(found, kind) or isinstance(found, bool)):
            wanted = kind.__name__ if isinstance(kind, type) else "/".join(k.__name__ for k in kind)
            raise BadInputError(
                path, f"damaged: {key!r} is of type {type(found).__name__}, expected {wanted}"
            )


def require_texts(path: Path, value: dict[str, Any], keys: Sequence[str]) -> None:
    """Refuse an object whose values are anything but lists of texts; a key may be missing.

    Raises:
        BadInputError: names the key.
    """
    for key in keys:
        found = value.get(key, [])
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise BadInputError(path, f"damaged: {key!r} is not a list of texts")


def require_options(path: Path, kind: type[Options], values: dict[str, Any]) -> None:
    """Refuse options that a stage could not have been given; it may have more than it has now.

    Raises:
        BadInputError: names the option.
    """
    kinds, values = types_of(kind), known(kind, values)
    for item in fields(kind):
        try:
            if item.name in values:
                value_of(item, kinds[item.name], values[item.name])
        except ValueError as error:
            raise BadInputError(path, f"damaged: {flag(item.name)}: {error}") from None
