"""Takes the inventory of a data set: by its layout's names, by contents where these are silent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from c2l import schema
from c2l.data.coloured import LABEL_MAP, ColourMask, coloured
from c2l.data.drawn_masks import give_masks, named_file
from c2l.data.inventory import UNREAD_FORMAT, UNREAD_LIST, Inventory, Remark
from c2l.data.layouts import FOLDER, LAYOUTS, Part, folders_of, recognise
from c2l.data.ledger import Ledger
from c2l.data.lists import may_be_list
from c2l.data.masks import MASK_SUFFIXES
from c2l.data.names import key, shown, stem_of
from c2l.data.pairing import NOT_NEEDED, match_masks
from c2l.data.pools import (
    IMAGE_SUFFIXES,
    UNREAD_PICTURES,
    Pools,
    choose_pools,
    is_picture,
    named_folder,
)
from c2l.data.records import Choices, Record
from c2l.data.reports import Report
from c2l.data.sorting import Sorted, sort_pictures
from c2l.data.spaces import NAMES_FILES, Meaning, chosen_space, find_meaning
from c2l.data.texts import find_lists, find_names, find_splits
from c2l.data.walk import OURS, Fault, File, LeftOut, is_output, unfit, walk
from c2l.errors import BadInputError

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_OVERWRITTEN = "so their masks would overwrite each other"
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def take_inventory(root: Path, choices: Choices, report: Report) -> Inventory:
    """What a folder holds; a single image file is a data set of one.

    Args:
        root: the folder of a data set, or an image file.
        choices: what the user says of it.
        report: told of each thing that cannot be used; it may raise.

    Raises:
        BadInputError: there is no such folder, or it is none of photos.
    """
    _check_root(root, choices)
    if os.path.isfile(root):
        record = Record(root.name, root, None, turn=choices.exif == "apply")
        return Inventory(root, FOLDER.name, (record,))
    return _Taking(root, choices, report).inventory()


def _check_root(root: Path, choices: Choices) -> None:
    try:
        os.fsencode(root).decode("utf-8")
        os.stat(root)
    except UnicodeDecodeError:
        problem = "the folder's name is not valid UTF-8"
        raise BadInputError(shown(root), problem, hint="rename the folder") from None
    except FileNotFoundError:
        raise BadInputError(root, "expected a folder of images, found nothing there") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInputError(root, f"expected a folder of images: {reason}") from None
    if os.path.isfile(root):
        if File(root.name, root).suffix not in IMAGE_SUFFIXES:
            expected = ", ".join(IMAGE_SUFFIXES)
            raise BadInputError(root, f"expected a folder or an image file ({expected})")
        if choices.images or choices.masks:
            raise BadInputError(root, "--images and --masks need a folder, found a file")
    elif not os.path.isdir(root):
        raise BadInputError(root, "expected a folder or an image file, found a device or a pipe")
    elif not os.access(root, os.R_OK | os.X_OK):
        raise BadInputError(root, "expected a folder of images that can be read")


class _Taking:
    """One inventory while it is taken; each step gives some files their roles."""

    def __init__(self, root: Path, choices: Choices, report: Report) -> None:
        self.root, self.choices, self.report = root, choices, report
        layout, parts = recognise(root)
        if choices.images:
            parts = [Part("", FOLDER.found(root)[0].masks)]
        elif _is_ours(root):
            raise BadInputError(
                root,
                "expected photos, found a run or pictures that c2l wrote",
                hint="name the folder of the photos",
            )
        self.layout, self.parts = FOLDER if choices.images else layout, parts
        enter = {folder for named in folders_of(parts) for folder in _with_parents(named)}
        self.tree = walk(root, enter=enter)
        self.images = named_folder(root, choices.images, "--images", self.tree, report)
        file = named_file(root, choices.masks)
        self.annotations = [file] if file else []
        self.masks = None
        if not file:
            self.masks = named_folder(root, choices.masks, "--masks", self.tree, report)
        if not choices.masks:
            self.annotations = layout.annotated(root)
        named = [one for one in (self.images, self.masks) if one is not None]
        self.elsewhere = {f.path for one in named if not one.inside for f in one.files}
        self.files = self.tree.files
        self.ledger = Ledger(self.tree.left)
        self.below_root: dict[str, str] = {}
        self.colours: dict[Path, Path | None] = {}

    def inventory(self) -> Inventory:
        """Every file below the root with its role."""
        self._report_faults()
        records = sorted(
            (record for part in self.parts for record in self._records(part)),
            key=lambda record: record.name,
        )
        meaning = None
        if self.annotations:
            records, meaning = give_masks(
                records, self.annotations, self.choices.labels, self.ledger
            )
            self.ledger.use(self.annotations)
        texts = [f for f in self.files if not (self.ledger.knows(f) or is_picture(f))]
        texts = [f for f in texts if f.fit and unfit(f, self.root) is None]
        lists = find_lists(texts, self.below_root, self.layout)
        named_by = []
        if meaning is None:
            named_by = find_names([f for f in texts if f not in lists], records, self.root)
            named_by += self._names_elsewhere()
            meaning = self._meaning(records, named_by)
        self.ledger.use(f.path for f in (*lists, *named_by))
        splits, notes = find_splits(self.root, self.layout, self.parts, lists, self.below_root)
        self.ledger.notes += notes
        self._leave_the_rest()
        found = Inventory(
            root=self.root,
            layout=self.layout.name,
            records=tuple(records),
            splits=splits,
            meaning=meaning,
            left=tuple(sorted(self.ledger.left, key=lambda left: left.name)),
            lists=tuple(file.name for file in (*lists, *named_by)),
            wrong=self.ledger.wrong,
            notes=self.ledger.notes,
            ambiguous=self.ledger.ambiguous,
            below_root=self.below_root,
        )
        if not records:
            left = f": {found.line().split(', ', 2)[2]}" if found.left else ""
            published = ", ".join(layout.name for layout in LAYOUTS)
            hint = f"name the folder of images, or of a data set as published ({published})"
            if packed := [file.name for file in self.files if file.suffix in ARCHIVES]:
                hint = f"unpack {shown(packed[0])}"
            expected = f"expected images ({', '.join(IMAGE_SUFFIXES)})"
            self.report(self.root, f"{expected}, found none{left}", hint)
        return found

    # Photos and masks.

    def _report_faults(self) -> None:
        """Links and folders that cannot be used; those outside the layout's folders are left."""
        places = [part.photos for part in self.parts] if self.images is None else []
        places += [named.folder for named in (self.images, self.masks) if named is not None]
        places += [part.masks for part in self.parts if part.masks]
        for fault in self.tree.faults:
            if any(_touches(fault, place) for place in places):
                self.report(shown(fault.path), fault.problem, fault.hint)
            else:
                self.ledger.left.append(LeftOut(f"{shown(fault.name)}/", "unreadable", 0))

    def _records(self, part: Part) -> list[Record]:
        pools = choose_pools(part, self.parts, self.files, self.images, self.masks)
        if self.annotations:
            self.ledger.leave(pools.masks or (), NOT_NEEDED)
            pools = replace(pools, masks=[])
        found = self._sorted(pools)
        photos = self._without_twins([f for f in found.photos if self._fit(f)], _OVERWRITTEN)
        masks = [f for f in found.masks if self._fit(f)]
        readable = [f for f in masks if f.suffix in MASK_SUFFIXES]
        read = self._without_twins(readable, "so which of the two counts cannot be told")
        if self.choices.on_error == "skip":  # photos can be read, but not be scored
            why = "another mask beside it has its name"
            twins = [f for f in readable if f not in read]
            self.ledger.ambiguous += [Remark(f.path, why, "--masks DIR") for f in twins]
        masks = [*read, *(f for f in masks if f.suffix not in MASK_SUFFIXES)]
        unread = (f for f in self.files if _unread(f) and not self.ledger.knows(f))
        of = match_masks(photos, masks, pools.paired_below, unread, self.ledger)
        self.ledger.use(photo.path for photo in photos)
        return [self._record(part, photo, pools.folder, of.get(photo.path)) for photo in photos]

    def _record(self, part: Part, photo: File, folder: str, mask: Path | None) -> Record:
        name = part.prefix + photo.within(folder).name
        outside = self.images is not None and not self.images.inside
        self.below_root[name] = name if outside else photo.name
        turn, nearest = self.choices.exif == "apply", self.choices.mask_size == "nearest"
        drawn = None
        if mask is not None and (labels := self._colours_beside(mask)):
            drawn = ColourMask(mask, labels)
        return Record(name, photo.path, mask, turn=turn, nearest=nearest, drawn=drawn)

    def _colours_beside(self, mask: Path) -> Path | None:
        """The file with the labels' colours, beside a mask or in the two folders above."""
        if mask.parent not in self.colours:
            places = (folder / LABEL_MAP for folder in mask.parents[:3])
            files = (place for place in places if os.path.isfile(place))
            self.colours[mask.parent] = next((p for p in files if coloured(p)), None)
        return self.colours[mask.parent]

    def _names_elsewhere(self) -> list[File]:
        """Files that name the labels of masks that lie outside of the data set."""
        if self.masks is None or self.masks.inside:
            return []
        folder = Path(self.masks.folder)
        beside = [f for f in self.masks.files if f.path.parent == folder]
        above = folder.parent / LABEL_MAP
        files = [f for f in beside if f.path.name.lower() in NAMES_FILES]
        return files or [File(str(above), above)] * os.path.isfile(above)

    def _sorted(self, pools: Pools) -> Sorted:
        """Photos and masks, by their folders' names or by contents."""
        known = pools.masks is not None
        others = () if known else pools.others
        if self.images is not None:
            found = Sorted(pools.photos)
            if not known:
                named = set(pools.photos)
                masks = sort_pictures(pools.photos, others).masks
                found.masks = [file for file in masks if file not in named]
        else:
            found = sort_pictures(pools.photos, others, masks_known=known)
            self._note(found)
        if pools.masks is not None:
            self.ledger.leave(found.masks, NOT_NEEDED)
            found.masks = pools.masks
        return found

    def _note(self, found: Sorted) -> None:
        """What contents said of pictures that names alone would have made photos."""
        if found.all_masks:
            self.report(
                self.root,
                "expected photos, found pictures that look like masks: indexed, or of few values",
                "name the folder of the photos, or say that these are: --images DIR",
            )
        self.ledger.leave(found.copies, "showing another photo with fewer pixels")
        self.ledger.leave(found.lonely, "looking like a mask, but fitting no photo")
        problem, hint = "looks like a mask, and no photo has its name", "--images DIR --masks DIR"
        self.ledger.wrong += [Remark(f.path, problem, hint) for f in found.lonely]
        self.ledger.notes += [Remark(f.path, why, "--images DIR") for f, why in found.doubts]

    def _fit(self, file: File) -> bool:
        """Whether a file can be used; what cannot is reported."""
        problem = unfit(file, None if file.path in self.elsewhere else self.root)
        if problem is not None:
            self.report(shown(file.path), problem.problem, problem.hint)
            self.ledger.leave([file], "unusable")
        return problem is None

    def _without_twins(self, files: Sequence[File], so: str) -> list[File]:
        """Files of one folder whose names differ in suffix, case or accents: the first of each."""
        kept: dict[tuple[str, str], File] = {}
        for file in files:
            place = (key(file.folder), key(file.stem))
            first = kept.setdefault(place, file)
            if first is not file:
                same = stem_of(first.name) == stem_of(file.name)
                differs = "its suffix" if same else "case or accents"
                self.report(
                    file.path,
                    f"'{first.name}' beside it has the same name but for {differs}, {so}",
                    "rename or remove one of them",
                )
                self.ledger.leave([file], "unusable")
        return list(kept.values())

    def _meaning(self, records: Sequence[Record], named_by: Sequence[File]) -> Meaning:
        labels = self.choices.labels
        if labels is not None:
            return Meaning(chosen_space(labels), f"as --labels {labels} says")
        stems = [stem_of(record.name).rpartition("/")[2] for record in records]
        return find_meaning(self.layout, self.files, named_by, stems)

    # What is left.

    def _leave_the_rest(self) -> None:
        """Files that no role was found for."""
        unread: dict[str, list[File]] = {}
        for file in self.files:
            if self.ledger.knows(file):
                continue
            self.ledger.leave([file], self._why_left(file))
            if file.suffix in (*UNREAD_PICTURES, *ARCHIVES):
                unread.setdefault(file.suffix, []).append(file)
        for suffix, files in unread.items():
            packed = suffix in ARCHIVES
            count = f"{len(files)} file{'s' * (len(files) > 1)}"
            problem = f"{count} {'packed' if packed else 'of a format that is not read'} ({suffix})"
            hint = "unpack it" if packed else "convert to JPEG or PNG"
            self.ledger.notes.append(Remark(files[0].path, problem, hint))

    def _why_left(self, file: File) -> str:
        if file.suffix in IMAGE_SUFFIXES or file.suffix in MASK_SUFFIXES:
            if self.images is not None or self.masks is not None:
                return "outside the folders that were named"
            return f"outside the folders of the layout {self.layout.name}"
        if may_be_list(file):
            return UNREAD_LIST
        if _unread(file):
            return UNREAD_FORMAT
        if file.suffix in ARCHIVES:
            return "packed, not read"
        if file.name == schema.SYNTH_MARKER:
            return OURS
        head = file.head()
        if head.startswith(_HDF5):
            return OURS
        if not file.suffix and head.startswith(_MAGIC):
            return "like a picture, but without a suffix"
        return "of another kind"


def _is_ours(root: Path) -> bool:
    """Whether a folder that was named as a data set is what c2l makes of one."""
    root = Path(os.path.abspath(root))
    places = (root, root.parent) if root.name in ("masks", "overlays") else (root,)
    return any(is_output(place) for place in places)


def _with_parents(folder: str) -> set[str]:
    parts = folder.split("/")
    return {"/".join(parts[: i + 1]) for i in range(len(parts))}


def _touches(fault: Fault, place: str) -> bool:
    """Whether a fault lies in a folder, or keeps it from being reached."""
    return (
        not place
        or f"{fault.name}/".startswith(f"{place}/")
        or f"{place}/".startswith(f"{fault.name}/")
    )


def _unread(file: File) -> bool:
    return file.suffix in UNREAD_PICTURES
