"""Evaluation of the trivial predictors, in the same pass as the learned one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.data.dataset import Dataset
from c2l.data.decoding import Skips, evenly, read_in_batches
from c2l.data.labels import Merge
from c2l.data.masks import resize_labels
from c2l.data.parts_by_name import classes_by_name
from c2l.data.scoring_input import Labelled, none_read, raw_ids
from c2l.figure.model import figure_evidence, figure_parts, part_labels
from c2l.figure.ordered import ORDERED, ordered_labels
from c2l.figure.place import Places
from c2l.options import EvalOptions
from c2l.runtime.device import to_batch
from c2l.runtime.ranks import Ranks
from c2l.schema import PARTS
from c2l.scoring.baselines import (
    CENTRE_THIRD,
    EVERYTHING_BACKGROUND,
    XY_BORDER,
    TrivialBaselines,
)
from c2l.scoring.bootstrap import bootstrap_difference
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.matching import UNMATCHED, hungarian, identity_matching

Counts = NDArray[np.int64]
# Most images that the trivial predictors are fitted to, evenly spread over the data set.
BASELINE_IMAGES = 200
FIGURE = "place-and-colour"
FINE_FIGURE = "ordered-parts"
# Where these have classes of their own, ``FINE_FIGURE`` means something.
_FINE = ("hair", "upper-clothes", "pants", "left-shoe")


def by_class(raw: Counts, merge: Merge) -> Counts:
    """(..., K, N) pixel counts by class, from (..., K, R) counts by raw label."""
    table = np.asarray(merge.table)[: raw.shape[-1]]
    return np.stack(
        [raw[..., table == index].sum(-1) for index in range(len(merge.classes))], axis=-1
    )


def named_rows(merge: Merge) -> dict[str, NDArray[np.int64]]:
    """(K,) class of each id of the rows that name what they find.

    They are scored as a predictor of these names is, and left out where the classes are others.
    """
    parts, fine = classes_by_name(PARTS, merge), classes_by_name(ORDERED, merge)
    rows = {}
    if parts and UNMATCHED not in parts:
        rows[FIGURE] = np.array(parts, dtype=np.int64)
    if fine and len({fine[ORDERED.index(name)] for name in _FINE} - {UNMATCHED, 0}) == len(_FINE):
        rows[FINE_FIGURE] = np.array(fine, dtype=np.int64)
    return rows


def matchings(
    stored: Mapping[str, Counts], merge: Merge, fitted_for: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """(K,) class of each id of stored rows that mean something under a merge, by row.

    Clusters, as many as the classes that they were fitted for, say nothing of other classes.

    Args:
        stored: (K, R) pixels by id and raw label.
        merge: the classes that are scored.
        fitted_for: the classes of the merge that the rows were made for.
    """
    same = list(merge.classes) == list(fitted_for)
    named = named_rows(merge)
    if FIGURE in named and tuple(fitted_for) == PARTS:
        named |= dict.fromkeys((CENTRE_THIRD, XY_BORDER), named[FIGURE])
    found = {}
    for row, raw in stored.items():
        if row in named and len(named[row]) == len(raw):
            found[row] = named[row]
        elif same and row.startswith("kmeans"):
            found[row] = hungarian(by_class(raw, merge))
        elif row == EVERYTHING_BACKGROUND or (same and row in (CENTRE_THIRD, XY_BORDER)):
            found[row] = identity_matching(len(raw), len(merge.classes))
    return found


class TrivialEvaluation:
    """The trivial predictors, fitted without labels, and their confusion matrices.

    Args:
        dataset: the scored data set.
        size: side S of its photos, as the learned predictor sees them.
        labels: number of raw labels R.
        merge: merge of the raw labels into classes.
        options: options of ``eval``.

    Raises:
        BadInputError: a photo is damaged and ``--on-error`` is ``fail``, or no photo is readable.
    """

    def __init__(
        self, dataset: Dataset, size: int, labels: int, merge: Merge, options: EvalOptions
    ) -> None:
        self._labels, self._merge = labels, merge
        self._named = named_rows(merge)
        chosen = [dataset.records[i] for i in evenly(len(dataset.records), BASELINE_IMAGES)]
        # Quiet, since the scoring pass reports damaged photos.
        skips = Skips(options.on_error, quiet=True)
        photos = read_in_batches(
            lambda r: r.photo(size)[0],
            chosen,
            1,
            options.workers,
            skips,
        )
        evidence: list[Tensor] = []
        self._trivial = TrivialBaselines.fit(
            self._with_evidence(chain.from_iterable(photos), evidence, dataset),
            len(merge.classes),
            options.seed,
            parts=self._named.get(FIGURE),
        )
        self._places = Places.learn(torch.cat(evidence)) if evidence else Places.prior()
        clusters = {name: self._trivial.clusters(name) for name in self._trivial.names}
        clusters |= {row: len(own) for row, own in self._named.items()}
        self._counts = {n: np.zeros((k, labels), dtype=np.int64) for n, k in clusters.items()}
        self._per_image: dict[str, list[Counts]] = {name: [] for name in clusters}

    def _with_evidence(
        self, photos: Iterable[NDArray[np.uint8]], evidence: list[Tensor], dataset: Dataset
    ) -> Iterator[NDArray[np.uint8]]:
        """Pass the photos on, and append the evidence for the place of each figure."""
        photo = None
        for photo in photos:
            if self._named:
                evidence.append(figure_evidence(to_batch(photo[None], torch.device("cpu"))))
            yield photo
        if photo is None:
            raise none_read(dataset)

    def add(self, group: Sequence[Labelled]) -> None:
        """Add some labelled photos to the confusion matrices."""
        figures = self._figures([item.pixels for item in group]) if self._named else {}
        for number, item in enumerate(group):
            target = raw_ids(item.mask, self._labels)
            predictions = self._trivial.predict(item.pixels)
            predictions |= {row: maps[number] for row, maps in figures.items()}
            for name, prediction in predictions.items():
                total = self._counts[name]
                full = resize_labels(prediction, (target.shape[0], target.shape[1]))
                counts = confusion_matrix(full, target, len(total), self._labels, source=item.name)
                total += counts
                self._per_image[name].append(by_class(counts, self._merge))

    def exchange(self, ranks: Ranks, in_order: Callable[[Sequence[Counts]], list[Counts]]) -> None:
        """Take in what the other ranks added.

        Args:
            ranks: all of them.
            in_order: the items of all ranks, one per photo, in the order of the photos.
        """
        for name, counts in self._counts.items():
            self._counts[name] = ranks.sum(torch.from_numpy(counts)).numpy()
            self._per_image[name] = in_order(self._per_image[name])

    def results(self) -> dict[str, tuple[Counts, NDArray[np.int64]]]:
        """(K, R) confusion matrix and (K,) class of each cluster, by predictor."""
        return {name: (raw, self._matching(name, raw)) for name, raw in self._counts.items()}

    def differences(
        self, per_image: Counts, matching: NDArray[np.int64], options: EvalOptions
    ) -> dict[str, dict[str, list[float]]]:
        """Paired intervals of the score of a predictor minus that of each trivial one, by name.

        Args:
            per_image: (M, K, N) confusion matrix of the predictor for each added photo.
            matching: (K,) class of each of its clusters.
            options: options of ``eval``, for resamples and seed.
        """
        return {
            name: bootstrap_difference(
                (per_image, matching),
                (np.stack(self._per_image[name]), trivial_matching),
                options.bootstrap,
                options.seed,
            )
            for name, (_, trivial_matching) in self.results().items()
        }

    def _figures(self, images: Sequence[NDArray[np.uint8]]) -> dict[str, list[NDArray[np.uint8]]]:
        """The ids of each photo's pixels, by row."""
        size = (images[0].shape[0], images[0].shape[1])
        photos = to_batch(np.stack(images), torch.device("cpu"))
        parts = figure_parts(photos, self._places)
        found: dict[str, list[NDArray[np.uint8]]] = {}
        if FIGURE in self._named:
            found[FIGURE] = [part_labels(one, size).numpy() for one in parts]
        if FINE_FIGURE in self._named:
            # One by one, since the colour codes of a photo take 8 MiB.
            pairs = zip(photos[:, None], parts[:, None], strict=True)
            found[FINE_FIGURE] = [ordered_labels(*pair)[0].numpy() for pair in pairs]
        return found

    def _matching(self, name: str, raw: Counts) -> NDArray[np.int64]:
        if name in self._named:
            return self._named[name]
        return self._trivial.matching(name, by_class(raw, self._merge))
