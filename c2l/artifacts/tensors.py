"""Tensors in safetensors files, checked before they are believed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2l import schema
from c2l.artifacts.chain import Format
from c2l.artifacts.untrusted.headers import read_header
from c2l.artifacts.untrusted.pickled import unpickle
from c2l.errors import BadInputError, OutputError
from c2l.runtime.files import replacing
from c2l.runtime.json_files import strict_json

if TYPE_CHECKING:
    from torch import Tensor

# The key of our own metadata, a JSON object of texts.
METADATA = "c2l"


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors atomically.

    Args:
        path: a ``.safetensors`` file.
        tensors: by name, on any device.
        metadata: text to text.
    """
    from safetensors.torch import save

    from c2l import __version__

    # One entry, since the library writes several in an order that changes from run to run.
    contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    values = {"created_by": f"c2l {__version__}", **metadata}
    values[schema.JSON_SEAL] = _digest(contiguous, values)
    data = save(contiguous, metadata={METADATA: json.dumps(values, sort_keys=True)})
    with replacing(path, needed=len(data)) as partial:
        # The library's own writer tells a full disk in words only.
        partial.write_bytes(data)


def load_tensors(
    path: Path, *, hint: str | None = None, sealed: bool = False
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors and the metadata.

    Args:
        path: a ``.safetensors`` file.
        hint: the command that makes one.
        sealed: whether it must be one that ``save_tensors`` wrote, with its digest.

    Raises:
        BadInputError: missing, not safetensors, truncated, changed since it was written, or
            holding NaN or Inf.
    """
    from safetensors import SafetensorError, safe_open

    _, raw = read_header(path, hint=hint)
    metadata = own_metadata(raw)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(path, f"not a sound safetensors file: {error}", hint=hint) from None
    if sealed or schema.JSON_SEAL in metadata:
        found = metadata.pop(schema.JSON_SEAL, None)
        if METADATA not in raw or found != _digest(tensors, metadata):
            raise BadInputError(
                path, f"damaged: its tensors do not match its {schema.JSON_SEAL}", hint=hint
            )
    _require_finite(path, tensors, hint)
    return tensors, metadata


def load_pickled_tensors(path: Path) -> dict[str, Tensor]:
    """Read a ``.pth`` state dict in a child process; see ``untrusted.pickled``.

    Raises:
        BadInputError: missing, not such a file, one that would run code, or holding NaN or Inf.
        OutputError: there is no room for its tensors among the temporary files.
    """
    try:
        temporary = tempfile.TemporaryDirectory()
    except OSError as error:
        problem = f"{path}: its tensors need a folder for temporary files: {error.strerror}"
        raise OutputError(problem, hint="name one that can be written in TMPDIR") from None
    with temporary as folder:
        read = Path(folder) / "tensors.safetensors"
        unpickle(path, read)
        try:
            return load_tensors(read)[0]
        except BadInputError as error:
            raise BadInputError(path, error.problem) from None


def _digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """Hex SHA-256 of names, types, shapes and values, and of the metadata."""
    import torch

    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def own_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """What ``save_tensors`` was given; other programs' metadata as it is."""
    try:
        own = strict_json(metadata[METADATA])
    except (KeyError, ValueError, RecursionError):
        return metadata
    return {str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else metadata


def _require_finite(path: Path, tensors: dict[str, Tensor], hint: str | None) -> None:
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadInputError(path, f"tensor {name!r} holds NaN or Inf", hint=hint)


def declared_format(path: Path) -> str:
    """The name of its format, perhaps of another program's; empty where there is none.

    Raises:
        BadInputError: missing, or no sound safetensors file.
    """
    return own_metadata(read_header(path)[1]).get("format", "")


def summary(path: Path) -> dict[str, Any]:
    """Names and shapes by the header, which is JSON behind its length in 8 bytes."""
    header, raw = read_header(path)
    metadata = own_metadata(raw)
    arrays = {n: {"shape": v["shape"], "dtype": v["dtype"]} for n, v in header.items()}
    return {
        "path": str(path),
        "kind": metadata.get("format", metadata.get("kind", "tensors")),
        "bytes": path.stat().st_size,
        "values_stored": sum(prod(a["shape"]) for a in arrays.values()),
        "arrays": arrays,
        "lineage": {k: v for k, v in metadata.items() if k != "config"},
    }


FORMAT = Format(name="tensors", summary=summary)
