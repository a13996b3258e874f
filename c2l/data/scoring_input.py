"""Photos with their masks, as scoring reads them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.data.audit import CURE, oddity, other_palettes
from c2l.data.dataset import Dataset, open_images
from c2l.data.labels import LabelSpace, folder_space
from c2l.data.masks import Mask
from c2l.data.records import Record
from c2l.data.spaces import PERSON_SPACE, Meaning
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.pool import ordered_map

BINARY_HINT = f"255 is read as person by: --labels {PERSON_SPACE}"


@dataclass(frozen=True)
class Labels:
    """What the ids in a data set's masks mean, settled.

    Attributes:
        space: the label space.
        said: how that is known.
        binary: whether 255 is the second of two labels, and not ignored.
        odd: what is wrong with masks by their palettes.
    """

    space: LabelSpace
    said: str
    binary: bool = False
    odd: dict[Path, str] = field(default_factory=dict)

    def ids(self, mask: Mask) -> Mask:
        """The ids of a mask, 255 as 1 where masks are 0 and 255."""
        if self.binary:
            return np.where(mask == schema.IGNORE, np.uint8(1), mask)
        return mask


@dataclass(frozen=True)
class Labelled:
    """A photo and its mask.

    Attributes:
        pixels: (S, S, 3) uint8, resized.
        mask: (H, W) label ids at the photo's own size.
        sha256: of both files' bytes.
        either_way: whether EXIF turns the photo, and the mask fits it turned or as stored.
    """

    name: str
    pixels: NDArray[np.uint8]
    mask: NDArray[Any]
    sha256: str
    either_way: bool = False


def content_sha256(record: Record) -> str:
    """Digest of a photo's and its mask's bytes."""
    return joined_sha256([sha256_file(record.image), *record.mask_sums(sha256_file)])


def joined_sha256(parts: Sequence[str]) -> str:
    """One digest of the hashes of several files."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def open_labelled(data: Path, options: Any, split: str | None) -> Dataset:
    """The photos of a data set that have masks.

    Raises:
        BadInputError: as ``open_dataset``.
    """
    return open_images(data, options, split=split, labelled_only=True)


def none_read(dataset: Dataset) -> BadInputError:
    """The error where every labelled image of a data set is broken."""
    return BadInputError(
        dataset.root,
        "not one labelled image could be read",
        hint=f"see why: c2l data check {dataset.root}",
    )


def settle(dataset: Dataset) -> Labels:
    """What the ids mean; all masks are read where that depends on the ids that occur.

    Raises:
        BadInputError: masks of 0 and 255 whose labels nobody named, or some of 0 and 1 and some
            of 0 and 255.
    """
    records = [record for record in dataset.records if record.mask is not None]
    odd = other_palettes(r.mask for r in records if r.mask is not None and r.drawn is None)
    meaning, binary = dataset.meaning, False
    if meaning.space is None or len(meaning.space.names) <= 2:
        found = IdsFound()
        for ids in ordered_map(_ids_in, records):
            found.add(ids)
        meaning = meaning.given(found.ids)
        binary = require_one_kind(dataset.root, meaning, found)
        meaning = Meaning(meaning.space or folder_space(found.ids), meaning.said)
    space = meaning.space
    if space is None:
        raise BadInputError(dataset.root, "no file names the labels", hint="--labels NAME|FILE")
    return Labels(space, meaning.said, binary, odd)


@dataclass
class IdsFound:
    """Which ids occur in some masks.

    Attributes:
        ids: in any of them.
        full: number of masks of 0 and 255 only.
        ones: number of masks with id 1.
    """

    ids: set[int] = field(default_factory=set)
    full: int = 0
    ones: int = 0

    def add(self, ids: Iterable[int]) -> None:
        """Note the ids of a mask."""
        own = set(ids)
        self.ids |= own
        self.full += schema.IGNORE in own and own <= {0, schema.IGNORE}
        self.ones += 1 in own


def require_one_kind(root: Path, meaning: Meaning, found: IdsFound) -> bool:
    """Whether masks of two labels are 0 and 255, and 255 is the second label.

    Raises:
        BadInputError: they are, but nobody named the labels; or some are and some are not.
    """
    names = () if meaning.space is None else meaning.space.names
    if len(names) > 2 or not found.full:
        return False
    if meaning.space is None:
        if found.ids <= {0, schema.IGNORE}:
            raise BadInputError(
                root,
                "all masks are 0 and 255, and 255 is ignored: nothing to score",
                hint=BINARY_HINT,
            )
        return False
    if found.ones:
        raise BadInputError(
            root,
            f"{found.full} masks are of 0 and 255, {found.ones} have id 1: "
            "255 cannot be a label in some and ignored in others",
            hint="save all of them as 0 and 1, or all as 0 and 255",
        )
    return len(names) == 2


def _ids_in(record: Record) -> list[int]:
    try:
        return [int(i) for i in np.unique(record.stored_labels())]
    except BadInputError:
        return []  # said by the pass that scores


def read_labelled(size: int, labels: Labels) -> Callable[[Record], Labelled]:
    """Reads a photo at (size, size) with its mask."""

    def read(record: Record) -> Labelled:
        if record.mask is None:
            raise BadInputError(record.image, "has no mask")
        with unchanged(record.image, record.mask):
            pixels, _ = record.photo(size)
            header = record.header()
            stored = record.stored_labels()
            mask = record.fit(stored, header)
            # Shapes have the borders that were drawn, of any width.
            problem = labels.odd.get(record.mask) or (None if record.drawn else oddity(stored))
            if problem:
                raise BadInputError(record.mask, problem, hint=CURE)
            sha256 = content_sha256(record)
            turned = header.fits_either_way
            return Labelled(record.name, pixels, labels.ids(mask), sha256, turned)

    return read


def raw_ids(mask: NDArray[Any], labels: int) -> NDArray[np.uint8]:
    """Raw ids as uint8, what lies outside the label space as ignore."""
    outside = (mask < 0) | (mask >= labels)
    return np.where(outside, schema.IGNORE, mask).astype(np.uint8)


def dropped_ids(mask: NDArray[Any], labels: int) -> Counter[int]:
    """Pixels of each id that is no label, 255 included."""
    outside = mask[mask >= labels]
    ids, counts = np.unique(outside, return_counts=True)
    return Counter(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
