"""Label Studio's run lengths: a mask as the bytes of a packed RGBA picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2l.data.shapes import run_lengths

# Bits of a run's length, by the two bits that say which.
SIZES = (3, 4, 8, 16)
WORD = 8


def brush_bytes(mask: NDArray[np.bool_]) -> list[int]:
    """A mask as bytes of the encoding of @thi.ng/rle-pack, as Label Studio's brush stores it.

    32 bits of the number of values, 5 bits of a value's size less 1, four times 4 bits of the sizes
    of lengths less 1; then runs: a bit 1, 2 bits for the size of the length, the length less 1, the
    value. A pixel is four equal values, 0 or 255.

    Args:
        mask: (H, W).
    """
    head = f"{4 * mask.size:032b}{WORD - 1:05b}" + "".join(f"{s - 1:04b}" for s in SIZES)
    words = [head]
    longest = 1 << SIZES[-1]
    for index, length in enumerate(run_lengths(mask.ravel())):
        left, value = 4 * length, 255 * (index % 2)
        while left:
            part = min(left, longest)
            which = next(i for i, bits in enumerate(SIZES) if part <= 1 << bits)
            words.append(f"1{which:02b}{part - 1:0{SIZES[which]}b}{value:08b}")
            left -= part
    bits = "".join(words)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
