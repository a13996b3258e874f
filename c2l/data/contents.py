"""Tells masks from photos, and copies from photos, by what the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.data.decoding import evenly
from c2l.data.images import FORMATS, MAX_PIXELS, open_image, read_rgb, read_size
from c2l.errors import BadInputError

# How surely a file is a mask and no photo; a picture of few colours may be either.
PHOTO, FEW_COLOURS, FEW_VALUES, INDEXED = 0.0, 1.0, 2.0, 3.0
_SAMPLE = 5
# Too few pixels to judge by.
_LEAST_PIXELS = 1024
# Pixels a side that are counted: every n-th of a larger picture.
_SIDE = 256
# Most values or colours of a mask, and the least share of the pixels that they cover: soft
# borders and noise take up the rest.
_VALUES, _VALUES_SHARE = 16, 0.85
_COLOURS, _COLOURS_SHARE = 32, 0.95
# Compression spreads each value over its neighbours, which are counted as one; a photo fills
# many of these steps.
_STEP, _STEPS, _STEPS_SHARE = 16, 4, 0.95
_COLOUR_STEP = 8
_COPY_SIDE, _COPY_DIFFERENCE = 16, 10.0


def maskness(files: Sequence[Path], *, headers_only: bool = False) -> float | None:
    """How surely some files of one kind are masks: the median of a sample of them.

    Args:
        files: of one folder and format.
        headers_only: decode no file in colour; it counts as a photo.

    Returns:
        ``PHOTO`` to ``INDEXED``; None where no file of the sample can be judged.
    """
    sample = (files[i] for i in evenly(len(files), _SAMPLE))
    found = [_maskness(path, headers_only=headers_only) for path in sample]
    known = sorted(value for value in found if value is not None)
    return known[(len(known) - 1) // 2] if known else None


def are_smaller_copies(pairs: Sequence[tuple[Path, Path]]) -> bool:
    """Whether the first file of each pair is the second one's picture with fewer pixels."""
    try:
        return bool(pairs) and all(_is_smaller_copy(*pair) for pair in pairs)
    except BadInputError:
        return False


def _maskness(path: Path, *, headers_only: bool) -> float | None:
    if path.suffix.lower() == ".mat":
        return INDEXED
    try:
        with open_image(path, FORMATS, MAX_PIXELS) as image:
            if image.width * image.height < _LEAST_PIXELS:
                return None
            single = image.mode in ("1", "L", "P") or image.mode.startswith("I")
            if headers_only and not single:
                return PHOTO
            lossy = image.format in ("JPEG", "MPO", "WEBP")
            image.load()
            step = (-(-image.height // _SIDE), -(-image.width // _SIDE))
            values = np.asarray(image)[:: step[0], :: step[1]]
            if not single:
                values = np.asarray(image.convert("RGB"))[:: step[0], :: step[1]]
    except BadInputError:
        return None
    if single and lossy:
        return FEW_COLOURS if _few(values // _STEP, _STEPS, _STEPS_SHARE) else PHOTO
    if single:
        indexed = INDEXED if image.mode in ("1", "P") else FEW_VALUES
        return indexed if _few(values, _VALUES, _VALUES_SHARE) else PHOTO
    packed = (values // (_COLOUR_STEP if lossy else 1)).astype(np.int64) @ np.array(
        [1 << 16, 1 << 8, 1]
    )
    return FEW_COLOURS if _few(packed, _COLOURS, _COLOURS_SHARE) else PHOTO


def _few(values: NDArray[np.generic], most: int, share: float) -> bool:
    """Whether the most frequent values cover that share of the pixels."""
    counts = np.sort(np.unique(values, return_counts=True)[1])[::-1]
    return bool(counts[:most].sum() >= share * counts.sum())


def _is_smaller_copy(path: Path, original: Path) -> bool:
    (height, width), (full_height, full_width) = read_size(path), read_size(original)
    if height >= full_height or width >= full_width:
        return False
    # The sides of a copy are rounded to whole pixels.
    if abs(height * full_width - width * full_height) > max(full_height, full_width):
        return False
    both = [_tiny(read_rgb(file)) for file in (path, original)]
    return float(np.abs(both[0] - both[1]).mean()) < _COPY_DIFFERENCE


def _tiny(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    small = Image.fromarray(rgb).resize((_COPY_SIDE, _COPY_SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)
