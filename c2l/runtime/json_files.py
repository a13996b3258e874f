"""JSON read strictly and written atomically, with a digest of its own content."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.errors import BadInputError
from c2l.runtime.files import replacing

# Far deeper than any artifact, far from the limit of Python's own recursion.
DEEPEST_JSON = 64


# Larger than any artifact: the scores of a million photos, photo by photo.
LARGEST_JSON = 256 << 20


def write_json(path: Path, value: dict[str, Any], *, sealed: bool = False) -> None:
    """Write JSON atomically; NaN is refused since JSON has none.

    Args:
        path: the final name.
        value: an object.
        sealed: add the digest of its content under ``sha256``.
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
        what: it is expected to be.
        hint: the command that makes one.
        sealed: require that its ``sha256`` fits its content, and take it off.

    Raises:
        BadInputError: missing, not JSON, not an object, or changed since it was written.
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
        raise BadInputError(path, f"not {what}: a JSON object is expected", hint=hint)
    if sealed:
        unseal(path, value, hint=hint)
    return value


def unseal(path: Path, value: dict[str, Any], *, hint: str | None = None) -> None:
    """Take the digest off a JSON object, and hold it against the content.

    Raises:
        BadInputError: it is missing or does not match.
    """
    if value.pop(schema.JSON_SEAL, None) != digest_of(value):
        raise BadInputError(
            path,
            f"its content does not match its {schema.JSON_SEAL}: damaged, or changed by hand",
            hint=hint,
        )


def digest_of(value: dict[str, Any]) -> str:
    """Hex SHA-256 of a JSON object, whatever the order of its keys."""
    # Through JSON, since a key may be a number before it is written and a text afterwards.
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
    """JSON as the standard has it, and no more than artifacts need.

    Raises:
        ValueError: NaN, a number beyond 64 bits, a key twice, or nested too deep.
    """
    value = json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        parse_int=_small,
        object_pairs_hook=_distinct,
    )
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST_JSON):
        inner = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            break
    else:
        raise ValueError(f"nested more than {DEEPEST_JSON} deep")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _small(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"the number {text[:20]} has more than 64 bits")
    return int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has the same key twice")
    return value
