"""The layouts in which data sets are published, one row each.

A layout says where photos, masks and lists of splits lie; what the ids in the masks mean is
another question, answered in ``c2l.data.spaces``. CONTRIBUTING.md says how to add one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from c2l.data.annotated import kind_of
from c2l.data.coloured import coloured


@dataclass(frozen=True)
class Place:
    """A folder of photos and the folders in which their masks may lie, all below the root.

    Attributes:
        photos: the first of these that exists.
        masks: the first of these that exists.
        split: the split that the folder is, where it is one.
        lists: text files that narrow that split.
    """

    photos: tuple[str, ...]
    masks: tuple[str, ...] = ()
    split: str | None = None
    lists: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way in which the files of a data set are arranged.

    Attributes:
        name: as commands and artifacts have it.
        places: the folders of photos; a folder has the layout where any of them exists.
        needs_masks: whether a folder of masks must be there too.
        lists: folders whose text files all are lists of splits.
        space: the published label space of the data sets in this layout, a key of
            ``merges/spaces.toml``. Folders are easily alike, so it is taken only where
            ``stems``, ``folders`` or the ids in the masks prove it.
        stems: matches the names of the published photos, without folders and suffixes; proves
            ``space`` where it fits more than half of the photos.
        folders: those that no other data set has; one that holds a file proves ``space``.
        annotations: globs of the files that hold the masks of all photos, where no folder does.
        colours: the file that gives the labels' colours, where masks are pictures in these.
    """

    name: str
    places: tuple[Place, ...]
    needs_masks: bool = False
    lists: tuple[str, ...] = ("splits",)
    space: str | None = None
    stems: re.Pattern[str] | None = None
    folders: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    colours: str | None = None

    def found(self, root: Path) -> list[Part]:
        """The parts of a data set in this layout; empty where it has another one."""
        parts = [part for place in self.places if (part := self._part(root, place))]
        if self.needs_masks and not any(part.masks is not None for part in parts):
            return []
        if self.colours and not (parts and coloured(root / self.colours)):
            return []
        if not self.annotations:
            return parts
        return parts[:1] if self.annotated(root) else []

    def annotated(self, root: Path) -> list[Path]:
        """The files of annotations, sorted."""
        found = (path for pattern in self.annotations for path in sorted(root.glob(pattern)))
        return [path for path in found if kind_of(path) == self.name]

    def _part(self, root: Path, place: Place) -> Part | None:
        photos = _first_folder(root, place.photos)
        if photos is None:
            return None
        # Where each folder is a split, its name begins the names of its photos.
        prefix = f"{Path(photos).name}/" if place.split else ""
        lists = next((name for name in place.lists if os.path.isfile(root / name)), None)
        masks = _first_folder(root, place.masks)
        return Part(photos, masks, prefix, place.split, lists)


@dataclass(frozen=True)
class Part:
    """A folder of photos that is there, relative to the root; "" is the root itself.

    Attributes:
        photos: the folder of photos.
        masks: the folder of their masks; None where the layout knows none.
        prefix: begins the names of its photos.
        split: the split that it is.
        narrowed_by: the list that narrows that split.
    """

    photos: str
    masks: str | None = None
    prefix: str = ""
    split: str | None = None
    narrowed_by: str | None = None


_FOLDER_MASKS = ("masks", "labels", "annotations")


def _lip(split: str, *names: str) -> Place:
    """A split of LIP, whose folders lie at the root or in those of its archives."""
    parents = ("", "TrainVal_images/", "Testing_images/")
    return Place(
        photos=tuple(f"{parent}{name}" for parent in parents for name in names),
        masks=(
            f"TrainVal_parsing_annotations/{split}_segmentations",
            f"{split}_segmentations",
        ),
        split=split,
        lists=tuple(f"{parent}{split}_id.txt" for parent in parents),
    )


FOLDER = Layout("folder", (Place(("images",), _FOLDER_MASKS), Place(("",), _FOLDER_MASKS)))

_ANYWHERE = (Place(("images",)), Place(("",)))

# The first that fits is taken, so stricter rows stand before those that fit more folders.
LAYOUTS = (
    Layout(
        "voc",
        (Place(("JPEGImages",), ("SegmentationClass",)),),
        needs_masks=True,
        lists=("ImageSets/Segmentation",),
        colours="labelmap.txt",
    ),
    Layout(
        "atr",
        (
            Place(
                ("JPEGImages",),
                ("SegmentationClassAug", "SegmentationClass", "SegmentationClassPNG"),
            ),
        ),
        lists=("ImageSets/Segmentation",),
        space="atr",
        stems=re.compile(r"(dataset10k|2500|997|4565|fash|multi)_\d+", re.IGNORECASE),
    ),
    Layout(
        "ccp",
        (Place(("photos",), ("annotations/pixel-level",)),),
        needs_masks=True,
        space="ccp",
        folders=("annotations/pixel-level",),
    ),
    Layout(
        "lip",
        (
            _lip("train", "train_images"),
            _lip("val", "val_images"),
            _lip("test", "test_images", "testing_images"),
        ),
        lists=(),
        space="lip",
        stems=re.compile(r"\d+_\d{4,}"),
        folders=("TrainVal_images", "TrainVal_parsing_annotations"),
    ),
    Layout("cvat", _ANYWHERE, annotations=("*.xml",)),
    Layout("coco", _ANYWHERE, annotations=("annotations/*.json", "*.json")),
    Layout("labelstudio", _ANYWHERE, annotations=("*.json",)),
)


def recognise(root: Path) -> tuple[Layout, list[Part]]:
    """The layout of a folder, the plain one where it has none that is published."""
    for layout in LAYOUTS:
        if parts := layout.found(root):
            return layout, parts
    # The root is a place of photos where there is no folder of that name.
    return FOLDER, FOLDER.found(root)[:1]


def _first_folder(root: Path, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if os.path.isdir(root / name)), None)


def folders_of(parts: list[Part]) -> Iterator[str]:
    """The folders that a layout names."""
    for part in parts:
        yield from (folder for folder in (part.photos, part.masks) if folder)
