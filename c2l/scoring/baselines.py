"""Trivial predictors, without a network, that every learned method has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.clustering.merge import PositionStatistics, merge_by_border
from c2l.errors import UsageError
from c2l.schema import PARTS
from c2l.scoring.kmeans import kmeans_fit, nearest
from c2l.scoring.matching import hungarian, identity_matching

BORDER_CLUSTERS = 32
BORDER_THRESHOLD = 0.5

EVERYTHING_BACKGROUND = "everything-background"
XY_BORDER = "xy-border"
CENTRE_THIRD = "centre-third"

# The columns of the pixel features (red, green, blue, x, y) that each predictor clusters, and the
# weight of x and y.
_RGB, _XY, _RGBXY = slice(0, 3), slice(3, 5), slice(0, 5)
_FEATURES: dict[str, tuple[slice, float]] = {
    "kmeans-rgb": (_RGB, 1.0),
    "kmeans-xy": (_XY, 1.0),
    "kmeans-rgb+2xy": (_RGBXY, 2.0),
    XY_BORDER: (_XY, 1.0),
}

_PIXELS_PER_IMAGE = 256
_SAMPLE = 2**15


@dataclass(frozen=True)
class TrivialBaselines:
    """Trivial predictors fitted to a bounded sample of pixels, without labels.

    - ``everything-background``: class 0 everywhere.
    - ``kmeans-rgb``, ``kmeans-xy``, ``kmeans-rgb+2xy``: k-means on colour, on position or on
      both, each in 0..1, with as many clusters as classes.
    - ``centre-third``: the middle third of the columns is a person, upper in the upper half of
      the image and lower in the lower half; only where ``PARTS`` have classes.
    - ``xy-border``: k-means on position with 32 clusters, merged into background, upper and
      lower by the border rule; only where ``PARTS`` have classes.

    Attributes:
        classes: number of classes N.
        centroids: (K, D) float32 centroids of each k-means predictor, in its own features.
        groups: (32,) uint8 class of each cluster of ``xy-border``, or None.
        parts: (3,) class of each of ``PARTS``, or None where they have none.
    """

    classes: int
    centroids: dict[str, NDArray[np.float32]]
    groups: NDArray[np.uint8] | None
    parts: NDArray[np.int64] | None = None

    @classmethod
    def fit(
        cls,
        images: Iterable[NDArray[np.uint8]],
        classes: int,
        seed: int,
        *,
        parts: NDArray[np.int64] | None = None,
    ) -> TrivialBaselines:
        """Fit to a stream of images; memory does not grow with their number.

        Args:
            images: (H, W, 3) uint8 RGB images of any size.
            classes: number of classes N.
            seed: for the sample and the k-means initialisations.
            parts: (3,) class of each of ``PARTS``; also fit ``xy-border``.

        Raises:
            UsageError: there are no images, or ``parts`` are of other classes.
        """
        if parts is not None and (len(parts) != len(PARTS) or parts.max() >= classes):
            raise UsageError(
                f"expected one of {classes} classes for each of {', '.join(PARTS)}, "
                f"found {parts.tolist()}"
            )
        sample = _sample_pixels(images, seed)
        centroids = {
            name: kmeans_fit(_features_of(name, sample), classes, seed)
            for name in _FEATURES
            if name != XY_BORDER
        }
        groups = None
        if parts is not None:
            xy = _features_of(XY_BORDER, sample)
            centroids[XY_BORDER] = kmeans_fit(xy, BORDER_CLUSTERS, seed)
            positions = PositionStatistics(BORDER_CLUSTERS)
            positions.add_points(xy, nearest(xy, centroids[XY_BORDER]))
            groups = parts[merge_by_border(positions, BORDER_THRESHOLD)].astype(np.uint8)
        return cls(classes, centroids, groups, parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the predictors, in display order."""
        third = (CENTRE_THIRD,) if self.groups is not None else ()
        return (EVERYTHING_BACKGROUND, *third, *self.centroids)

    def clusters(self, name: str) -> int:
        """Number of ids in the maps of a predictor: that of the classes."""
        if name not in self.names:
            raise UsageError(f"expected one of {', '.join(self.names)}, found {name}")
        return self.classes

    def matching(self, name: str, confusion: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class of each cluster of a predictor.

        Args:
            name: the predictor.
            confusion: (N, N) int64 confusion matrix of the predictor on the scored set.

        Returns:
            (N,) int64: the Hungarian matching, or the identity if the predictor's ids are
            classes already.
        """
        if name in (EVERYTHING_BACKGROUND, CENTRE_THIRD, XY_BORDER):
            return identity_matching(self.clusters(name), confusion.shape[1])
        return hungarian(confusion)

    def predict(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """The maps of all predictors.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) uint8 ids in 0..N-1, by name.
        """
        shape = image.shape[:2]
        features = _pixel_features(image, np.arange(shape[0] * shape[1]))
        maps = {EVERYTHING_BACKGROUND: np.zeros(shape, dtype=np.uint8)}
        if self.parts is not None:
            maps[CENTRE_THIRD] = self.parts[centre_third(*shape)].astype(np.uint8)
        for name, centroids in self.centroids.items():
            clusters = nearest(_features_of(name, features), centroids)
            if name == XY_BORDER and self.groups is not None:
                clusters = self.groups[clusters]
            maps[name] = clusters.reshape(shape)
        return maps


def centre_third(height: int, width: int) -> NDArray[np.uint8]:
    """The map of ``centre-third``.

    Returns:
        (height, width) uint8: 0 background, 1 upper, 2 lower.
    """
    mask = np.zeros((height, width), dtype=np.uint8)
    left, right = round(width / 3), round(2 * width / 3)
    mask[: height // 2, left:right] = 1
    mask[height // 2 :, left:right] = 2
    return mask


def _features_of(name: str, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    columns, xy_weight = _FEATURES[name]
    weights = np.array([1, 1, 1, xy_weight, xy_weight], dtype=np.float32)
    return pixels[:, columns] * weights[columns]


def _pixel_features(image: NDArray[np.uint8], index: NDArray[np.int64]) -> NDArray[np.float32]:
    """(P, 5) float32 red, green, blue, x and y in 0..1 of the pixels with these flat indices."""
    height, width = image.shape[:2]
    row, column = np.divmod(index, width)
    features = np.empty((len(index), 5), dtype=np.float32)
    features[:, :3] = image.reshape(-1, 3)[index]
    features[:, :3] /= 255
    features[:, 3] = (column + 0.5) / width
    features[:, 4] = (row + 0.5) / height
    return features


def _sample_pixels(images: Iterable[NDArray[np.uint8]], seed: int) -> NDArray[np.float32]:
    """A uniform sample of at most ``_SAMPLE`` of ``_PIXELS_PER_IMAGE`` pixels per image.

    Each candidate draws a random key, and those with the smallest keys are kept: the sample is
    uniform over all images although their number is unknown.
    """
    rng = np.random.default_rng(seed)
    kept = np.empty((0, 5), dtype=np.float32)
    keys = np.empty(0)
    pending: list[NDArray[np.float32]] = []
    for image in images:
        index = rng.integers(image.shape[0] * image.shape[1], size=_PIXELS_PER_IMAGE)
        pending.append(_pixel_features(image, index))
        if len(pending) * _PIXELS_PER_IMAGE >= _SAMPLE:
            kept, keys = _keep_smallest(kept, keys, pending, rng)
            pending = []
    if pending:
        kept, keys = _keep_smallest(kept, keys, pending, rng)
    if len(kept) == 0:
        raise UsageError("expected images to fit the trivial baselines to, found none")
    return kept


def _keep_smallest(
    kept: NDArray[np.float32],
    keys: NDArray[np.float64],
    pending: list[NDArray[np.float32]],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    points = np.concatenate([kept, *pending])
    keys = np.concatenate([keys, rng.random(len(points) - len(keys))])
    if len(points) > _SAMPLE:
        stay = np.sort(np.argpartition(keys, _SAMPLE)[:_SAMPLE])
        points, keys = points[stay], keys[stay]
    return points, keys
