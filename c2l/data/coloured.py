"""Masks that are pictures in the colours of labels, as Pascal VOC and CVAT keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.data.images import MAX_PIXELS, open_image
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file
from c2l.runtime.text import read_lines
from c2l.schema import IGNORE, PARTS

LABEL_MAP = "labelmap.txt"
# What Pascal VOC calls the pixels that nobody labelled.
VOID = "ignored"
_LINE = re.compile(r"^([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3}):")  # label:colour:parts:actions


def coloured_line(line: str) -> bool:
    """Whether a line gives a label and its colour."""
    return _LINE.match(line) is not None


def coloured(path: Path) -> bool:
    """Whether a file gives the colours of labels."""
    try:
        return bool(colours_of(path))
    except BadInputError:
        return False


def colours_of(path: Path, *, void: bool = False) -> dict[str, tuple[int, int, int]]:
    """The colour of each label in the order of their ids, the background first.

    Args:
        path: ``labelmap.txt``.
        void: with ``ignored``, which is no label.

    Raises:
        BadInputError: it cannot be read; a line of another form, or a label or colour twice.
    """
    colours: dict[str, tuple[int, int, int]] = {}
    for number, line in read_lines(path, "labels with their colours"):
        if not line or line.startswith("# "):
            continue
        found = _LINE.match(line)
        if found is None:
            problem = f"line {number}: expected label:red,green,blue::, found {line[:80]!r}"
            raise BadInputError(path, problem)
        name, colour = found[1].strip(), (int(found[2]), int(found[3]), int(found[4]))
        if name in colours or colour in colours.values() or max(colour) > IGNORE:
            raise BadInputError(path, f"line {number}: a label or colour that is there already")
        colours[name] = colour
    ordered = sorted(colours.items(), key=lambda one: one[0] != PARTS[0])
    return {name: colour for name, colour in ordered if void or name != VOID}


@dataclass(frozen=True)
class ColourMask:
    """A mask by its colours.

    Attributes:
        path: a PNG, in colour or indexed; the palette counts, not the indices.
        labels: the file with the labels' colours.
    """

    path: Path
    labels: Path

    def read(self) -> NDArray[np.uint8]:
        """The label ids, (H, W) uint8; 255 is ignored.

        Raises:
            BadInputError: it cannot be read, has no colours, or one that is not a label's.
        """
        with open_image(self.path, ("PNG",), MAX_PIXELS) as image:
            if image.mode not in ("P", "RGB", "RGBA"):
                raise BadInputError(
                    self.path,
                    f"expected colours of {self.labels.name}, found a picture of {image.mode}",
                    hint="write one name per line in labels.txt instead, the first is id 0",
                )
            image.load()
            rgb = np.asarray(image.convert("RGB"), dtype=np.int64)
        packed = rgb @ np.array([1 << 16, 1 << 8, 1])
        colours = colours_of(self.labels, void=True)
        known, ids = [], []
        for red, green, blue in colours.values():
            known.append(red << 16 | green << 8 | blue)
        names = [name for name in colours if name != VOID]
        ids = [IGNORE if name == VOID else names.index(name) for name in colours]
        order = np.argsort(known)
        places = np.searchsorted(known, packed, sorter=order).clip(max=len(known) - 1)
        found = np.array(known)[order][places]
        if (found != packed).any():
            row, column = np.argwhere(found != packed)[0].tolist()
            colour = ", ".join(map(str, rgb[row, column].tolist()))
            problem = f"row {row}, column {column}: colour {colour} is of no label in {self.labels}"
            raise BadInputError(self.path, problem, hint="add the label's line to that file")
        mask: NDArray[np.uint8] = np.array(ids, dtype=np.uint8)[order][places]
        return mask

    def sha256(self) -> str:
        """Of both files."""
        return sha256_file(self.path) + sha256_file(self.labels)
