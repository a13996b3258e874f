"""Looks at one image with its mask, file by file, for a check of a whole data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.data.audit import CURE, oddity
from c2l.data.images import ImageHeader
from c2l.data.inventory import Remark
from c2l.data.labels import LabelSpace
from c2l.data.masks import WrongSizeError
from c2l.data.records import Record
from c2l.errors import BadInputError
from c2l.schema import IGNORE

# Decoding at this size lets a JPEG decode at 1/8 and still reads the file to its end.
_DECODE_SIZE = 32
_SHOWN_IDS = 8


@dataclass
class Finding:
    """What one image and its mask hold.

    Attributes:
        record: the image.
        digest: SHA-256 of the image file; None if it cannot be read.
        header: None if the image is broken.
        ids: label ids in the mask, ascending; empty without a readable mask.
        pixels: pixels of each of ``ids``.
        problems: what is wrong with either file.
        wrong_size: the mask's size does not fit.
        resized: the mask was of another size and was fitted by ``--mask-size nearest``.
    """

    record: Record
    digest: bytes | None = None
    header: ImageHeader | None = None
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    problems: list[Remark] = field(default_factory=list)
    wrong_size: WrongSizeError | None = None
    resized: bool = False


def examine(record: Record) -> Finding:
    """Decode an image and its mask; what is wrong is listed, not raised."""
    finding = Finding(record)
    try:
        finding.header = record.header()
        record.photo(_DECODE_SIZE)
        finding.digest = _sha256(record.image)
    except BadInputError as error:
        finding.header = None
        finding.problems.append(Remark(record.image, error.problem, error.hint))
    if record.mask is not None:
        _examine_mask(finding, record.mask)
    return finding


def _examine_mask(finding: Finding, path: Path) -> None:
    try:
        stored = mask = finding.record.stored_labels()
        if finding.header is not None:
            mask = finding.record.fit(stored, finding.header)
    except WrongSizeError as error:
        finding.wrong_size = error
        return
    except BadInputError as error:
        finding.problems.append(Remark(path, error.problem, error.hint))
        return
    finding.resized = mask is not stored
    counts = np.bincount(mask.ravel())
    finding.ids = np.flatnonzero(counts)
    finding.pixels = counts[finding.ids]
    if finding.record.drawn is None and (problem := oddity(stored)):
        finding.problems.append(Remark(path, problem, CURE))


def is_empty(finding: Finding, *, binary: bool) -> bool:
    """Whether a mask holds background and 255 only, where ``binary`` says that 255 is a label."""
    if not finding.ids.size:
        return False
    return not np.any((finding.ids != 0) & ((finding.ids != IGNORE) | binary))


def ids_outside(finding: Finding, space: LabelSpace | None) -> str | None:
    """What is wrong with the ids of a mask; without a label space, 0 to 254 are allowed."""
    limit = IGNORE if space is None else len(space.names)
    outside = finding.ids[(finding.ids >= limit) & (finding.ids != IGNORE)].tolist()
    if not outside:
        return None
    found = ", ".join(str(i) for i in outside[:_SHOWN_IDS])
    more = f" and {len(outside) - _SHOWN_IDS} more" if len(outside) > _SHOWN_IDS else ""
    where = "" if space is None else f" in the label space '{space.name}'"
    return f"expected label ids 0 to {limit - 1} or 255{where}, found {found}{more}"


def _sha256(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
