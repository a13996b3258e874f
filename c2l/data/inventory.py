"""What a data set's folder holds: every file is a photo, a mask, a list, or left out with why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2l.data.lists import PhotoNames, members
from c2l.data.names import parted
from c2l.data.records import Record
from c2l.data.reports import Report
from c2l.data.spaces import Meaning
from c2l.data.walk import LeftOut

UNREAD_FORMAT = "in a format that is not read"
UNREAD_MASK = "not readable as masks"
UNREAD_LIST = "like a list, in a form that is not read"
_MOST_REASONS = 6


@dataclass(frozen=True)
class Split:
    """A named part of a data set.

    Attributes:
        prefix: begins the names of its photos.
        path: the list that names them; None where all with the prefix or in ``names`` are.
        names: photos in folders called as the split is; None where a list or prefix decides.
    """

    prefix: str = ""
    path: Path | None = None
    names: frozenset[str] | None = None


@dataclass(frozen=True)
class Remark:
    """Something about a file that does not keep photos from being read."""

    path: str | Path
    problem: str
    hint: str | None = None


@dataclass
class Inventory:
    """Everything found in a folder, before a split is chosen.

    Attributes:
        root: the folder.
        layout: the name of a row of ``LAYOUTS``, or "folder".
        records: all photos, sorted by name.
        splits: the splits, sorted by name.
        meaning: what the ids in the masks mean.
        left: what is neither a photo nor the mask of one, and why.
        lists: files that were taken as lists or as names of labels, below the root.
        wrong: what keeps masks from being used or trusted, and not photos from being read.
        notes: what may be meant so.
        ambiguous: masks of which it cannot be told whose they are; they must not be scored.
        below_root: path of each photo below the root, by name.
    """

    root: Path
    layout: str
    records: tuple[Record, ...]
    splits: dict[str, Split] = field(default_factory=dict)
    meaning: Meaning = field(default_factory=lambda: Meaning(None, "no file names them"))
    left: tuple[LeftOut, ...] = ()
    lists: tuple[str, ...] = ()
    wrong: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)
    ambiguous: list[Remark] = field(default_factory=list)
    below_root: dict[str, str] = field(default_factory=dict)

    def members(self, split: str, report: Report) -> tuple[str, ...]:
        """The names of a split's photos; lines that name none are reported."""
        source = self.splits[split]
        if source.names is not None:
            return tuple(sorted(source.names))
        photos = {r.name: r.name for r in self.records if r.name.startswith(source.prefix)}
        if source.path is None:
            return tuple(photos)
        below = {name: self.below_root.get(name, name) for name in photos}
        return members(source.path, PhotoNames.of(below, source.prefix), report)

    def line(self, records: Sequence[Record] | None = None) -> str:
        """One line: how many photos, with masks, and files left out with the reasons.

        Args:
            records: of a split; files are left out of the whole folder.
        """
        of = "" if records is None else " of the whole folder"
        records = self.records if records is None else records
        count, masks = len(records), sum(record.mask is not None for record in records)
        left = sum(one.files for one in self.left)
        said = f"{count} photo{'s' * (count != 1)}, {masks} with masks, "
        if not self.left:
            return said + "no file left out"
        reasons: dict[str, list[LeftOut]] = defaultdict(list)
        for one in self.left:
            reasons[one.why].append(one)
        ranked = sorted(reasons.items(), key=lambda r: (-sum(o.files for o in r[1]), r[0]))
        parts = [
            f"{sum(one.files for one in group)} {why}{_named(group)}"
            for why, group in ranked[:_MOST_REASONS]
        ]
        if len(ranked) > _MOST_REASONS:
            parts.append(f"{len(ranked) - _MOST_REASONS} other reasons")
        return f"{said}{left} file{'s' * (left != 1)}{of} left out ({'; '.join(parts)})"


def _named(group: list[LeftOut]) -> str:
    """The folders or formats that a reason is about, or its only file."""
    names = sorted((one.name for one in group), key=lambda name: not name.endswith("/"))
    names = names if names[0].endswith("/") else []
    if not names and group[0].why in (UNREAD_FORMAT, UNREAD_MASK):
        names = sorted({parted(one.name)[1].lower() for one in group})
    if not names and len(group) == 1:
        names = [group[0].name]
    return f": {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
