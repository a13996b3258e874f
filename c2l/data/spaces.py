"""Finds out what the ids in the masks mean: files of names, published spaces that are attested.

In this order: ``--labels``, files of names in the data set, the published space of a layout
where something proves it, else nobody named the labels.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.data.coloured import LABEL_MAP, coloured_line, colours_of
from c2l.data.labels import OWN_LABELS, LabelSpace, published_names, published_space
from c2l.data.layouts import Layout
from c2l.data.names import shown
from c2l.data.walk import File
from c2l.errors import BadInputError
from c2l.runtime.json_files import strict_json
from c2l.runtime.text import read_lines, read_text
from c2l.schema import IGNORE

# Files that name the labels, in lower case, at the root or beside the masks.
NAMES_FILES = (
    *("labels.txt", "label.txt", "classes.txt", "class_names.txt", "label_names.txt"),
    *("names.txt", "labelmap.txt", "label_map.txt", "label_list.txt", "categories.txt"),
    *("obj.names", "labels.json", "label_map.json", "classes.json", "class_names.json"),
    *("label_names.json", "id2label.json", "names.json", "categories.json"),
    *("labels.csv", "classes.csv", "_classes.csv", "class_dict.csv", "labelmap.csv"),
    schema.LEGEND,
)
_WHAT = "names of labels"
_ID_FIRST = re.compile(r"^(-?\d+)\s*[:=,;\t ]\s*(\S.*)$")
_ID_LAST = re.compile(r"^(\S.*?)\s*[:=,;\t]\s*(-?\d+)$")
_ID_COLUMNS = ("id", "index", "value", "pixel value", "label_id", "class_id")
_NAME_COLUMNS = ("name", "class", "label", "class name", "class_name", "label_name")
_BACKGROUNDS = ("background", "bg", "null", "nothing", "none", "backdrop")
_PERSONS = ("person", "human", "people", "body", "foreground", "persons", "humans")
PERSON_SPACE = "person-background"
# Least share of a published space's labels that must occur for the ids to prove it.
_PROOF = 2 / 3


@dataclass(frozen=True)
class Meaning:
    """What the ids mean, and how that is known.

    Attributes:
        space: None where nobody named the labels.
        said: the reason, in words.
        possible: the published space of the layout, which the ids may yet prove.
        faults: what is wrong with files of names; labels must not be read before that is mended.
    """

    space: LabelSpace | None
    said: str
    possible: str | None = None
    faults: tuple[BadInputError, ...] = ()

    def given(self, ids: Iterable[int]) -> Meaning:
        """The same once the ids of all masks are known, which may prove a published space."""
        if self.space is None and self.possible is not None:
            space = published_space(self.possible)
            found = {i for i in ids if i != IGNORE}
            count = len(space.names)
            if found <= set(range(count)) and len(found) >= _PROOF * count:
                proof = f"by the ids, {len(found)} of its {count}"
                return Meaning(space, f"{self.possible}, {proof}")
        return self


def chosen_space(labels: str) -> LabelSpace:
    """The space that ``--labels`` names: a published one, or a file of names.

    Raises:
        BadInputError: no such space, or a file with a mistake.
    """
    if labels in published_names():
        return published_space(labels)
    path = Path(labels)
    if not path.exists():
        known = ", ".join(published_names())
        raise BadInputError(
            labels,
            f"expected labels by name ({known}) or a file of names, found neither",
            hint="one name per line, the first is id 0",
        )
    return read_names(path)


def find_meaning(
    layout: Layout, files: Collection[File], named_by: Collection[File], stems: Sequence[str]
) -> Meaning:
    """What the ids mean, by the files of a data set.

    Args:
        layout: of the data set.
        files: all of its files.
        named_by: those of them that name labels.
        stems: of its photos.
    """
    named: list[tuple[File, LabelSpace]] = []
    faults: list[BadInputError] = []
    for file in named_by:
        try:
            named.append((file, read_names(file.path)))
        except BadInputError as error:
            faults.append(error)
    for other, rival in named[1:]:
        if rival.names != named[0][1].names:
            problem = f"names other labels than {named[0][0].name}"
            hint = "say which one counts: --labels FILE"
            faults.append(BadInputError(other.path, problem, hint=hint))
    if faults:
        return Meaning(None, "the file that names them cannot be used", faults=tuple(faults))
    if named:
        first, space = named[0]
        said = f"{len(space.names)} by {first.name}"
        return Meaning(space, said if space.name == OWN_LABELS else f"{space.name}, {said}")
    if layout.space is not None:
        if proof := _proof(layout, files, stems):
            return Meaning(published_space(layout.space), f"{layout.space}, by {proof}")
        said = (
            f"no file names them; the folders are those of {layout.name}, the labels may be others"
        )
        return Meaning(None, said, layout.space)
    return Meaning(None, "no file names them")


def _proof(layout: Layout, files: Collection[File], stems: Sequence[str]) -> str | None:
    """What shows that the labels are those published in this layout."""
    if any(file.name == schema.SYNTH_MARKER for file in files):
        return schema.SYNTH_MARKER
    for folder in layout.folders:
        if any(file.below(folder) for file in files):
            return f"its folder {folder}"
    if layout.stems and stems:
        published = sum(layout.stems.fullmatch(stem) is not None for stem in stems)
        if published > len(stems) / 2:
            return "the names of its photos"
    return None


def read_names(path: Path) -> LabelSpace:
    """The labels that a file names, in the order of their ids.

    A text has a name per line, the first is id 0; or an id and a name in each line. Its lines
    are never shifted: ``__ignore__`` may come first as labelme has it, a blank line may only
    end the file. JSON is a list of names, an object from id to name or from name to id, or a
    legend of c2l; a table has columns for both.

    Returns:
        The space; a published one where its names are those.

    Raises:
        BadInputError: names the file, the line and what cannot be meant.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        names = _by_id(path, _from_json(path))
    elif suffix == ".csv":
        names = _by_id(path, _from_table(path))
    else:
        names = _from_text(path)
    return space_of(path, names)


