"""Confusion matrices of clusters and true classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.errors import BadInputError, UsageError
from c2l.schema import IGNORE

# Labels are bytes, so one row of the joint histogram holds every value of a mask: ignored and
# unknown labels get columns of their own, without masked copies of the arrays.
_LABELS = 256


def confusion_matrix(
    pred: NDArray[np.integer[Any]],
    target: NDArray[np.uint8],
    clusters: int,
    classes: int,
    *,
    source: str | Path = "prediction",
) -> NDArray[np.int64]:
    """Pixel counts of each cluster and class.

    Args:
        pred: (H, W) integers in 0..clusters-1.
        target: (H, W) uint8 in 0..classes-1; pixels labelled ``IGNORE`` are not counted.
        clusters: number of clusters K.
        classes: number of classes N.
        source: name of what is scored, such as a path, for the messages.

    Returns:
        (K, N) int64; rows are predicted clusters, columns true classes.

    Raises:
        BadInputError: the shapes differ, or ids are out of range.
        UsageError: ``clusters`` or ``classes`` is out of range.
    """
    if clusters < 1 or not 1 <= classes <= _LABELS:
        raise UsageError(
            f"expected at least 1 cluster and 1 to {_LABELS} classes, "
            f"found {clusters} clusters and {classes} classes"
        )
    _check_arrays(pred, target, clusters, source)
    table = _joint_histogram(pred, target, clusters)
    table[:, IGNORE] = 0
    if table[:, classes:].any():
        label = classes + int(np.flatnonzero(table[:, classes:].any(axis=0))[0])
        raise BadInputError(
            source,
            f"expected labels 0 to {classes - 1} or {IGNORE} (ignored), found label {label}",
            hint="choose the label merge (--merge) that fits these masks",
        )
    return np.ascontiguousarray(table[:, :classes])


def _joint_histogram(
    pred: NDArray[np.integer[Any]], target: NDArray[np.uint8], clusters: int
) -> NDArray[np.int64]:
    narrow: type[np.unsignedinteger[Any]] = np.uint16 if clusters <= _LABELS else np.uint32
    joint = pred.astype(narrow)
    np.left_shift(joint, 8, out=joint)  # times _LABELS
    np.bitwise_or(joint, target, out=joint)
    counts = np.bincount(joint.ravel(), minlength=clusters * _LABELS)
    return counts.reshape(clusters, _LABELS).astype(np.int64, copy=False)


def _check_arrays(
    pred: NDArray[np.integer[Any]],
    target: NDArray[np.uint8],
    clusters: int,
    source: str | Path,
) -> None:
    if pred.shape != target.shape:
        raise BadInputError(
            source,
            f"expected a cluster map of the mask's shape {target.shape}, found {pred.shape}",
            hint="resize the prediction to the size of its mask before scoring",
        )
    if target.dtype != np.uint8 or not np.issubdtype(pred.dtype, np.integer):
        raise BadInputError(
            source,
            f"expected integer clusters and uint8 labels, found {pred.dtype} and {target.dtype}",
        )
    if pred.size == 0:
        return
    low, high = int(pred.min()), int(pred.max())
    if low < 0 or high >= clusters:
        raise BadInputError(
            source,
            f"expected clusters 0 to {clusters - 1}, found {low if low < 0 else high}",
            hint="score the prediction with the number of clusters it was made with",
        )
