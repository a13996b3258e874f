"""The marks in an HDF5 file's superblock that say that the file is open for writing."""

from __future__ import annotations

import struct

# Of a superblock of version 3 (HDF5 1.10): its bytes, and which of them hold version and marks.
SIZE, VERSION, MARKS = 48, 8, 11
# Open for writing; also to readers that know that it grows.
WRITING, GROWING = 1, 4
_LOW = 0xFFFFFFFF


def marks(superblock: bytes) -> int:
    """The marks; 0 of a superblock that has none."""
    return superblock[MARKS] if len(superblock) > MARKS and superblock[VERSION] == 3 else 0


def marked(superblock: bytes, marks: int) -> bytes:
    """A superblock of version 3 with other marks."""
    head = superblock[:MARKS] + bytes([marks]) + superblock[MARKS + 1 : SIZE - 4]
    return head + _checksum(head).to_bytes(4, "little")


def _checksum(head: bytes) -> int:
    """Bob Jenkins' lookup3 of the 44 bytes before the checksum, as HDF5's format demands."""
    words: tuple[int, ...] = struct.unpack("<11I", head)
    x = y = z = 0xDEADBEEF + len(head)
    for first in (0, 3, 6):
        x, y, z = x + words[first], y + words[first + 1], z + words[first + 2]
        for bits in (4, 6, 8, 16, 19, 4):
            x, y, z = y, z + y & _LOW, (x - z & _LOW) ^ _turned(z, bits)
    x, y, z = z, y + words[10], x + words[9]
    for bits in (14, 11, 25, 16, 4, 14, 24):
        x, y, z = z, (x ^ y) - _turned(y, bits) & _LOW, y
    return y


def _turned(word: int, bits: int) -> int:
    """Its 32 bits, rotated to the left."""
    word &= _LOW
    return (word << bits | word >> 32 - bits) & _LOW
