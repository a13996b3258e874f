"""Writes HDF5 artifacts whole or not at all, whatever the disk answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import h5py
import numpy as np

from c2l import __version__, schema
from c2l.artifacts import superblock
from c2l.artifacts.seal import content_digest
from c2l.runtime.files import replacing

T = TypeVar("T")


class _Disk:
    """The file below HDF5, which never sees a write fail.

    Where the library cannot flush a file at its close, it frees the file's state, keeps its
    identifier, and dies by SIGSEGV when that is closed next (h5py's pull request 1642). So the
    first error is kept for ``Output`` to raise. From then on the disk stays as it is, and what
    HDF5 still writes is kept in memory, for HDF5 to read back.

    HDF5's own driver marks a file as open for writing, so that what a killed writer left is not
    taken for a whole file; h5py's driver of file objects does not, so it happens here.

    Attributes:
        error: the first error of a write.
        closing: whether HDF5 is closing the file, and takes the mark off at last.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self.error: OSError | None = None
        self.closing = False
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        self._place, self._end = 0, os.fstat(self._descriptor).st_size
        self._kept: list[tuple[int, bytes]] = []
        if self._end:
            self.write(memoryview(os.pread(self._descriptor, superblock.SIZE, 0)))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place from the start or the end of the file."""
        self._place = offset + (self._end if whence == os.SEEK_END else 0)
        return self._place

    def tell(self) -> int:
        """The place in the file."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; what lies beyond the end of the file reads as zeros."""
        count = 0
        while got := os.preadv(self._descriptor, [buffer[count:]], self._place + count):
            count += got
        buffer[count:] = bytes(len(buffer) - count)
        for start, data in self._kept:
            first = max(start, self._place)
            last = min(start + len(data), self._place + len(buffer))
            if first < last:
                part = data[first - start : last - start]
                buffer[first - self._place : last - self._place] = part
        self._place += len(buffer)
        return len(buffer)

    # By this, h5py tells a file object from a path.
    read = readinto

    def write(self, data: memoryview) -> int:
        """Write all of the data."""
        if self._place == 0 and not self.closing:
            block = bytes(data)
            data = memoryview(
                superblock.marked(block, superblock.marks(block) | superblock.WRITING)
            )
        self._try(self._write_all, data)
        if self.error:
            self._kept.append((self._place, bytes(data)))
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    def _write_all(self, data: memoryview) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._descriptor, data[done:], self._place + done)

    def truncate(self, size: int) -> None:
        """Cut the file, or let it grow by zeros."""
        self._try(os.ftruncate, self._descriptor, size)
        self._end = size

    def flush(self) -> None:
        """Nothing waits here."""

    def reserve(self, count: int) -> None:
        """Note an error if the file cannot grow by so many bytes."""
        self._place, end = self._end, self._end
        self._try(self._write_all, memoryview(bytes(count)))
        # Growth by zeros is cut off again whether it succeeded or not.
        os.ftruncate(self._descriptor, end)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _try(self, work: Callable[..., object], *arguments: object) -> None:
        if self.error is None:
            try:
                work(*arguments)
            except OSError as error:
                self.error = error


class Output:
    """An HDF5 file that is being written, by a thread of its own.

    Python handles signals in the main thread, perhaps while HDF5 calls the file object there: what
    the handler raises would fail a write.

    Args:
        path: the file.
        mode: a new file, or more for one that is complete as HDF5.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(self, path: Path, mode: Literal["w", "r+"] = "w") -> None:
        new = mode == "w"
        self._disk = _Disk(path, os.O_RDWR | (os.O_CREAT | os.O_TRUNC if new else 0))
        self._pool = ThreadPoolExecutor(1)
        self._closed = False
        # No chunk cache, which would take memory for what is written once.
        # The format of 1.10, whose chunk index has checksums: in an older one, a flipped bit can
        # make a chunk silently vanish.
        settings: dict[str, Any] = {"libver": ("v110", "v110"), "track_order": True} if new else {}
        self._file: h5py.File = self._pool.submit(
            h5py.File, self._disk, mode, rdcc_nbytes=0, **settings
        ).result()

    def __call__(self, work: Callable[[h5py.File], T]) -> T:
        """Do something with the file.

        Raises:
            OSError: it could not be written, now or earlier.
        """
        try:
            return self._pool.submit(work, self._file).result()
        finally:
            if self._disk.error:
                raise self._disk.error

    def reserve(self, count: int) -> None:
        """Fail now if there is no room for so many bytes more.

        Raises:
            OSError: there is none.
        """
        self(lambda _: self._disk.reserve(count))

    def close(self) -> None:
        """Close the file; to close it twice is no error.

        Raises:
            OSError: it could not be written, now or earlier.
        """
        if not self._closed:
            self._closed = True
            with self._pool:
                self._pool.submit(self._close).result()
            if self._disk.error:
                raise self._disk.error

    def _close(self) -> None:
        self._disk.closing = True
        try:
            self._file.close()
        finally:
            self._disk.close()


def stamp(file: h5py.File, kind: str, config: dict[str, Any], attributes: dict[str, str]) -> None:
    """Write the root attributes that every artifact has; ``complete`` stays false."""
    file.attrs[schema.ATTR_FORMAT] = kind
    file.attrs[schema.ATTR_VERSION] = schema.FORMAT_VERSION
    file.attrs[schema.ATTR_COMPLETE] = False
    file.attrs[schema.ATTR_CREATED_BY] = f"c2l {__version__}"
    file.attrs[schema.ATTR_CONFIG] = json.dumps(config, sort_keys=True)
    for name, value in attributes.items():
        file.attrs[name] = value


def plot_by_default(file: h5py.File, name: str, long_name: str, interpretation: str) -> None:
    """Let viewers of NeXus files (h5web, HDFView, silx) open with a plot of one data set.

    Attributes of the root and of the data set, which readers of format version 1 pass over.

    Args:
        file: the artifact.
        name: of the data set.
        long_name: what the plot is called, with its units.
        interpretation: NeXus's word for how its last axes are shown: ``image`` or ``spectrum``.
    """
    data = file[name]
    file.attrs["NX_class"], file.attrs["signal"] = "NXdata", name
    # No data set holds the coordinates of any axis.
    file.attrs["axes"] = np.array(["."] * data.ndim, dtype=h5py.string_dtype())
    data.attrs["long_name"], data.attrs["interpretation"] = long_name, interpretation


def seal(file: h5py.File) -> None:
    """Mark a file complete, with the digest of all that was written to it."""
    file.attrs[schema.ATTR_COMPLETE] = True
    file.attrs[schema.ATTR_CONTENT] = content_digest(file)


@contextmanager
def writing(path: Path, *, needed: int | None = None) -> Iterator[Output]:
    """A new artifact; sealed, and under its name, when the block ends without an error.

    Args:
        path: the final name.
        needed: bytes of its data, for the message when the disk is full.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(path, needed=needed) as partial, closing(Output(partial)) as output:
        yield output
        output(seal)
