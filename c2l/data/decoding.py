"""Reads the files of a data set in order by threads, broken ones left out where asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from c2l.data.names import shown
from c2l.data.records import Record
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.pool import ordered_map
from c2l.runtime.progress import console

T = TypeVar("T")
_MOST_NAMED = 5


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
    """Broken images that were left out, with the reasons.

    Attributes:
        on_error: ``fail`` or ``skip``.
        unusable: reasons for files left out before any was decoded, as ``Dataset.unusable``.
        reasons: those of the images that could not be decoded, by name.
        quiet: say nothing.
    """

    on_error: str
    unusable: dict[str, str] = field(default_factory=dict)
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
            console.print(f"skipped {error.message}")

    @property
    def all(self) -> dict[str, str]:
        """Reasons of both kinds."""
        return self.unusable | self.reasons

    def count(self, images: int) -> None:
        """Say how many of some images were left out, if any."""
        if self.all:
            console.print(left_out(list(self.all), images + len(self.unusable)))


def left_out(names: Sequence[str], photos: int) -> str:
    """How many photos were left out, and the names of the first."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    first = ", ".join(map(shown, names[:_MOST_NAMED]))
    return f"{len(names)} of {photos} photos were left out: {first}{more}"


@dataclass(frozen=True)
class _Broken:
    """An image that could not be read."""

    name: str
    error: BadInputError


def read_all(
    read: Callable[[int, Record], T], records: Sequence[Record], workers: int, skips: Skips
) -> Iterator[T]:
    """What ``read`` gives of each image and its place, in order, by threads that look ahead.

    Raises:
        BadInputError: a broken file under ``--on-error fail``.
    """

    def careful(item: tuple[int, Record]) -> T | _Broken:
        index, record = item
        try:
            return read(index, record)
        except BadInputError as error:
            return _Broken(record.name, error)
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            return _Broken(record.name, BadInputError(record.image, problem))

    for found in ordered_map(careful, enumerate(records), workers=workers):
        if isinstance(found, _Broken):
            skips.add(found.name, found.error)
        else:
            yield found


def read_in_batches(
    read: Callable[[Record], T],
    records: Sequence[Record],
    size: int,
    workers: int,
    skips: Skips,
) -> Iterator[list[T]]:
    """The same of each image by itself, in batches.

    An image that is left out leaves its batch smaller: the others' batches, and with them the
    rounding of what is computed, stay the same.
    """
    found = read_all(lambda i, record: (i // size, read(record)), records, workers, skips)
    for _, group in groupby(found, key=itemgetter(0)):
        yield [item for _, item in group]


def decode(records: Sequence[Record], size: int, workers: int, skips: Skips) -> Iterator[Decoded]:
    """The same decoded at (size, size), with the hash of the file."""

    def read(index: int, record: Record) -> Decoded:
        with unchanged(record.image):
            pixels, original = record.photo(size)
            return Decoded(index, pixels, original, sha256_file(record.image))

    return read_all(read, records, workers, skips)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Group items into lists of one size; the last one may be smaller."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` of ``count`` positions, evenly spread, the first and the last among them."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def inputs_digest(names: Sequence[str], sums: Sequence[str]) -> str:
    """One digest of all images' names and contents."""
    from c2l.runtime.files import sha256_lines

    return sha256_lines(f"{s}  {n}" for n, s in zip(names, sums, strict=True))
