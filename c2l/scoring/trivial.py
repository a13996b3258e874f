"""The trivial predictors over a labelled set, counted in the pass that scores the real one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.data.decoding import Skips, evenly
from c2l.data.images import read_rgb
from c2l.data.labelled import Labelled, none_read, raw_ids
from c2l.data.labels import Merge
from c2l.data.layouts import Dataset
from c2l.data.reading import read_in_batches
from c2l.figure.model import figure_evidence, figure_sides, side_labels
from c2l.figure.place import Places
from c2l.options import EvalOptions
from c2l.runtime.device import to_batch
from c2l.scoring.baselines import TrivialBaselines
from c2l.scoring.bootstrap import bootstrap_difference
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.matching import identity as same_class

Counts = NDArray[np.int64]
# Images that the trivial predictors are fitted on at most, evenly spread.
BASELINE_IMAGES = 200
FIGURE = "place-and-colour"


def by_class(raw: Counts, merge: Merge) -> Counts:
    """(..., K, N) counts by class from (..., K, R) counts by raw label."""
    table = np.asarray(merge.table)[: raw.shape[-1]]
    return np.stack(
        [raw[..., table == index].sum(-1) for index in range(len(merge.classes))], axis=-1
    )


class TrivialRows:
    """The trivial predictors, fitted without labels, and what they find in labelled photos.

    Args:
        dataset: that is scored.
        size: S of its photos as the real predictor sees them.
        labels: number of raw labels R.
        merge: of the raw labels.
        options: of ``eval``.

    Raises:
        BadInputError: a broken photo under ``--on-error fail``, or none that can be read.
    """

    def __init__(
        self, dataset: Dataset, size: int, labels: int, merge: Merge, options: EvalOptions
    ) -> None:
        self._labels, self._merge = labels, merge
        self._named = tuple(merge.classes) == schema.PARTS
        chosen = [dataset.records[i] for i in evenly(len(dataset.records), BASELINE_IMAGES)]
        # What is broken is said by the pass that scores.
        skips = Skips(options.on_error, quiet=True)
        photos = read_in_batches(
            lambda r: read_rgb(r.image, size=size),
            chosen,
            1,
            options.workers,
            skips,
        )
        evidence: list[Tensor] = []
        self._trivial = TrivialBaselines.fit(
            self._looked_at(chain.from_iterable(photos), evidence, dataset),
            len(merge.classes),
            options.seed,
            border=self._named,
        )
        self._places = Places.learn(torch.cat(evidence)) if evidence else Places.expected()
        clusters = {name: self._trivial.clusters(name) for name in self._trivial.names}
        if self._named:
            clusters[FIGURE] = len(schema.PARTS)
        self._counts = {n: np.zeros((k, labels), dtype=np.int64) for n, k in clusters.items()}
        self._per_image: dict[str, list[Counts]] = {name: [] for name in clusters}

    def _looked_at(
        self, photos: Iterable[NDArray[np.uint8]], evidence: list[Tensor], dataset: Dataset
    ) -> Iterator[NDArray[np.uint8]]:
        """The photos, and what each says of the place of its figure."""
        photo = None
        for photo in photos:
            if self._named:
                evidence.append(figure_evidence(to_batch(photo[None], torch.device("cpu"))))
            yield photo
        if photo is None:
            raise none_read(dataset)

    def add(self, group: Sequence[Labelled]) -> None:
        """Count what each of them finds in some photos."""
        figures = self._figures([item.pixels for item in group]) if self._named else []
        for number, item in enumerate(group):
            target = raw_ids(item.mask, self._labels)
            found_by = self._trivial.predict(item.pixels)
            if self._named:
                found_by[FIGURE] = figures[number]
            for name, found in found_by.items():
                counts = self._counts[name]
                full = _nearest(found, target.shape)
                own = confusion_matrix(full, target, len(counts), self._labels, source=item.name)
                counts += own
                self._per_image[name].append(by_class(own, self._merge))

    def rows(self) -> dict[str, tuple[Counts, NDArray[np.int64]]]:
        """(K, R) counts and (K,) class of each cluster, by name."""
        return {name: (raw, self._matching(name, raw)) for name, raw in self._counts.items()}

    def differences(
        self, per_image: Counts, matching: NDArray[np.int64], options: EvalOptions
    ) -> dict[str, dict[str, list[float]]]:
        """Paired intervals of what a predictor scores above each of them, by name.

        Args:
            per_image: (M, K, N) counts of the predictor, of the photos that were added.
            matching: (K,) class of each of its clusters.
            options: of ``eval``: resamples and seed.
        """
        found = {}
        for name, (_, own) in self.rows().items():
            trivial = np.stack(self._per_image[name]), own
            found[name] = bootstrap_difference(
                (per_image, matching), trivial, options.bootstrap, options.seed
            )
        return found

    def _figures(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Each photo's own figure from place and colour: 0 ground, 1 upper, 2 lower."""
        size = (images[0].shape[0], images[0].shape[1])
        sides = figure_sides(to_batch(np.stack(images), torch.device("cpu")), self._places)
        return [side_labels(one, size).numpy() for one in sides]

    def _matching(self, name: str, raw: Counts) -> NDArray[np.int64]:
        if name == FIGURE:
            return same_class(len(schema.PARTS), len(schema.PARTS))
        return self._trivial.matching(name, by_class(raw, self._merge))


def _nearest(labels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Labels at another size, nearest neighbour."""
    rows = (np.arange(shape[0]) + 0.5) * labels.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * labels.shape[1] / shape[1]
    found: NDArray[np.uint8] = labels[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
    return found
