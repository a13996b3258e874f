"""The feature store: dense features of every image, one image a chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.files import output_errors, partial_sibling, publish
from c2l.artifacts.hdf5 import config_of, create, open_artifact, reading, seal, stamp
from c2l.artifacts.lineage import Source, from_json
from c2l.artifacts.names import require_fit
from c2l.artifacts.rows import RowReader, create_rows, write_row
from c2l.errors import BadInputError

HINT = "make one with: c2l extract DATA -o features.h5"


@dataclass(frozen=True)
class StoreLayout:
    """What a feature store will hold.

    Attributes:
        names: of the N images.
        grid: height and width of the feature map.
        channels: C.
        pixels: P pixels kept an image, 0 for the whole map.
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
    """Writes a feature store under a temporary name and continues one that was stopped."""

    def __init__(self, final: Path, file: h5py.File, layout: StoreLayout) -> None:
        self._final, self._file, self.layout = final, file, layout
        self._partial = Path(file.filename)
        self.done: NDArray[np.bool_] = file[schema.DONE][:].astype(bool)

    def write(self, index: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Store what belongs to one image, then mark it done."""
        with output_errors(self._final, needed=self.layout.nbytes):
            for name, value in arrays.items():
                write_row(self._file, name, index, value)
            self._file[schema.DONE][index] = 1
        self.done[index] = True

    def flush(self) -> None:
        """Bring what was written to the disk, so that a stopped run can be continued."""
        with output_errors(self._final, needed=self.layout.nbytes):
            self._file.flush()

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
            # While rows are written, nothing else may be; see _create.
            self.close()
            self._file = h5py.File(self._partial, "r+", rdcc_nbytes=0)
            if len(keep) < len(self.layout.names):
                self._compact(keep)
            for name, value in extras.items():
                text = value.dtype == object
                self._file.create_dataset(
                    name, data=value, dtype=h5py.string_dtype() if text else None
                )
            for name, value_text in attributes.items():
                self._file.attrs[name] = value_text
            del self._file[schema.DONE]
            seal(self._file)

    def _compact(self, keep: NDArray[np.int64]) -> None:
        for name in list(self._file):
            if name == schema.DONE:
                continue
            data = self._file[name]
            for row, index in enumerate(keep):
                if row != index:
                    data[row] = data[int(index)]
            data.resize(len(keep), axis=0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def stored_sha256(self, index: int) -> str:
        """Hash of an image that is written already."""
        return bytes(self._file[schema.IMAGE_SHA256][index]).decode("ascii")


def _grow(file: h5py.File, name: str, shape: tuple[int, ...], dtype: Any) -> h5py.Dataset:
    """A small data set a row an image, that can shrink when images are skipped."""
    return file.create_dataset(
        name, shape, dtype, maxshape=(None, *shape[1:]), chunks=True, track_times=False
    )


def _create(
    path: Path, layout: StoreLayout, config: dict[str, Any], attributes: dict[str, str]
) -> h5py.File:
    file = create(path)
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
    if layout.pixels:
        create_rows(file, schema.PIXEL_INDEX, (count, layout.pixels), "int32", grows=True)
    file.attrs["grid"] = np.array(layout.grid, dtype=np.int32)
    _grow(file, schema.NAMES, (count,), h5py.string_dtype())[:] = np.array(layout.names, object)
    _grow(file, schema.ORIG_SIZE, (count, 2), "int32")
    _grow(file, schema.IMAGE_SHA256, (count,), "S64")
    _grow(file, schema.DONE, (count,), "uint8")
    # The mode for readers beside a writer orders its writes so that the file is sound at every
    # moment, which is what lets a killed run be continued.
    file.swmr_mode = True
    return file


def _deciding(file: h5py.File) -> dict[str, Any]:
    """The options that decide what is stored of an image; not what becomes of broken ones."""
    config: dict[str, Any] = json.loads(file.attrs[schema.ATTR_CONFIG])
    config.pop("on_error", None)
    return config


def _take_over(stale: Path, fresh: h5py.File, layout: StoreLayout) -> None:
    """Copy what a stopped store holds for the same output into a fresh one.

    Copied and not appended to: the library does not open a file for writing again whose writer
    was killed.
    """
    views = (schema.FEATURES_VIEW1, schema.FEATURES_VIEW2) if layout.views else ()
    index = (schema.PIXEL_INDEX,) if layout.pixels else ()
    summed = (schema.FEATURES, *views, *index)
    small = (schema.ORIG_SIZE, schema.IMAGE_SHA256)
    try:
        with h5py.File(stale, "r", swmr=True) as old:
            same = (
                _deciding(old) == _deciding(fresh)
                and old.attrs.get(schema.ATTR_WEIGHTS_SHA256, "")
                == fresh.attrs.get(schema.ATTR_WEIGHTS_SHA256, "")
                and old[schema.FEATURES].shape == layout.shape
                and tuple(old[schema.NAMES].asstr()[:]) == layout.names
            )
            rows = [RowReader(old, name) for name in summed]
            for image in np.flatnonzero(old[schema.DONE][:]) if same else ():
                read = [r.read(int(image)) for r in rows]
                read += [old[name][int(image)] for name in small]
                for name, value in zip((*summed, *small), read, strict=True):
                    write_row(fresh, name, int(image), value)
                fresh[schema.DONE][int(image)] = 1
    except (OSError, KeyError, ValueError):
        # What cannot be read is extracted again.
        return


@contextmanager
def write_features(
    path: Path, layout: StoreLayout, config: dict[str, Any], attributes: dict[str, str]
) -> Iterator[FeatureWriter]:
    """Write a feature store; it takes its name when the block ends without an error.

    A stopped run leaves the temporary sibling, and the next one with the same options and
    inputs writes only the images that are missing.

    Raises:
        OutputError: the store cannot be written.
    """
    partial = partial_sibling(path)
    stale = partial.with_name(f"{partial.name}.old")
    with output_errors(path, needed=layout.nbytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        if partial.exists() and not stale.exists():
            partial.rename(stale)
        file = _create(partial, layout, config, attributes)
        if stale.exists():
            _take_over(stale, file, layout)
            file.flush()
            stale.unlink()
    writer = FeatureWriter(path, file, layout)
    try:
        yield writer
    except BaseException:
        writer.close()
        raise
    with output_errors(path, needed=layout.nbytes):
        writer.close()
        publish(partial, path)


def _finite(values: NDArray[np.float16]) -> bool:
    """Whether no value is NaN or Inf: thirty times as fast on the bits as ``isfinite``.

    Inf and NaN have the largest bits of each sign: 0x7C00 and above, and 0xFC00 and above.
    """
    bits = values.view(np.uint16)
    return bool(bits.max() < 0xFC00 and bits.view(np.int16).max() < 0x7C00)


class FeatureReader:
    """Reads a feature store image by image; open one a process."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._file, self.path = file, path
        self._rows: dict[str, RowReader] = {}
        self.config = config_of(path, file)
        with reading(path, hint=HINT):
            data = file[schema.FEATURES]
            self.names: tuple[str, ...] = tuple(file[schema.NAMES].asstr()[:])
            self.grid = tuple(int(v) for v in file.attrs["grid"])
        if data.ndim not in (3, 4) or data.dtype != np.float16 or len(data) != len(self.names):
            raise BadInputError(
                path, f"features are {data.dtype} {data.shape}; expected float16 (N, h, w, C)"
            )
        self.shape: tuple[int, ...] = data.shape
        self.channels = int(data.shape[-1])
        require_fit(path, self.names)
        with reading(path, hint=HINT):
            self._check_shapes()

    def _check_shapes(self) -> None:
        """Refuse parts that do not fit the features."""
        if 0 in self.shape or (not self.sampled and self.shape[1:3] != self.grid):
            raise BadInputError(self.path, f"features of shape {self.shape}, grid {self.grid}")
        count, pixels = len(self.names), self.shape[1]
        wanted: dict[str, tuple[int | None, ...]] = {
            schema.FEATURES_VIEW1: self.shape,
            schema.FEATURES_VIEW2: self.shape,
            schema.ORIG_SIZE: (count, 2),
            schema.IMAGE_SHA256: (count,),
            schema.PIXEL_INDEX: (count, pixels),
            schema.PCA_COMPONENTS: (self.channels, None),
            schema.PCA_MEAN: (None,),
        }
        for name, shape in wanted.items():
            found = self._file[name].shape if name in self._file else shape
            if len(found) != len(shape) or any(
                b not in (a, None) for a, b in zip(found, shape, strict=True)
            ):
                raise BadInputError(self.path, f"{name!r} has the shape {found}, expected {shape}")

    @property
    def sampled(self) -> bool:
        """Whether only some pixels of each image are stored."""
        return len(self.shape) == 3

    @property
    def has_views(self) -> bool:
        """Whether both augmented views are stored."""
        return schema.FEATURES_VIEW1 in self._file and schema.FEATURES_VIEW2 in self._file

    @property
    def has_pca(self) -> bool:
        """Whether the features are principal components."""
        return schema.PCA_COMPONENTS in self._file

    def projection(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(D, C) principal components and the (C,) mean that was taken off."""
        with reading(self.path, hint=HINT):
            components, mean = self._file[schema.PCA_COMPONENTS][:], self._file[schema.PCA_MEAN][:]
        if components.shape[1:] != mean.shape or not np.isfinite(components).all():
            raise BadInputError(self.path, f"components {components.shape}, mean {mean.shape}")
        return components.astype(np.float32), mean.astype(np.float32)

    def image_sha256(self) -> list[str]:
        """Hash of every image's file."""
        with reading(self.path, hint=HINT):
            return [bytes(v).decode("ascii") for v in self._file[schema.IMAGE_SHA256][:]]

    @property
    def lineage(self) -> list[Source]:
        """The store's inputs."""
        return from_json(self.attribute(schema.ATTR_LINEAGE) or [], self.path)

    def attribute(self, name: str) -> str:
        """A root attribute as text, empty when there is none."""
        return str(self._file.attrs.get(name, ""))

    def read(self, index: int, name: str = schema.FEATURES) -> NDArray[np.float16]:
        """Features of one image.

        Returns:
            (h * w, C) float16, or (P, C) when pixels were left out.

        Raises:
            BadInputError: the image's checksum fails, or a value is not finite.
        """
        try:
            if name not in self._rows:
                self._rows[name] = RowReader(self._file, name)
            values: NDArray[np.float16] = self._rows[name].read(index)
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise BadInputError(
                self.path, f"image {self.names[index]!r}: {error}", hint="extract it again"
            ) from None
        if not _finite(values):
            raise BadInputError(self.path, f"image {self.names[index]!r}: NaN or Inf in features")
        return values.reshape(-1, self.channels)


@contextmanager
def read_features(path: Path, *, trust: bool = False) -> Iterator[FeatureReader]:
    """Open a feature store.

    Args:
        path: the file.
        trust: see ``open_artifact``.

    Raises:
        BadInputError: see ``open_artifact``.
    """
    with open_artifact(path, schema.FORMAT_FEATURES, hint=HINT, trust=trust) as file:
        yield FeatureReader(path, file)
