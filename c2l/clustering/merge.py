"""Joining many clusters to background, upper and lower by where they lie, without labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# Width of the border, as a share of the image.
BORDER = 1 / 16


@dataclass
class PositionStatistics:
    """Where the pixels of each cluster lie, summed over images.

    Attributes:
        pixels: (K,) number of pixels.
        border: (K,) of those on the image's outer sixteenth.
        rows: (K,) sum of the pixels' rows in [0, 1].
    """

    clusters: int
    pixels: NDArray[np.float64] = field(init=False)
    border: NDArray[np.float64] = field(init=False)
    rows: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.pixels, self.border, self.rows = (np.zeros(self.clusters) for _ in range(3))

    def add(self, labels_NHW: NDArray[np.integer]) -> None:
        """Count a batch of images' clusters.

        Args:
            labels_NHW: (N, h, w) integer clusters.
        """
        height, width = labels_NHW.shape[-2:]
        ring = np.ones((height, width), dtype=bool)
        top, left = max(1, round(height * BORDER)), max(1, round(width * BORDER))
        ring[top:-top, left:-left] = False
        row = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
        flat = labels_NHW.reshape(len(labels_NHW), -1)
        for labels in flat:
            self.pixels += np.bincount(labels, minlength=self.clusters)
            self.border += np.bincount(labels, weights=ring.ravel(), minlength=self.clusters)
            self.rows += np.bincount(labels, weights=row.ravel(), minlength=self.clusters)


def merge_by_border(statistics: PositionStatistics, threshold: float) -> NDArray[np.uint8]:
    """Background by its share of the image border, people's parts by height.

    A cluster is background when its share of the border's pixels is at least ``threshold`` times
    its share of all pixels; what is left is people, and upper or lower as its mean row lies above
    or below the mean row of all people. It takes people to stand upright and mostly away from
    the border; where a person fills the picture it calls the person background.

    Returns:
        (K,) uint8: 0 background, 1 upper, 2 lower. Clusters without pixels are background.
    """
    pixels, border = statistics.pixels, statistics.border
    share = pixels / max(pixels.sum(), 1)
    border_share = border / max(border.sum(), 1)
    people = (pixels > 0) & (border_share < threshold * share)
    groups = np.zeros(len(pixels), dtype=np.uint8)
    if people.any():
        middle = statistics.rows[people].sum() / pixels[people].sum()
        mean_row = statistics.rows / np.maximum(pixels, 1)
        groups[people] = np.where(mean_row[people] < middle, 1, 2)
    return groups


@dataclass
class FigureStatistics:
    """How much of each cluster lies in the photos' figures, and where in them.

    Attributes:
        shares: (K, 3) sums of the probabilities of ground, upper and lower.
    """

    clusters: int
    shares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.shares = np.zeros((self.clusters, 3))

    def add(self, labels_NHW: NDArray[np.integer], sides_N3HW: NDArray[np.floating]) -> None:
        """Count a batch.

        Args:
            labels_NHW: (N, h, w) integer clusters.
            sides_N3HW: (N, 3, h, w) probabilities of ground, upper and lower.
        """
        flat = labels_NHW.ravel()
        for side in range(3):
            weights = sides_N3HW[:, side].ravel().astype(np.float64)
            self.shares[:, side] += np.bincount(flat, weights=weights, minlength=self.clusters)


def figure_shares(statistics: FigureStatistics) -> NDArray[np.float32]:
    """Shares of ground, upper and lower in each cluster, (K, 3); an empty one is all ground."""
    total = statistics.shares.sum(1, keepdims=True)
    empty = np.array([1.0, 0.0, 0.0])
    shares = np.where(total > 0, statistics.shares / np.maximum(total, 1e-12), empty)
    return shares.astype(np.float32)


def merge_ground(statistics: FigureStatistics) -> NDArray[np.uint8]:
    """The clusters that are mostly ground as one; every other one stays a part of its own.

    For more classes than three: a scene takes most clusters for what surrounds the people, and one
    to one, all but one of those would count as errors.

    Returns:
        (K,) uint8: 0 ground, from 1 on the others in their order. Clusters without pixels are
        ground.
    """
    ground, upper, lower = statistics.shares.T
    people = upper + lower > ground
    return np.where(people, np.cumsum(people), 0).astype(np.uint8)


def merge_by_figure(statistics: FigureStatistics) -> NDArray[np.uint8]:
    """Background where most of a cluster is ground; else upper or lower, whichever is more.

    It takes each photo's figure to be right more often than wrong; where most photos' figures
    are off (people in the colours of their surroundings, or lying down), so is it.

    Returns:
        (K,) uint8: 0 background, 1 upper, 2 lower. Clusters without pixels are background.
    """
    ground, upper, lower = statistics.shares.T
    people = upper + lower > ground
    return np.where(people, np.where(upper >= lower, 1, 2), 0).astype(np.uint8)
