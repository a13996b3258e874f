"""Masks that annotation tools keep as shapes in one file: COCO, CVAT for images, Label Studio.

A file is read once, shape by shape, into an unnamed temporary file; a mask is drawn when it is
asked for. Where shapes overlap, the later one is seen. Pixels without a shape are background.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from c2l.data.images import MAX_PIXELS
from c2l.data.shapes import brush_mask, coco_counts, fill_polygon, fill_runs
from c2l.errors import BadInputError
from c2l.schema import IGNORE, PARTS

COCO, CVAT, LABEL_STUDIO = "coco", "cvat", "labelstudio"
_HEAD = 1 << 12
# Document types, which could make a small file large, stand before the root element.
_PROLOGUE = 1 << 16
Shape = dict[str, Any]
# Name of a photo, its (height, width), and its shapes: each with its place in words.
Photo = tuple[str, tuple[int, int], list[tuple[str, str, Shape]]]


def kind_of(path: Path) -> str | None:
    """The format of a file of annotations by its first bytes; None where it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    if path.suffix.lower() == ".xml":
        return CVAT if b"<annotations" in head else None
    if path.suffix.lower() != ".json" or b'"c2l-' in head:
        return None
    if head.startswith(b"["):
        known = (b'"data"', b'"annotations"', b'"predictions"')
        return LABEL_STUDIO if any(key in head for key in known) else None
    known = (b'"categories"', b'"images"', b'"annotations"')
    return COCO if head.startswith(b"{") and sum(key in head for key in known) > 0 else None


class Spool:
    """Bytes in an unnamed temporary file, there as long as a mask may be read from it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the last mask
        weakref.finalize(self, self._file.close)

    def add(self, data: bytes) -> tuple[int, int]:
        """Their place and length."""
        place = self._file.tell()
        self._file.write(data)
        return place, len(data)

    def flush(self) -> None:
        """Make all readable."""
        self._file.flush()

    def read(self, span: tuple[int, int]) -> bytes:
        """The bytes at a place; safe to call from many threads."""
        return os.pread(self._file.fileno(), span[1], span[0])


@dataclass(frozen=True)
class Drawn:
    """The shapes of one photo.

    Attributes:
        path: the file of annotations.
        photo: as the file names it.
        size: (height, width) in pixels that the file says.
        spool: where the shapes of all photos lie.
        spans: place and length of each of its shapes there.
        ids: of the labels by name.
    """

    path: Path
    photo: str
    size: tuple[int, int]
    spool: Spool
    spans: tuple[tuple[int, int], ...]
    ids: dict[str, int]

    def read(self) -> NDArray[np.uint8]:
        """The label ids, (height, width).

        Raises:
            BadInputError: a shape that cannot be; names the photo and the shape.
        """
        mask = np.zeros(self.size, dtype=np.uint8)
        for place, label, shape in self._shapes():
            try:
                mask[_pixels(shape, self.size)] = self.ids[label]
            except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
                said = str(error) or type(error).__name__
                raise BadInputError(self.path, f"photo {self.photo!r}, {place}: {said}") from None
        return mask

    def sha256(self) -> str:
        """Of the size, and of all shapes with their labels."""
        digest = hashlib.sha256(json.dumps(self.size).encode())
        for _, label, shape in self._shapes():
            digest.update(json.dumps([label, shape], sort_keys=True).encode())
        return digest.hexdigest()

    def _shapes(self) -> Iterator[tuple[str, str, Shape]]:
        for span in self.spans:
            yield json.loads(self.spool.read(span))


@dataclass
class Annotations:
    """What a file of annotations holds.

    Attributes:
        path: the file.
        kind: its format.
        names: of the labels; the first is the background.
        photos: by name in the file, those with shapes.
        empty: names of photos without a shape.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    photos: dict[str, Drawn] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)


