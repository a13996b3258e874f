"""Tensors in safetensors files, checked before they are believed."""

from __future__ import annotations

import errno
import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from c2l.artifacts.files import replacing
from c2l.errors import BadInputError

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
    from safetensors.torch import save_file

    from c2l import __version__

    needed = sum(t.numel() * t.element_size() for t in tensors.values())
    # One entry, since the library writes several in an order that changes from run to run.
    own = {METADATA: json.dumps({"created_by": f"c2l {__version__}", **metadata}, sort_keys=True)}
    with replacing(path, needed=needed) as partial:
        try:
            contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
            save_file(contiguous, partial, metadata=own)
            # The library makes files that only their owner may read.
            partial.chmod(0o666 & ~_umask())
        except OSError:
            raise
        except Exception as error:
            # safetensors reports a full disk as an error of its own, with the number in words.
            number = errno.ENOSPC if f"os error {errno.ENOSPC}" in str(error) else errno.EIO
            raise OSError(number, str(error)) from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def load_tensors(
    path: Path, *, hint: str | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors and the metadata.

    Raises:
        BadInputError: missing, not safetensors, truncated, or holding NaN or Inf.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BadInputError(path, "no such file; expected a .safetensors file", hint=hint)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = _own_metadata(dict(file.metadata() or {}))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInputError(path, f"not a sound safetensors file: {error}", hint=hint) from None
    _require_finite(path, tensors, hint)
    return tensors, metadata


def load_pickled_tensors(path: Path) -> dict[str, Tensor]:
    """Read a ``.pth`` state dict, unpickling nothing but tensors.

    Raises:
        BadInputError: missing, not such a file, or one that would run code.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        first = str(error).split("\n", 1)[0]
        raise BadInputError(
            path, f"not a file of tensors alone: {first}", hint="convert it to .safetensors"
        ) from None
    value = value.get("state_dict", value) if isinstance(value, dict) else value
    named = isinstance(value, dict) and all(
        isinstance(k, str) and torch.is_tensor(v) for k, v in value.items()
    )
    if not named:
        raise BadInputError(path, "not a state dict: names to tensors are expected")
    _require_finite(path, value, None)
    return dict(value)


def _own_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """What ``save_tensors`` was given; other programs' metadata as it is."""
    try:
        own = json.loads(metadata[METADATA])
    except (KeyError, ValueError):
        return metadata
    return {str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else metadata


def _require_finite(path: Path, tensors: dict[str, Tensor], hint: str | None) -> None:
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadInputError(path, f"tensor {name!r} holds NaN or Inf", hint=hint)
