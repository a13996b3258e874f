"""JSON files that are read strictly, written atomically and sealed with a digest."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.errors import BadInputError
from c2l.runtime.files import replacing

# Far deeper than any artifact, far below Python's recursion limit.
DEEPEST_JSON = 64
# In bytes; larger than any artifact: the scores of a million photos, one by one.
LARGEST_JSON = 256 << 20


def write_json(path: Path, value: dict[str, Any], *, sealed: bool = False) -> None:
    """Write a JSON object atomically.

    Args:
        path: the final name.
        value: the object.
        sealed: add a digest of the content under ``sha256``.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
        OutputError: the file cannot be written.
    """
    if sealed:
        value = {**value, schema.JSON_SEAL: digest_of(value)}
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with replacing(path, needed=len(text)) as partial:
        partial.write_text(text, encoding="utf-8")


def read_json(
    path: Path, *, what: str, hint: str | None = None, sealed: bool = False
) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        what: what the file should be, for the messages ("a run's configuration").
        hint: the command that makes such a file, for the messages.
        sealed: check the digest under ``sha256`` and remove it.

    Raises:
        BadInputError: the file is missing, is not a JSON object, or changed since it was written.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(path, f"is not a regular file; expected {what}", hint=hint)
        if path.stat().st_size > LARGEST_JSON:
            raise BadInputError(path, f"not {what}: {path.stat().st_size:,} bytes", hint=hint)
        value = strict_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInputError(path, f"no such file; expected {what}", hint=hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(path, f"not {what}: {error}", hint=hint) from None
    if not isinstance(value, dict):
        raise BadInputError(path, f"not {what}: expected a JSON object", hint=hint)
    if sealed:
        unseal(path, value, hint=hint)
    return value


def unseal(path: Path, value: dict[str, Any], *, hint: str | None = None) -> None:
    """Remove the digest from a JSON object and check the content against it.

    Raises:
        BadInputError: the digest is missing or does not match.
    """
    if value.pop(schema.JSON_SEAL, None) != digest_of(value):
        raise BadInputError(
            path,
            f"the content does not match {schema.JSON_SEAL}: damaged, or edited by hand",
            hint=hint,
        )


def digest_of(value: dict[str, Any]) -> str:
    """Hex SHA-256 of a JSON object; the order of the keys does not matter."""
    # Through JSON once: a key may be a number in memory, but is text in the file.
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """The values of nested JSON objects by their dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def strict_json(text: str) -> Any:
    """Parse standard JSON, limited to what artifacts need.

    Raises:
        ValueError: invalid JSON, NaN, a number beyond 64 bits, a duplicate key, or too many
            levels.
    """
    value = json.loads(
        text,
        parse_constant=_refuse,
        parse_float=_finite,
        parse_int=_int64,
        object_pairs_hook=_unique_keys,
    )
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST_JSON):
        inner = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            break
    else:
        raise ValueError(f"nested more than {DEEPEST_JSON} levels deep")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _int64(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"the number {text[:20]} has more than 64 bits")
    return int(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has the same key twice")
    return value
