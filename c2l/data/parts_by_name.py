"""From names that a predictor gives to the classes of a merge, without a label to choose by."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from c2l.data.labels import Merge, load_merge, published_space
from c2l.schema import PARTS

UNMATCHED = -1
BACKGROUND, BAG = PARTS[0], "bag"
ATR = "atr"


def classes_by_name(names: Sequence[str], merge: Merge) -> list[int] | None:
    """The class of each name.

    A name stands for one or more of ATR's labels: ``arms`` for both arms, ``upper`` for all of the
    upper body. It takes the class of its own name, or else the one class that all of its labels
    have. The class of a label is what ``from_atr`` in the merge's file says, or else the class of
    its name, or else its part of the body by ATR's own ``upper-lower``: what ``from_atr`` leaves
    out counts there.

    Args:
        names: parts, or ATR's labels, the left and the right of a pair as one or two.
        merge: the classes that are scored.

    Returns:
        A class for each name, or -1 where none is its counterpart: an error in every pixel. None
        where the names are others, or no class but the background has a counterpart.
    """
    labels = _labels_by_name()
    if not set(names) <= labels.keys():
        return None
    of = _class_of_labels(merge, labels)
    told = {n: merge.classes.index(c) for n, c in merge.from_atr.items()}
    if _person(merge, labels):
        told = {BAG: 0} | told
    # A part of the body is what most of it is, whatever is said of a label in it.
    rows = (of | told, of)
    found = []
    for name in names:
        classes = [{row.get(label, UNMATCHED) for label in labels[name]} for row in rows]
        found.append(next((own.pop() for own in classes if len(own) == 1), UNMATCHED))
        if name in merge.classes and name not in merge.from_atr:
            found[-1] = merge.classes.index(name)
    return found if 0 in found and max(found) > 0 else None


def _labels_by_name() -> dict[str, tuple[str, ...]]:
    """ATR's labels that each name of a part stands for."""
    space = published_space(ATR)
    found: dict[str, tuple[str, ...]] = {}
    for which in ("upper-lower", "parts", "fine"):
        merge = load_merge(which, space)
        for index, name in enumerate(merge.classes):
            found[name] = tuple(
                n for n, c in zip(space.names, merge.table, strict=False) if c == index
            )
    return found


def _person(merge: Merge, names: Collection[str]) -> bool:
    """Whether labels other than ATR's are merged into background and person, by any names.

    The background is the first class of every merge. What is carried is not part of the person.
    """
    other = merge.label_space != ATR
    return other and len(merge.classes) == 2 and merge.classes[1] not in names


def _class_of_labels(merge: Merge, names: Collection[str]) -> dict[str, int]:
    """The class of each of ATR's labels, as far as it has one by its name."""
    space = published_space(ATR)
    if merge.label_space == space.name:
        known = zip(space.names, merge.table, strict=False)
        return {name: c for name, c in known if c < len(merge.classes)}
    of: dict[str, int] = {}
    if set(merge.classes) == set(PARTS):
        body = load_merge("upper-lower", space)
        for name, c in zip(space.names, body.table, strict=False):
            of[name] = merge.classes.index(body.classes[c])
    elif _person(merge, names):
        of = {name: int(name != BACKGROUND) for name in space.names}
    return of | {name: merge.classes.index(name) for name in space.names if name in merge.classes}