def space_of(path: Path, names: list[str]) -> LabelSpace:
    """The labels of some names, as ``read_names`` gives them."""
    names = ["background" if n.strip("_") == "background" else n for n in names]
    if not 1 <= len(names) <= IGNORE:
        raise BadInputError(path, f"expected 1 to {IGNORE} label names, found {len(names)}")
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name.isprintable():
            raise BadInputError(path, f"expected printable names, found '{shown(name)}'")
        if name in seen:
            raise BadInputError(path, f"ids {seen[name]} and {index} are both called '{name}'")
        seen[name] = index
    compared = [plain(name) for name in names]
    for known in published_names():
        if compared == [plain(name) for name in published_space(known).names]:
            return published_space(known)
    if len(compared) == 2 and compared[0] in _BACKGROUNDS and compared[1] in _PERSONS:
        return published_space(PERSON_SPACE)
    return LabelSpace(OWN_LABELS, tuple(names))


def plain(name: str) -> str:
    """A name as it is compared: case, hyphens, underscores and blanks do not tell."""
    return re.sub(r"[-_ ]+", "-", name.casefold().strip("_ "))


def _from_text(path: Path) -> list[str]:
    lines = read_lines(path, _WHAT)
    while lines and not lines[-1][1]:
        lines.pop()
    # A comment is no label and shifts none.
    lines = [line for line in lines if not line[1].startswith("# ")]
    for number, line in lines:
        if not line:
            raise BadInputError(
                path,
                f"line {number} is blank: whether an id has no name, or the lines below have "
                "other ids, cannot be told",
                hint="remove the line, or write an id before each name: 3 skirt",
            )
    texts = [line for _, line in lines]
    if any(coloured_line(line) for line in texts):
        if path.name == LABEL_MAP:  # by which masks are read by their colours
            return list(colours_of(path))
        raise BadInputError(
            path,
            "its lines give colours, not the ids in the masks",
            hint=f"call it {LABEL_MAP} and put it beside masks in these colours; for masks of ids "
            "write one name per line, the first is id 0",
        )
    for pattern, swapped in ((_ID_FIRST, False), (_ID_LAST, True)):
        matches = [pattern.match(line) for line in texts]
        if texts and all(matches):
            pairs = [match.groups() for match in matches if match]
            return _by_id(path, [(int(p[swapped]), p[not swapped]) for p in pairs])
    ignored = [i for i, text in enumerate(texts) if text.strip("_") == "ignore" and text[0] == "_"]
    if ignored:
        if ignored != [0]:
            raise BadInputError(
                path,
                f"line {lines[ignored[0]][0]} is '{texts[ignored[0]]}', which has no id of its own",
                hint="put it first, as labelme does, or write an id before each name: 3 skirt",
            )
        texts = texts[1:]
    return texts


