"""The one home of mask decoding: a label file becomes an array of raw label ids.

A mask is read as it is stored: indexed PNG gives its indices, grey PNG its values at the
stored bit depth (1 to 16), MATLAB's .mat its integer array. No EXIF turns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.data.images import MAX_PIXELS, open_image
from c2l.data.matfile import require_sound_sizes
from c2l.errors import BadInputError

MASK_SUFFIXES = (".png", ".mat")
MAT_KEY = "groundtruth"

Mask = NDArray[np.uint8] | NDArray[np.uint16]

# Pillow spreads 2- and 4-bit grey over 0..255; label ids need the stored values back.
_GREY_SPREAD = {"L;2": 85, "L;4": 17}
_MAT_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
_MAT_NUMBERS = _MAT_INTEGERS | {"double", "single", "logical"}


def read_mask(path: Path, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """The raw label ids of a mask file; safe to call from many threads.

    Args:
        path: a ``.png`` or ``.mat`` file.
        max_pixels: most pixels a header may declare.

    Returns:
        (H, W) uint8, or uint16 where the file stores 16 bits or ids above 255.

    Raises:
        BadInputError: the file is missing, broken, too large or holds no label ids.
    """
    if path.suffix.lower() == ".mat":
        return _read_mat(path, max_pixels)
    return _read_png(path, max_pixels)


def check_mask_size(mask: Mask, size: tuple[int, int], path: Path) -> None:
    """Refuse a mask that is not as large as its image.

    Args:
        mask: (H, W) label ids.
        size: (height, width) of the image in pixels.
        path: the mask's file, for the message.

    Raises:
        BadInputError: the sizes differ.
    """
    if mask.shape != size:
        raise BadInputError(
            path,
            f"expected a mask of the image's {size[0]} x {size[1]} pixels (height x width), "
            f"found {mask.shape[0]} x {mask.shape[1]}",
        )


def resize_labels(labels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a label map by nearest neighbour.

    Args:
        labels: (H, W) uint8.
        size: (height, width) of the result.
    """
    rows = (np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]
    resized: NDArray[np.uint8] = labels[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
    return resized


def _read_png(path: Path, max_pixels: int) -> Mask:
    with open_image(path, ("PNG",), max_pixels) as image:
        spread = _grey_spread(image)
        image.load()
        values = np.array(image)
        if image.mode == "1":
            return values.astype(np.uint8)
        if image.mode in ("L", "P"):
            ids: NDArray[np.uint8] = values.astype(np.uint8) // np.uint8(spread)
            return ids
        if image.mode == "I" or image.mode.startswith("I;16"):
            return _ids(values, path)
        raise BadInputError(
            path,
            f"expected an indexed or grey mask of label ids, found a colour picture ({image.mode})",
            hint="save the label ids themselves, one a pixel, as an indexed or grey PNG",
        )


def _grey_spread(image: Image.Image) -> int:
    tiles = getattr(image, "tile", [])
    raw_mode = tiles[0][3] if tiles else None
    return _GREY_SPREAD.get(raw_mode, 1) if isinstance(raw_mode, str) else 1


def _read_mat(path: Path, max_pixels: int) -> Mask:
    from scipy.io import loadmat, whosmat

    try:
        require_sound_sizes(path)
        listing = whosmat(str(path), appendmat=False)
        key, shape = _mat_variable(listing, path)
        if int(np.prod(shape, dtype=object)) > max_pixels:
            raise BadInputError(path, f"expected at most {max_pixels} pixels, found {shape}")
        values = loadmat(str(path), appendmat=False, variable_names=[key])[key]
    except (BadInputError, MemoryError):
        raise
    except NotImplementedError:
        raise BadInputError(
            path,
            "expected a MATLAB file up to version 7, found version 7.3 (HDF5)",
            hint="save it with -v7, or the mask as an indexed PNG",
        ) from None
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # scipy meets broken bytes with ValueError, TypeError, zlib.error, struct.error, ...
        reason = str(error) or type(error).__name__
        raise BadInputError(path, f"the MATLAB file cannot be decoded: {reason}") from None
    return _ids(np.asarray(values), path)


def _mat_variable(
    listing: Sequence[tuple[str, Any, str]], path: Path
) -> tuple[str, tuple[int, ...]]:
    """The name and shape of the variable that is the mask."""
    for name, shape, kind in listing:
        if name == MAT_KEY:
            if kind not in _MAT_NUMBERS:
                raise BadInputError(path, f"expected a 2-D array of label ids, found a {kind}")
            return name, tuple(shape)
    found = [(n, tuple(s)) for n, s, kind in listing if len(s) == 2 and kind in _MAT_INTEGERS]
    if len(found) == 1:
        return found[0]
    names = ", ".join(name for name, _, _ in listing) or "nothing"
    raise BadInputError(
        path, f"expected a variable '{MAT_KEY}' or a single 2-D integer one, found {names}"
    )


def _ids(values: NDArray[Any], path: Path) -> Mask:
    """Numbers as label ids: 2-D, whole, 0 to 65535."""
    if values.ndim != 2 or values.dtype.kind not in "uibf" or values.size == 0:
        raise BadInputError(
            path,
            f"expected a 2-D array of label ids, found shape {values.shape} of {values.dtype}",
        )
    low, high = values.min(), values.max()
    whole = values.dtype.kind != "f" or bool(np.all(values == np.floor(values)))
    if not whole or not low >= 0 or not high <= 0xFFFF:
        raise BadInputError(path, f"expected label ids 0 to 65535, found {low} to {high}")
    stored_wide = values.dtype == np.uint16
    if high <= 0xFF and not stored_wide:
        return values.astype(np.uint8)
    return values.astype(np.uint16)
