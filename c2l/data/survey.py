"""Recognises which published layout a folder has, as images, masks and the lists of splits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from c2l.data.folders import (
    IMAGE_SUFFIXES,
    Report,
    by_stem,
    find_files,
    list_names,
    listed_names,
    read_list,
    shown,
)
from c2l.data.labels import FOLDER_SPACE, OWN_LABELS, LabelSpace, published_space
from c2l.data.masks import MASK_SUFFIXES
from c2l.errors import BadInputError
from c2l.schema import IGNORE

LIP_SPLITS = {
    "train": ("train_images",),
    "val": ("val_images",),
    "test": ("test_images", "testing_images"),
}
LIP_PARENTS = ("", "TrainVal_images", "Testing_images")
LIP_MASK_PARENTS = ("TrainVal_parsing_annotations", "")
FOLDER_MASKS = ("masks", "labels", "annotations")

_ROOT_LISTS = ("train", "val", "test", "trainval")


@dataclass(frozen=True)
class Record:
    """One image of a data set.

    Attributes:
        name: the image's path relative to its image folder, posix, with suffix; unique.
        image: the image file.
        mask: the mask file, or None.
    """

    name: str
    image: Path
    mask: Path | None


@dataclass(frozen=True)
class SplitSource:
    """Where a split comes from: a list file, or a folder whose images it is."""

    prefix: str
    path: Path | None


@dataclass(frozen=True)
class Survey:
    """Everything found in a folder, before a split is chosen.

    Attributes:
        root: the folder.
        layout: "atr", "ccp", "lip" or "folder".
        records: all images, sorted by name.
        splits: the splits, sorted by name.
        space: what the ids in the masks mean; None where nobody named them.
        stray_masks: masks that belong to no image.
    """

    root: Path
    layout: str
    records: tuple[Record, ...]
    splits: dict[str, SplitSource]
    space: LabelSpace | None
    stray_masks: tuple[Path, ...]

    def members(self, split: str, report: Report) -> tuple[str, ...]:
        """The names of a split's images; lines that name no image are reported."""
        source = self.splits[split]
        images = {r.name: r.image for r in self.records if r.name.startswith(source.prefix)}
        if source.path is None:
            return tuple(images)
        bare = {n.removeprefix(source.prefix): p for n, p in images.items()}
        names = {key: source.prefix + name for key, name in list_names(bare).items()}
        return listed_names(source.path, names | list_names(images), report)


@dataclass(frozen=True)
class _Part:
    """An image folder with its masks; ``prefix`` begins the names of its images."""

    images: Path
    masks: Path | None
    prefix: str = ""
    skip: tuple[str, ...] = ()


def survey(root: Path, report: Report) -> Survey:
    """What a folder holds; a single image file is a data set of one.

    Args:
        root: the folder of a data set, or an image file.
        report: told of each thing that cannot be used; it may raise.

    Raises:
        BadInputError: there is no such folder, or it holds no images.
    """
    _check_root(root)
    if os.path.isfile(root):
        return Survey(root, FOLDER_SPACE, (Record(root.name, root, None),), {}, None, ())
    layout, parts = _recognise(root)
    records: list[Record] = []
    stray: list[Path] = []
    for part in parts:
        found, left = _pair(part, root, report)
        records += found
        stray += left
    if not records:
        raise BadInputError(
            root,
            f"expected images ({', '.join(IMAGE_SUFFIXES)}), found none",
            hint="name the folder of a data set (ATR, CCP or LIP layout) or of images",
        )
    records.sort(key=lambda record: record.name)
    splits = _splits(root, layout, records)
    space = _folder_labels(root) if layout == FOLDER_SPACE else published_space(layout)
    return Survey(root, layout, tuple(records), splits, space, tuple(stray))


def _check_root(root: Path) -> None:
    try:
        str(root).encode("utf-8")
    except UnicodeEncodeError:
        raise BadInputError(
            shown(str(root)), "the folder's name is not valid UTF-8", hint="rename the folder"
        ) from None
    if not os.path.exists(root):
        raise BadInputError(root, "expected a folder of images, found nothing there")
    if os.path.isfile(root):
        if root.suffix.lower() not in IMAGE_SUFFIXES:
            expected = ", ".join(IMAGE_SUFFIXES)
            raise BadInputError(root, f"expected a folder or an image file ({expected})")
    elif not os.access(root, os.R_OK | os.X_OK):
        raise BadInputError(root, "expected a folder of images that can be read")


