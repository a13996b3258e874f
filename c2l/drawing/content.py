"""The content of a report as plain values; every piece is optional."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rival(NamedTuple):
    """A row of the score table.

    Attributes:
        name: name of the method.
        miou: mIoU in 0..1.
        accuracy: pixel accuracy in 0..1, or None if unknown.
        trivial: a trivial predictor, which the table sets apart.
    """

    name: str
    miou: float
    accuracy: float | None = None
    trivial: bool = False


@dataclass(frozen=True)
class Tile:
    """One photo of the report; the panels are (H, W, 3) uint8 RGB of any size.

    Attributes:
        name: name of the photo.
        image: the photo.
        overlay: the photo with the predicted parts.
        truth: the photo with its labels, or None.
        note: a remark in the caption, such as the IoU.
    """

    name: str
    image: NDArray[np.uint8]
    overlay: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything a report shows.

    Attributes:
        title: heading of the page.
        subtitle: a sentence on the run.
        facts: names and values below the heading.
        legend: name and RGB of each part.
        tiles: the pictures, read once and one at a time.
        extremes: best, median and worst photos by their own score: kind and tiles, read in the same
            way. They show prediction and labels side by side.
        extremes_note: how the photos were ranked.
        scores: the object in eval.json.
        rivals: other methods in the score table; the trivial predictors of ``scores`` are added.
        metrics: the objects in metrics.jsonl, in order.
        configuration: option names and values.
        lineage: hashes and versions, possibly nested.
    """

    title: str
    subtitle: str = ""
    facts: Sequence[tuple[str, object]] = ()
    legend: Sequence[tuple[str, Sequence[int]]] = ()
    tiles: Iterable[Tile] = ()
    extremes: Sequence[tuple[str, Iterable[Tile]]] = ()
    extremes_note: str = ""
    scores: Mapping[str, Any] | None = None
    rivals: Sequence[Rival] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
