"""Writes feature stores, and continues those whose writer was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.features import LARGE
from c2l.artifacts.hdf5_output import Output, plot_by_default, seal, stamp
from c2l.artifacts.rows import all_finite, create_rows, row_sum
from c2l.artifacts.stopped import copied_sibling, take_over
from c2l.errors import NonFiniteError
from c2l.runtime.files import output_errors, partial_sibling, publish

# Bytes for the attributes and data sets that complete a store, without their values.
ROOM = 8 << 10


@dataclass(frozen=True)
class StoreLayout:
    """What a feature store will hold.

    Attributes:
        names: of the N images.
        grid: height and width of the feature map.
        channels: C.
        pixels: P pixels kept per image, 0 for the whole map.
        views: whether both augmented views are stored too.
    """

    names: tuple[str, ...]
    grid: tuple[int, int]
    channels: int
    pixels: int = 0
    views: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, h, w, C), or (N, P, C) when pixels were left out."""
        inner = (self.pixels,) if self.pixels else self.grid
        return (len(self.names), *inner, self.channels)

    @property
    def nbytes(self) -> int:
        """Bytes of the features of all views."""
        return int(np.prod(self.shape, dtype=np.int64)) * 2 * (3 if self.views else 1)


class FeatureWriter:
    """Writes a feature store under a temporary name.

    Attributes:
        layout: what it will hold.
        done: (N,) which images are written.
        unused: why a stopped run's leftover is not used, or not all of it; else empty.
    """

    def __init__(self, final: Path, output: Output, layout: StoreLayout, unused: str = "") -> None:
        self._final, self._output, self.layout, self.unused = final, output, layout, unused
        self.done: NDArray[np.bool_] = output(lambda file: file[schema.DONE][:].astype(bool))
        self._large: dict[str, Any] = output(
            lambda file: {n: file[n].dtype for n in LARGE if n in file}
        )
        self._waiting: list[tuple[int, dict[str, Any]]] = []

    def write(self, index: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Store the maps of one image; what else belongs to it waits for ``flush``.

        A write of one small row costs as much as one of a whole map.

        Raises:
            NonFiniteError: NaN, or a feature beyond what float16 holds.
        """
        small: dict[str, Any] = {}
        large: dict[str, NDArray[Any]] = {}
        for name, value in arrays.items():
            if name in self._large:
                row = np.ascontiguousarray(value, dtype=self._large[name])
                if row.dtype == np.float16 and not all_finite(row):
                    raise NonFiniteError(
                        f"image {self.layout.names[index]!r}: NaN or Inf in {name}; float16 "
                        "holds at most 65504",
                        hint="check the weights; where they are sound, take another --layer",
                    )
                large[name], small[name + schema.ROW_SUMS] = row, row_sum(row)
            else:
                small[name] = value
        with output_errors(self._final, needed=self.layout.nbytes):
            self._output(lambda file: _put(file, index, large))
        self._waiting.append((index, small))

    def flush(self) -> None:
        """Mark what was written as done and flush it, so that a killed run can resume."""
        with output_errors(self._final, needed=self.layout.nbytes):
            self._settle()
            self._output(lambda file: file.flush())

    def _settle(self) -> None:
        """Write what waits, the mark of being done last."""
        waiting, self._waiting = sorted(self._waiting, key=itemgetter(0)), []
        # Neighbours in one write.
        for _, run in groupby(enumerate(waiting), key=lambda item: item[1][0] - item[0]):
            rows = [row for _, row in run]
            place = slice(rows[0][0], rows[-1][0] + 1)
            values = {name: np.stack([row[name] for _, row in rows]) for name in rows[0][1]}
            self._output(partial(_put, place=place, values={**values, schema.DONE: 1}))
            self.done[place] = True

    def finish(
        self,
        keep: NDArray[np.int64],
        extras: dict[str, NDArray[Any]],
        attributes: dict[str, str],
    ) -> None:
        """Drop the rows of skipped images, write what is known last, mark the store complete.

        Args:
            keep: indices of the images that were written, in order.
            extras: small data sets.
            attributes: root attributes.
        """
        with output_errors(self._final, needed=self.layout.nbytes):
            self._settle()
            # A stop between here and the end costs all rows, so room is made sure of first.
            self._output.reserve(_room(extras, attributes))
            # While rows are written, nothing else may be; see _lay_out.
            self.close()
            self._output = Output(partial_sibling(self._final), "r+")
            if len(keep) < len(self.layout.names):
                self._compact(keep)
            self._output(lambda file: _complete(file, extras, attributes))

    def _compact(self, keep: NDArray[np.int64]) -> None:
        moved = [(row, int(index)) for row, index in enumerate(keep) if row != index]
        for name, (row, index) in product(self._large, moved):
            self._output(partial(_move, name=name, row=row, index=index))
        self._output(lambda file: _shorten(file, keep))

    def close(self) -> None:
        """Close the file; what was written is marked as done."""
        try:
            self._settle()
        finally:
            self._output.close()

    def stored_sha256(self, index: int) -> str:
        """Hash of an image that was written before."""
        stored: bytes = self._output(lambda file: bytes(file[schema.IMAGE_SHA256][index]))
        return stored.decode("ascii")


def _put(file: h5py.File, place: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        file[name][place] = value


def _move(file: h5py.File, name: str, row: int, index: int) -> None:
    file[name][row] = file[name][index]


def _shorten(file: h5py.File, keep: NDArray[np.int64]) -> None:
    """Keep some rows; those of the large data sets have been moved."""
    for name in file:
        if name not in LARGE:
            file[name][: len(keep)] = file[name][:][keep]
        file[name].resize(len(keep), axis=0)


def _complete(file: h5py.File, extras: dict[str, NDArray[Any]], attributes: dict[str, str]) -> None:
    for name, value in extras.items():
        text = value.dtype == object
        file.create_dataset(name, data=value, dtype=h5py.string_dtype() if text else None)
    for name, value_text in attributes.items():
        file.attrs[name] = value_text
    del file[schema.DONE]
    seal(file)


def _room(extras: dict[str, NDArray[Any]], attributes: dict[str, str]) -> int:
    """Bytes by which a store grows at most when it is completed."""
    texts = [text for value in extras.values() if value.dtype == object for text in value]
    numbers = sum(value.nbytes for value in extras.values() if value.dtype != object)
    return ROOM + numbers + sum(4 * len(t) + 64 for t in [*texts, *attributes.values()])


def _grow(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """A small data set of one row per image, which can shrink when images are skipped."""
    return file.create_dataset(
        name, shape, dtype, maxshape=(None, *shape[1:]), chunks=True, track_times=False
    )


def _sums(file: h5py.File) -> list[str]:
    """Names of the data sets of rows' sums."""
    return [name for name in file if name.endswith(schema.ROW_SUMS)]


def _lay_out(
    file: h5py.File, layout: StoreLayout, config: dict[str, Any], attributes: dict[str, str]
) -> None:
    stamp(file, schema.FORMAT_FEATURES, config, attributes)
    shape, count = layout.shape, len(layout.names)
    stored = [schema.FEATURES]
    if layout.views:
        stored += [schema.FEATURES_VIEW1, schema.FEATURES_VIEW2]
    dims = ("image", "pixel", "channel") if layout.pixels else ("image", "row", "column", "channel")
    for name in stored:
        data = create_rows(file, name, shape, "float16", grows=True)
        data.attrs["units"] = "1"
        for axis, label in enumerate(dims):
            data.dims[axis].label = label
    plot_by_default(file, schema.FEATURES, "feature of each channel", "spectrum")
    if layout.pixels:
        create_rows(file, schema.PIXEL_INDEX, (count, layout.pixels), "int32", grows=True)
    file.attrs["grid"] = np.array(layout.grid, dtype=np.int32)
    _grow(file, schema.NAMES, (count,), h5py.string_dtype())[:] = np.array(layout.names, object)
    _grow(file, schema.ORIG_SIZE, (count, 2), "int32")
    _grow(file, schema.IMAGE_SHA256, (count,), "S64")
    _grow(file, schema.DONE, (count,), "uint8")
    # Given their place in the file now: later it would depend on where a run was stopped.
    for name in (schema.ORIG_SIZE, schema.IMAGE_SHA256, schema.DONE, *_sums(file)):
        file[name][:] = np.zeros(count, file[name].dtype) if file[name].ndim == 1 else 0
    # The mode for readers beside a writer orders its writes so that the file is sound at every
    # moment, which is what lets a killed run be continued.
    file.swmr_mode = True


@contextmanager
def write_features(
    path: Path,
    layout: StoreLayout,
    config: dict[str, Any],
    attributes: dict[str, str],
    *,
    anew: bool = False,
) -> Iterator[FeatureWriter]:
    """Write a feature store; it takes its name when the block ends without an error.

    A stopped run leaves the temporary sibling, and the next one with the same options and
    inputs writes only the images that are missing.

    Args:
        path: of the store.
        layout: what it will hold.
        config: the options, with all that decide the rows of an image.
        attributes: of the root, known before the first image.
        anew: whether a leftover of other options is dropped instead of refused.

    Raises:
        OutputError: the store cannot be written.
        ConfigDiffersError: a stopped run left it under other options.
    """
    fresh, stale = partial_sibling(path), copied_sibling(path)
    lay_out = partial(_lay_out, layout=layout, config=config, attributes=attributes)
    unused = ""
    with output_errors(path, needed=layout.nbytes), ExitStack() as undo:
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh.exists() and not stale.exists():
            fresh.rename(stale)
        # What was left keeps its name when nothing can be written.
        undo.callback(lambda: stale.replace(fresh) if stale.exists() else fresh.unlink(True))
        output = Output(fresh)
        undo.callback(output.close)
        output(lay_out)
        if stale.exists():
            unused = take_over(stale, output, path, anew=anew)
            output(lambda file: file.flush())
            if not output(lambda file: file[schema.DONE][:].any()):
                # Made again, so that the bytes are those of a run that found no leftover.
                output.close()
                output = Output(fresh)
                undo.callback(output.close)
                output(lay_out)
        stale.unlink(missing_ok=True)
        undo.pop_all()
    writer = FeatureWriter(path, output, layout, unused)
    try:
        yield writer
    except BaseException:
        try:
            with output_errors(path, needed=layout.nbytes):
                writer.close()
        finally:
            if not writer.done.any():
                fresh.unlink()
        raise
    with output_errors(path, needed=layout.nbytes):
        writer.close()
        publish(fresh, path)
