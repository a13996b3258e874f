"""Scores of a matched confusion matrix: IoU and accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.errors import C2LError, ExitCode, UsageError
from c2l.scoring.matching import UNMATCHED, check_confusion


class NothingToScoreError(C2LError):
    """No pixel has a label that counts."""

    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True)
class Scores:
    """Scores as fractions in 0..1.

    Every labelled pixel counts: pixels of an unmatched cluster are errors in the union of their
    true class. No union exceeds all pixels, so ``miou >= pixel_accuracy / N`` for N classes and
    any matching.

    Attributes:
        miou: mean IoU over the classes present in the ground truth.
        pixel_accuracy: share of pixels whose cluster is matched to their class.
        mean_class_accuracy: mean recall over the classes present in the ground truth.
        iou: IoU by class name, in class order; None for a class absent from the ground truth.
        class_accuracy: recall by class name; None for a class absent from the ground truth.
    """

    miou: float
    pixel_accuracy: float
    mean_class_accuracy: float
    iou: dict[str, float | None]
    class_accuracy: dict[str, float | None]

    def as_dict(self) -> dict[str, Any]:
        """The scores as values for JSON."""
        return {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_class_accuracy": self.mean_class_accuracy,
            "iou": dict(self.iou),
            "class_accuracy": dict(self.class_accuracy),
        }


def matched_counts(
    confusion: NDArray[np.int64], matching: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Correct, predicted and true pixels of each class.

    Args:
        confusion: (..., K, N) int64 pixel counts.
        matching: (K,) int64 class of each cluster, or -1.

    Returns:
        Three (..., N) int64 arrays: correctly predicted, predicted, and true pixels.

    Raises:
        UsageError: the matching has the wrong length or classes outside -1..N-1.
    """
    clusters, classes = confusion.shape[-2:]
    if matching.shape != (clusters,):
        raise UsageError(
            f"expected a matching of {clusters} clusters, found shape {matching.shape}"
        )
    if matching.min() < UNMATCHED or matching.max() >= classes:
        raise UsageError(
            f"expected classes -1 to {classes - 1} in the matching, found {matching.tolist()}"
        )
    is_class = matching[:, None] == np.arange(classes)
    hit = (confusion * is_class).sum(axis=-2)
    predicted = confusion.sum(axis=-1) @ is_class.astype(np.int64)
    return hit, predicted, confusion.sum(axis=-2)


def score(
    confusion: NDArray[np.int64], matching: NDArray[np.int64], class_names: Sequence[str]
) -> Scores:
    """Score a confusion matrix under a matching.

    Args:
        confusion: (K, N) int64 pixel counts, clusters x classes.
        matching: (K,) int64 class of each cluster, or -1 for an unmatched one.
        class_names: N names in class order.

    Raises:
        UsageError: the sizes do not fit each other.
        NothingToScoreError: all pixels are ignored.
    """
    check_confusion(confusion)
    if len(class_names) != confusion.shape[1]:
        raise UsageError(f"expected {confusion.shape[1]} class names, found {len(class_names)}")
    hit, predicted, true = matched_counts(confusion, matching)
    total = int(true.sum())
    if total == 0:
        raise NothingToScoreError(
            "expected labelled pixels to score, found none: every pixel is ignored",
            hint="choose the label merge (--merge) that fits these masks",
        )
    iou = _ratios(hit, true + predicted - hit, true)
    recall = _ratios(hit, true, true)
    return Scores(
        miou=_mean(iou),
        pixel_accuracy=int(hit.sum()) / total,
        mean_class_accuracy=_mean(recall),
        iou=dict(zip(class_names, iou, strict=True)),
        class_accuracy=dict(zip(class_names, recall, strict=True)),
    )


def rates(
    hit: NDArray[np.number[Any]], predicted: NDArray[np.number[Any]], true: NDArray[np.number[Any]]
) -> NDArray[np.float64]:
    """mIoU, pixel accuracy and mean class accuracy of many sets of pixels at once.

    Args:
        hit, predicted, true: (r, N) pixels of each class, from ``matched_counts``.

    Returns:
        (3, r) scores as in ``score``; NaN for a set without pixels.
    """
    present = true > 0
    classes = present.sum(axis=1)
    nothing = np.zeros(hit.shape)
    iou = np.divide(hit, true + predicted - hit, out=nothing.copy(), where=present)
    recall = np.divide(hit, true, out=nothing, where=present)
    with np.errstate(invalid="ignore"):
        return np.stack(
            [
                iou.sum(axis=1) / classes,
                hit.sum(axis=1) / true.sum(axis=1),
                recall.sum(axis=1) / classes,
            ]
        )


def score_images(
    names: Sequence[str], per_image: NDArray[np.int64], matching: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Scores of single images under a common matching.

    Args:
        names: names of the M images.
        per_image: (M, K, N) int64 confusion matrix of each image.
        matching: (K,) int64 class of each cluster, or -1.

    Returns:
        ``name``, ``miou`` over the classes present in the image, and ``pixel_accuracy`` of each
        image, rounded to six places; None for an image without labelled pixels.
    """
    miou, accuracy, _ = rates(*matched_counts(per_image, matching)).round(6).tolist()
    return [
        {
            "name": name,
            "miou": None if np.isnan(own) else own,
            "pixel_accuracy": None if np.isnan(share) else share,
        }
        for name, own, share in zip(names, miou, accuracy, strict=True)
    ]


def _ratios(
    part: NDArray[np.int64], whole: NDArray[np.int64], true: NDArray[np.int64]
) -> list[float | None]:
    rows = zip(part.tolist(), whole.tolist(), true.tolist(), strict=True)
    return [p / w if t else None for p, w, t in rows]


def _mean(values: list[float | None]) -> float:
    present = [value for value in values if value is not None]
    return sum(present) / len(present)