def read_annotations(path: Path, ids: dict[str, int]) -> Annotations:
    """Read a file of annotations once from its beginning to its end.

    Args:
        path: of a format that ``kind_of`` knows.
        ids: of the labels by name; needed only once a mask is read.

    Raises:
        BadInputError: it cannot be read or is damaged, with the place.
    """
    kind = kind_of(path)
    if kind is None:
        expected = "expected annotations of COCO, CVAT (for images) or Label Studio"
        raise BadInputError(path, expected, hint="export them again, or name a folder of masks")
    spool = Spool()
    spans: dict[str, list[tuple[int, int]]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    names: dict[str, None] = {}
    try:
        for name, size, shapes in _READERS[kind](path, names):
            if sizes.setdefault(name, size) != size:
                raise ValueError(f"photo {name!r} has two sizes, {sizes[name]} and {size}")
            if not 0 < size[0] * size[1] <= MAX_PIXELS or min(size) < 1:
                raise ValueError(f"photo {name!r} has {size[0]} x {size[1]} pixels")
            own = spans.setdefault(name, [])
            for shape in shapes:
                names.setdefault(shape[1])
                own.append(spool.add(json.dumps(shape).encode()))
        spool.flush()
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror or error}") from None
    except ElementTree.ParseError as error:
        line, column = error.position
        raise BadInputError(path, f"damaged in line {line}, column {column}: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = f"{error!r}" if isinstance(error, KeyError) else str(error)
        raise BadInputError(path, f"damaged: {said}", hint="export it again") from None
    labels = (PARTS[0], *(name for name in names if name != PARTS[0]))
    if len(labels) > IGNORE:
        raise BadInputError(path, f"expected at most {IGNORE} labels, found {len(labels)}")
    found = Annotations(path, kind, labels)
    for name, own in spans.items():
        if own:
            found.photos[name] = Drawn(path, name, sizes[name], spool, tuple(own), ids)
        else:
            found.empty.append(name)
    return found


def _pixels(shape: Shape, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a shape in a picture."""
    height, width = size
    if "polygons" in shape:
        found = np.zeros(size, dtype=bool)
        for points in shape["polygons"]:
            found |= fill_polygon(np.reshape(points, (-1, 2)), size)
        return found
    if "counts" in shape:  # down the columns
        counts = shape["counts"]
        counts = coco_counts(counts) if isinstance(counts, str) else counts
        if list(shape["size"]) != [height, width]:
            raise ValueError(f"run lengths of {shape['size']}, expected {[height, width]}")
        return fill_runs(counts, height * width).reshape(width, height).T
    if "brush" in shape:
        return brush_mask(shape["brush"], size)
    left, top, right, bottom = shape["box"]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ValueError(f"a mask at {shape['box']} outside the picture")
    found = np.zeros(size, dtype=bool)
    box = (bottom - top, right - left)
    found[top:bottom, left:right] = fill_runs(shape["rle"], box[0] * box[1]).reshape(box)
    return found


def _items(path: Path, prefix: str) -> Iterator[Any]:
    """The values of a JSON file at a place, one at a time."""
    import ijson

    with path.open("rb") as file:
        try:
            yield from ijson.items(file, prefix, use_float=True)
        except ijson.JSONError as error:
            said = str(error).split("\n", 1)[0].strip()
            raise ValueError(f"near byte {file.tell()}: {said}") from None


def _coco(path: Path, names: dict[str, None]) -> Iterator[Photo]:
    labels = {int(one["id"]): str(one["name"]) for one in _items(path, "categories.item")}
    if not labels:
        raise ValueError("it has no categories")
    names.update(dict.fromkeys(labels[i] for i in sorted(labels)))
    photos = {}
    for one in _items(path, "images.item"):
        photos[one["id"]] = (str(one["file_name"]), (int(one["height"]), int(one["width"])))
        yield (*photos[one["id"]], [])
    for one in _items(path, "annotations.item"):
        place = f"annotation {one.get('id')}"
        if one["image_id"] not in photos or one["category_id"] not in labels:
            raise ValueError(f"{place} is of an unknown image or category")
        outline = one.get("segmentation")
        if not outline:
            raise ValueError(f"{place} has no segmentation: boxes are no masks")
        shape = outline if isinstance(outline, dict) else {"polygons": outline}
        yield (*photos[one["image_id"]], [(place, labels[one["category_id"]], shape)])


def _cvat(path: Path, names: dict[str, None]) -> Iterator[Photo]:
    with path.open("rb") as file:
        if b"<!DOCTYPE" in file.read(_PROLOGUE):
            raise ValueError("it declares a document type, which CVAT does not")
    for _, element in ElementTree.iterparse(path, events=("end",)):
        if element.tag == "label" and (name := element.findtext("name")):
            names.setdefault(name)
        if element.tag == "track":
            raise ValueError("it holds tracks of a video", "export it as CVAT for images")
        if element.tag != "image":
            continue
        size = (int(element.attrib["height"]), int(element.attrib["width"]))
        shapes = sorted(
            ((int(one.get("z_order", 0)), number) for number, one in enumerate(element)),
        )
        drawn = [_cvat_shape(element[number], number) for _, number in shapes]
        yield element.attrib["name"], size, [one for one in drawn if one]
        element.clear()


def _cvat_shape(element: ElementTree.Element, number: int) -> tuple[str, str, Shape] | None:
    place, about = f"{element.tag} {number + 1}", element.attrib
    if element.tag == "tag":
        return None
    if element.tag == "polygon":
        points = [[float(v) for v in point.split(",")] for point in about["points"].split(";")]
        return place, about["label"], {"polygons": [points]}
    if element.tag == "mask":
        left, top = int(about["left"]), int(about["top"])
        box = [left, top, left + int(about["width"]), top + int(about["height"])]
        rle = [int(length) for length in about["rle"].split(",")]
        return place, about["label"], {"rle": rle, "box": box}
    raise ValueError(f"{place}: expected polygons and masks")


def _label_studio(path: Path, names: dict[str, None]) -> Iterator[Photo]:
    for number, task in enumerate(_items(path, "item")):
        place = task.get("id", number + 1)
        sources = [v for v in task["data"].values() if isinstance(v, str)]
        if not sources:
            raise ValueError(f"task {place} names no photo")
        done = [a for a in task.get("annotations", []) if not a.get("was_cancelled")]
        # The last annotation is the corrected one; without any, predictions are all there is.
        last = (done or task.get("predictions") or [{}])[-1]
        size, shapes = (1, 1), []
        for index, one in enumerate(last.get("result", [])):
            kind, value = one.get("type"), one.get("value", {})
            if kind not in ("brushlabels", "polygonlabels"):
                raise ValueError(f"task {place}: expected brush and polygon labels, found {kind}")
            size = (int(one["original_height"]), int(one["original_width"]))
            if kind == "brushlabels":
                shape: Shape = {"brush": value["rle"]}
            else:
                scale = np.array([size[1], size[0]]) / 100
                shape = {"polygons": [(np.array(value["points"], float) * scale).tolist()]}
            shapes.append((f"task {place}, result {index + 1}", str(value[kind][0]), shape))
        yield _photo_of(sources[0]), size, shapes


def _photo_of(url: str) -> str:
    """A photo's path by what Label Studio has for it: a place in its storage, or a URL."""
    parts = urlparse(url)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0]
    return unquote(parts.path if parts.scheme else url).lstrip("/")


_READERS: dict[str, Callable[[Path, dict[str, None]], Iterator[Photo]]] = {
    COCO: _coco,
    CVAT: _cvat,
    LABEL_STUDIO: _label_studio,
}
