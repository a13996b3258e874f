"""Chooses which pictures may be photos and masks: by folders the user names, else by the layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from c2l.data.layouts import FOLDER, Part, folders_of
from c2l.data.masks import MASK_SUFFIXES
from c2l.data.reports import Report
from c2l.data.walk import File, Tree, walk
from c2l.errors import BadInputError

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
)
# Pictures and arrays of formats that are not read.
UNREAD_PICTURES = (
    *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".tga", ".psd", ".svg", ".ppm"),
    *(".pgm", ".pbm", ".pnm", ".exr", ".hdr", ".ico", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".rw2", ".raf", ".npy", ".npz"),
)
# Folders at the root of a plain data set in which no photos are looked for.
_NO_PHOTOS = {*FOLDER.lists, *(name for place in FOLDER.places for name in place.masks)}


@dataclass(frozen=True)
class Named:
    """A folder that an option names, in the data set or anywhere.

    Attributes:
        files: all below it.
        folder: begins their names.
        inside: whether it lies in the data set.
    """

    files: list[File]
    folder: str
    inside: bool


def named_folder(
    root: Path, given: str | None, option: str, tree: Tree, report: Report
) -> Named | None:
    """The folder that an option names, None where it names none.

    Args:
        root: of the data set.
        given: the option's value.
        option: its name.
        tree: what lies below the root.
        report: told of folders that cannot be used.

    Raises:
        BadInputError: there is no such folder.
    """
    if given is None:
        return None
    folder = root / given if os.path.isdir(root / given) else Path(given)
    if not os.path.isdir(folder):
        hint = f"name a folder, below {root} or by its whole path"
        raise BadInputError(folder, f"expected a folder for {option}, found none", hint=hint)
    below = os.path.relpath(folder, root)
    below = "" if below == "." else below
    if files := [f for f in tree.files if f.below(below)]:
        return Named(files, below, True)
    elsewhere = walk(folder)  # or in a folder that is not entered unasked
    for fault in elsewhere.faults:
        report(fault.path, fault.problem, fault.hint)
    files = [replace(f, name=f"{folder}/{f.name}") for f in elsewhere.files]
    return Named(files, str(folder), False)


@dataclass(frozen=True)
class Pools:
    """The pictures of one part of a data set by the roles that they may have.

    Attributes:
        photos: may be photos; where the user named their folder, all of them are.
        masks: masks by the name of their folder; None where contents decide.
        others: lie elsewhere, and may be masks where contents decide.
        folder: below which photos are named.
        paired_below: the folders below which the names of photos and of masks are the same.
    """

    photos: list[File]
    masks: list[File] | None
    others: list[File]
    folder: str
    paired_below: tuple[str, str]


def choose_pools(
    part: Part,
    parts: Sequence[Part],
    files: Sequence[File],
    images: Named | None,
    masks: Named | None,
) -> Pools:
    """The pools of a part.

    Args:
        part: of the layout.
        parts: all of them.
        files: all below the root.
        images: the folder of photos that the user named.
        masks: the folder of masks that the user named.
    """
    of_masks, masks_in = None, ""
    if masks is not None:
        of_masks, masks_in = [f for f in masks.files if is_picture(f)], masks.folder
    elif part.masks is not None:
        masks_in = part.masks
        of_masks = [f for f in files if f.below(masks_in) and is_picture(f)]
    if images is not None:
        photos, folder = [f for f in images.files if f.suffix in IMAGE_SUFFIXES], images.folder
    else:
        folder = part.photos
        photos = [f for f in files if f.below(folder) and f.suffix in IMAGE_SUFFIXES]
        if not folder:
            photos = [f for f in photos if "/" not in f.name or _first(f) not in _NO_PHOTOS]
    known = {f.path for f in of_masks or ()}
    photos = [f for f in photos if f.path not in known]
    known |= {f.path for f in photos}
    elsewhere = [f for other in parts if other is not part for f in folders_of([other])]
    others = [
        f
        for f in files
        if (f.suffix in IMAGE_SUFFIXES or f.suffix in MASK_SUFFIXES)
        and f.path not in known
        and not any(f.below(folder) for folder in elsewhere)
    ]
    if of_masks is not None or (images is not None and not images.inside):
        return Pools(photos, of_masks, others, folder, (folder, masks_in))
    return Pools(photos, of_masks, others, folder, ("", ""))


def is_picture(file: File) -> bool:
    """Whether a file is called as pictures or masks are, of a format that is read or not."""
    return file.suffix in (*IMAGE_SUFFIXES, *MASK_SUFFIXES, *UNREAD_PICTURES)


def _first(file: File) -> str:
    return file.name.split("/")[0]
