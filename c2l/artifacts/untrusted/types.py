"""Types of the values in JSON artifacts, since a file of any origin may hold any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2l.errors import BadInputError

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
