"""Gives photos the masks that files of annotations hold, by the photos' names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from c2l.data.annotated import Annotations, Drawn, read_annotations
from c2l.data.inventory import Remark
from c2l.data.labels import LabelSpace
from c2l.data.ledger import Ledger
from c2l.data.names import shown
from c2l.data.records import Record
from c2l.data.spaces import Meaning, chosen_space, plain, space_of
from c2l.errors import BadInputError
from c2l.schema import PARTS

# What Label Studio puts before the name of an uploaded photo.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
_MOST_NAMED = 3


def named_file(root: Path, given: str | None) -> Path | None:
    """The file of annotations that ``--masks`` names, below the root or anywhere."""
    if given is None or os.path.isdir(root / given) or os.path.isdir(given):
        return None
    return next((p for p in (root / given, Path(given)) if os.path.isfile(p)), None)


def give_masks(
    records: Sequence[Record], files: Sequence[Path], labels: str | None, ledger: Ledger
) -> tuple[list[Record], Meaning]:
    """Photos with their masks, and what the ids in these mean.

    Args:
        records: all photos.
        files: of annotations.
        labels: the label space that the user names; without it, the files' own names.
        ledger: told of photos that are not there or that several entries fit.
    """
    ids: dict[str, int] = {}
    try:
        found = [read_annotations(path, ids) for path in files]
        meaning = _meaning(found, labels, ids)
    except BadInputError as error:
        said = "the file of annotations cannot be used"
        return list(records), Meaning(None, said, faults=(error,))
    index = _Index(records)
    taken: dict[str, Drawn] = {}
    for one in found:
        strangers = []
        for name, drawn in one.photos.items():
            fits = index.photos_of(name)
            if len(fits) == 1 and fits[0] not in taken:
                taken[fits[0]] = drawn
            elif fits:
                why = f"{shown(name)!r} fits several photos, or {fits[0]}, which has a mask already"
                ledger.ambiguous.append(Remark(one.path, why, "--masks FILE --images DIR"))
            else:
                strangers.append(name)
        _note(one, strangers, ledger)
    given = [
        replace(r, mask=taken[r.name].path, drawn=taken[r.name]) if r.name in taken else r
        for r in records
    ]
    return given, meaning


def _meaning(found: Sequence[Annotations], labels: str | None, ids: dict[str, int]) -> Meaning:
    names = list(dict.fromkeys(name for one in found for name in one.names))
    path = found[0].path
    if labels is None:
        space = space_of(path, names)
        said = f"{len(names)} by {path.name}"
        ids.update({name: number for number, name in enumerate(names)})
        return Meaning(space, said)
    space = chosen_space(labels)
    ids.update(_by_name(path, names, space))
    return Meaning(space, f"as --labels {labels} says")


def _by_name(path: Path, names: Sequence[str], space: LabelSpace) -> dict[str, int]:
    known = {plain(name): number for number, name in enumerate(space.names)}
    missing = [name for name in names if plain(name) not in known and name != PARTS[0]]
    if missing:
        problem = f"label {shown(missing[0])!r} is not among those of --labels"
        raise BadInputError(path, problem, hint=f"they are {', '.join(space.names)}")
    return {name: known[plain(name)] for name in names if plain(name) in known}


def _note(one: Annotations, strangers: Sequence[str], ledger: Ledger) -> None:
    for names, what in ((strangers, "are not here"), (one.empty, "have no shapes, so no masks")):
        if names:
            some = ", ".join(map(shown, names[:_MOST_NAMED])) + ", ..." * (len(names) > _MOST_NAMED)
            ledger.notes.append(Remark(one.path, f"{len(names)} of its photos {what}: {some}"))


class _Index:
    """Photos by their paths and by their names."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._names = {record.name for record in records}
        self._last: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            self._last[_last(name)].append(name)

    def photos_of(self, entry: str) -> list[str]:
        """Photos that an entry may be of: of its path, else of the end of it, else of its name."""
        if entry in self._names:
            return [entry]
        same = self._last[_last(entry)] or self._last[_UPLOADED.sub("", _last(entry))]
        ends = [n for n in same if entry.endswith(f"/{n}") or n.endswith(f"/{entry}")]
        return sorted(ends or same)


def _last(name: str) -> str:
    return name.rpartition("/")[2]
