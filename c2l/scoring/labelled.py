"""What a predictor finds in every labelled photo, counted by cluster and label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from c2l.data.dataset import Dataset
from c2l.data.decoding import Skips, inputs_digest, read_in_batches
from c2l.data.labels import Merge
from c2l.data.scoring_input import Labels, dropped_ids, none_read, raw_ids, read_labelled
from c2l.options import EvalOptions
from c2l.runtime.progress import progress
from c2l.runtime.ranks import Ranks
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.trivial import TrivialEvaluation, by_class

Counts = NDArray[np.int64]
T = TypeVar("T")
P = TypeVar("P", bound="Scored")


class Scored(Protocol):
    """What is asked of a predictor that is scored."""

    @property
    def clusters(self) -> int:
        """Number of its clusters K."""

    def predict(
        self, pixels: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]
    ) -> Sequence[NDArray[np.integer[Any]]]:
        """The (H, W) cluster of each pixel of (B, S, S, 3) photos, at the given sizes."""


@dataclass(frozen=True)
class Found:
    """A predictor's counts over a labelled set.

    Attributes:
        raw: (K, R) pixels by cluster and raw label.
        names: of the M images.
        per_image: (M, K, N) pixels by image, cluster and class.
        sha256: digest of the photos and masks.
        skipped: reasons by the name of each broken image that was left out.
        dropped: pixels by each id that is no label, 255 included.
        either_way: number of photos that EXIF turns and whose masks fit turned or as stored.
    """

    raw: Counts
    names: list[str]
    per_image: Counts
    sha256: str
    skipped: dict[str, str]
    dropped: Counter[int]
    either_way: int


@dataclass
class _Part:
    """What one rank counted, photo by photo in its order."""

    raw: Counts
    places: list[int]
    per_image: list[Counts]
    sums: list[str]
    dropped: Counter[int]
    either_way: int = 0


@dataclass(frozen=True)
class LabelledPass(Generic[P]):
    """A pass over the labelled photos of a data set, which ranks share.

    Rank r of R takes every R-th batch from the r-th. A batch holds the same photos for any number
    of ranks, so that rounding, and with it every count, is the same.

    Attributes:
        predictor: that is scored.
        size: side S of the photos as it sees them.
        dataset: the photos.
        labels: what the ids in their masks mean.
        merge: of labels into classes.
        options: of ``eval``.
        trivial: predictors to count as well.
    """

    predictor: P
    size: int
    dataset: Dataset
    labels: Labels
    merge: Merge
    options: EvalOptions
    trivial: TrivialEvaluation | None = None

    def count(self, ranks: Ranks, title: str) -> Found:
        """The counts over all ranks, on each.

        Raises:
            BadInputError: a broken file under ``--on-error fail``, or none that can be read.
        """
        records, size = self.dataset.records, self.options.batch_size
        mine = [i for i in range(len(records)) if i // size % ranks.size == ranks.rank]
        skips = Skips(self.options.on_error, self.dataset.unusable)
        part = ranks.together(lambda: self._count(mine, skips, title))
        order = {record.name: place for place, record in enumerate(records)}
        broken = [pair for one in ranks.gather(skips.reasons) for pair in one.items()]
        skips.reasons = dict(sorted(broken, key=lambda pair: order[pair[0]]))
        places = sorted(place for one in ranks.gather(part.places) for place in one)
        if not places:
            raise none_read(self.dataset)

        def in_order(items: Sequence[T]) -> list[T]:
            """An item per photo of all ranks, in the order of the photos."""
            pairs = ranks.gather(list(zip(part.places, items, strict=True)))
            return [item for _, item in sorted(chain.from_iterable(pairs), key=itemgetter(0))]

        if self.trivial:
            self.trivial.exchange(ranks, in_order)
        skips.count(len(records))
        names = [records[place].name for place in places]
        return Found(
            ranks.sum(torch.from_numpy(part.raw)).numpy(),
            names,
            np.stack(in_order(part.per_image)),
            inputs_digest(names, in_order(part.sums)),
            skips.all,
            sum(ranks.gather(part.dropped), Counter[int]()),
            sum(ranks.gather(part.either_way)),
        )

    def _count(self, mine: Sequence[int], skips: Skips, title: str) -> _Part:
        """The counts of some photos, by their places."""
        clusters, count = self.predictor.clusters, len(self.labels.space.names)
        part = _Part(np.zeros((clusters, count), dtype=np.int64), [], [], [], Counter())
        records = [self.dataset.records[place] for place in mine]
        place_of = {record.name: place for record, place in zip(records, mine, strict=True)}
        read, options = read_labelled(self.size, self.labels), self.options
        with progress(title, len(records)) as bar:
            for group in read_in_batches(read, records, options.batch_size, options.workers, skips):
                pixels = np.stack([item.pixels for item in group])
                sizes = [(item.mask.shape[0], item.mask.shape[1]) for item in group]
                predicted = self.predictor.predict(pixels, sizes)
                for item, found in zip(group, predicted, strict=True):
                    ids = raw_ids(item.mask, count)
                    counts = confusion_matrix(found, ids, clusters, count, source=item.name)
                    part.raw += counts
                    part.dropped += dropped_ids(item.mask, count)
                    part.either_way += item.either_way
                    part.per_image.append(by_class(counts, self.merge))
                    part.places.append(place_of[item.name])
                    part.sums.append(item.sha256)
                if self.trivial:
                    self.trivial.add(group)
                bar.advance(len(group))
        return part
