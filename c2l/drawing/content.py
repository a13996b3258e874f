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
    """One photo of the report, of any size.

    Attributes:
        name: name of the photo.
        photo: (H, W, 3) uint8 RGB.
        parts: (H, W) uint8 ids of the predicted parts, as in the legend; 255 is none.
        labels: (H, W) uint8 ids of the labels, or None.
        miou: the photo's own mean IoU in 0..1, or None.
        kind: ``best``, ``median`` or ``worst`` for an example of these, else empty.
    """

    name: str
    photo: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    labels: NDArray[np.uint8] | None = None
    miou: float | None = None
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything a report shows.

    Attributes:
        title: heading of the page.
        subtitle: a sentence on the run.
        facts: names and values below the heading.
        legend: name and RGB of each part.
        opacity: of the parts' tint, 0..1.
        background: part 0 is the background, which is dimmed instead of tinted.
        tiles: the photos, read once and one at a time.
        photos: how many photos were drawn.
        shown: how many of these are tiles.
        ranked: how many photos have a score of their own.
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
    opacity: float = 0.55
    background: bool = True
    tiles: Iterable[Tile] = ()
    photos: int = 0
    shown: int = 0
    ranked: int = 0
    scores: Mapping[str, Any] | None = None
    rivals: Sequence[Rival] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
