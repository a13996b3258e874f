"""The pool of drawings that a teaching run takes its batches from: a function of seed and step."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.data.masks import resize_labels
from c2l.errors import OutputError
from c2l.options import TeachOptions
from c2l.runtime.files import output_errors
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import progress
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import Purpose, stream
from c2l.synth.stream import Drawing, drawings
from c2l.training.state import RESUME

Pictures = NDArray[np.uint8]
# Width over height of photographs, and how often each is drawn; people stand upright, most often
# in upright pictures, and are small in the wide frames of films.
ASPECTS = (2 / 3, 3 / 4, 1.0, 4 / 3, 16 / 9)
SHARES = (0.45, 0.2, 0.1, 0.1, 0.15)
# Index and CRC-32 of a drawing, before it.
_HEAD = struct.Struct("<qI")


def drawing_size(seed: int, side: int, index: int) -> tuple[int, int]:
    """Width and height of a drawing of about ``side`` squared pixels, by its index."""
    aspect = stream(seed, Purpose.SHAPE, image=index).choice(ASPECTS, p=SHARES)
    return round(side * aspect**0.5), round(side / aspect**0.5)


def squared(drawing: Drawing, side: int) -> tuple[Pictures, Pictures]:
    """A drawing as photos are read: resized to a square whatever its aspect."""
    small = Image.fromarray(drawing.picture).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small), resize_labels(drawing.labels, (side, side))


class Pool:
    """N drawings on disk; new ones take the places of the oldest.

    When step s begins, the drawings 0 to ``drawn(s) - 1`` have been drawn and the newest N are
    there, drawing d in place d modulo N. Each is used ``reuse`` times on average. After a kill the
    file may hold drawings of later steps, or half of one: those that a step needs and that are not
    there, whole, are drawn again, and are the same.

    Args:
        path: of the file; what it holds already is used.
        options: of the run.
        stop: the request to stop, which ends a refill.
    """

    def __init__(self, path: Path, options: TeachOptions, stop: StopRequest) -> None:
        self._options, self._stop, self._path = options, stop, path
        self._side = options.draw_size
        self._bytes = _HEAD.size + 4 * self._side**2
        with output_errors(path, needed=options.pool * self._bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self._stream: Iterator[Drawing] = iter(())
        self._done = 0

    def close(self) -> None:
        """End the workers and close the file."""
        if close := getattr(self._stream, "close", None):
            close()
        os.close(self._file)

    def drawn(self, step: int) -> int:
        """How many drawings have been drawn when a step begins."""
        options = self._options
        return options.pool + int(step * options.batch_size / options.reuse)

    def begin(self, step: int) -> None:
        """Draw what a step needs and the file does not hold."""
        last = self.drawn(step)
        wanted = range(last - self._options.pool, last)
        missing = [d for d in wanted if self._read(d) is None]
        if missing:
            first, stop = missing[0], missing[-1] + 1
            self._stream = self._draw(first, stop)
            with progress("draw", stop - first, "drawings", brief=True) as bar:
                for drawing in self._stream:
                    self._stop.check("stopped while drawing the first pool", RESUME)
                    self._write(drawing)
                    bar.advance()
        self._done = last
        self._stream = self._draw(last, None)

    def batch(self, step: int) -> tuple[Pictures, Pictures]:
        """Pictures (B, P, P, 3) and labels (B, P, P), uint8, of a step.

        Steps are taken in order from the one that ``begin`` was given.
        """
        last, options = self.drawn(step), self._options
        for _ in range(last - self._done):
            self._write(next(self._stream))
        self._done = last
        rng = stream(options.seed, Purpose.POOL, epoch=step)
        chosen = rng.choice(options.pool, options.batch_size, replace=False)
        found = [self._require(last - options.pool + int(c)) for c in chosen]
        pictures, labels = zip(*found, strict=True)
        return np.stack(pictures), np.stack(labels)

    def _draw(self, first: int, stop: int | None) -> Iterator[Drawing]:
        seed, side, workers = self._options.seed, self._side, self._options.workers
        return drawings(
            seed,
            lambda index: drawing_size(seed, side, index),
            start=first,
            stop=stop,
            workers=worker_count(workers),
        )

    def _place(self, index: int) -> int:
        return index % self._options.pool * self._bytes

    def _write(self, drawing: Drawing) -> None:
        picture, labels = squared(drawing, self._side)
        body = picture.tobytes() + labels.tobytes()
        head = _HEAD.pack(drawing.index, zlib.crc32(body))
        with output_errors(self._path, needed=self._bytes):
            os.pwrite(self._file, head + body, self._place(drawing.index))

    def _read(self, index: int) -> tuple[Pictures, Pictures] | None:
        """A drawing, None where it is not there whole."""
        data = os.pread(self._file, self._bytes, self._place(index))
        if len(data) < self._bytes:
            return None
        found, crc = _HEAD.unpack_from(data)
        body = memoryview(data)[_HEAD.size :]
        if found != index or crc != zlib.crc32(body):
            return None
        values, side = np.frombuffer(body, np.uint8), self._side
        pixels = 3 * side**2
        return values[:pixels].reshape(side, side, 3), values[pixels:].reshape(side, side)

    def _require(self, index: int) -> tuple[Pictures, Pictures]:
        found = self._read(index)
        if found is None:
            raise OutputError(f"{self._path}: was changed while drawings were taken from it")
        return found
