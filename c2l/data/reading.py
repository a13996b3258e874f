"""Opening data sets, and reading their files in order with broken ones left out if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from c2l.data.decoding import Skips
from c2l.data.layouts import Dataset, Record, open_dataset
from c2l.errors import BadInputError
from c2l.runtime.pool import ordered_map
from c2l.runtime.progress import voice

T = TypeVar("T")


def open_images(data: Path, split: str | None, *, labelled_only: bool = False) -> Dataset:
    """A data set, or one of its splits; one that has no splits is taken whole, and says so.

    Raises:
        BadInputError: as ``open_dataset``.
    """
    dataset = open_dataset(data, split=split, labelled_only=labelled_only)
    if split is not None and dataset.split is None:
        voice.say(
            f"note: {data} has no splits, so --split {split} is not heeded: "
            f"all {len(dataset.records)} images are used"
        )
    return dataset


def read_in_batches(
    read: Callable[[Record], T],
    records: Sequence[Record],
    size: int,
    workers: int,
    skips: Skips,
) -> Iterator[list[T]]:
    """What ``read`` gives of each image, ahead by threads, in batches.

    Raises:
        BadInputError: a broken file under ``--on-error fail``.
    """

    def careful(record: Record) -> T | tuple[str, BadInputError]:
        try:
            return read(record)
        except BadInputError as error:
            return record.name, error
        except OSError as error:
            return record.name, BadInputError(record.image, f"cannot be read: {error.strerror}")

    group: list[T] = []
    for found in ordered_map(careful, records, workers=workers):
        if isinstance(found, tuple) and isinstance(found[-1], BadInputError):
            skips.add(*found)
            continue
        group.append(found)  # type: ignore[arg-type]  # not the pair that stands for an error
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
