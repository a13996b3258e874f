"""Finds the mask of each photo by one key of their names, and says what becomes of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2l.data.inventory import UNREAD_MASK, Remark
from c2l.data.ledger import Ledger
from c2l.data.masks import MASK_SUFFIXES
from c2l.data.names import MASK_WORDS, PHOTO_WORDS, key, undecorated
from c2l.data.walk import File

NOT_NEEDED = "not used, since the photo has another mask"

# Of two masks of one photo, the kind that holds label ids and no colours or persons.
_FOR_EYES = ("color", "colour", "vis", "instance", "object", "human", "trainids")


@dataclass
class Pairs:
    """Photos with their masks.

    Attributes:
        masks: mask by photo.
        strays: masks of no photo.
        unused: masks of photos that have a better one.
        doubts: (mask, why it cannot be told whose it is).
    """

    masks: dict[File, File] = field(default_factory=dict)
    strays: list[File] = field(default_factory=list)
    unused: list[File] = field(default_factory=list)
    doubts: list[tuple[File, str]] = field(default_factory=list)


def match_masks(
    photos: Sequence[File],
    masks: Sequence[File],
    below: tuple[str, str],
    unread: Iterable[File],
    ledger: Ledger,
) -> dict[Path, Path]:
    """The mask of each photo; masks that are not used are left out, with the reason.

    Args:
        photos: in any folders.
        masks: of any format.
        below: as ``pair`` takes it.
        unread: photos of formats that are not read, of which masks may be.
        ledger: told of every mask.
    """
    pairs = pair(photos, [f for f in masks if f.suffix in MASK_SUFFIXES], below)
    bare = pair(
        [p for p in photos if p not in pairs.masks],
        [f for f in masks if f.suffix not in MASK_SUFFIXES],
        below,
    )
    ledger.leave(bare.masks.values(), UNREAD_MASK)
    ledger.wrong += [
        Remark(
            mask.path,
            f"expected a mask as PNG or MATLAB file, found '{mask.suffix}'",
            "save label ids as PNG; JPEG changes them",
        )
        for mask in bare.masks.values()
    ]
    spare = [*pairs.unused, *bare.strays, *bare.unused, *(f for f, _ in bare.doubts)]
    ledger.leave(spare, NOT_NEEDED)
    ledger.ambiguous += [Remark(f.path, why, "--masks DIR") for f, why in pairs.doubts]
    several = "of several possible photos, or one of several possible masks"
    ledger.leave([f for f, _ in pairs.doubts], several)
    ledger.leave(pairs.strays, "taken for a mask, but fitting no photo")
    unread_photos = {key(f.stem): f for f in unread}
    for stray in pairs.strays:
        stems = (key(stray.stem), key(undecorated(stray.stem)[0]))
        photo = next((unread_photos[stem] for stem in stems if stem in unread_photos), None)
        why = f": {photo.name} is of a format that is not read" if photo else ""
        ledger.wrong.append(Remark(stray.path, f"a mask of no image{why}"))
    found = {photo.path: mask.path for photo, mask in pairs.masks.items()}
    ledger.use(found.values())
    return found


def pair(photos: Iterable[File], masks: Iterable[File], below: tuple[str, str] = ("", "")) -> Pairs:
    """Give each photo its mask.

    A mask belongs to the photo of the same stem, by accents composed and case folded, else to
    that of the same stem without decorations such as ``_mask``; of several to the one whose
    folders differ least. Where two fit equally well, neither is taken.

    Args:
        photos: in any folders.
        masks: in any folders.
        below: the folders of all photos and of all masks, which count for no difference.
    """
    index = _Index(photos, *below)
    result = Pairs()
    claims: dict[File, list[tuple[tuple[int, ...], File]]] = defaultdict(list)
    for mask in masks:
        found = index.photos_of(mask)
        if not found:
            result.strays.append(mask)
        elif len(found) > 1 and found[0][0] == found[1][0]:
            names = " and ".join(photo.name for _, photo in found[:2])
            result.doubts.append((mask, f"fits {names} equally well"))
        else:
            claims[found[0][1]].append((found[0][0], mask))
    for photo, claimed in claims.items():
        claimed.sort(key=lambda claim: (claim[0], claim[1].name))
        result.unused += [mask for _, mask in claimed[1:]]
        if len(claimed) > 1 and claimed[0][0] == claimed[1][0]:
            rivals = f"{claimed[0][1].name} and {claimed[1][1].name} both fit {photo.name}"
            result.doubts.append((claimed[0][1], rivals))
            result.unused.append(claimed[0][1])
        else:
            result.masks[photo] = claimed[0][1]
    return result


class _Index:
    """Photos by their stems."""

    def __init__(self, photos: Iterable[File], of_photos: str, of_masks: str) -> None:
        self._of_photos, self._of_masks = of_photos, of_masks
        self._exact: dict[str, list[File]] = defaultdict(list)
        self._bare: dict[str, list[File]] = defaultdict(list)
        folders = set()
        for photo in photos:
            self._exact[key(photo.stem)].append(photo)
            self._bare[key(undecorated(photo.stem)[0])].append(photo)
            folders.add(photo.within(of_photos).folder)
        roles = {*MASK_WORDS, *PHOTO_WORDS}
        parts = {part for folder in folders for part in _parts(folder)}
        # Names that tell groups of photos apart, as those of persons or splits do.
        self._groups = parts - roles

    def photos_of(self, mask: File) -> list[tuple[tuple[int, ...], File]]:
        """Photos that a mask may belong to with how badly they fit, the best first."""
        exact = self._exact.get(key(mask.stem), [])
        bare = self._bare.get(key(undecorated(mask.stem)[0]), [])
        for candidates, decorated in ((exact, 0), (bare, 1)):
            found = [
                ((decorated, apart, _for_eyes(mask)), photo)
                for photo in candidates
                if (apart := self._apart(photo, mask)) is not None
            ]
            if found:
                return sorted(found, key=lambda fit: (fit[0], fit[1].name))
        return []

    def _apart(self, photo: File, mask: File) -> int | None:
        """In how many folders the two differ; None where the mask is of another group."""
        first = _parts(photo.within(self._of_photos).folder)
        second = _parts(mask.within(self._of_masks).folder)
        while first and second and first[0] == second[0]:
            first, second = first[1:], second[1:]
        while first and second and first[-1] == second[-1]:
            first, second = first[:-1], second[:-1]
        return None if self._groups.intersection(second) else len(first) + len(second)


def _parts(folder: str) -> list[str]:
    return [key(part) for part in folder.split("/")] if folder else []


def _for_eyes(mask: File) -> int:
    """1 for a mask whose name says that it holds colours or instances and no labels."""
    return int(any(word in mask.name.lower() for word in _FOR_EYES))
