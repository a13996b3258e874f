"""Finds a data set's images, masks and splits by the layout it was published in.

- ATR: ``JPEGImages/`` with ``SegmentationClassAug/`` or ``SegmentationClass/``; splits are
  ``ImageSets/Segmentation/*.txt``, or lists at the root such as ``train_id.txt``.
- CCP: ``photos/`` with ``annotations/pixel-level/*.mat``; splits are ``splits/*.txt``.
- LIP: ``train_images/``, ``val_images/``, ``test_images/`` at the root or in
  ``TrainVal_images/``, masks in ``{train,val}_segmentations/`` at the root or in
  ``TrainVal_parsing_annotations/``; each image folder is a split, which a list such as
  ``train_id.txt`` beside it narrows. An image's name begins with its folder.
- folder: any images, those in ``images/`` where there is one; masks of the same stem in
  ``masks/``, ``labels/`` or ``annotations/``; splits are ``splits/*.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from c2l.data.folders import Report, shown, stop_at_first
from c2l.data.labels import LabelSpace
from c2l.data.survey import Record, Survey, survey
from c2l.errors import BadInputError

__all__ = ["Dataset", "Record", "open_dataset"]


@dataclass(frozen=True)
class Dataset:
    """The images of a data set, or of one of its splits.

    Attributes:
        root: the folder (or the single image) that was named.
        layout: "atr", "ccp", "lip" or "folder".
        split: the split, or None for everything.
        records: the images, sorted by name.
        space: what the ids in the masks mean; None where nobody named them.
    """

    root: Path
    layout: str
    split: str | None
    records: tuple[Record, ...]
    space: LabelSpace | None


def open_dataset(
    root: str | Path, *, split: str | None = None, labelled_only: bool = False
) -> Dataset:
    """The data set in a folder, or of a single image file.

    Args:
        root: the folder, or an image file.
        split: the split to take; a data set that has no splits is taken whole, and says
            so with ``Dataset.split`` None.
        labelled_only: leave out images that have no mask.

    Raises:
        BadInputError: nothing there, no images, an unknown split, a list naming images
            that are not there, file names that cannot be used, links out of the folder.
    """
    found = survey(Path(root), stop_at_first)
    if not found.splits:
        split = None
    records = found.records if split is None else records_of(found, split, stop_at_first)
    if labelled_only:
        records = tuple(record for record in records if record.mask is not None)
    if not records:
        what = "labelled images" if labelled_only else "images"
        where = "" if split is None else f" in the split '{split}'"
        raise BadInputError(
            root,
            f"expected {what}{where}, found none",
            hint=f"see what is in it: c2l data check {root}",
        )
    return Dataset(found.root, found.layout, split, records, found.space)


def records_of(found: Survey, split: str, report: Report) -> tuple[Record, ...]:
    """The images of a split, sorted by name; list lines that name no image are reported.

    Raises:
        BadInputError: there is no such split.
    """
    if split not in found.splits:
        names = ", ".join(found.splits)
        raise BadInputError(
            found.root,
            f"no split '{shown(split)}'; there are {names}",
            hint="name one of these splits, or none for the whole data set",
        )
    wanted = set(found.members(split, report))
    return tuple(record for record in found.records if record.name in wanted)
