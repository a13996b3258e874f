"""Reads feature stores: dense features of every image, one image per chunk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.chain import Format, Link
from c2l.artifacts.hdf5 import (
    config_of,
    open_artifact,
    reading,
    sources_of,
    summary_of,
    tried_out,
)
from c2l.artifacts.lineage import DATA, Source, quoted
from c2l.artifacts.rows import RowReader, all_finite
from c2l.artifacts.untrusted.names import require_fit
from c2l.errors import BadInputError
from c2l.options import ExtractOptions
from c2l.runtime.progress import progress

HINT = "make one with: c2l extract DATA -o features.h5"
# Data sets of one checksummed row per image.
LARGE = (schema.FEATURES, schema.FEATURES_VIEW1, schema.FEATURES_VIEW2, schema.PIXEL_INDEX)
# Rows that health is computed from; a store may be larger than memory.
HEALTH_ROWS = 64


class FeatureReader:
    """Reads a feature store image by image; open one per process."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._file, self.path = file, path
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
            there = [name for name in LARGE if name in file]
            self._rows = {name: RowReader(path, file, name, self.names, HINT) for name in there}

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
        return list(sources_of(self.path, self._file))

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
        if name not in self._rows:
            raise BadInputError(self.path, f"{name!r} is missing", hint=HINT)
        return self._rows[name].read(index)


@contextmanager
def read_features(path: Path) -> Iterator[FeatureReader]:
    """Open a feature store.

    Raises:
        BadInputError: see ``open_artifact``.
    """
    with open_artifact(path, schema.FORMAT_FEATURES, hint=HINT) as file:
        yield FeatureReader(path, file)


def _summary(path: Path) -> dict[str, Any]:
    return summary_of(path, schema.FORMAT_FEATURES, HINT, _health)


def _health(file: h5py.File) -> dict[str, Any]:
    data = file[schema.FEATURES]
    rows = np.unique(np.linspace(0, len(data) - 1, HEALTH_ROWS).astype(int))
    values = [data[int(i)].astype(np.float32).reshape(-1, data.shape[-1]) for i in rows]
    norms = [float(np.linalg.norm(v, axis=1).mean()) for v in values]
    return {
        "finite": all(bool(np.isfinite(v).all()) for v in values),
        "mean_norm": round(float(np.mean(norms)), 4),
        "constant_channels": int((np.concatenate(values).std(0) == 0).sum()),
    }


def _link(path: Path, final: Path | None = None) -> Link:
    with tried_out(path, unfinished=final is not None) as file:
        config = config_of(path, file)
        lines = file[schema.SKIPPED].asstr()[:] if schema.SKIPPED in file else ()
        skipped = [str(line).split("\t", 1)[0] for line in lines]
        done = ""
        if schema.DONE in file:
            written = file[schema.DONE][:]
            done = f"{int(np.count_nonzero(written))} of {len(written)} images"
        sources = sources_of(path, file) or (Source(DATA, str(config.get("data", "DATA")), ""),)
        return Link(
            format=FORMAT,
            path=final or path,
            sources=sources,
            options=config,
            takes=(DATA,),
            complete=bool(file.attrs.get(schema.ATTR_COMPLETE)),
            done=done,
            images=len(file[schema.NAMES]) + len(skipped),
            split=config.get("split"),
            skipped=frozenset(skipped),
        )


def _read_all(path: Path) -> str | None:
    """Read every row, which checks its checksum and that its values are finite."""
    with read_features(path) as reader:
        views = (schema.FEATURES_VIEW1, schema.FEATURES_VIEW2) if reader.has_views else ()
        with progress(f"verify {path}", len(reader.names)) as bar:
            for index in range(len(reader.names)):
                for name in (schema.FEATURES, *views):
                    reader.read(index, name)
                if reader.sampled:
                    reader.pixel_index(index)
                bar.advance()
    return None


FORMAT = Format(
    name=schema.FORMAT_FEATURES,
    summary=_summary,
    link=_link,
    leftover=_link,
    checks=(("features of every image", _read_all),),
    stage="extract",
    options=ExtractOptions,
    following=lambda link, *_: (
        f"c2l cluster {quoted(link.path)} -o {link.beside('clusters.h5')} -k 3"
    ),
)
