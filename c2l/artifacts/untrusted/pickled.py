"""Reads the tensors of a ``.pth`` file without running anything that the file says.

``torch.load`` with ``weights_only`` runs no code, but a file of 1 MiB makes it take any amount of
memory or time. So a limited child process reads the file and writes its tensors as safetensors,
whose header says how large they are; nothing comes of it that is larger than a few times the file.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2l.artifacts.untrusted.child import Limits, run_limited
from c2l.artifacts.untrusted.headers import LONGEST_HEADER
from c2l.errors import BadInputError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

# Tensors may share memory (tied weights), but not endlessly.
MOST_SHARING = 4
# Beside the file, its tensors and a copy of them.
MEMORY_BYTES = 512 << 20
BYTES_PER_SECOND = 20 << 20
ANOTHER_FORM = "convert it to .safetensors"


def unpickle(path: Path, output: Path) -> None:
    """Write the named tensors of a state dict, or of the one under ``state_dict``, as safetensors.

    Raises:
        BadInputError: missing, not such a file, damaged, or holding more than tensors.
        OutputError: the output cannot be written.
    """
    size = path.stat().st_size if path.is_file() else 0
    seconds = 10 + size // BYTES_PER_SECOND
    try:
        run_limited(
            "c2l.artifacts.untrusted.pickled:convert",
            path,
            str(output),
            packages=("torch", "safetensors.torch"),
            limits=Limits(
                memory_bytes=MEMORY_BYTES + 3 * size,
                cpu_seconds=seconds,
                # By the clock, torch may take long to import.
                wall_seconds=60 + 2 * seconds,
                file_bytes=LONGEST_HEADER + MOST_SHARING * size,
            ),
            hint=ANOTHER_FORM,
            crash_hint=ANOTHER_FORM,
        )
    except BadInputError as error:
        problem = f"not a plain file of tensors: {error.problem}"
        raise BadInputError(path, problem, hint=ANOTHER_FORM) from None


def convert(name: str, output: str) -> None:
    """In the child: read a ``.pth`` file and write its tensors.

    Raises:
        BadInputError: it holds more than tensors, or they are not what a state dict's are.
        OutputError: the output cannot be written.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Copied, since the library refuses those that share memory.
    tensors = {
        key: tensor.detach().clone(memory_format=torch.contiguous_format)
        for key, tensor in _state_dict(Path(name)).items()
    }
    try:
        save_file(tensors, output)
    except SafetensorError as error:
        raise OutputError(f"{output}: cannot be written: {error}") from None


def _state_dict(path: Path) -> dict[str, Tensor]:
    import torch

    size = path.stat().st_size
    value = _load(path, size)
    value = value.get("state_dict", value) if isinstance(value, dict) else value
    if not isinstance(value, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items()
    ):
        raise BadInputError(path, "not a state dict: names to tensors are expected")
    repeats = any(t.nbytes > t.untyped_storage().nbytes() for t in value.values())
    if repeats or sum(t.nbytes for t in value.values()) > MOST_SHARING * size:
        raise BadInputError(path, "its tensors are larger than the file")
    return value


def _load(path: Path, size: int) -> Any:
    """The pickled value, which is built of tensors and Python's own containers."""
    import torch

    try:
        with path.open("rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"
            if zipped:
                _check_archive(path, size)
            file.seek(0)
            value = torch.load(file, map_location="cpu", weights_only=True)
            if not zipped and file.tell() != size:
                raise BadInputError(path, "does not end with its last tensor")
    except pickle.UnpicklingError as error:
        # torch wraps the reason in advice to switch its care off.
        reason = str(error.__context__ or error).split(". ", 1)[0].split("\n", 1)[0]
        raise BadInputError(path, reason) from None
    return value


def _check_archive(path: Path, size: int) -> None:
    """Refuse what torch never writes, and records whose checksum, which it skips, is wrong."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise BadInputError(path, "its records are compressed, which torch never does")
        overlap = len({record.filename for record in records}) != len(records)
        if overlap or sum(record.file_size for record in records) > size:
            raise BadInputError(path, "its records overlap")
        if damaged := archive.testzip():
            raise BadInputError(path, f"the CRC-32 of its record {damaged!a} is wrong")
