"""The header of a safetensors file, checked by its own words before any tensor is read."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any

from c2l.errors import BadInputError
from c2l.runtime.json_files import strict_json

# A header longer than this is none of weights that c2l can use: 100 bytes a tensor are usual.
LONGEST_HEADER = 10_000_000
# Twice the largest backbone that can be named, in fp32.
LARGEST_FILE = 8 << 30
METADATA = "__metadata__"
# Bits a value, of every type the format has.
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


def read_header(path: Path, *, hint: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors a file declares, by name, and its metadata.

    Raises:
        BadInputError: missing; a header that is too long, no JSON, or names one thing twice;
            tensors that overlap, leave gaps, or do not fill their place or the file.
    """
    if not path.is_file():
        raise BadInputError(path, "no such file; expected a .safetensors file", hint=hint)
    if path.stat().st_size > LARGEST_FILE:
        raise BadInputError(path, f"too large: {path.stat().st_size:,} bytes", hint=hint)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(LONGEST_HEADER, size - 8):
                raise ValueError("its header is cut short or too long")
            header = strict_json(file.read(length).decode("utf-8"))
        metadata = _metadata(header)
        end = _end(header)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInputError(path, f"not a sound safetensors file: {error}", hint=hint) from None
    if end + length + 8 != size:
        problem = f"holds {size} bytes, its header declares {end + length + 8}"
        raise BadInputError(path, f"not a sound safetensors file: {problem}", hint=hint)
    return header, metadata


def _metadata(header: Any) -> dict[str, str]:
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are not text")
    return metadata


def _end(header: dict[str, Any]) -> int:
    """Bytes of all tensors, which lie one after the other without gaps."""
    spans = []
    for name, entry in header.items():
        shape, (begin, end) = entry["shape"], entry["data_offsets"]
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)):
            raise ValueError(f"tensor {name!a}: shape {shape}, place {begin} to {end}")
        if 8 * (end - begin) != prod(shape) * _BITS[entry["dtype"]]:
            raise ValueError(f"tensor {name!a} does not fill its place")
        spans.append((begin, end))
    place = 0
    for begin, end in sorted(spans):
        if begin != place:
            raise ValueError(f"tensors overlap or leave a gap at byte {place}")
        place = end
    return place
