"""Finds the mask of each photo by one key of their names, wherever the two lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from c2l.data.names import MASK_WORDS, PHOTO_WORDS, key, undecorated
from c2l.data.walk import File

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


def pair(photos: Iterable[File], masks: Iterable[File]) -> Pairs:
    """Give each photo its mask.

    A mask belongs to the photo of the same stem, by accents composed and case folded, else to
    that of the same stem without decorations such as ``_mask``; of several to the one whose
    folders differ least. Where two fit equally well, neither is taken.
    """
    index = _Index(photos)
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

    def __init__(self, photos: Iterable[File]) -> None:
        self._exact: dict[str, list[File]] = defaultdict(list)
        self._bare: dict[str, list[File]] = defaultdict(list)
        folders = set()
        for photo in photos:
            self._exact[key(photo.stem)].append(photo)
            self._bare[key(undecorated(photo.stem)[0])].append(photo)
            folders.add(photo.folder)
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
                if (apart := self._apart(photo.folder, mask.folder)) is not None
            ]
            if found:
                return sorted(found, key=lambda fit: (fit[0], fit[1].name))
        return []

    def _apart(self, photos: str, masks: str) -> int | None:
        """In how many folders the two places differ; None where the mask is of another group."""
        first, second = _parts(photos), _parts(masks)
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
