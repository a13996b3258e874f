"""Opens a data set, or one of its splits, as photos with their masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c2l.data.inventory import UNREAD_LIST, Inventory, Remark
from c2l.data.names import shown
from c2l.data.records import Choices, Record
from c2l.data.reports import Faults, Report, stop_at_first
from c2l.data.spaces import Meaning
from c2l.data.taking import take_inventory
from c2l.errors import BadInputError
from c2l.runtime.progress import console


@dataclass(frozen=True)
class Dataset:
    """The photos of a data set, or of one of its splits.

    Attributes:
        root: the folder (or the single image) that was named.
        layout: the name of a row of ``LAYOUTS``, or "folder".
        split: the split, or None for everything.
        records: the photos, sorted by name.
        meaning: what the ids in the masks mean.
        line: how many photos, with masks, and what was left out and why.
        notes: what may be meant so, though it is unusual.
        unusable: why each file that cannot be used was left out, by its path below the root.
    """

    root: Path
    layout: str
    split: str | None
    records: tuple[Record, ...]
    meaning: Meaning
    line: str
    notes: tuple[Remark, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Number of photos, with those that cannot be used."""
        return len(self.records) + len(self.unusable)


def open_dataset(
    root: str | Path,
    *,
    split: str | None = None,
    labelled_only: bool = False,
    choices: Choices | None = None,
) -> Dataset:
    """The data set in a folder, or of a single image file.

    Args:
        root: the folder, or an image file.
        split: the split to take.
        labelled_only: leave out photos that have no mask.
        choices: what the user says of the data set.

    Raises:
        BadInputError: nothing there, no photos, an unknown split, a list naming photos
            that are not there; unless they are left out, file names that cannot be used and
            links out of the folder; with ``labelled_only`` also masks that fit several photos,
            and names of labels that cannot be used.
    """
    choices, faults = choices or Choices(), Faults(Path(root))
    found = take_inventory(Path(root), choices, faults.add)
    if choices.on_error == "fail":
        faults.refuse()
    records = found.records if split is None else records_of(found, split, stop_at_first)
    line = found.line(None if split is None else records)
    if labelled_only:
        records = tuple(record for record in records if record.mask is not None)
        for remark in found.ambiguous[:1]:
            raise BadInputError(remark.path, remark.problem, hint=f"say which: {remark.hint}")
        for fault in found.meaning.faults[:1]:
            raise fault
    if not records:
        what = "labelled images" if labelled_only else "images"
        where = "" if split is None else f" in the split '{split}'"
        raise BadInputError(
            root,
            f"expected {what}{where}, found none: {line}",
            hint=f"see what is in it: c2l data check {root}",
        )
    return Dataset(
        found.root,
        found.layout,
        split,
        records,
        found.meaning,
        line if split is None else f"split {split}: {line}",
        tuple(found.notes),
        {name: error.message for name, error in faults.found.items()},
    )


def open_images(
    data: Path, options: Any, *, split: str | None = None, labelled_only: bool = False
) -> Dataset:
    """A data set, or one of its splits, by the choices among a stage's options; says what it is.

    Args:
        data: the folder, or an image file.
        options: of a stage; ``Choices.of`` takes what it knows.
        split: the split; the one among the options where none is given.
        labelled_only: leave out photos that have no mask.

    Raises:
        BadInputError: as ``open_dataset``.
    """
    split = getattr(options, "split", None) if split is None else split
    dataset = open_dataset(
        data, split=split, labelled_only=labelled_only, choices=Choices.of(options)
    )
    console.print(f"{shown(data)}: {dataset.line}")
    for reason in dataset.unusable.values():
        console.print(f"skipped {reason}")
    for note in dataset.notes:
        console.print(f"note: {shown(note.path)}: {note.problem}")
    return dataset


def records_of(found: Inventory, split: str, report: Report) -> tuple[Record, ...]:
    """The photos of a split, sorted by name; list lines that name none are reported.

    Raises:
        BadInputError: there is no such split.
    """
    if split not in found.splits:
        known = f"there are {', '.join(found.splits)}" if found.splits else "it has no splits"
        maybe = [one.name for one in found.left if one.why == UNREAD_LIST]
        unread = f"; not read: {', '.join(maybe)}" if maybe else ""
        raise BadInputError(
            found.root,
            f"no split '{shown(split)}'; {known}{unread}",
            hint="name one of these splits, or none for the whole data set"
            if found.splits
            else "leave out --split, or list its photos in splits/NAME.txt, one per line",
        )
    wanted = set(found.members(split, report))
    return tuple(record for record in found.records if record.name in wanted)
