"""The lists that name the photos of each split, in the places and forms that are in use."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from c2l.data.masks import MASK_SUFFIXES
from c2l.data.names import key, parted, shown, split_kind, stem_of
from c2l.data.pools import IMAGE_SUFFIXES
from c2l.data.reports import Report
from c2l.data.walk import File
from c2l.errors import BadInputError
from c2l.runtime.text import read_lines

SUFFIXES = (".txt", ".lst", ".list", ".csv", ".tsv", "")
# Endings of tables and settings that may hold lists, which are not read.
UNREAD_LISTS = (
    ".json",
    ".jsonl",
    ".yaml",
    ".yml",
    ".xml",
    ".npy",
    ".npz",
    ".xlsx",
    ".xls",
    ".parquet",
)
_WHAT = "a list of photos"
_MOST_BYTES = 64 << 20
_ROOT_NAMES = ("train", "val", "test", "trainval")


@dataclass(frozen=True)
class PhotoNames:
    """What a line of a list may call each photo.

    Attributes:
        known: name by ``key`` of what a line may say.
    """

    known: dict[str, str]

    @classmethod
    def of(cls, photos: Mapping[str, str], prefix: str = "") -> PhotoNames:
        """Their names, with or without suffix, ``prefix`` and the folders below the root.

        Args:
            photos: path below the root by name.
            prefix: begins the names, and may be left out.
        """
        known: dict[str, str] = {}
        stems: dict[str, str] = {}
        bare: dict[str, set[str]] = {}
        for name, below_root in photos.items():
            own = name.removeprefix(prefix)
            for said in {own, name, below_root}:
                known[key(said)] = stems[key(stem_of(said))] = name
            last = name.rpartition("/")[2]
            for said in {last, stem_of(last)}:
                bare.setdefault(key(said), set()).add(name)
        unique = {said: next(iter(names)) for said, names in bare.items() if len(names) == 1}
        return cls(unique | stems | known)

    def of_line(self, line: str) -> str | None:
        """The photo that a line names: all of it, or its first column."""
        if found := self.known.get(key(line)):
            return found
        columns = _columns(line)
        return self.known.get(key(columns[0].removeprefix("/"))) if columns else None

    def only(self, line: str) -> bool:
        """Whether a line holds the name of a photo, and no more than names of its masks."""
        if key(line) in self.known:
            return True
        suffixes = {parted(column)[1].lower() for column in _columns(line)[1:]}
        return self.of_line(line) is not None and suffixes <= {*IMAGE_SUFFIXES, *MASK_SUFFIXES}


def members(path: Path, names: PhotoNames, report: Report) -> tuple[str, ...]:
    """The photos that a list names, each once, sorted; lines that name none are reported.

    Raises:
        BadInputError: the file cannot be read or is not UTF-8.
    """
    found: set[str] = set()
    for place, (number, line) in enumerate(_filled(path)):
        name = names.of_line(line)
        if name is not None:
            found.add(name)
        elif place > 0 or path.suffix.lower() not in (".csv", ".tsv"):  # it may have a header
            report(
                path,
                f"line {number} names '{shown(line)}', but there is no such image",
                "remove the line, or add the image",
            )
    return tuple(sorted(found))


def is_list(file: File, names: PhotoNames, home: Iterable[str]) -> bool:
    """Whether a text file is a list of a split.

    Args:
        file: a file that is no picture.
        names: of all photos.
        home: folders all of whose texts are lists.
    """
    if file.suffix not in SUFFIXES or not file.name.isprintable():
        return False
    if file.suffix == ".txt" and file.folder in home:
        return True
    called = file.stem.endswith("_id") or file.stem in _ROOT_NAMES
    if called and file.name == f"{file.stem}.txt":  # at the root
        return True
    try:
        if os.path.getsize(file.path) > _MOST_BYTES:
            return False
        lines = [line for _, line in _filled(file.path)]
    except (OSError, BadInputError):
        return False
    if file.suffix in (".csv", ".tsv") and lines and names.of_line(lines[0]) is None:
        lines = lines[1:]  # its header
    if not lines or names.of_line(lines[0]) is None:
        return False
    # Tables of attributes, captions and notes name photos too, and say more in a line.
    return split_kind(file.stem) is not None or 2 * sum(map(names.only, lines)) > len(lines)


def may_be_list(file: File) -> bool:
    """Whether a file that is not read is called as a list of a split would be."""
    return file.suffix in UNREAD_LISTS and split_kind(file.stem) is not None


def split_of(file: File) -> str:
    """The split that a list is of."""
    return file.stem.removesuffix("_id")


def _filled(path: Path) -> list[tuple[int, str]]:
    return [(number, line) for number, line in read_lines(path, _WHAT) if line]


def _columns(line: str) -> list[str]:
    """The columns of a line of several, the photo first; a name may hold spaces of its own.

    Columns apart by spaces count only where a later one is a file too: a flag behind a name is
    what Pascal VOC's lists of objects have, in which every photo stands.
    """
    for separator in ("\t", ",", ";"):
        if separator in line:
            return [column.strip() for column in next(csv.reader([line], delimiter=separator))]
    columns = line.split()
    return columns if any(set(column) & {".", "/"} for column in columns[1:]) else []