def _by_id(path: Path, pairs: Iterable[tuple[int, str]]) -> list[str]:
    """Names in the order of their ids, of which none may be missing; -1 and 255 are no labels."""
    names: dict[int, str] = {}
    for label, name in pairs:
        if label in (-1, IGNORE):
            continue
        if label < 0 or label > IGNORE:
            raise BadInputError(path, f"label ids are 0 to {IGNORE - 1}, found {label}")
        if label in names:
            raise BadInputError(path, f"id {label} is '{names[label]}' and '{name}'")
        names[label] = name
    missing = sorted(set(range(max(names, default=-1))) - set(names))
    if missing:
        raise BadInputError(
            path,
            f"id {missing[0]} has no name, though higher ones have",
            hint="name it too, for example: background, or unused",
        )
    return [names[label] for label in sorted(names)]


def _from_json(path: Path) -> list[tuple[int, str]]:
    problem = "expected a list of label names, or an object from id to name"
    try:
        value: Any = strict_json(read_text(path, _WHAT))
    except (ValueError, RecursionError) as error:
        raise BadInputError(path, f"expected JSON: {error}") from None
    if isinstance(value, dict):
        for inner in ("labels", "categories", "id2label", "names"):
            if isinstance(value.get(inner), list | dict):
                value = value[inner]
                break
    pairs: list[tuple[Any, Any]]
    if isinstance(value, list):
        pairs = [
            (item.get("id"), item.get("name")) if isinstance(item, dict) else (index, item)
            for index, item in enumerate(value)
        ]
    elif isinstance(value, dict):
        swapped = bool(value) and all(type(v) is int for v in value.values())
        pairs = [(v, k) if swapped else (_whole(k), v) for k, v in value.items()]
    else:
        raise BadInputError(path, problem)
    if not all(type(label) is int and isinstance(name, str) for label, name in pairs):
        raise BadInputError(path, problem)
    return [(int(label), name) for label, name in pairs if label is not None]


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d{1,9}", text) else None


def _from_table(path: Path) -> list[tuple[int, str]]:
    rows = list(csv.reader(line for _, line in read_lines(path, _WHAT) if line))
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    columns = [
        next((header.index(name) for name in names if name in header), None)
        for names in (_ID_COLUMNS, _NAME_COLUMNS)
    ]
    if None in columns:
        raise BadInputError(
            path,
            f"expected the columns id and name, found {', '.join(header) or 'nothing'}",
            hint="write one name per line in labels.txt, the first is id 0",
        )
    number, name = (column for column in columns if column is not None)
    pairs = []
    for row in rows[1:]:
        label = _whole(row[number].strip()) if len(row) > max(number, name) else None
        if label is None:
            raise BadInputError(path, f"expected an id and a name, found '{','.join(row)}'")
        pairs.append((label, row[name].strip()))
    return pairs
