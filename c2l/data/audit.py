"""Finds what is odd about masks: blended borders, noise of compression, other palettes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.data.images import MAX_PIXELS, open_image
from c2l.data.masks import Mask, read_mask
from c2l.errors import BadInputError

# Share of the borders between labels at which a value between the two stands, and share of the
# border pixels that are alone with their value. Of 991 masks drawn by people or networks (CCP,
# LIP, VITON, mattes) the most were 0.021 and 0.042; masks of them resized with blending had 0.33
# and more of the first, saved as JPEG of any quality 0.095 and more of the second.
_MOST_RAMPS, _MOST_ALONE = 0.15, 0.075
# Fewer such places prove nothing.
_LEAST_PLACES = 24


def oddity(mask: Mask) -> str | None:
    """What shows that the values of a mask are not the ids that were drawn, or None.

    Args:
        mask: (H, W) raw label ids.
    """
    height, width = mask.shape
    if height < 3 or width < 3:
        return None
    across = mask[:, 1:] != mask[:, :-1]
    down = mask[1:] != mask[:-1]
    if not across.any() and not down.any():
        return None
    both = (_ramps(mask, across), _ramps(mask.T, down.T))
    # A thin label, as a belt is, stands between two others too, but in one direction only.
    blended = all(
        ramps > _MOST_RAMPS * borders for ramps, borders in both if borders >= _LEAST_PLACES
    )
    if blended and sum(ramps for ramps, _ in both) >= _LEAST_PLACES:
        return (
            "its borders are blended: between two labels stand values between them, as resizing "
            "with interpolation, smoothing or a soft matte leaves them"
        )
    sides = np.stack([across[1:-1, :-1], across[1:-1, 1:], down[:-1, 1:-1], down[1:, 1:-1]])
    alone, edges = np.count_nonzero(sides.all(axis=0)), np.count_nonzero(sides.any(axis=0))
    if alone >= _LEAST_PLACES and alone > _MOST_ALONE * edges:
        return "it is noisy: single pixels of other values, as JPEG compression leaves them"
    return None


CURE = "draw or export it again as PNG; resize masks with nearest neighbour only"


def _ramps(mask: Mask, steps: NDArray[np.bool_]) -> tuple[int, int]:
    """Values between those of both neighbours in a row; and borders between values 2 apart."""
    rows, columns = np.nonzero(steps[:, :-1])
    first, middle, last = (mask[rows, columns + i].astype(np.int32) for i in range(3))
    between = ((first < middle) & (middle < last)) | ((first > middle) & (middle > last))
    rows, columns = np.nonzero(steps)
    apart = np.abs(mask[rows, columns].astype(np.int32) - mask[rows, columns + 1]) >= 2
    ramps = int(np.count_nonzero(between))
    return ramps, int(np.count_nonzero(apart))


def other_palettes(paths: Iterable[Path]) -> dict[Path, str]:
    """Masks in which a colour has another index than in most, and what is odd about each.

    Editors that number colours anew for each file do that: the same part is 1 here and 2 there.
    No pixel is read where all palettes are the same.

    Args:
        paths: masks; those that are no indexed PNGs, or broken, are passed over.
    """
    palettes = {path: palette for path in paths if (palette := _palette(path)) is not None}
    if len(set(palettes.values())) < 2:
        return {}
    used = {path: _used_colours(path, palette) for path, palette in palettes.items()}
    counts: dict[bytes, Counter[int]] = defaultdict(Counter)
    for colours in used.values():
        for colour, index in colours.items():
            counts[colour][index] += 1
    most = {colour: found.most_common(1)[0][0] for colour, found in counts.items()}
    return {
        path: f"its palette is in another order: colour {tuple(colour)} is id {index} here, "
        f"{most[colour]} in most masks"
        for path, colours in used.items()
        for colour, index in colours.items()
        if index != most[colour]
    }


def _palette(path: Path) -> bytes | None:
    """The palette of an indexed PNG."""
    if path.suffix.lower() != ".png":
        return None
    try:
        with open_image(path, ("PNG",), MAX_PIXELS) as image:
            return bytes(image.getpalette("RGB") or ()) if image.mode == "P" else None
    except BadInputError:
        return None


def _used_colours(path: Path, palette: bytes) -> dict[bytes, int]:
    """Index by colour of those that occur; empty where two have one colour, which tells nothing."""
    try:
        indices = np.unique(read_mask(path)).tolist()
    except BadInputError:
        return {}
    colours = {palette[3 * i : 3 * i + 3]: i for i in indices if 3 * i + 3 <= len(palette)}
    return colours if len(colours) == len(indices) else {}
