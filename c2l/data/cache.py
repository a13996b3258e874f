"""Images in batches: decoded once by threads, then read from a cache of raw pixels."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.data.decoding import Skips, decode, inputs_digest
from c2l.data.records import Record
from c2l.errors import BadInputError
from c2l.runtime.files import replacing, sha256_file
from c2l.runtime.json_files import read_json, write_json
from c2l.runtime.progress import progress
from c2l.runtime.signals import StopRequest

AGAIN = "run the same command again, with --resume"


class PixelCache:
    """All images as raw uint8 pixels in one file, read by position.

    Plain reads, not a memory map: mapped pages count as the process's memory, which must not
    grow with the number of images; the system's page cache serves both equally.

    Args:
        path: the raw file.
        names: of the N images in it.
        size: S; image i is the S * S * 3 bytes from i * S * S * 3.
        inputs_sha256: digest of the images' names and contents.
        sums: SHA-256 of each image file.
    """

    def __init__(
        self,
        path: Path,
        names: tuple[str, ...],
        size: int,
        inputs_sha256: str,
        sums: tuple[str, ...] = (),
    ) -> None:
        self.path, self.names, self.size = path, names, size
        self.inputs_sha256, self.sums = inputs_sha256, sums
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return len(self.names)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some images, (B, S, S, 3) uint8.

        Raises:
            BadInputError: the cache is shorter than it should be.
        """
        length = self.size * self.size * 3
        out = np.empty((len(indices), length), dtype=np.uint8)
        for row, index in enumerate(indices):
            out[row] = read_at(self._file, length, int(index), self.path)
        return out.reshape(len(indices), self.size, self.size, 3)


def read_at(file: int, length: int, index: int, path: Path) -> NDArray[np.uint8]:
    """The bytes of one photo in a file of the cache, (length,) uint8.

    Raises:
        BadInputError: the file ends before them.
    """
    data = os.pread(file, length, index * length)
    if len(data) != length:
        raise BadInputError(path, "the cache is cut short", hint="delete it; it is made again")
    return np.frombuffer(data, dtype=np.uint8)


def build_cache(
    records: Sequence[Record],
    folder: Path,
    size: int,
    workers: int,
    skips: Skips,
    stop: StopRequest | None = None,
) -> PixelCache:
    """Decode every image once; a complete and sound cache of the same list is used as it is.

    Raises:
        BadInputError: a broken image under ``--on-error fail``, or none left.
        OutputError: the cache cannot be written.
        StoppedError: a signal came.
    """
    listed = [[r.name, str(r.image.absolute()), *_stamp(r.image), *_as_stored(r)] for r in records]
    # A folder may serve several runs at once: each list of photos has files of its own.
    key = hashlib.sha256(json.dumps(listed).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    final, manifest = folder / f"images-{size}-{key}.u8", folder / f"images-{size}-{key}.json"
    _clean(folder)
    if final.exists() and manifest.exists():
        known = read_json(manifest, what="a cache manifest", sealed=True)
        if known.get("listed") == listed and known.get("cache_sha256") == sha256_file(final):
            if known["skipped"] and skips.on_error == "fail":
                name, reason = next(iter(known["skipped"].items()))
                raise BadInputError(
                    name, f"was left out of {final}: {reason}", hint="add --on-error skip"
                )
            skips.reasons.update(known["skipped"])
            return PixelCache(
                final,
                tuple(known["names"]),
                size,
                known["inputs_sha256"],
                tuple(known.get("sums", ())),
            )
    names, sums, content = [], [], hashlib.sha256()
    needed = len(records) * size * size * 3
    with (
        replacing(final, needed=needed, partial=partial_of(final)) as place,
        place.open("wb") as file,
        progress("decode", len(records)) as bar,
    ):
        for image in decode(records, size, workers, skips):
            pixels = image.pixels.tobytes()
            file.write(pixels)
            content.update(pixels)
            names.append(records[image.index].name)
            sums.append(image.sha256)
            bar.advance()
            if stop:
                stop.check("stopped while the photos were decoded", AGAIN)
    if not names:
        raise BadInputError(folder, "not one image of the data set could be decoded")
    digest = inputs_digest(names, sums)
    write_json(
        manifest,
        {
            "listed": listed,
            "names": names,
            "sums": sums,
            "skipped": skips.reasons,
            "inputs_sha256": digest,
            "cache_sha256": content.hexdigest(),
        },
        sealed=True,
    )
    return PixelCache(final, tuple(names), size, digest, tuple(sums))


def partial_of(final: Path) -> Path:
    """The temporary name of a file of the cache, one for each process of each machine."""
    return final.with_name(f".{final.name}.{socket.gethostname()}.{os.getpid()}.partial")


def _clean(folder: Path) -> None:
    """Remove what killed processes of this machine left half-written."""
    for left in folder.glob(f".*.u8.{glob.escape(socket.gethostname())}.*.partial"):
        number = left.name.split(".")[-2]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except (PermissionError, ValueError, OverflowError):
            continue  # another user's, or of no number of a process


def _as_stored(record: Record) -> list[str]:
    return [] if record.turn else ["as stored"]


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
