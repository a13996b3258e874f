"""Opening HDF5 artifacts of any origin as data and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from c2l import __version__, schema
from c2l.errors import BadInputError

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def stamp(file: h5py.File, kind: str, config: dict[str, Any], attributes: dict[str, str]) -> None:
    """Write the root attributes that every artifact has; ``complete`` stays false."""
    file.attrs[schema.ATTR_FORMAT] = kind
    file.attrs[schema.ATTR_VERSION] = schema.FORMAT_VERSION
    file.attrs[schema.ATTR_COMPLETE] = False
    file.attrs[schema.ATTR_CREATED_BY] = f"c2l {__version__}"
    file.attrs[schema.ATTR_CONFIG] = json.dumps(config, sort_keys=True)
    for name, value in attributes.items():
        file.attrs[name] = value


def _refuse_foreign_storage(path: Path, file: h5py.File) -> None:
    for name in file:
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise BadInputError(path, f"{name!r} is a soft or external link, which is refused")
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            raise BadInputError(path, f"{name!r} is not a dataset")
        if item.is_virtual or item.external:
            raise BadInputError(path, f"{name!r} takes its data from other files: refused")
        stored = item.id.get_storage_size()
        filters = {item.id.get_create_plist().get_filter(i)[0] for i in range(_filters(item))}
        if filters - {h5py.h5z.FILTER_FLETCHER32}:
            raise BadInputError(path, f"{name!r} uses a compression filter, which c2l never writes")
        if item.size and stored < item.size * item.id.get_type().get_size():
            raise BadInputError(path, f"{name!r} declares more than the file holds")


def _filters(item: h5py.Dataset) -> int:
    return int(item.id.get_create_plist().get_nfilters())


def _check_kind(path: Path, file: h5py.File, kind: str, hint: str | None) -> None:
    found = file.attrs.get(schema.ATTR_FORMAT)
    if found != kind:
        text = f"a {found} file" if isinstance(found, str) else "an HDF5 file of another program"
        raise BadInputError(path, f"expected a {kind} file, found {text}", hint=hint)
    version = file.attrs.get(schema.ATTR_VERSION)
    if version != schema.FORMAT_VERSION:
        raise BadInputError(
            path, f"format version {version}; this c2l reads {schema.FORMAT_VERSION}", hint=hint
        )


def create(path: Path) -> h5py.File:
    """A new HDF5 file for writing.

    No chunk cache: the library loses the error of a cached chunk that does not fit on the disk.
    The format of 1.10, whose chunk index has checksums: in an older one, a flipped bit can make
    a chunk silently vanish.
    """
    return h5py.File(path, "w", libver=("v110", "v110"), track_order=True, rdcc_nbytes=0)


@contextmanager
def reading(path: Path, *, hint: str | None = None) -> Iterator[None]:
    """Turn what HDF5 raises over a damaged file into an error that names it."""
    try:
        yield
    except BadInputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise BadInputError(path, f"damaged: {error}", hint=hint) from None


def _open_checked(path: Path, kind: str, hint: str | None) -> h5py.File:
    file = h5py.File(path, "r")
    try:
        _check_kind(path, file, kind, hint)
        if not bool(file.attrs.get(schema.ATTR_COMPLETE)):
            raise BadInputError(path, "incomplete: its writer was stopped", hint=hint)
        _refuse_foreign_storage(path, file)
    except BaseException:
        file.close()
        raise
    return file


@contextmanager
def open_artifact(path: Path, kind: str, *, hint: str | None = None) -> Iterator[h5py.File]:
    """Open a complete artifact of a kind for reading; what is read from it goes in ``reading``.

    Args:
        path: the file.
        kind: its ``format`` attribute.
        hint: the command that makes such a file.

    Raises:
        BadInputError: missing, truncated, not HDF5, of another kind or version, incomplete,
            or holding links, virtual or external data.
    """
    try:
        with path.open("rb") as raw:
            signature = raw.read(8)
    except OSError as error:
        raise BadInputError(
            path, f"cannot be read: {error.strerror}; expected a {kind} file", hint=hint
        ) from None
    if signature != SIGNATURE:
        raise BadInputError(path, f"not an HDF5 file; expected a {kind} file", hint=hint)
    with reading(path, hint=hint):
        file = _open_checked(path, kind, hint)
    try:
        yield file
    finally:
        file.close()


def config_of(path: Path, file: h5py.File) -> dict[str, Any]:
    """The resolved options an artifact was made with."""
    try:
        config = json.loads(file.attrs[schema.ATTR_CONFIG])
    except (KeyError, ValueError) as error:
        raise BadInputError(path, f"its {schema.ATTR_CONFIG} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise BadInputError(path, f"its {schema.ATTR_CONFIG} is not an object")
    return config
