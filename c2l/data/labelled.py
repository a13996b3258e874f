"""Photos with their masks, as scoring reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.data.images import read_rgb, read_size
from c2l.data.labels import LabelSpace, folder_space
from c2l.data.layouts import Dataset, Record
from c2l.data.masks import check_mask_size, read_mask
from c2l.data.reading import open_images
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.pool import ordered_map


@dataclass(frozen=True)
class Labelled:
    """A photo and its mask.

    Attributes:
        pixels: (S, S, 3) uint8, resized.
        mask: (H, W) raw label ids at the photo's own size.
        sha256: of both files' bytes.
    """

    name: str
    pixels: NDArray[np.uint8]
    mask: NDArray[Any]
    sha256: str


def content_sha256(record: Record) -> str:
    """Digest of a photo's and its mask's bytes."""
    return joined_sha256([sha256_file(p) for p in (record.image, record.mask) if p is not None])


def joined_sha256(parts: Sequence[str]) -> str:
    """One digest of the hashes of several files."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def labelled(data: Path, split: str | None) -> Dataset:
    dataset = open_images(data, split, labelled_only=True)
    if not dataset.records:
        raise BadInputError(
            data, "no image of it has a mask", hint="see what it holds: c2l data check DIR"
        )
    return dataset


def none_read(dataset: Dataset) -> BadInputError:
    """The error where every labelled image of a data set is broken."""
    return BadInputError(
        dataset.root,
        "not one labelled image could be read",
        hint=f"see why: c2l data check {dataset.root}",
    )


def found_space(dataset: Dataset) -> LabelSpace:
    """The label space of a folder whose labels nobody named, from the ids in its masks."""
    ids: set[int] = set()
    masks = (record.mask for record in dataset.records if record.mask is not None)
    for mask in ordered_map(read_mask, masks):
        ids |= {int(v) for v in np.unique(mask)}
    return folder_space(ids)


def read_labelled(size: int) -> Callable[[Record], Labelled]:
    """Reads a photo at (size, size) with its mask."""

    def read(record: Record) -> Labelled:
        if record.mask is None:
            raise BadInputError(record.image, "has no mask")
        with unchanged(record.image, record.mask):
            pixels = read_rgb(record.image, size=size)
            mask = read_mask(record.mask)
            check_mask_size(mask, read_size(record.image), record.mask)
            return Labelled(record.name, pixels, mask, content_sha256(record))

    return read


def raw_ids(mask: NDArray[Any], labels: int) -> NDArray[np.uint8]:
    """Raw ids as uint8, what lies outside the label space as ignore."""
    outside = (mask < 0) | (mask >= labels)
    return np.where(outside, schema.IGNORE, mask).astype(np.uint8)