def _recognise(root: Path) -> tuple[str, list[_Part]]:
    if os.path.isdir(root / "JPEGImages"):
        masks = _first_dir(root, ("SegmentationClassAug", "SegmentationClass"))
        return "atr", [_Part(root / "JPEGImages", masks)]
    pixel_level = root / "annotations" / "pixel-level"
    if os.path.isdir(root / "photos") and os.path.isdir(pixel_level):
        return "ccp", [_Part(root / "photos", pixel_level)]
    lip = _lip_parts(root)
    if lip:
        return "lip", lip
    masks = _first_dir(root, FOLDER_MASKS)
    if os.path.isdir(root / "images"):
        return FOLDER_SPACE, [_Part(root / "images", masks)]
    return FOLDER_SPACE, [_Part(root, masks, skip=(*FOLDER_MASKS, "splits"))]


def _lip_parts(root: Path) -> list[_Part]:
    parts: list[_Part] = []
    for split, names in LIP_SPLITS.items():
        images = _first_dir(root, (Path(p, n) for p in LIP_PARENTS for n in names))
        if images is not None:
            masks = _first_dir(root, (Path(p, f"{split}_segmentations") for p in LIP_MASK_PARENTS))
            parts.append(_Part(images, masks, prefix=f"{images.name}/"))
    return parts


def _first_dir(root: Path, names: Iterable[str | Path]) -> Path | None:
    return next((root / name for name in names if os.path.isdir(root / name)), None)


def _pair(part: _Part, root: Path, report: Report) -> tuple[list[Record], list[Path]]:
    """Images with their masks, and the masks that no image has."""
    images = find_files(part.images, root, IMAGE_SUFFIXES, report, part.skip)
    masks: dict[str, Path] = {}
    if part.masks is not None:
        files = find_files(part.masks, root, MASK_SUFFIXES, report)
        masks = {stem: files[name] for stem, name in by_stem(files, report).items()}
    records = [
        Record(part.prefix + name, images[name], masks.pop(stem, None))
        for stem, name in by_stem(images, report).items()
    ]
    return records, list(masks.values())


def _splits(root: Path, layout: str, records: list[Record]) -> dict[str, SplitSource]:
    if layout == "lip":
        return _lip_splits(root, records)
    if layout == "atr":
        lists = _root_lists(root, records) | _lists(root / "ImageSets" / "Segmentation")
    else:
        lists = _lists(root / "splits")
    return {name: SplitSource("", path) for name, path in sorted(lists.items())}


def _lip_splits(root: Path, records: list[Record]) -> dict[str, SplitSource]:
    splits: dict[str, SplitSource] = {}
    for split, names in LIP_SPLITS.items():
        prefix = next(
            (f"{n}/" for n in names if any(r.name.startswith(f"{n}/") for r in records)), None
        )
        if prefix is not None:
            lists = (root / parent / f"{split}_id.txt" for parent in LIP_PARENTS)
            splits[split] = SplitSource(prefix, next((p for p in lists if os.path.isfile(p)), None))
    return dict(sorted(splits.items()))


def _lists(folder: Path) -> dict[str, Path]:
    """Split name -> list file, of a folder that holds nothing else."""
    paths = sorted(
        path
        for path in folder.glob("*.txt")
        if os.path.isfile(path) and path.name.isprintable() and path.name[0] != "."
    )
    return {path.stem.removesuffix("_id"): path for path in paths}


def _root_lists(root: Path, records: list[Record]) -> dict[str, Path]:
    """The lists at a root, where a text may also be a licence or a read-me."""
    names = list_names({record.name: record.image for record in records})
    return {name: path for name, path in _lists(root).items() if _is_list(path, names)}


def _is_list(path: Path, names: dict[str, str]) -> bool:
    if path.stem.endswith("_id") or path.stem in _ROOT_LISTS:
        return True
    try:
        lines = read_list(path)
    except BadInputError:
        return False
    return bool(lines) and lines[0][1] in names


def _folder_labels(root: Path) -> LabelSpace | None:
    """The labels that a plain folder's labels.txt or labels.json gives."""
    for read, name in ((_labels_txt, "labels.txt"), (_labels_json, "labels.json")):
        path = root / name
        if path.is_file():
            names = read(path)
            if not names or len(names) > IGNORE:
                raise BadInputError(path, f"expected 1 to {IGNORE} label names, got {len(names)}")
            return LabelSpace(OWN_LABELS, tuple(names))
    return None


def _labels_txt(path: Path) -> list[str]:
    return [name for _, name in read_list(path)]


def _labels_json(path: Path) -> list[str]:
    """Names as a list, or as an object from id to name that leaves no id out."""
    problem = "expected a list of label names, or an object from id to name without gaps"
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(path, f"expected JSON: {error}") from None
    if isinstance(value, dict):
        value = [value.get(str(index)) for index in range(len(value))]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadInputError(path, problem)
    return value
