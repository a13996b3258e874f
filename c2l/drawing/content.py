"""What a report shows, as plain values; every piece may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rival(NamedTuple):
    """A row of the score table.

    Attributes:
        name: of the method.
        miou: fraction in 0..1.
        accuracy: pixel accuracy, fraction in 0..1; None where unknown.
        trivial: nothing was learned; set apart in the table.
    """

    name: str
    miou: float
    accuracy: float | None = None
    trivial: bool = False


@dataclass(frozen=True)
class Tile:
    """One image of the report; the panels are (H, W, 3) uint8 RGB of any size.

    Attributes:
        name: of the image.
        image: the photo.
        overlay: the photo with the found parts.
        truth: the photo with its labels; None without any.
        note: a remark under it, such as its IoU.
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
        subtitle: what was run, in a sentence.
        facts: names and values under the heading.
        legend: name and RGB of each part.
        tiles: the pictures; read once, one at a time.
        extremes: kinds of photos by their own score (best, median, worst), the tiles of each, read
            likewise; what was found is shown beside the labels.
        extremes_note: what the photos were ranked by.
        scores: the object of eval.json.
        rivals: rows beside the scored method; the trivial predictors of ``scores`` are added.
        metrics: the objects of metrics.jsonl, in order.
        configuration: option names and values.
        lineage: hashes and versions; may be nested.
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
