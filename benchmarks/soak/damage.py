"""Ways in which disks, copies and people damage a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Sizes of the ranges that are zeroed, copied or repeated: a few bytes to whole blocks.
_LONGEST = 4096


def _range(data: bytes, random: Any) -> tuple[int, int]:
    length = min(len(data), int(2 ** random.uniform(0, _LONGEST.bit_length() - 1)))
    start = int(random.integers(0, len(data) - length + 1))
    return start, start + length


def flip_a_bit(data: bytes, random: Any) -> bytes:
    """One bit."""
    place, bit = divmod(int(random.integers(0, 8 * len(data))), 8)
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def flip_bits(data: bytes, random: Any) -> bytes:
    """Two to sixteen bits."""
    for _ in range(int(random.integers(2, 17))):
        data = flip_a_bit(data, random)
    return data


def set_bytes(data: bytes, random: Any) -> bytes:
    """A few bytes to values that are likely to be limits."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        changed[int(random.integers(0, len(data)))] = int(random.choice([0, 1, 127, 128, 254, 255]))
    return bytes(changed)


def truncate(data: bytes, random: Any) -> bytes:
    """The end is missing."""
    return data[: int(random.integers(0, len(data)))]


def zero(data: bytes, random: Any) -> bytes:
    """A range of zeros, as a hole in a file reads."""
    start, end = _range(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def repeat(data: bytes, random: Any) -> bytes:
    """A range is there twice, all behind it moved."""
    start, end = _range(data, random)
    return data[:end] + data[start:]


def overwrite(data: bytes, random: Any) -> bytes:
    """A range lies in another one's place."""
    start, end = _range(data, random)
    to = int(random.integers(0, len(data) - (end - start) + 1))
    return data[:to] + data[start:end] + data[to + end - start :]


def cut(data: bytes, random: Any) -> bytes:
    """A range is missing."""
    start, end = _range(data, random)
    return data[:start] + data[end:]


def append(data: bytes, random: Any) -> bytes:
    """Something follows."""
    return data + random.bytes(int(random.integers(1, 64)))


WAYS: dict[str, Callable[[bytes, Any], bytes]] = {
    way.__name__: way
    for way in (flip_a_bit, flip_bits, set_bytes, truncate, zero, repeat, overwrite, cut, append)
}
