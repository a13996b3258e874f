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

from c2l.data.images import MAX_PIXELS, ImageHeader, open_image
from c2l.data.matfile import require_sound_sizes
from c2l.errors import BadInputError

MASK_SUFFIXES = (".png", ".mat")
MAT_KEY = "groundtruth"
# Pixels of a colour picture whose colours are counted for the message.
_MOST_COUNTED = 1 << 20

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


def fitted(mask: Mask, header: ImageHeader, path: Path, *, nearest: bool = False) -> Mask:
    """A mask at the size of its photo.

    Args:
        mask: (H, W) label ids.
        header: of the photo.
        path: the mask's file, for the message.
        nearest: resize a mask of the photo's shape but another size, nearest neighbour.

    Raises:
        BadInputError: the sizes differ; names the cause where it can be told.
    """
    size = (header.height, header.width)
    if mask.shape == size:
        return mask
    alike = same_shape((mask.shape[0], mask.shape[1]), size)
    if nearest and alike:
        resized: Mask = resize_labels(mask, size)
        return resized
    raise WrongSizeError(path, mask, header, alike=alike)


class WrongSizeError(BadInputError):
    """A mask that is not as large as its photo.

    Attributes:
        cause: "exif", where it fits the photo but for its orientation; "scale", where it has
            the same shape; else "size".
    """

    def __init__(self, path: Path, mask: Mask, header: ImageHeader, *, alike: bool) -> None:
        found = f"found {mask.shape[0]} x {mask.shape[1]}"
        expected = f"{header.height} x {header.width} pixels (height x width)"
        problem, hint = f"expected a mask of the image's {expected}, {found}", None
        self.cause = "size"
        if mask.shape == header.other_size:
            self.cause = "exif"
            problem += (
                f": it fits the photo as stored, before EXIF orientation {header.orientation}"
                if header.turned
                else f": it fits the photo turned by EXIF orientation {header.orientation}"
            )
            hint = f"read the photos so: --exif {'ignore' if header.turned else 'apply'}"
        elif alike:
            self.cause = "scale"
            problem += ", of the same shape"
            hint = "resize such masks to their photos: --mask-size nearest"
        super().__init__(path, problem, hint=hint)


def same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two sizes are one shape, up to rounding to whole pixels."""
    (height, width), (other_height, other_width) = first, second
    return abs(height * other_width - width * other_height) < max(*first, *second)


def resize_labels(labels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize a label map by nearest neighbour.

    Args:
        labels: (H, W) ids of any integer dtype, which is kept.
        size: (height, width) of the result.
    """
    rows = (np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]
    resized: NDArray[Any] = labels[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
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
            f"expected an indexed or grey mask of label ids, found a colour picture ({image.mode})"
            + _like_grey(values),
            hint="save the label ids themselves, one per pixel, as an indexed or grey PNG",
        )


def _like_grey(values: NDArray[Any]) -> str:
    """A word more for a colour picture that holds no colours, or few."""
    if values.ndim != 3:
        return ""
    alpha = values.shape[2] in (2, 4)
    colours, last = (values[..., :-1] if alpha else values), values[..., -1]
    if (colours == colours[0, 0]).all():
        if alpha and (last != last[0, 0]).any():
            return ": its colour is the same everywhere, its alpha channel is not, keep that one"
        return " of one colour"
    if (colours == colours[..., :1]).all():
        return ": its colour channels are all the same, keep one of them"
    found = np.unique(colours.reshape(-1, colours.shape[2])[:_MOST_COUNTED], axis=0)
    return f" of {len(found)} colours" if len(found) <= 256 else ""


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
