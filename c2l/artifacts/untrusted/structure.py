"""Compares what an HDF5 file declares with what c2l writes, before any value is read."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, prod
from pathlib import Path
from typing import Any

import h5py

from c2l.errors import BadInputError

# Far above what c2l writes, far below what hurts.
MOST_DATASETS = 64
MOST_ATTRIBUTES = 64
LARGEST_ATTRIBUTE = 16 << 20
# Length, place of the heap, place in the heap.
REFERENCE_BYTES = 16

# Where bytes begin, and how many.
Span = tuple[int, int]

_PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)
# h5py stores a bool as an enumeration.
_IN_ATTRIBUTES = (*_PLAIN, h5py.h5t.ENUM)


def check_structure(path: Path, file: h5py.File, *, unfinished: bool = False) -> None:
    """Refuse what c2l never writes: links out of the file, false sizes, groups, filters.

    Links are looked at and never followed; a dataset's shape is asked for only when its data
    are known to lie in this file.

    Args:
        path: of the file, for the error.
        file: open for reading.
        unfinished: whether its writer was stopped, so that chunks may be missing.

    Raises:
        BadInputError: names the dataset or attribute at fault.
    """
    root = h5py.h5g.open(file.id, b"/")
    if root.get_num_objs() > MOST_DATASETS:
        raise BadInputError(path, f"{root.get_num_objs()} objects; at most {MOST_DATASETS} belong")
    _check_attributes(path, root, "the file")
    spans: list[Span] = []
    for raw in list(root):
        name = raw.decode("utf-8", "backslashreplace")
        if root.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
            raise BadInputError(path, f"{name!r} is a soft or external link, which is refused")
        if h5py.h5o.get_info(root, raw).type != h5py.h5o.TYPE_DATASET:
            raise BadInputError(path, f"{name!r} is not a dataset")
        data = h5py.h5d.open(root, raw)
        spans += _check_dataset(path, data, name, file.id.get_filesize(), unfinished=unfinished)
        _check_attributes(path, data, name)
    spans.sort()
    if any(start + size > following for (start, size), (following, _) in pairwise(spans)):
        raise BadInputError(path, "two parts of its data lie in the same place")


def _check_attributes(path: Path, owner: Any, name: str) -> None:
    count = h5py.h5a.get_num_attrs(owner)
    if count > MOST_ATTRIBUTES:
        raise BadInputError(path, f"{name} has {count} attributes; at most {MOST_ATTRIBUTES}")
    for index in range(count):
        attribute = h5py.h5a.open(owner, index=index)
        found = attribute.name.decode("utf-8", "backslashreplace")
        _check_type(path, attribute.get_type(), _IN_ATTRIBUTES, f"attribute {found!r} of {name}")
        declared = attribute.get_space().get_simple_extent_npoints()
        size = max(attribute.get_storage_size(), declared * attribute.get_type().get_size())
        if size > LARGEST_ATTRIBUTE:
            raise BadInputError(path, f"attribute {found!r} of {name} declares {size} bytes")


def _check_type(path: Path, kind: Any, allowed: tuple[int, ...], what: str) -> None:
    if kind.committed():
        raise BadInputError(path, f"{what} has a named type, which c2l never writes")
    if kind.get_class() not in allowed:
        raise BadInputError(path, f"{what} is of a type that c2l never writes")


def _check_dataset(
    path: Path, data: Any, name: str, file_bytes: int, *, unfinished: bool
) -> list[Span]:
    """Where its bytes lie."""
    plan = data.get_create_plist()
    layout = plan.get_layout()
    if layout == h5py.h5d.VIRTUAL or plan.get_external_count():
        raise BadInputError(path, f"{name!r} takes its data from other files: refused")
    _check_type(path, data.get_type(), _PLAIN, repr(name))
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if filters not in ([], [h5py.h5z.FILTER_FLETCHER32]):
        raise BadInputError(path, f"{name!r} uses a compression filter, which c2l never writes")
    space = data.get_space()
    if space.get_simple_extent_type() != h5py.h5s.SIMPLE:
        raise BadInputError(path, f"{name!r} has no shape")
    # Of Python's integers, which do not overflow.
    shape = tuple(map(int, space.get_simple_extent_dims()))
    needed = prod(shape) * _width(data)
    stored = data.get_storage_size()
    partly = unfinished and layout == h5py.h5d.CHUNKED
    if stored > file_bytes or (needed > stored and not partly):
        raise BadInputError(path, f"{name!r} declares more than the file holds")
    if layout == h5py.h5d.CHUNKED:
        return _check_chunks(path, data, name, shape, file_bytes, partly=partly)
    if layout == h5py.h5d.CONTIGUOUS and needed:
        start = data.get_offset()
        if start is None or start + stored > file_bytes:
            raise BadInputError(path, f"{name!r} declares more than the file holds")
        return [(start, stored)]
    return []


def _check_chunks(
    path: Path, data: Any, name: str, shape: tuple[int, ...], file_bytes: int, *, partly: bool
) -> list[Span]:
    """Every chunk is there once, whole, inside the file; or, partly, not all of them."""
    plan = data.get_create_plist()
    chunk = tuple(map(int, plan.get_chunk()))
    whole = prod(chunk) * _width(data) + 4 * plan.get_nfilters()
    wanted = prod(ceil(side / part) for side, part in zip(shape, chunk, strict=True))
    places: list[int] = []

    def look(info: Any) -> bool | None:
        """Note a chunk's place; True, which ends the iteration, for one that does not fit."""
        if info.byte_offset is None or info.byte_offset + whole > file_bytes:
            return True
        if info.size != whole or info.filter_mask:
            return True
        places.append(int(info.byte_offset))
        return None

    misfit = data.chunk_iter(look) if wanted else None
    if misfit or len(places) > wanted or (len(places) < wanted and not partly):
        raise BadInputError(path, f"{name!r}: its chunks do not fit the file")
    return [(place, whole) for place in places]


def _width(data: Any) -> int:
    """Bytes of a value in the file; a text of any length is a reference to where it lies."""
    kind = data.get_type()
    if kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
        return REFERENCE_BYTES
    return int(kind.get_size())
