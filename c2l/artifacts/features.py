"""Reading a feature store: dense features of every image, one image a chunk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.hdf5 import config_of, open_artifact, reading
from c2l.artifacts.lineage import Source, from_json
from c2l.artifacts.rows import RowReader, all_finite
from c2l.artifacts.untrusted.names import require_fit
from c2l.errors import BadInputError

HINT = "make one with: c2l extract DATA -o features.h5"


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
        values: NDArray[np.float16] = self._row(index, name)
        if not all_finite(values):
            raise BadInputError(self.path, f"image {self.names[index]!r}: NaN or Inf in features")
        return values.reshape(-1, self.channels)

    def pixel_index(self, index: int) -> NDArray[np.int32]:
        """Which pixels of one image are stored, (P,) int32 in raster order of the grid.

        Raises:
            BadInputError: its checksum fails, or a pixel lies outside the grid.
        """
        found: NDArray[np.int32] = self._row(index, schema.PIXEL_INDEX)
        if (np.diff(found) <= 0).any() or found[0] < 0 or found[-1] >= self.grid[0] * self.grid[1]:
            raise BadInputError(self.path, f"image {self.names[index]!r}: pixels outside the grid")
        return found

    def _row(self, index: int, name: str) -> NDArray[Any]:
        try:
            if name not in self._rows:
                self._rows[name] = RowReader(self._file, name)
            return self._rows[name].read(index)
        except (OSError, KeyError, ValueError, IndexError) as error:
            raise BadInputError(
                self.path, f"image {self.names[index]!r}: {error}", hint="extract it again"
            ) from None


@contextmanager
def read_features(path: Path) -> Iterator[FeatureReader]:
    """Open a feature store.

    Raises:
        BadInputError: see ``open_artifact``.
    """
    with open_artifact(path, schema.FORMAT_FEATURES, hint=HINT) as file:
        yield FeatureReader(path, file)
