"""The header of a safetensors file, checked before any tensor is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from c2l.errors import BadInputError
from c2l.runtime.json_files import strict_json

# Usual are 100 bytes per tensor.
LONGEST_HEADER = 10_000_000
# Twice the largest backbone that can be named, in fp32.
LARGEST_FILE = 8 << 30


def read_header(path: Path, *, hint: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors a file declares (``shape``, ``dtype``) by name, and its metadata.

    Raises:
        BadInputError: missing; a header that is too long, not JSON, or names one thing twice;
            tensors that overlap, leave gaps, or do not fill their place or the file.
    """
    if not path.is_file():
        raise BadInputError(path, "no such file; expected a .safetensors file", hint=hint)
    if path.stat().st_size > LARGEST_FILE:
        raise BadInputError(path, f"too large: {path.stat().st_size:,} bytes", hint=hint)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LONGEST_HEADER:
                raise ValueError(f"its header is too long: {length:,} bytes")
            text = file.read(length)
        # The library checks all but whether a key is there twice.
        with safe_open(path, framework="numpy"):
            header = strict_json(text.decode("utf-8"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise BadInputError(path, f"not a sound safetensors file: {error}", hint=hint) from None
    return header, header.pop("__metadata__", {})
