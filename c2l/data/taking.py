"""Takes the inventory of a data set: by its layout's names, by contents where these are silent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from c2l import schema
from c2l.data.inventory import UNREAD_FORMAT, UNREAD_LIST, UNREAD_MASK, Inventory, Remark
from c2l.data.layouts import FOLDER, Part, folders_of, recognise
from c2l.data.lists import may_be_list
from c2l.data.masks import MASK_SUFFIXES
from c2l.data.names import key, shown, stem_of, undecorated
from c2l.data.pairing import pair
from c2l.data.records import Choices, Record
from c2l.data.reports import Report
from c2l.data.sorting import Sorted, sort_pictures
from c2l.data.spaces import Meaning, chosen_space, find_meaning
from c2l.data.texts import find_lists, find_names, find_splits
from c2l.data.walk import OURS, Fault, File, LeftOut, is_output, unfit, walk
from c2l.errors import BadInputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff")
# Pictures and arrays of formats that are not read.
UNREAD = (
    *(".gif", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".tga", ".psd", ".svg", ".ppm"),
    *(".pgm", ".pbm", ".pnm", ".exr", ".hdr", ".ico", ".raw", ".dng", ".cr2", ".cr3", ".nef"),
    *(".arw", ".orf", ".rw2", ".raf", ".npy", ".npz"),
)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Folders at the root of a plain data set in which no photos are looked for.
_NO_PHOTOS = ("masks", "labels", "annotations", "splits")


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
        if root.suffix.lower() not in IMAGE_SUFFIXES:
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
            layout, parts = FOLDER, [Part("", FOLDER.found(root)[0].masks)]
        elif _is_ours(root):
            raise BadInputError(
                root,
                "expected photos, found a run or pictures that c2l wrote",
                hint="name the folder of the photos",
            )
        self.layout, self.parts = layout, parts
        enter = {folder for named in folders_of(parts) for folder in _with_parents(named)}
        self.tree = walk(root, enter=enter)
        self.elsewhere: set[Path] = set()
        self.images = self._named_folder(choices.images, "--images")
        self.masks = self._named_folder(choices.masks, "--masks")
        self.files = self.tree.files
        self.taken: set[Path] = set()
        self.left = list(self.tree.left)
        self.wrong: list[Remark] = []
        self.notes: list[Remark] = []
        self.ambiguous: list[Remark] = []
        self.below_root: dict[str, str] = {}

    def inventory(self) -> Inventory:
        """Every file below the root with its role."""
        self._report_faults()
        records = sorted(
            (record for part in self.parts for record in self._records(part)),
            key=lambda record: record.name,
        )
        texts = [f for f in self.files if f.path not in self.taken and not _is_picture(f)]
        texts = [f for f in texts if f.fit and unfit(f, self.root) is None]
        lists = find_lists(texts, self.below_root, self.layout)
        named_by = find_names([f for f in texts if f not in lists], records, self.root)
        self.taken |= {f.path for f in (*lists, *named_by)}
        meaning = self._meaning(records, named_by)
        splits, notes = find_splits(self.root, self.layout, self.parts, lists, self.below_root)
        self.notes += notes
        self._leave_the_rest()
        found = Inventory(
            root=self.root,
            layout=self.layout.name,
            records=tuple(records),
            splits=splits,
            meaning=meaning,
            left=tuple(sorted(self.left, key=lambda left: left.name)),
            lists=tuple(file.name for file in (*lists, *named_by)),
            wrong=self.wrong,
            notes=self.notes,
            ambiguous=self.ambiguous,
            below_root=self.below_root,
        )
        if not records:
            left = f": {found.line().split(', ', 2)[2]}" if found.left else ""
            self.report(
                self.root,
                f"expected images ({', '.join(IMAGE_SUFFIXES)}), found none{left}",
                "name the folder of a data set (ATR, CCP or LIP layout) or of images",
            )
        return found

    # Photos and masks.

    def _named_folder(self, given: str | None, option: str) -> list[File] | None:
        """The files of a folder that an option names, in the data set or anywhere."""
        if given is None:
            return None
        folder = self.root / given if os.path.isdir(self.root / given) else Path(given)
        if not os.path.isdir(folder):
            hint = f"name a folder, below {self.root} or by its whole path"
            raise BadInputError(folder, f"expected a folder for {option}, found none", hint=hint)
        below = os.path.relpath(folder, self.root)
        below = "" if below == "." else below
        files = [f.within(below) for f in self.tree.files if f.below(below)]
        if files:
            return files
        tree = walk(folder)  # elsewhere, or in a folder that is not entered unasked
        for fault in tree.faults:
            self.report(fault.path, fault.problem, fault.hint)
        self.elsewhere |= {f.path for f in tree.files}
        return tree.files

    def _report_faults(self) -> None:
        """Links and folders that cannot be used; those outside the layout's folders are left."""
        for fault in self.tree.faults:
            places = list(folders_of(self.parts))
            whole = any(not part.photos for part in self.parts) and self.images is None
            if whole or any(_touches(fault, place) for place in places):
                self.report(shown(fault.path), fault.problem, fault.hint)
            else:
                self.left.append(LeftOut(f"{shown(fault.name)}/", "unreadable", 0))

    def _records(self, part: Part) -> list[Record]:
        pool, others, named = self._pools(part)
        if self.images is not None:
            found = Sorted(pool)
            if named is None:
                found.masks = sort_pictures(pool, others).masks
        else:
            found = sort_pictures(
                pool, others if named is None else (), masks_known=named is not None
            )
            self._note(found)
        photos = [f for f in found.photos if self._fit(f)]
        masks = [f for f in (found.masks if named is None else named) if self._fit(f)]
        if named is not None:
            self._leave(found.masks, "not needed: another mask is taken")
        photos = self._without_twins(photos)
        read = self._without_twins([f for f in masks if f.suffix in MASK_SUFFIXES])
        masks = [*read, *(f for f in masks if f.suffix not in MASK_SUFFIXES)]
        own = {f.path: f for f in photos}
        if named is not None:  # both by their paths below their own folders
            photos = [f if self.images is not None else f.within(part.photos) for f in photos]
            below = part.masks or ""
            masks = [f if self.masks is not None else f.within(below) for f in masks]
        by_photo = self._pair(photos, masks)
        records = []
        for photo in sorted(own.values(), key=lambda f: f.name):
            name = photo.name if self.images is not None else photo.within(part.photos).name
            name = part.prefix + name
            self.below_root[name] = photo.name
            records.append(
                Record(
                    name,
                    photo.path,
                    by_photo.get(photo.path),
                    turn=self.choices.exif == "apply",
                    nearest=self.choices.mask_size == "nearest",
                )
            )
        self.taken |= own.keys()
        return records

    def _pools(self, part: Part) -> tuple[list[File], list[File], list[File] | None]:
        """Pictures that are photos by name, those elsewhere, and those that are masks by name."""
        pictures = [f for f in self.files if f.suffix in IMAGE_SUFFIXES or f.suffix == ".mat"]
        named: list[File] | None = None
        if self.masks is not None:
            named = [f for f in self.masks if _may_be_mask(f)]
        elif part.masks is not None:
            named = [f for f in self.files if f.below(part.masks) and _may_be_mask(f)]
        not_photos = {f.path for f in named or ()}
        if self.images is not None:
            pool = [f for f in self.images if f.suffix in IMAGE_SUFFIXES]
        else:
            pool = [f for f in pictures if f.below(part.photos) and f.suffix != ".mat"]
            if not part.photos:
                pool = [
                    f for f in pool if f.name.split("/")[0] not in _NO_PHOTOS or "/" not in f.name
                ]
        pool = [f for f in pool if f.path not in not_photos]
        not_others = not_photos | {f.path for f in pool}
        elsewhere = [f for other in self.parts if other is not part for f in folders_of([other])]
        others = [
            f
            for f in pictures
            if f.path not in not_others and not any(f.below(folder) for folder in elsewhere)
        ]
        return pool, others, named

    def _note(self, found: Sorted) -> None:
        """What contents said of pictures that names alone would have made photos."""
        if found.all_masks:
            self.report(
                self.root,
                "expected photos, found pictures that look like masks: indexed, or of few values",
                "name the folder of the photos, or say that these are: --images DIR",
            )
        self._leave(found.copies, "showing another photo with fewer pixels")
        self._leave(found.lonely, "looking like masks that fit no photo")
        self.wrong += [
            Remark(
                f.path, "looks like a mask, and no photo has its name", "--images DIR --masks DIR"
            )
            for f in found.lonely
        ]
        self.notes += [Remark(f.path, problem, "--images DIR") for f, problem in found.doubts]

    def _pair(self, photos: Sequence[File], masks: Sequence[File]) -> dict[Path, Path]:
        """The mask of each photo; masks that are not used are left out, with the reason."""
        pairs = pair(photos, [f for f in masks if f.suffix in MASK_SUFFIXES])
        unread = [f for f in masks if f.suffix not in MASK_SUFFIXES]
        bare = pair([p for p in photos if p not in pairs.masks], unread)
        for mask in bare.masks.values():
            self._leave([mask], UNREAD_MASK)
            self.wrong.append(
                Remark(
                    mask.path,
                    f"expected a mask as PNG or MATLAB file, found '{mask.suffix}'",
                    "save label ids as PNG; JPEG changes them",
                )
            )
        spare = [*pairs.unused, *bare.strays, *bare.unused, *(f for f, _ in bare.doubts)]
        self._leave(spare, "not needed: another mask is taken")
        self.ambiguous += [Remark(f.path, why, "--masks DIR") for f, why in pairs.doubts]
        self._leave([f for f, _ in pairs.doubts], "fitting several photos, or with other masks one")
        self._leave(pairs.strays, "masks that fit no photo")
        unread_photos = {
            key(f.stem): f for f in self.files if f.suffix in UNREAD and f.path not in self.taken
        }
        for stray in pairs.strays:
            photo = unread_photos.get(key(stray.stem)) or unread_photos.get(
                key(undecorated(stray.stem)[0])
            )
            why = f": {photo.name} is of a format that is not read" if photo else ""
            self.wrong.append(Remark(stray.path, f"a mask of no image{why}"))
        found = {photo.path: mask.path for photo, mask in pairs.masks.items()}
        self.taken |= set(found.values())
        return found

    def _fit(self, file: File) -> bool:
        """Whether a file can be used; what cannot is reported."""
        problem = unfit(file, None if file.path in self.elsewhere else self.root)
        if problem is not None:
            self.report(shown(file.path), problem.problem, problem.hint)
            self._leave([file], "unusable")
        return problem is None

    def _without_twins(self, files: Sequence[File]) -> list[File]:
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
                    f"'{first.name}' beside it has the same name but for {differs}, "
                    "so their masks would overwrite each other",
                    "rename or remove one of them",
                )
                self._leave([file], "unusable")
        return list(kept.values())

    def _meaning(self, records: Sequence[Record], named_by: Sequence[File]) -> Meaning:
        labels = self.choices.labels
        if labels is not None:
            return Meaning(chosen_space(labels), f"as --labels {labels} says")
        stems = [stem_of(record.name).rpartition("/")[2] for record in records]
        return find_meaning(self.layout, self.files, named_by, stems)

    # What is left.

    def _leave(self, files: Iterable[File], why: str) -> None:
        for file in files:
            if file.path not in self.taken:
                self.taken.add(file.path)
                self.left.append(LeftOut(shown(file.name), why))

    def _leave_the_rest(self) -> None:
        """Files that no role was found for."""
        unread: dict[str, list[File]] = {}
        for file in self.files:
            if file.path in self.taken:
                continue
            self._leave([file], self._why_left(file))
            if file.suffix in UNREAD:
                unread.setdefault(file.suffix, []).append(file)
        for suffix, files in unread.items():
            count = "a picture" if len(files) == 1 else f"{len(files)} pictures"
            problem = f"{count} of a format that is not read ({suffix})"
            self.notes.append(Remark(files[0].path, problem, "convert to JPEG or PNG"))

    def _why_left(self, file: File) -> str:
        if file.suffix in IMAGE_SUFFIXES or file.suffix == ".mat":
            if self.images is not None or self.masks is not None:
                return "outside the folders that were named"
            return f"outside the folders of the layout {self.layout.name}"
        if may_be_list(file):
            return UNREAD_LIST
        if file.suffix in UNREAD:
            return UNREAD_FORMAT
        if file.name == schema.SYNTH_MARKER:
            return OURS
        head = _head(file)
        if head.startswith(_HDF5):
            return OURS
        if not file.suffix and head.startswith(_MAGIC):
            return "pictures without an ending"
        return "of other kinds"


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
    return f"{fault.name}/".startswith(f"{place}/") or f"{place}/".startswith(f"{fault.name}/")


def _is_picture(file: File) -> bool:
    return file.suffix in (*IMAGE_SUFFIXES, *UNREAD, ".mat")


def _may_be_mask(file: File) -> bool:
    return file.suffix in MASK_SUFFIXES or file.suffix in IMAGE_SUFFIXES or file.suffix in UNREAD


def _head(file: File) -> bytes:
    if not file.regular or file.link:
        return b""
    try:
        with file.path.open("rb") as opened:
            return opened.read(16)
    except OSError:
        return b""
