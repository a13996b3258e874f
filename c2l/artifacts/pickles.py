"""Tensors of a ``.pth`` file, read without running anything that the file says.

torch's own reader with ``weights_only`` runs no code either, but a file of 1 MiB makes it take
any amount of memory: a compressed record unpacks to 1 GiB, a ``bytearray`` is as long as it is
asked to be, a tensor repeats one value 10^10 times. Here nothing comes of it that is larger than
the file.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from c2l.errors import BadInputError

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_PICKLE = 16 << 20
# Tensors may share memory (tied weights), but not endlessly.
MOST_SHARING = 4
# What begins a file of torch before 1.6.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


@dataclass(frozen=True)
class _Kind:
    """A class of storages, by the name of its dtype."""

    dtype: str


@dataclass(frozen=True)
class _Storage:
    kind: _Kind
    key: str
    count: int


@dataclass(frozen=True)
class _Piece:
    """A tensor: a part of a storage."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def sound(self) -> bool:
        """Whether it lies inside its storage and repeats none of it."""
        numbers = (self.offset, *self.size, *self.stride)
        if not all(type(n) is int and n >= 0 for n in numbers):
            return False
        if len(self.size) != len(self.stride) or len(self.size) > 16:
            return False
        if 0 in self.size:
            return True
        steps = zip(self.size, self.stride, strict=True)
        last = self.offset + sum((n - 1) * step for n, step in steps)
        return last < self.storage.count and prod(self.size) <= self.storage.count


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        found[_key(key)] = value
    return found


def _piece(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Piece:
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without a storage")
    return _Piece(storage, offset, tuple(size), tuple(stride))


def _first(value: Any, *_: Any) -> Any:
    return value


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _dictionary,
    ("torch._utils", "_rebuild_tensor_v2"): _piece,
    ("torch._utils", "_rebuild_parameter"): _first,
    **{("torch", f"{name}Storage"): _Kind(dtype) for name, dtype in _STORAGES.items()},
}


def _key(key: Any) -> Any:
    """A key that can be hashed in no time, which a tuple of tuples cannot."""
    if not isinstance(key, str | int):
        raise ValueError("a dictionary with keys that are neither texts nor numbers")
    return key


class _Bounded:
    """A file that gives no more than it has, whatever a pickle asks for."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._left = file, min(size, LARGEST_PICKLE)

    def read(self, count: int) -> bytes:
        found: bytes = self._file.read(min(count, self._left))
        self._left -= len(found)
        return found

    def readline(self) -> bytes:
        found: bytes = self._file.readline(self._left)
        self._left -= len(found)
        return found


# The one written in Python: that in C sets memory aside as the pickle asks for it.
class _Unpickler(pickle._Unpickler):
    """Makes dictionaries, lists, numbers, texts and descriptions of tensors; nothing else."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    # Of the class above, which no stub describes.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}"[:200])
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise ValueError("a reference to what is no storage")
        _, kind, key, _, count = pid[:5]
        if not isinstance(kind, _Kind) or type(count) is not int or count < 0:
            raise ValueError("a storage of no known type or size")
        if any(part is not None for part in pid[5:]):
            raise ValueError("a storage that is a part of another")
        return _Storage(kind, str(key), count)

    def _build(self) -> None:
        self.stack.pop()  # attributes of objects are of no use

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._dictionary()[_key(key)] = value

    def _set_items(self) -> None:
        items = self.pop_mark()
        self._dictionary().update(
            {_key(k): v for k, v in zip(items[::2], items[1::2], strict=True)}
        )

    def _dictionary(self) -> dict[Any, Any]:
        if type(self.stack[-1]) is not dict:
            raise ValueError("items for what is no dictionary")
        found: dict[Any, Any] = self.stack[-1]
        return found

    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    for _code in (pickle.DICT, pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
        dispatch.pop(_code[0], None)
    for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEWOBJ_EX, pickle.INST):
        dispatch.pop(_code[0], None)


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
                isinstance(k, str) and isinstance(v, _Piece) for k, v in value.items()
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


def _open_zip(file: BinaryIO, size: int) -> tuple[Any, Callable[[_Storage, int], bytes]]:
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

    def read(storage: _Storage, needed: int) -> bytes:
        if records[f"{folder}data/{storage.key}"].file_size != needed:
            raise ValueError(f"storage {storage.key} is not of its declared size")
        return archive.read(f"{folder}data/{storage.key}")

    with archive.open(start) as pickled:
        return _Unpickler(_Bounded(pickled, records[start].file_size)).load(), read


def _open_old(file: BinaryIO, size: int) -> tuple[Any, Callable[[_Storage, int], bytes]]:
    """The format before torch 1.6: pickles, then the storages, each behind its count."""

    def load() -> Any:
        return _Unpickler(_Bounded(file, size)).load()

    if load() != _MAGIC or load() != _PROTOCOL:
        raise ValueError("it was not written by torch")
    if not load()["little_endian"]:
        raise ValueError("its values are big-endian")
    value, keys = load(), [str(key) for key in load()]
    place = file.tell()
    places: dict[str, int] = {}

    def read(storage: _Storage, needed: int) -> bytes:
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


def _storages(value: Any) -> list[_Storage]:
    """All storages a value of nested dictionaries and lists refers to."""
    found, waiting, seen = [], [value], set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, _Piece):
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
    pieces: dict[str, _Piece], read: Callable[[_Storage, int], bytes], size: int
) -> dict[str, Tensor]:
    import torch

    total = sum(prod(p.size) * _width(p.storage.kind.dtype) for p in pieces.values() if p.sound)
    if total > MOST_SHARING * size or not all(piece.sound for piece in pieces.values()):
        raise ValueError("its tensors are larger than what it holds")
    flat: dict[_Storage, Tensor] = {}
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
