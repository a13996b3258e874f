"""Tensors in safetensors files, checked before they are believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from c2l.artifacts.files import replacing
from c2l.errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor


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
    own = {"created_by": f"c2l {__version__}", **metadata}
    with replacing(path, needed=needed) as partial:
        try:
            contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
            save_file(contiguous, partial, metadata=own)
        except OSError:
            raise
        except Exception as error:
            # safetensors reports a full disk as an error of its own.
            raise OSError(str(error)) from error


def load_tensors(
    path: Path, *, hint: str | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors and the metadata.

    Raises:
        BadInputError: missing, not safetensors, truncated, or holding NaN or Inf.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BadInputError(path, "no such file; expected a .safetensors file", hint=hint)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInputError(path, f"not a sound safetensors file: {error}", hint=hint) from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadInputError(path, f"tensor {name!r} holds NaN or Inf", hint=hint)
    return tensors, metadata


def load_pickled_tensors(path: Path) -> dict[str, Tensor]:
    """Read a ``.pth`` state dict, unpickling nothing but tensors.

    Raises:
        BadInputError: missing, not such a file, or one that would run code.
    """
    import pickle

    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(
            path, f"not a file of tensors alone: {first}", hint="convert it to .safetensors"
        ) from None
    value = value.get("state_dict", value) if isinstance(value, dict) else value
    if not isinstance(value, dict) or not all(torch.is_tensor(v) for v in value.values()):
        raise BadInputError(path, "not a state dict: names to tensors are expected")
    return value
