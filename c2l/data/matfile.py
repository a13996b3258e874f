"""The sizes a MATLAB file declares, looked at before they are believed.

A mask of 4 x 4 pixels may declare gigabytes of data, which scipy's reader would set aside or
unpack: 917,450 bytes became 900 MB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import BinaryIO

from c2l.errors import BadInputError

HEADER_BYTES = 128
# The flags, dimensions and name of a variable lie in the first bytes of it.
FRONT_BYTES = 4096
WIDEST_VALUE = 8
_MATRIX, _COMPRESSED = 14, 15
_VERSION = 0x0100
# Of the format: the classes double, single and the integers; the types of the flags, the
# dimensions and the name; the types that numbers are stored in. scipy takes an unknown type for
# a place in a table, and crashes.
_NUMERIC = range(6, 16)
_FLAGS, _SHAPE, _NAME = 6, 5, 1
_NUMBERS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)
_COMPLEX = 0x0800


def require_sound_sizes(path: Path) -> None:
    """Refuse a file whose variables hold more than their dimensions say.

    Args:
        path: the file.

    Raises:
        BadInputError: not of MATLAB 5 to 7; a size beyond the file, or data that do not fit the
            dimensions.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
            # A zero among the first four bytes is how scipy knows the format before 5.
            if order is None or 0 in header[:4]:
                raise ValueError("it is of no MATLAB from 5 to 7")
            if struct.unpack(f"{order}H", header[124:126])[0] != _VERSION:
                return  # 7.3, which the reader refuses by name
            while file.tell() < size:
                _check_element(file, order, size)
    except (ValueError, struct.error, zlib.error) as error:
        raise BadInputError(path, f"the MATLAB file cannot be decoded: {error}") from None


def _check_element(file: BinaryIO, order: str, size: int) -> None:
    kind, length = struct.unpack(f"{order}II", file.read(8))
    end = file.tell() + length
    if end > size:
        raise ValueError("it declares more than the file holds")
    front = file.read(min(length, FRONT_BYTES))
    if kind == _COMPRESSED:
        front = zlib.decompressobj().decompress(front, FRONT_BYTES)
        kind, length = struct.unpack(f"{order}II", front[:8])
        front = front[8:]
    if kind == _MATRIX and length:
        _check_variable(front, order)
    file.seek(end)


def _check_variable(front: bytes, order: str) -> None:
    """The parts are of their types, the data no longer than the dimensions ask for."""
    flags, place, _ = _part(front, 0, order, (_FLAGS,))
    shape, place, length = _part(front, place, order, (_SHAPE,))
    sides = struct.unpack(f"{order}{length // 4}i", shape)
    _, place, _ = _part(front, place, order, (_NAME,))
    about = struct.unpack(f"{order}I", flags[:4])[0]
    if about & 0xFF not in _NUMERIC:
        return  # a text, a cell, a structure: never read as a mask
    _, _, declared = _part(front, place, order, _NUMBERS, whole=False)
    if about & _COMPLEX:
        raise ValueError("a variable of complex numbers")
    if min(sides, default=0) < 0 or declared > WIDEST_VALUE * max(1, prod(sides)):
        raise ValueError(f"{declared} bytes for {' x '.join(map(str, sides))} values")


def _part(
    front: bytes, place: int, order: str, kinds: Collection[int], *, whole: bool = True
) -> tuple[bytes, int, int]:
    """The data of a part, the place of the next one, and the length in bytes."""
    kind, length = struct.unpack(f"{order}II", front[place : place + 8])
    small = kind >> 16  # up to four bytes, packed into the tag itself
    if kind & 0xFFFF not in kinds or small > 4:
        raise ValueError(f"a part of type {kind & 0xFFFF} where another belongs")
    if small:
        return front[place + 4 : place + 4 + small], place + 8, small
    data = front[place + 8 : place + 8 + length]
    if whole and len(data) < length:
        raise ValueError("a part of a variable is longer than it can be")
    return data, place + 8 + -(-length // 8) * 8, length
