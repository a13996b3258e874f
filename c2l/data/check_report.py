"""What a check of a data set says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from c2l.data.unscored import Pixels


@dataclass(frozen=True)
class Problem:
    """A file (relative to the data set where it lies inside), what is wrong, the next step."""

    file: str
    problem: str
    hint: str | None = None


@dataclass(frozen=True)
class LeftOutFile:
    """A file, or a folder with its files, that is neither photo nor mask, and why."""

    file: str
    why: str
    files: int


@dataclass(frozen=True)
class SplitCount:
    """Images of a split, and how many of them have a mask."""

    images: int
    labelled: int
    unlabelled: int


@dataclass(frozen=True)
class Spread:
    """Smallest, median (one that occurs) and largest of some lengths in pixels."""

    min: int
    median: int
    max: int


@dataclass
class CheckReport:
    """What a data set holds.

    Attributes:
        root: the folder that was named.
        layout: the name of a row of ``LAYOUTS``, or "folder".
        split: the split whose files were read, or None for all.
        line: photos, masks and files left out, in one line.
        label_space: name of the label space, or None where nobody named the labels.
        labels_by: how it is known what the ids mean.
        images: counts over the files that were read.
        splits: counts of every split, by name.
        unlisted: images that no split holds, where there are splits.
        left_out: files that are neither photos nor masks, each with the reason.
        texts: files that were read as lists of splits or names of labels.
        height: image heights after EXIF orientation; None if no image could be read.
        width: the same of widths.
        formats: images by file format.
        modes: images by Pillow mode, as stored.
        labels: pixels of each label that occurs, by name, in the order of ids.
        ignored: pixels of 255 or of ids outside the label space.
        merge: name of the merge of ``classes``, or None without masks.
        classes: pixels of each class under the merge, by name.
        classes_ignored: pixels that the merge ignores.
        pixels: pixels that would be scored and not, by reason; None without masks.
        notes: what may be meant so, file by file.
        problems: what is wrong, file by file; empty is good.
    """

    root: str
    layout: str
    split: str | None
    line: str
    label_space: str | None
    labels_by: str
    images: SplitCount
    splits: dict[str, SplitCount]
    unlisted: int
    left_out: list[LeftOutFile] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    height: Spread | None = None
    width: Spread | None = None
    formats: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    ignored: int = 0
    merge: str | None = None
    classes: dict[str, int] = field(default_factory=dict)
    classes_ignored: int = 0
    pixels: Pixels | None = None
    notes: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values that JSON can hold."""
        return asdict(self)
