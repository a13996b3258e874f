"""The one home of image decoding: any photo file becomes an (H, W, 3) array by written rules.

- EXIF orientation is applied unless ``turn`` is false; EXIF that cannot be read counts as upright.
- Greyscale becomes three equal channels; 1-bit becomes 0 and 255.
- CMYK, YCCK and YCbCr become RGB by Pillow, which undoes Adobe's inverted CMYK itself;
  colour profiles are not applied.
- A palette becomes RGB. Transparency of any kind (alpha, a transparent colour or index) is
  composited on white (not the one transparent colour of a 16-bit RGB PNG, which stays).
- 16 bits a channel keep their high byte (value >> 8); floating point is refused.
- An animation or a file of many pages gives its first frame.
- A JPEG of more than 200 scans is refused (ordinary ones have at most 10): each scan goes over
  all pixels again, so that a small file could take hours.
- A truncated or otherwise broken file, one of no pixels, and one whose header declares more
  than ``max_pixels`` is refused. The extension is not believed: the content decides.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from c2l.errors import BadInputError, C2LError
from c2l.runtime.files import unreadable

MAX_PIXELS = 8944 * 8944
MOST_SCANS = 200
_START_OF_SCAN = b"\xff\xda"
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")

# Most pixels that a byte of a file can hold. A block of 64 takes a bit of JPEG at least; twice
# that, to be safe. A byte of PNG unpacks to 1032, of eight pixels at most. Where less is there,
# the decoders set the memory aside first, and that of JPEG fills what is missing with grey and
# says nothing: 631 bytes became 64 Mpixel.
_PIXELS_A_BYTE = {"JPEG": 1024, "MPO": 1024, "PNG": 8 * 1032}

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width

# Pillow warns of oddities that the rules above decide. A filter at import and not
# warnings.catch_warnings, which would swap the process's filters under the other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class ImageHeader:
    """What a file's header says.

    Attributes:
        height, width: in pixels, after EXIF orientation where ``turned``.
        format, mode: Pillow's names.
        orientation: of EXIF, 1 to 8; 1 is upright.
        turned: whether the orientation is applied.
    """

    height: int
    width: int
    format: str
    mode: str
    orientation: int = 1
    turned: bool = True

    @property
    def other_size(self) -> tuple[int, int]:
        """(height, width) with the orientation applied where it is not, and the reverse."""
        size = (self.height, self.width)
        return size[::-1] if self.orientation in _SIDEWAYS else size

    @property
    def fits_either_way(self) -> bool:
        """Whether EXIF turns the image and leaves its size, so that a mask's size tells nothing."""
        return self.orientation in _TRANSPOSE and self.other_size == (self.height, self.width)


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS, turn: bool = True) -> ImageHeader:
    """The header of an image file; pixels are not decoded.

    Args:
        path: the file.
        max_pixels: most pixels it may declare.
        turn: apply EXIF orientation.

    Raises:
        BadInputError: as ``read_rgb``, as far as a header shows it.
    """
    with open_image(path, FORMATS, max_pixels) as image:
        width, height = image.size
        orientation = _orientation(image)
        _check_stored(image, path, turn=turn)
        if turn and orientation in _SIDEWAYS:
            width, height = height, width
        return ImageHeader(height, width, str(image.format), image.mode, orientation, turn)


