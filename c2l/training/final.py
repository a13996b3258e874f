"""The end of a run: the label-free merge of the final clusters, and the predictor's file."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.predictor import Groups, StoredPredictor, write_predictor
from c2l.clustering.merge import (
    FigureStatistics,
    PositionStatistics,
    merge_background,
    merge_by_border,
    merge_by_figure,
)
from c2l.figure.cache import FigureCache
from c2l.model.classifier import Classifier
from c2l.options import FitOptions, names_parts, recorded
from c2l.runtime.progress import console
from c2l.scoring.health import predictor_health
from c2l.training.state import TrainingState

Indices = NDArray[np.int64]


class Merging:
    """Where the pixels of each final cluster lie, and which group that makes of it.

    Args:
        options: of the run.
        figures: the photos' own figures, where the merge looks at them.
    """

    def __init__(self, options: FitOptions, figures: FigureCache | None) -> None:
        self._options, self._figures = options, figures
        self._positions = PositionStatistics(options.clusters)
        self._overlap = FigureStatistics(options.clusters)

    def add(self, group: Indices, labels: NDArray[np.uint8]) -> None:
        """Count some images' clusters, (B, h, w)."""
        if self._options.merge_clusters == "none":
            return
        self._positions.add(labels)
        if self._figures is not None:
            self._overlap.add(labels, self._figures.parts(group).cpu().numpy())

    def groups(self) -> Groups | None:
        """The group of each cluster; None keeps them apart."""
        options, of = self._options, None
        if options.final_clusters == "mixture":
            # The components are the parts.
            of = np.arange(len(schema.PARTS), dtype=np.uint8)
        elif options.merge_clusters == "border":
            of = merge_by_border(self._positions, options.merge_threshold)
        elif options.merge_clusters == "figure":
            of = merge_by_figure(self._overlap)
        elif options.merge_clusters == "ground":
            of = merge_background(self._overlap)
        return None if of is None else Groups(of, parts=names_parts(options))

    def shares(self) -> NDArray[np.float32] | None:
        """(K, 3) share of background, upper and lower in each cluster, with ``--sharpen``."""
        if not self._options.sharpen:
            return None
        if self._options.final_clusters == "mixture":
            return np.eye(len(schema.PARTS), dtype=np.float32)
        return self._overlap.shares()


def store_predictor(
    state: TrainingState, classifier: Classifier, counts: Tensor, merging: Merging
) -> None:
    """Write the predictor and a line of the metrics; warn of clusters that collapsed.

    Args:
        state: the network and the run.
        classifier: on its features.
        counts: (K,) int64 pixels of each cluster.
        merging: the label-free merge, with all clusters added.
    """
    groups, shares = merging.groups(), merging.shares()
    record = predictor_health(
        counts.numpy(),
        None if groups is None else groups.of,
        named=groups is not None and groups.parts,
        shares=shares,
    )
    for what in record["collapsed"]:
        console.print(f"warning: the predictor: {what}")
    state.run.log({"kind": "predictor", **record})
    write_predictor(
        state.run.predictor,
        StoredPredictor(
            network=state.net.state_dict(),
            classifier=classifier.kind,
            names=classifier.names,
            tensors=classifier.tensors(),
            groups=groups,
            shares=None if shares is None else torch.from_numpy(shares),
            config=recorded(state.options),
        ),
    )
