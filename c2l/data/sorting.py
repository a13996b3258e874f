"""Sorts pictures into photos, masks and copies: by names first, by contents where they repeat.

Pictures of one folder, ending and decoration (``_mask``) are a series. Where the stems of two
series are the same, the one that holds fewer values is the masks of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from c2l.data.contents import FEW_COLOURS, FEW_VALUES, PHOTO, are_smaller_copies, maskness
from c2l.data.decoding import evenly
from c2l.data.names import MASK_WORDS, key, means_mask, split_kind, undecorated
from c2l.data.walk import File

# Series whose contents are looked at, at most: a folder for each person has thousands.
_MOST_SERIES = 64
# Shares of a series' stems that another one has, from which it may be made from it (a copy, or a
# mask in colours), or is worth a word.
_COPIED, _REPEATED = 0.8, 0.9
# Of many series, or of many pairs of files, those that are looked at.
_FEW = 3
# Of formats whose few colours make no mask: lossy ones, and GIF, which has never more than 256.
_LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".gif")


@dataclass(frozen=True)
class Series:
    """Pictures of one folder, ending and decoration.

    Attributes:
        folder: posix path below the root.
        words: the decorations of their stems.
        suffix: lower case, with the dot.
        files: by undecorated stem.
    """

    folder: str
    words: tuple[str, ...]
    suffix: str
    files: dict[str, File] = field(hash=False)

    @cached_property
    def named_mask(self) -> bool:
        """Whether a folder or the stems say that they are masks."""
        words = not set(self.words).isdisjoint(MASK_WORDS)
        return words or any(means_mask(part) for part in self.folder.split("/"))

    @cached_property
    def maskness(self) -> float | None:
        """As ``contents.maskness``; a lossy picture of no telling name is a photo."""
        return maskness([file.path for file in self.files.values()])

    @property
    def only_colours(self) -> bool:
        """Whether nothing but its few colours could make it masks, as a plain photo has them."""
        return not self.named_mask and (self.maskness or PHOTO) < FEW_VALUES

    @property
    def rank(self) -> float:
        """By which the masks among series of the same stems are told."""
        return (self.maskness or PHOTO) + 0.5 * self.named_mask

    @property
    def pattern(self) -> str:
        """The series in a message."""
        return f"{self.folder or '.'}/*{''.join(f'_{w}' for w in self.words)}{self.suffix}"


@dataclass
class Sorted:
    """What some pictures are.

    Attributes:
        photos: and those that names alone make photos.
        masks: by their contents, or by names that repeat those of photos.
        lonely: look like masks, and fit no photo.
        copies: show photos with fewer pixels.
        doubts: (file, what is unclear about it and the others of its series).
        all_masks: whether nothing but masks is there.
    """

    photos: list[File]
    masks: list[File] = field(default_factory=list)
    lonely: list[File] = field(default_factory=list)
    copies: list[File] = field(default_factory=list)
    doubts: list[tuple[File, str]] = field(default_factory=list)
    all_masks: bool = False


def sort_pictures(
    pictures: Iterable[File], others: Iterable[File] = (), *, masks_known: bool = False
) -> Sorted:
    """Tell masks and copies from photos.

    Args:
        pictures: lie where photos do.
        others: lie elsewhere, and may be the masks of ``pictures``, never photos.
        masks_known: the masks lie in a folder of their own, and few colours make no other.
    """
    inside, outside = _series(pictures), _series(others)
    photos = {id(one): one for one in inside}
    result = Sorted([])
    repeats = _repeats([*inside, *outside])

    def is_mask(one: Series) -> bool:
        return _is_mask(one, repeats[id(one)], masks_known=masks_known)

    for one in _masks_of([s for s in (*inside, *outside) if id(s) in repeats], is_mask):
        result.masks += one.files.values()
        photos.pop(id(one), None)
    _take_copies(photos, repeats, result)
    _take_lonely(photos, repeats, result)
    result.photos = [file for one in photos.values() for file in one.files.values()]
    _note_repeats(photos, repeats, result)
    return result


def _series(files: Iterable[File]) -> list[Series]:
    """In the order of their first files; of two files of one core both count."""
    groups: dict[tuple[str, tuple[str, ...], str], dict[str, File]] = defaultdict(dict)
    for file in files:
        core, words = undecorated(file.stem)
        group = groups[(file.folder, words, file.suffix)]
        core = key(core)
        group[core if core not in group else file.name] = file
    return [Series(*about, files) for about, files in groups.items()]


def _repeats(series: Sequence[Series]) -> dict[int, list[Series]]:
    """By the id of a series: those that share a stem with it."""
    owners: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        for core in one.files:
            owners[core].append(one)
    found: dict[int, dict[int, Series]] = defaultdict(dict)
    for sharing in owners.values():
        for group in [sharing] if len(sharing) <= _MOST_SERIES else _neighbours(sharing):
            for one in group:
                found[id(one)] |= {id(other): other for other in group if other is not one}
    return {one: list(others.values()) for one, others in found.items() if others}


def _neighbours(series: Sequence[Series]) -> list[list[Series]]:
    """Of very many that share a stem: those that lie side by side, or in folders of one name."""
    groups: dict[tuple[int, str], list[Series]] = defaultdict(list)
    for one in series:
        parent, _, name = one.folder.rpartition("/")
        for kind, place in enumerate((one.folder, parent, name)):
            groups[kind, place].append(one)
    return [group for group in groups.values() if len(group) <= _MOST_SERIES]


def _masks_of(series: list[Series], is_mask: Callable[[Series], bool]) -> list[Series]:
    """Those that are masks; of very many, a sample of each kind speaks for it."""
    if len(series) <= _MOST_SERIES:
        return [one for one in series if is_mask(one)]
    kinds: dict[tuple[object, ...], list[Series]] = defaultdict(list)
    for one in series:
        if one.named_mask or one.suffix not in _LOSSY:
            name = one.folder.rpartition("/")[2]
            kinds[one.words, one.suffix, name if one.named_mask else ""].append(one)
    found = []
    for kind in kinds.values():
        sample = [kind[i] for i in evenly(len(kind), _FEW)]
        if all(is_mask(one) for one in sample):
            found += kind
        elif any(is_mask(one) for one in sample):
            found += [one for one in kind if is_mask(one)]
    return found


def _is_mask(one: Series, others: Sequence[Series], *, masks_known: bool) -> bool:
    if not one.named_mask and (one.maskness or PHOTO) < FEW_COLOURS:
        return False
    worse = [other for other in others if other.rank < one.rank]
    if not one.only_colours:
        return bool(worse)
    if masks_known:
        return False
    fitting = sum(any(core in other.files for other in worse) for core in one.files)
    return fitting >= _COPIED * len(one.files)


def _take_copies(
    photos: dict[int, Series], repeats: dict[int, list[Series]], result: Sorted
) -> None:
    if sum(one in repeats for one in photos) > _MOST_SERIES:
        return
    for one in list(photos.values()):
        for other in repeats.get(id(one), ()):
            if id(other) not in photos or id(one) not in photos:
                continue
            shared = [core for core in one.files if core in other.files]
            if len(shared) < _COPIED * len(one.files):
                continue
            pairs = [(one.files[core].path, other.files[core].path) for core in shared]
            if are_smaller_copies([pairs[i] for i in evenly(len(pairs), _FEW)]):
                result.copies += one.files.values()
                del photos[id(one)]


def _take_lonely(
    photos: dict[int, Series], repeats: dict[int, list[Series]], result: Sorted
) -> None:
    """Series that look like masks though no photo has their stems."""
    alone = [one for number, one in photos.items() if number not in repeats]
    if len(alone) > _MOST_SERIES:
        return
    lonely = [one for one in alone if _looks_like_mask(one)]
    result.all_masks = bool(lonely) and len(lonely) == len(photos)
    if not result.all_masks:
        for one in lonely:
            result.lonely += one.files.values()
            del photos[id(one)]


def _looks_like_mask(one: Series) -> bool:
    if one.named_mask:
        return (one.maskness or PHOTO) >= FEW_COLOURS
    if one.suffix in _LOSSY:
        return False
    files = [file.path for file in one.files.values()]
    return (maskness(files, headers_only=True) or PHOTO) >= FEW_VALUES


def _note_repeats(
    photos: dict[int, Series], repeats: dict[int, list[Series]], result: Sorted
) -> None:
    """Photos of the names of other photos, which may be pictures made from them."""
    if len(photos) > _MOST_SERIES:
        return
    noted: set[int] = set()
    for one in photos.values():
        for other in repeats.get(id(one), ()):
            known = id(other) in noted or id(other) not in photos or other.folder == one.folder
            if known or _split_folder(one) or _split_folder(other):
                continue
            shared = sum(core in other.files for core in one.files)
            if shared > 1 and shared >= _REPEATED * len(one.files):
                noted.add(id(one))
                first = next(iter(one.files.values()))
                about = f"{len(one.files)} pictures {one.pattern} have the names of {other.pattern}"
                problem = f"{about} and look like photos too; they are taken as photos"
                result.doubts.append((first, problem))
                break


def _split_folder(one: Series) -> bool:
    return any(split_kind(part) for part in one.folder.split("/"))