def read_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels after EXIF orientation, from the header alone.

    Raises:
        BadInputError: as ``read_rgb``, as far as a header shows it.
    """
    header = read_header(path)
    return header.height, header.width


def read_rgb(
    path: Path, *, size: int | None = None, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """An image file as RGB; safe to call from many threads.

    Args:
        path: the file.
        size: resize to (size, size) whatever the aspect, bilinear with antialiasing; a JPEG
            is first decoded at the smallest of 1/1, 1/2, 1/4, 1/8 that has twice the pixels
            a side.
        max_pixels: most pixels a header may declare.

    Returns:
        (H, W, 3) uint8 sRGB values 0 to 255, H and W those of ``read_size`` or ``size``.

    Raises:
        BadInputError: the file is missing, no image, broken, empty or too large.
    """
    return read_photo(path, size=size, max_pixels=max_pixels)[0]


def read_photo(
    path: Path, *, size: int | None = None, max_pixels: int = MAX_PIXELS, turn: bool = True
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """An image as ``read_rgb`` gives it, and its own (height, width), the file opened once.

    ``turn`` applies EXIF orientation; without it the image is read as it is stored.

    Raises:
        BadInputError: as ``read_rgb``.
    """
    with open_image(path, FORMATS, max_pixels) as image:
        width, height = image.size
        _check_stored(image, path, turn=turn)
        _check_scans(image, path)
        box = _draft(image, size)
        image.load()
        orientation = _orientation(image) if turn else 1
        rgb = _to_rgb(image, path)
        if size is not None:
            rgb = rgb.resize((size, size), Image.Resampling.BILINEAR, box=box)
        if orientation in _TRANSPOSE:
            rgb = rgb.transpose(_TRANSPOSE[orientation])
        turned = (width, height) if orientation in _SIDEWAYS else (height, width)
        return np.array(rgb, dtype=np.uint8), turned


def rgb_in_memory(
    image: Image.Image | NDArray[np.uint8], *, size: int
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """An image in memory as ``read_photo`` gives one from a file.

    Args:
        image: of Pillow (its EXIF orientation is applied), or an array (H, W), (H, W, 3) or
            (H, W, 4) uint8: grey, RGB, or RGB with alpha, which is composited on white.
        size: resized to (size, size), bilinear with antialiasing.

    Returns:
        (size, size, 3) uint8, and the image's own (height, width).

    Raises:
        BadInputError: an array of another shape or dtype, an image of no pixels or of floats, or
            something else.
    """
    here = Path("<image>")
    if isinstance(image, np.ndarray):
        plausible = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
        if image.dtype != np.uint8 or not plausible:
            raise BadInputError(
                here,
                "expected an array (H, W), (H, W, 3) or (H, W, 4) of uint8, found "
                f"{image.shape} of {image.dtype}",
                hint="scale values to 0..255 and convert them: array.astype(numpy.uint8)",
            )
        image = Image.fromarray(image) if image.size else Image.new("RGB", (0, 0))
    if not isinstance(image, Image.Image):
        found = type(image).__name__
        raise BadInputError(here, f"expected a path, a Pillow image or an array, found {found}")
    if 0 in image.size:
        raise BadInputError(here, "expected an image, found one of no pixels")
    upright = ImageOps.exif_transpose(image)
    rgb = _to_rgb(upright, here).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(rgb, dtype=np.uint8), (upright.height, upright.width)


@contextmanager
def open_image(path: Path, formats: tuple[str, ...], max_pixels: int) -> Iterator[Image.Image]:
    """An image opened for reading, its header checked; every failure is a BadInputError.

    Args:
        path: the file.
        formats: the Pillow formats that are let in.
        max_pixels: most pixels the header may declare.
    """
    try:
        _check_file(path)
        with _Bounded(path) as file, Image.open(file, formats=formats) as image:
            _check_size(image, path, max_pixels)
            yield image
    except (C2LError, MemoryError):
        raise
    except UnidentifiedImageError:
        expected = ", ".join(formats)
        raise BadInputError(path, f"expected an image ({expected}), found something else") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path, "far more pixels", max_pixels) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # of the system, no decoder's
            raise unreadable(path, error) from None
        # Decoders meet broken bytes with OSError, SyntaxError, ValueError, struct.error, ...
        reason = str(error) or type(error).__name__
        raise BadInputError(path, f"the image cannot be decoded: {reason}") from None


class _Bounded(io.BufferedReader):
    """A file that sets aside no more memory than it has bytes, whatever length a chunk declares."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise BadInputError(path, "expected an image file, found a folder or a device")
    if status.st_size == 0:
        raise BadInputError(path, "expected an image, found an empty file")


def _check_size(image: Image.Image, path: Path, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise BadInputError(path, f"expected an image, found one of {width} x {height} pixels")
    if width * height > max_pixels:
        raise _too_large(path, f"{width} x {height}", max_pixels)
    held = path.stat().st_size
    if width * height > held * _PIXELS_A_BYTE.get(str(image.format), max_pixels):
        raise BadInputError(
            path,
            f"the image cannot be decoded: the header declares {width} x {height} pixels, "
            f"but the file holds {held} bytes",
        )


def _check_scans(image: Image.Image, path: Path) -> None:
    if image.format not in ("JPEG", "MPO"):
        return
    # In a scan's own bytes 0xFF is followed by 0 or a restart marker, never by this one.
    scans = path.read_bytes().count(_START_OF_SCAN)
    if scans > MOST_SCANS:
        raise BadInputError(path, f"expected at most {MOST_SCANS} scans in a JPEG, found {scans}")


def _too_large(path: Path, found: str, max_pixels: int) -> BadInputError:
    return BadInputError(
        path,
        f"expected at most {max_pixels} pixels, the header declares {found}",
        hint="make the image smaller, or leave it out",
    )


def _check_stored(image: Image.Image, path: Path, *, turn: bool) -> None:
    if turn or not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    if image.tag_v2.get(ExifTags.Base.Orientation, 1) != 1:
        raise BadInputError(
            path,
            "expected a photo that can be read as stored, found a TIFF with an orientation",
            hint="save its pixels as they should be seen, without the orientation",
        )


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns a TIFF itself while it loads, and gives the turned size before
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever the broken bytes raise, the picture itself may be fine
        return 1


def _draft(image: Image.Image, size: int | None) -> tuple[float, float, float, float] | None:
    """Choose a JPEG's decoding scale; the part of the decoded picture that the photo fills."""
    if size is None or image.format not in ("JPEG", "MPO"):
        return None
    drafted = image.draft(None, (2 * size, 2 * size))
    return None if drafted is None else drafted[1]


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _high_byte(image, path)
    if image.mode == "F":
        raise BadInputError(
            path,
            "expected integer pixels, found floating point",
            hint="convert it to 8 or 16 bits: its range of values is not known",
        )
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _high_byte(image: Image.Image, path: Path) -> Image.Image:
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise BadInputError(path, "expected at most 16 bits a pixel, found larger values")
    grey = (values >> 8).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
