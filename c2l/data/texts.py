"""The texts of a data set: lists of its splits, and names of its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from c2l.data.inventory import Remark, Split
from c2l.data.layouts import FOLDER, Layout, Part
from c2l.data.lists import PhotoNames, is_list, split_of
from c2l.data.names import split_kind
from c2l.data.records import Record
from c2l.data.spaces import NAMES_FILES
from c2l.data.walk import File


def find_lists(texts: Sequence[File], below_root: Mapping[str, str], layout: Layout) -> list[File]:
    """Those of some files that name photos.

    Args:
        texts: files that are no pictures.
        below_root: path of each photo below the root, by name.
        layout: knows folders all of whose texts are lists.
    """
    if not texts:
        return []
    names = PhotoNames.of(below_root)
    return [file for file in texts if is_list(file, names, layout.lists)]


def find_names(texts: Sequence[File], records: Sequence[Record], root: Path) -> list[File]:
    """Those of some files that name labels: at the root, beside the masks or one folder above."""
    near = {""}
    for folder in {record.mask.parent for record in records if record.mask}:
        if folder.is_relative_to(root):
            below = folder.relative_to(root).as_posix()
            near |= {below, below.rpartition("/")[0]}
    return [
        file
        for file in texts
        if file.folder in near and file.name.rpartition("/")[2].lower() in NAMES_FILES
    ]


def find_splits(
    root: Path,
    layout: Layout,
    parts: Sequence[Part],
    lists: Sequence[File],
    below_root: Mapping[str, str],
) -> tuple[dict[str, Split], list[Remark]]:
    """Splits by the layout, by lists, and by folders that are called as splits are.

    Returns:
        The splits by name, sorted; and lists that another one of their name comes before.
    """
    splits: dict[str, Split] = _by_folders(below_root) if layout is FOLDER else {}
    for part in parts:
        if part.split and any(name.startswith(part.prefix) for name in below_root):
            path = root / part.narrowed_by if part.narrowed_by else None
            splits[part.split] = Split(part.prefix, path)
    by_split: dict[str, File] = {}
    notes: list[Remark] = []
    # Lists in the layout's own folders come first.
    for file in sorted(lists, key=lambda f: (f.folder not in layout.lists, f.name)):
        first = by_split.setdefault(split_of(file), file)
        if first is not file:
            problem = f"another list of the split '{split_of(file)}': {first.name} counts"
            notes.append(Remark(file.path, problem))
    for name, file in by_split.items():
        known = splits.get(name, Split())
        if known.path is None:
            splits[name] = Split(known.prefix, file.path)
    return dict(sorted(splits.items())), notes


def _by_folders(below_root: Mapping[str, str]) -> dict[str, Split]:
    """Splits that folders are called by, at any depth."""
    found: dict[str, set[str]] = {}
    for name, path in below_root.items():
        for part in path.split("/")[:-1]:
            if split_kind(part) is not None:
                found.setdefault(part, set()).add(name)
    return {split: Split(names=frozenset(names)) for split, names in found.items()}
