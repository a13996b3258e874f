"""Copies the rows that a stopped writer left of a feature store into a fresh one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.features import LARGE
from c2l.artifacts.hdf5 import tried_out
from c2l.artifacts.hdf5_output import Output
from c2l.artifacts.rows import RowReader, write_row
from c2l.artifacts.untrusted.child import KilledError
from c2l.artifacts.untrusted.structure import check_structure
from c2l.errors import BadInputError, ConfigDiffersError, LockedInputError
from c2l.options import ExtractOptions, recorded
from c2l.runtime.files import output_errors, partial_sibling

# They do not change a row: each photo is known by its hash.
_INDIFFERENT = ("data", "on_error")


def take_over(stale: Path, fresh: Output, output: Path, *, anew: bool = False) -> str:
    """Copy the rows that a stopped store holds into a fresh one of the same options.

    Copied and not appended to: the library does not open a file for writing again whose writer
    was killed. Rows of images that have another place now are not copied, since an image's
    views and pixels are drawn by its place.

    Args:
        stale: what was left.
        fresh: the store to fill, as made for the same output.
        output: its final name, for the error.
        anew: whether a store of other options is left unused, instead of refused.

    Returns:
        Why nothing more is used, empty where all is.

    Raises:
        ConfigDiffersError: it was made under other options, which are named.
        OutputError: the fresh store cannot be written.
        KilledError: the process that tried it out was killed from outside.
        LockedInputError: another program has it open for writing.
    """
    try:
        with tried_out(stale, unfinished=True) as old:
            check_structure(stale, old, unfinished=True)
            differing = fresh(lambda file: _differing(old, file))
            if differing and not anew:
                raise ConfigDiffersError(
                    f"{output}: a stopped run left it half-way under other options: "
                    + "; ".join(differing),
                    hint="use those options, or start again with --overwrite",
                )
            if differing:
                return "it was made under other options"
            if fresh(lambda file: _components(old) != _components(file)):
                return "its principal components were of other photos"
            _copy(stale, old, fresh, output)
    except (KilledError, LockedInputError):
        # No reason to drop what is there.
        if not anew:
            raise
        return "it could not be tried out"
    except BadInputError as error:
        return error.problem
    return ""


def _differing(old: h5py.File, fresh: h5py.File) -> list[str]:
    """The options that differ, with both values; one that came after the stop was its default."""
    now = _deciding(fresh)
    defaults = {k: v for k, v in recorded(ExtractOptions()).items() if k in now}
    before = defaults | _deciding(old)
    if before[schema.ATTR_WEIGHTS_SHA256] == now[schema.ATTR_WEIGHTS_SHA256]:
        # The same weights, wherever they lie.
        for name in ("weights", "checkpoint"):
            before.pop(name, None)
            now.pop(name, None)
    return [
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _deciding(file: h5py.File) -> dict[str, Any]:
    """What decides the row of an image."""
    config: dict[str, Any] = json.loads(file.attrs[schema.ATTR_CONFIG])
    weights = str(file.attrs.get(schema.ATTR_WEIGHTS_SHA256, ""))
    features = file[schema.FEATURES]
    row = f"{features.dtype} {features.shape[1:]}"
    kept = {name: value for name, value in config.items() if name not in _INDIFFERENT}
    return {**kept, schema.ATTR_WEIGHTS_SHA256: weights, "a row": row}


def _components(file: h5py.File) -> Any:
    """The hash of the principal components, if the features are such."""
    return file.attrs.get(schema.ATTR_PCA_SHA256)


def _copy(stale: Path, old: h5py.File, fresh: Output, output: Path) -> None:
    summed, wanted, needed = fresh(_rows_of)
    rows = [RowReader(stale, old, name) for name in summed]
    small = (schema.ORIG_SIZE, schema.IMAGE_SHA256)
    names = old[schema.NAMES].asstr()[:]
    there = np.flatnonzero(old[schema.DONE][:])
    for image in (int(i) for i in there if i < len(wanted) and names[i] == wanted[i]):
        try:
            read = [reader.read(image) for reader in rows]
        except BadInputError:
            continue  # damaged, and so extracted again
        read += [old[name][image] for name in small]
        named = dict(zip((*summed, *small), read, strict=True))
        # A disk that is full is not the old file's fault.
        with output_errors(output, needed=needed):
            fresh(partial(_write_rows, image=image, values=named))


def _rows_of(file: h5py.File) -> tuple[list[str], NDArray[Any], int]:
    """The large data sets of a store, the names of its images, and the bytes of all rows."""
    summed = [name for name in LARGE if name in file]
    return summed, file[schema.NAMES].asstr()[:], sum(file[name].nbytes for name in summed)


def _write_rows(file: h5py.File, image: int, values: dict[str, Any]) -> None:
    for name, value in values.items():
        write_row(file, name, image, value)
    file[schema.DONE][image] = 1


# Ends the name of a stopped run's leftover while it is copied into a fresh file.
COPIED = ".old"


def leftover(final: Path) -> Path:
    """What a stopped run left of an output: its temporary sibling, also while that is copied."""
    copied = copied_sibling(final)
    return copied if copied.exists() else partial_sibling(final)


def copied_sibling(path: Path) -> Path:
    """Where a stopped run's leftover lies while it is copied into a fresh file."""
    return path.with_name(f"{partial_sibling(path).name}{COPIED}")
