"""The predictors without any learning that every learned method has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.schema import PARTS
from c2l.scoring.kmeans import kmeans_fit, nearest
from c2l.scoring.matching import hungarian, identity

BORDER_CLUSTERS = 32
BORDER_THRESHOLD = 0.5
BORDER_WIDTH = 1 / 16

EVERYTHING_BACKGROUND = "everything-background"
XY_BORDER = "xy-border"
CENTRE_THIRD = "centre-third"

# The columns of the pixel features (red, green, blue, x, y) each predictor clusters, and the
# weight of place against colour.
_COLOUR, _PLACE, _BOTH = slice(0, 3), slice(3, 5), slice(0, 5)
_FEATURES: dict[str, tuple[slice, float]] = {
    "kmeans-rgb": (_COLOUR, 1.0),
    "kmeans-xy": (_PLACE, 1.0),
    "kmeans-rgb+2xy": (_BOTH, 2.0),
    XY_BORDER: (_PLACE, 1.0),
}

_PIXELS_PER_IMAGE = 256
_SAMPLE = 2**15


@dataclass(frozen=True)
class TrivialBaselines:
    """Trivial predictors fitted to a bounded sample of pixels, without labels.

    - ``everything-background``: class 0 everywhere.
    - ``kmeans-rgb``, ``kmeans-xy``, ``kmeans-rgb+2xy``: k-means on colour (0..1), on place
      (0..1 of the width and height) or on both, with as many clusters as classes.
    - ``centre-third``: the middle third of the columns is the person, upper above half the
      height and lower below; only for three classes. No image is looked at.
    - ``xy-border``: k-means on place with 32 clusters, joined to background, upper and lower
      by the label-free border rule: how far position alone goes.

    Attributes:
        classes: number of classes N.
        centroids: (K, D) float32 of each k-means predictor, in its own features.
        groups: (32,) uint8 class of each cluster of ``xy-border``; None without it.
    """

    classes: int
    centroids: dict[str, NDArray[np.float32]]
    groups: NDArray[np.uint8] | None

    @classmethod
    def fit(
        cls,
        images: Iterable[NDArray[np.uint8]],
        classes: int,
        seed: int,
        *,
        border: bool = False,
    ) -> TrivialBaselines:
        """Fit to images one at a time; memory does not grow with their number.

        Args:
            images: (H, W, 3) uint8 RGB images of any sizes.
            classes: number of classes N.
            seed: decides the sample and the k-means starts.
            border: also fit ``xy-border``; only where the classes are ``PARTS``.

        Returns:
            The fitted predictors.

        Raises:
            UsageError: no images, or ``border`` without three classes.
        """
        if border and classes != len(PARTS):
            raise UsageError(
                f"expected the classes {', '.join(PARTS)} for {XY_BORDER}, found {classes} classes"
            )
        sample = _sample_pixels(images, seed)
        centroids = {
            name: kmeans_fit(_features_of(name, sample), classes, seed)
            for name in _FEATURES
            if name != XY_BORDER
        }
        groups = None
        if border:
            place = _features_of(XY_BORDER, sample)
            centroids[XY_BORDER] = kmeans_fit(place, BORDER_CLUSTERS, seed)
            clusters = nearest(place, centroids[XY_BORDER])
            groups = border_groups(place, clusters, BORDER_CLUSTERS)
        return cls(classes, centroids, groups)

    @property
    def names(self) -> tuple[str, ...]:
        """The predictors there are, in the order they are shown."""
        third = (CENTRE_THIRD,) if self.groups is not None else ()
        return (EVERYTHING_BACKGROUND, *third, *self.centroids)

    def clusters(self, name: str) -> int:
        """Number of ids that ``predict`` may give for a predictor: that of the classes."""
        if name not in self.names:
            raise UsageError(f"expected one of {', '.join(self.names)}, found {name}")
        return self.classes

    def matching(self, name: str, confusion: NDArray[np.int64]) -> NDArray[np.int64]:
        """The class of each cluster of a predictor on the scored set.

        Args:
            name: a predictor.
            confusion: (N, N) int64 pixel counts of that predictor.

        Returns:
            (N,) int64: the Hungarian matching, or the identity where the predictor names
            its classes itself.
        """
        if name in (EVERYTHING_BACKGROUND, CENTRE_THIRD, XY_BORDER):
            return identity(self.clusters(name), confusion.shape[1])
        return hungarian(confusion)

    def predict(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """The cluster map of every predictor.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            (H, W) uint8 ids in 0..N-1 by predictor name.
        """
        shape = image.shape[:2]
        features = _pixel_features(image, np.arange(shape[0] * shape[1]))
        maps = {EVERYTHING_BACKGROUND: np.zeros(shape, dtype=np.uint8)}
        if self.groups is not None:
            maps[CENTRE_THIRD] = centre_third(*shape)
        for name, centroids in self.centroids.items():
            clusters = nearest(_features_of(name, features), centroids)
            if name == XY_BORDER and self.groups is not None:
                clusters = self.groups[clusters]
            maps[name] = clusters.reshape(shape)
        return maps


def centre_third(height: int, width: int) -> NDArray[np.uint8]:
    """A person in the middle third of the columns, upper above half the height, lower below.

    Returns:
        (height, width) uint8: 0 background, 1 upper, 2 lower.
    """
    mask = np.zeros((height, width), dtype=np.uint8)
    left, right = round(width / 3), round(2 * width / 3)
    mask[: height // 2, left:right] = 1
    mask[height // 2 :, left:right] = 2
    return mask


def border_groups(
    place: NDArray[np.float32],
    clusters: NDArray[np.integer[Any]],
    count: int,
    threshold: float = BORDER_THRESHOLD,
) -> NDArray[np.uint8]:
    """Join clusters to background (0), upper (1) and lower (2) by where their pixels lie.

    A cluster is background when its share of the pixels in the outer sixteenth of the image is
    at least ``threshold`` times its share of all pixels. The others are people, split at the
    people's mean row.

    Args:
        place: (P, 2) float32 x and y of each pixel, in 0..1.
        clusters: (P,) cluster of each pixel.
        count: number of clusters K.
        threshold: ratio of the two shares from which a cluster is background.

    Returns:
        (K,) uint8 group of each cluster; an empty one is background.
    """
    at_border = ((place < BORDER_WIDTH) | (place >= 1 - BORDER_WIDTH)).any(axis=1)
    size = np.bincount(clusters, minlength=count)
    touching = np.bincount(clusters[at_border], minlength=count)
    rows = np.bincount(clusters, weights=place[:, 1], minlength=count)
    # Shares compared without dividing, so that an empty border or cluster needs no case.
    people = touching * size.sum() < threshold * size * touching.sum()
    groups = np.zeros(count, dtype=np.uint8)
    if people.any():
        mean_row = rows[people].sum() / size[people].sum()
        groups[people] = np.where(rows[people] < mean_row * size[people], 1, 2)
    return groups


def _features_of(name: str, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    columns, place_weight = _FEATURES[name]
    weights = np.array([1, 1, 1, place_weight, place_weight], dtype=np.float32)
    return pixels[:, columns] * weights[columns]


def _pixel_features(image: NDArray[np.uint8], index: NDArray[np.int64]) -> NDArray[np.float32]:
    """(P, 5) float32 red, green, blue, x, y in 0..1 of pixels by their flat index."""
    height, width = image.shape[:2]
    row, column = np.divmod(index, width)
    features = np.empty((len(index), 5), dtype=np.float32)
    features[:, :3] = image.reshape(-1, 3)[index]
    features[:, :3] /= 255
    features[:, 3] = (column + 0.5) / width
    features[:, 4] = (row + 0.5) / height
    return features


def _sample_pixels(images: Iterable[NDArray[np.uint8]], seed: int) -> NDArray[np.float32]:
    """A uniform sample of at most ``_SAMPLE`` from ``_PIXELS_PER_IMAGE`` pixels an image.

    Each candidate draws a key; those with the smallest keys stay. So the sample is uniform
    over all images without knowing their number.
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
