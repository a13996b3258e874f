"""What the label ids of a mask mean: label spaces, joined by merges into the classes scored.

Both are data files in ``merges/``. A user's own merge file reads::

    label_space = "atr"            # or labels = ["sky", "person"], or neither: the data's own
    classes = ["background", "upper", "lower"]
    ignore = ["belt"]              # optional; names or ids
    rest = "background"            # optional; takes what no list names, else it is ignored

    [assign]
    upper = ["hat", 4]             # names or ids, mixed at will
    lower = ["skirt", "pants"]

    [from_atr]                     # optional: the class of ATR's labels that the data lack,
    background = ["bag"]           # for predictors that name these; all others go by name

Without ``classes`` and ``assign``, each label is a class.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.errors import BadInputError
from c2l.runtime.text import read_text
from c2l.schema import IGNORE

MAX_CLASSES = 254
# The first of these that a label space has is scored unless another is asked for.
DEFAULT_MERGES = ("upper-lower", "person")
IDENTITY = "identity"
FOLDER_SPACE = "folder"
OWN_LABELS = "own"  # listed by the user, in a merge file or a folder's labels.txt

_KEYS = ("label_space", "labels", "classes", "assign", "ignore", "rest", "from_atr")


@dataclass(frozen=True)
class LabelSpace:
    """The labels a data set is drawn with; a name's index is its id in the masks."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Merge:
    """A map from raw label ids to the classes that are scored.

    Attributes:
        name: the name it was asked for by, or the stem of its file.
        label_space: the name of the label space it reads ("own" if its file lists the labels).
        classes: class names; class 0 is the background.
        table: 256 entries, raw id -> class index, or 255 for what is ignored.
        forgotten: ids of labels that the merge does not name: ignored, which may be meant so.
        from_atr: class by those of ATR's labels whose names do not tell it, for predictors that
            name these.
    """

    name: str
    label_space: str
    classes: tuple[str, ...]
    table: tuple[int, ...]
    forgotten: tuple[int, ...] = ()
    from_atr: dict[str, str] = field(default_factory=dict)

    def apply(self, mask: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Class indices of a mask.

        Args:
            mask: raw label ids, any shape, any integer dtype; ids that are negative or
                above 255 belong to no label and are ignored.

        Returns:
            The same shape, uint8, 0 to ``len(classes) - 1``, or 255 where ignored.
        """
        table = np.asarray(self.table, dtype=np.uint8)
        if mask.dtype != np.uint8:
            known = (mask >= 0) & (mask < IGNORE)
            mask = np.where(known, mask, IGNORE).astype(np.uint8)
        return np.take(table, mask)


def published_space(name: str) -> LabelSpace:
    """A published label space, one of ``published_names``."""
    return LabelSpace(name, _published()[name])


def published_names() -> tuple[str, ...]:
    """Names of the published label spaces."""
    return tuple(_published())


def folder_space(ids: Iterable[int]) -> LabelSpace:
    """A label space for masks whose labels nobody named: label-0 up to the highest id found.

    Args:
        ids: the ids found, in any order; 255 and above are no labels and are left out.
    """
    highest = max((int(i) for i in ids if 0 <= int(i) < IGNORE), default=0)
    return LabelSpace(FOLDER_SPACE, tuple(f"label-{i}" for i in range(highest + 1)))


def merge_names(space: LabelSpace) -> tuple[str, ...]:
    """The merges that ``load_merge`` knows by name for a label space."""
    prefix = f"{space.name}-"
    names = (f.name.removesuffix(".toml") for f in _data().iterdir() if f.name.endswith(".toml"))
    return (*sorted(n.removeprefix(prefix) for n in names if n.startswith(prefix)), IDENTITY)


def load_merge(which: str | None, space: LabelSpace) -> Merge:
    """The merge of a name or a file.

    Args:
        which: a built-in name ("upper-lower", "fine", "identity"), the path of a ``.toml``
            file, or None for the first of ``DEFAULT_MERGES`` that the space has, else
            "identity".
        space: the label space of the data in hand.

    Raises:
        BadInputError: an unknown name, or a file with a mistake; it names the file and key.
    """
    known = merge_names(space)
    if which is None:
        which = next((name for name in DEFAULT_MERGES if name in known), IDENTITY)
    if which == IDENTITY:
        return _identity(space)
    if which in known:
        path = _data() / f"{space.name}-{which}.toml"
        return _Builder(path.name, which, path.read_text(encoding="utf-8"), space).merge()
    if which.endswith(".toml") or os.path.isfile(which):
        return _Builder(
            which, Path(which).stem, read_text(Path(which), "a label merge"), space
        ).merge()
    raise BadInputError(
        which,
        f"no merge of this name for the label space '{space.name}', which has {', '.join(known)}",
        hint="give one of these names, or the path of a .toml file",
    )


@dataclass(frozen=True)
class _Builder:
    """One reading of a merge file; every error names the file and the key."""

    path: str
    name: str
    text: str
    space: LabelSpace

    def merge(self) -> Merge:
        try:
            data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise self._error(f"expected TOML, found a syntax error: {error}") from None
        for key in data:
            if key not in _KEYS:
                raise self._error(f"unknown key '{key}'; expected {', '.join(_KEYS)}")
        space = self._space(data)
        if data.keys() <= {"label_space", "labels", "from_atr"}:
            merge = replace(_identity(space), name=self.name)
        else:
            classes = self._classes(data)
            table, forgotten = self._table(data, space, classes)
            merge = Merge(self.name, space.name, classes, table, forgotten)
        return replace(merge, from_atr=self._from_atr(data, merge.classes))

    def _from_atr(self, data: dict[str, Any], classes: tuple[str, ...]) -> dict[str, str]:
        rows = data.get("from_atr", {})
        if not isinstance(rows, dict):
            raise self._error("key 'from_atr': expected a table of class = [labels of ATR]")
        atr, found = published_space("atr"), dict[str, str]()
        for name, labels in rows.items():
            key = f"from_atr.{name}"
            self._class_index(key, name, classes)
            taken: dict[int, str] = {}
            self._take(taken, key, labels, atr)
            found |= {atr.names[label]: name for label in taken}
        return found

    def _space(self, data: dict[str, Any]) -> LabelSpace:
        if "labels" in data:
            if "label_space" in data:
                raise self._error("'labels' and 'label_space' exclude each other; keep one")
            names = self._names("labels", data["labels"])
            if len(names) > IGNORE:
                raise self._error(f"key 'labels': at most {IGNORE} labels, found {len(names)}")
            return LabelSpace(OWN_LABELS, names)
        wanted = data.get("label_space", self.space.name)
        if wanted != self.space.name:
            raise self._error(
                f"key 'label_space': this merge is for '{wanted}', "
                f"but the data's label space is '{self.space.name}'"
            )
        return self.space

    def _classes(self, data: dict[str, Any]) -> tuple[str, ...]:
        if "classes" not in data:
            raise self._error("key 'classes' is missing; expected a list of class names")
        classes = self._names("classes", data["classes"])
        if len(classes) > MAX_CLASSES:
            raise self._error(f"key 'classes': at most {MAX_CLASSES} classes, found {len(classes)}")
        return classes

    def _table(
        self, data: dict[str, Any], space: LabelSpace, classes: tuple[str, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The class of each id, and the labels that nothing in the file names."""
        assign = data.get("assign", {})
        if not isinstance(assign, dict):
            raise self._error("key 'assign': expected a table of class = [labels]")
        taken: dict[int, str] = {}
        for name, labels in assign.items():
            key = f"assign.{name}"
            self._class_index(key, name, classes)
            self._take(taken, key, labels, space)
        self._take(taken, "ignore", data.get("ignore", []), space)
        table = [IGNORE] * 256
        if "rest" in data:
            rest = self._class_index("rest", data["rest"], classes)
            table[: _id_limit(space)] = [rest] * _id_limit(space)
        for label, key in taken.items():
            name = key.removeprefix("assign.")
            table[label] = IGNORE if key == "ignore" else classes.index(name)
        known = range(_id_limit(space))
        return tuple(table), tuple(i for i in known if table[i] == IGNORE and i not in taken)

    def _take(self, taken: dict[int, str], key: str, labels: object, space: LabelSpace) -> None:
        if not isinstance(labels, list):
            raise self._error(f"key '{key}': expected a list of label names or ids")
        for label in labels:
            index = self._label_id(key, label, space)
            if index in taken:
                raise self._error(f"key '{key}': label {label!r} is in '{taken[index]}' already")
            taken[index] = key

    def _label_id(self, key: str, label: object, space: LabelSpace) -> int:
        if isinstance(label, str):
            if label not in space.names:
                raise self._error(
                    f"key '{key}': no label {label!r} in the label space '{space.name}'",
                    hint=f"its labels are {', '.join(space.names)}",
                )
            return space.names.index(label)
        if not isinstance(label, int) or isinstance(label, bool):
            raise self._error(f"key '{key}': expected label names or ids, found {label!r}")
        limit = _id_limit(space)
        if not 0 <= label < limit:
            raise self._error(f"key '{key}': label ids are 0 to {limit - 1}, found {label}")
        return label

    def _class_index(self, key: str, name: object, classes: tuple[str, ...]) -> int:
        if not isinstance(name, str) or name not in classes:
            raise self._error(f"key '{key}': no class {name!r}; 'classes' has {', '.join(classes)}")
        return classes.index(name)

    def _names(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise self._error(f"key '{key}': expected a list of names")
        for index, name in enumerate(value):
            if not isinstance(name, str) or not name.strip():
                raise self._error(f"key '{key}': expected names, found {name!r}")
            if name in value[:index]:
                raise self._error(f"key '{key}': {name!r} is there twice")
        return tuple(value)

    def _error(self, problem: str, hint: str | None = None) -> BadInputError:
        return BadInputError(self.path, problem, hint=hint)


def _id_limit(space: LabelSpace) -> int:
    """One above the highest label id.

    The space made for a plain folder ends at the highest id that was found, but a label
    that is missing from these masks may lie above.
    """
    return IGNORE if space.name == FOLDER_SPACE else len(space.names)


def _identity(space: LabelSpace) -> Merge:
    if len(space.names) > IGNORE:
        raise BadInputError(
            space.name, f"at most {IGNORE} labels can be told apart, found {len(space.names)}"
        )
    ids = range(len(space.names))
    table = (*ids, *[IGNORE] * (256 - len(space.names)))
    return Merge(IDENTITY, space.name, space.names, table)


def _data() -> Traversable:
    return resources.files("c2l.data") / "merges"


@cache
def _published() -> dict[str, tuple[str, ...]]:
    text = (_data() / "spaces.toml").read_text(encoding="utf-8")
    return {name: tuple(labels) for name, labels in tomllib.loads(text).items()}
