"""Photos decoded in order by threads, broken ones left out where asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2l.data.records import Record
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.pool import ordered_map
from c2l.runtime.progress import voice


@dataclass(frozen=True)
class Decoded:
    """One image, resized.

    Attributes:
        index: its place in the list of records.
        pixels: (S, S, 3) uint8.
        size: (height, width) of the photo in pixels.
        sha256: of the file's bytes.
    """

    index: int
    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    sha256: str


@dataclass
class Skips:
    """Broken images that were left out, with the reasons."""

    on_error: str
    reasons: dict[str, str] = field(default_factory=dict)
    quiet: bool = False

    def add(self, name: str, error: BadInputError) -> None:
        """Note a broken image, or stop there.

        Raises:
            BadInputError: ``on_error`` is ``fail``.
        """
        if self.on_error == "fail":
            way_out = "mend or remove the file, or leave such files out by --on-error skip"
            raise BadInputError(
                error.path,
                error.problem,
                hint=f"{error.hint}; else {way_out}" if error.hint else way_out,
            )
        self.reasons[name] = error.message
        if not self.quiet:
            voice.say(f"skipped {error.message}")

    def count(self, images: int) -> None:
        """Say how many were left out, if any."""
        if self.reasons:
            voice.say(f"{len(self.reasons)} of {images} images were left out")


def decode(records: Sequence[Record], size: int, workers: int, skips: Skips) -> Iterator[Decoded]:
    """Decode images in order with a bounded look-ahead; broken ones are skipped or an error."""

    def one(item: tuple[int, Record]) -> Decoded | tuple[str, BadInputError]:
        index, record = item
        try:
            with unchanged(record.image):
                pixels, original = record.photo(size)
                digest = sha256_file(record.image)
            return Decoded(index, pixels, original, digest)
        except BadInputError as error:
            return record.name, error
        except OSError as error:
            return record.name, BadInputError(record.image, f"cannot be read: {error.strerror}")

    for result in ordered_map(one, enumerate(records), workers=workers):
        if isinstance(result, Decoded):
            yield result
        else:
            skips.add(*result)


def batched(items: Iterator[Decoded], size: int) -> Iterator[list[Decoded]]:
    """Group decoded images into batches; the last one may be smaller."""
    batch: list[Decoded] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` positions, evenly spread, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def inputs_digest(names: Sequence[str], sums: Sequence[str]) -> str:
    """One digest of all images' names and contents."""
    from c2l.runtime.files import sha256_lines

    return sha256_lines(f"{s}  {n}" for n, s in zip(names, sums, strict=True))
