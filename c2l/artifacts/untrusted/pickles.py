"""Tensors of a ``.pth`` file, read without running anything that the file says.

torch's own reader with ``weights_only`` runs no code either, but a file of 1 MiB makes it take
any amount of memory: a compressed record unpacks to 1 GiB, a ``bytearray`` is as long as it is
asked to be, a tensor repeats one value 10^10 times. Here nothing comes of it that is larger than
the file.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from c2l.artifacts.untrusted.unpickler import Bounded, Piece, Storage, Unpickler
from c2l.errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor

# Tensors may share memory (tied weights), but not endlessly.
MOST_SHARING = 4
# What begins a file of torch before 1.6.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_pickled(path: Path) -> dict[str, Tensor]:
    """The named tensors of a state dict, or of the one under ``state_dict``.

    Raises:
        BadInputError: missing, not such a file, damaged, or holding more than tensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"
            file.seek(0)
            value, read = _open_zip(file, size) if zipped else _open_old(file, size)
            value = value.get("state_dict", value) if isinstance(value, dict) else value
            if not isinstance(value, dict) or not all(
                isinstance(k, str) and isinstance(v, Piece) for k, v in value.items()
            ):
                raise BadInputError(path, "not a state dict: names to tensors are expected")
            return _tensors(value, read, size)
    except BadInputError:
        raise
    except Exception as error:  # a damaged pickle can raise almost anything
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise BadInputError(
            path, f"not a file of tensors alone: {reason}", hint="convert it to .safetensors"
        ) from None


def _open_zip(file: BinaryIO, size: int) -> tuple[Any, Callable[[Storage, int], bytes]]:
    archive = zipfile.ZipFile(file)
    records = {info.filename: info for info in archive.infolist()}
    sizes = sum(info.file_size for info in records.values())
    if len(records) != len(archive.infolist()) or sizes > size:
        raise ValueError("its records overlap")
    if any(info.compress_type != zipfile.ZIP_STORED for info in records.values()):
        raise ValueError("its records are compressed, which torch never does")
    (start,) = (name for name in records if name.endswith("/data.pkl") and name.count("/") == 1)
    folder = start.removesuffix("data.pkl")
    if f"{folder}byteorder" in records and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("its values are big-endian")

    def read(storage: Storage, needed: int) -> bytes:
        if records[f"{folder}data/{storage.key}"].file_size != needed:
            raise ValueError(f"storage {storage.key} is not of its declared size")
        return archive.read(f"{folder}data/{storage.key}")

    with archive.open(start) as pickled:
        return Unpickler(Bounded(pickled, records[start].file_size)).load(), read


def _open_old(file: BinaryIO, size: int) -> tuple[Any, Callable[[Storage, int], bytes]]:
    """The format before torch 1.6: pickles, then the storages, each behind its count."""

    def load() -> Any:
        return Unpickler(Bounded(file, size)).load()

    if load() != _MAGIC or load() != _PROTOCOL:
        raise ValueError("it was not written by torch")
    if not load()["little_endian"]:
        raise ValueError("its values are big-endian")
    value, keys = load(), [str(key) for key in load()]
    place = file.tell()
    places: dict[str, int] = {}

    def read(storage: Storage, needed: int) -> bytes:
        file.seek(places[storage.key])
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count or file.tell() + needed > size:
            raise ValueError(f"storage {storage.key} is not of its declared size")
        return file.read(needed)

    widths = {s.key: s.count * _width(s.kind.dtype) for s in _storages(value)}
    for key in keys:
        places[key] = place
        place += 8 + widths[key]
    return value, read


def _storages(value: Any) -> list[Storage]:
    """All storages a value of nested dictionaries and lists refers to."""
    found, waiting, seen = [], [value], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Piece):
            found.append(item.storage)
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
    return found


def _width(dtype: str) -> int:
    """Bytes a value."""
    import torch

    width: int = getattr(torch, dtype).itemsize
    return width


def _tensors(
    pieces: dict[str, Piece], read: Callable[[Storage, int], bytes], size: int
) -> dict[str, Tensor]:
    import torch

    total = sum(prod(p.size) * _width(p.storage.kind.dtype) for p in pieces.values() if p.sound)
    if total > MOST_SHARING * size or not all(piece.sound for piece in pieces.values()):
        raise ValueError("its tensors are larger than what it holds")
    flat: dict[Storage, Tensor] = {}
    tensors = {}
    for name, piece in pieces.items():
        storage, dtype = piece.storage, getattr(torch, piece.storage.kind.dtype)
        if storage not in flat:
            raw = bytearray(read(storage, storage.count * dtype.itemsize))
            flat[storage] = (
                torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
            )
        tensors[name] = flat[storage].as_strided(piece.size, piece.stride, piece.offset)
    return tensors
