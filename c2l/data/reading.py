"""Opening data sets, and reading their files in order with broken ones left out if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from c2l.data.dataset import Dataset, open_dataset
from c2l.data.decoding import Skips
from c2l.data.names import shown
from c2l.data.records import Choices, Record
from c2l.errors import BadInputError
from c2l.runtime.pool import ordered_map
from c2l.runtime.progress import voice

T = TypeVar("T")


def open_images(
    data: Path, options: Any, *, split: str | None = None, labelled_only: bool = False
) -> Dataset:
    """A data set, or one of its splits, by the choices among a stage's options; says what it is.

    Args:
        data: the folder, or an image file.
        options: of a stage; ``Choices.of`` takes what it knows.
        split: the split; the one among the options where none is given.
        labelled_only: leave out photos that have no mask.

    Raises:
        BadInputError: as ``open_dataset``.
    """
    split = getattr(options, "split", None) if split is None else split
    dataset = open_dataset(
        data, split=split, labelled_only=labelled_only, choices=Choices.of(options)
    )
    voice.say(f"{shown(data)}: {dataset.line}")
    for note in dataset.notes:
        voice.say(f"note: {shown(note.path)}: {note.problem}")
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
