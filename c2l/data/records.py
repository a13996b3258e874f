"""A photo with its mask, read by the choices that were made for its data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from c2l.data.images import ImageHeader, read_header, read_photo
from c2l.data.masks import Mask, fitted, read_mask
from c2l.errors import BadInputError


class MaskSource(Protocol):
    """Label ids of a photo that no file holds as they are."""

    def read(self) -> Mask:
        """The label ids, (H, W)."""

    def sha256(self) -> str:
        """Of all that decides them."""


@dataclass(frozen=True)
class Choices:
    """What the user says of a data set, where its files do not.

    Attributes:
        images: the folder of photos, in the data set or anywhere.
        masks: the folder of masks, or the file of annotations that holds them.
        labels: the label space: a published name or a file of names.
        exif: "apply" turns photos as EXIF says, "ignore" reads them as stored.
        mask_size: "exact" refuses masks of another size, "nearest" resizes those of the same
            shape.
        on_error: "fail" refuses a data set with files that cannot be used, "skip" leaves them out.
    """

    images: str | None = None
    masks: str | None = None
    labels: str | None = None
    exif: str = "apply"
    mask_size: str = "exact"
    on_error: str = "fail"

    @classmethod
    def of(cls, options: Any) -> Choices:
        """Those among a stage's options."""
        return cls.stored(vars(options))

    @classmethod
    def stored(cls, values: dict[str, Any]) -> Choices:
        """Those among options that an artifact holds."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


@dataclass(frozen=True)
class Record:
    """One photo of a data set.

    Attributes:
        name: the photo's path relative to its image folder, posix, with suffix; unique.
        image: the image file.
        mask: the mask file, or the file that holds the mask of this photo; None without one.
        turn: whether EXIF orientation is applied.
        nearest: whether a mask of another size but the same shape is resized.
        drawn: gives the label ids where the mask's file does not hold them as they are.
    """

    name: str
    image: Path
    mask: Path | None
    turn: bool = True
    nearest: bool = False
    drawn: MaskSource | None = None

    def header(self) -> ImageHeader:
        """The photo's header.

        Raises:
            BadInputError: as ``images.read_header``.
        """
        return read_header(self.image, turn=self.turn)

    def size(self) -> tuple[int, int]:
        """(height, width) of the photo in pixels, by its header.

        Raises:
            BadInputError: as ``images.read_header``.
        """
        header = self.header()
        return header.height, header.width

    def photo(self, size: int | None = None) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The photo and its own (height, width), as ``images.read_photo`` gives them.

        Raises:
            BadInputError: as ``images.read_photo``.
        """
        return read_photo(self.image, size=size, turn=self.turn)

    def stored_labels(self) -> Mask:
        """The raw label ids at the mask's own size, where they show whether it is sound.

        Raises:
            BadInputError: there is no mask, or it cannot be read.
        """
        if self.mask is None:
            raise BadInputError(self.image, "has no mask")
        return read_mask(self.mask) if self.drawn is None else self.drawn.read()

    def mask_sums(self, of_file: Callable[[Path], str]) -> list[str]:
        """The SHA-256 of what the mask was read from, none without a mask.

        Args:
            of_file: gives that of a file.
        """
        if self.drawn is not None:
            return [self.drawn.sha256()]
        return [] if self.mask is None else [of_file(self.mask)]

    def fit(self, stored: Mask, header: ImageHeader) -> Mask:
        """The raw label ids at the photo's size, (H, W).

        Raises:
            BadInputError: the mask's size is not the photo's.
        """
        return fitted(stored, header, self.mask or self.image, nearest=self.nearest)

    def labels(self) -> Mask:
        """Both in one."""
        return self.fit(self.stored_labels(), self.header())
