"""Makes of a pickle dictionaries, lists, numbers, texts and descriptions of tensors alone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

LARGEST_PICKLE = 16 << 20
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
class Kind:
    """A class of storages, by the name of its dtype."""

    dtype: str


@dataclass(frozen=True)
class Storage:
    kind: Kind
    key: str
    count: int


@dataclass(frozen=True)
class Piece:
    """A tensor: a part of a storage."""

    storage: Storage
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


def _piece(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Piece:
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    return Piece(storage, offset, tuple(size), tuple(stride))


def _first(value: Any, *_: Any) -> Any:
    return value


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _dictionary,
    ("torch._utils", "_rebuild_tensor_v2"): _piece,
    ("torch._utils", "_rebuild_parameter"): _first,
    **{("torch", f"{name}Storage"): Kind(dtype) for name, dtype in _STORAGES.items()},
}


def _key(key: Any) -> Any:
    """A key that can be hashed in no time, which a tuple of tuples cannot."""
    if not isinstance(key, str | int):
        raise ValueError("a dictionary with keys that are neither texts nor numbers")
    return key


class Bounded:
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
class Unpickler(pickle._Unpickler):
    """Makes dictionaries, lists, numbers, texts and descriptions of tensors; nothing else."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    # Of the class above, which no stub describes.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}"[:200])
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise ValueError("a reference to what is no storage")
        _, kind, key, _, count = pid[:5]
        if not isinstance(kind, Kind) or type(count) is not int or count < 0:
            raise ValueError("a storage of no known type or size")
        if any(part is not None for part in pid[5:]):
            raise ValueError("a storage that is a part of another")
        return Storage(kind, str(key), count)

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
