"""Merging of many clusters into background, upper and lower without labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from c2l.schema import PARTS

# Width of the border, as a fraction of the image.
BORDER = 1 / 16


@dataclass
class PositionStatistics:
    """Positions of the pixels of each cluster, summed over images.

    Attributes:
        pixels: (K,) number of pixels.
        border: (K,) number of pixels in the outer sixteenth of the image.
        rows: (K,) sum of the vertical positions of the pixels, in [0, 1].
    """

    clusters: int
    pixels: NDArray[np.float64] = field(init=False)
    border: NDArray[np.float64] = field(init=False)
    rows: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.pixels, self.border, self.rows = (np.zeros(self.clusters) for _ in range(3))

    def add(self, labels_NHW: NDArray[np.integer]) -> None:
        """Add the cluster maps of some images.

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

    def add_points(self, xy_P2: NDArray[np.floating], labels_P: NDArray[np.integer]) -> None:
        """Add single pixels.

        Args:
            xy_P2: (P, 2) horizontal and vertical positions in [0, 1].
            labels_P: (P,) integer clusters.
        """
        at_border = ((xy_P2 < BORDER) | (xy_P2 >= 1 - BORDER)).any(axis=1)
        self.pixels += np.bincount(labels_P, minlength=self.clusters)
        self.border += np.bincount(labels_P[at_border], minlength=self.clusters)
        self.rows += np.bincount(labels_P, weights=xy_P2[:, 1], minlength=self.clusters)


def merge_by_border(statistics: PositionStatistics, threshold: float) -> NDArray[np.uint8]:
    """Background by the share of the image border, upper and lower by height.

    A cluster is background if its share of the border pixels is at least ``threshold`` times its
    share of all pixels. The other clusters are people: upper or lower, as their mean row lies
    above or below the mean row of all people. The rule assumes people who stand upright and
    mostly away from the border; a person who fills the photo becomes background.

    Returns:
        (K,) uint8: 0 background, 1 upper, 2 lower. Clusters without pixels are background, and so
        are all clusters if no pixel lies at the border.
    """
    pixels, border = statistics.pixels, statistics.border
    share = pixels / max(pixels.sum(), 1)
    border_share = border / max(border.sum(), 1)
    people = border.any() & (pixels > 0) & (border_share < threshold * share)
    groups = np.zeros(len(pixels), dtype=np.uint8)
    if people.any():
        middle = statistics.rows[people].sum() / pixels[people].sum()
        mean_row = statistics.rows / np.maximum(pixels, 1)
        groups[people] = np.where(mean_row[people] < middle, 1, 2)
    return groups


@dataclass
class FigureStatistics:
    """Overlap of each cluster with the figures of the photos, summed over images.

    Attributes:
        sums: (K, 3) sums of the probabilities of background, upper and lower.
    """

    clusters: int
    sums: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = np.zeros((self.clusters, len(PARTS)))

    def add(self, labels_NHW: NDArray[np.integer], parts_N3HW: NDArray[np.floating]) -> None:
        """Add some images.

        Args:
            labels_NHW: (N, h, w) integer clusters.
            parts_N3HW: (N, 3, h, w) probabilities of background, upper and lower.
        """
        flat = labels_NHW.ravel()
        for part in range(len(PARTS)):
            weights = parts_N3HW[:, part].ravel().astype(np.float64)
            self.sums[:, part] += np.bincount(flat, weights=weights, minlength=self.clusters)

    def shares(self) -> NDArray[np.float32]:
        """(K, 3) shares of the parts in each cluster; an empty cluster is all background."""
        total = self.sums.sum(1, keepdims=True)
        empty = np.array([1.0, 0.0, 0.0])
        shares = np.where(total > 0, self.sums / np.maximum(total, 1e-12), empty)
        return shares.astype(np.float32)


def merge_background(statistics: FigureStatistics) -> NDArray[np.uint8]:
    """Merge the clusters that are mostly background and keep the others apart.

    This is for more than three classes: most clusters of a photo lie in the background, and in a
    one-to-one matching all but one of those would count as errors.

    Returns:
        (K,) uint8: 0 for background, then 1, 2, ... for the other clusters in order. Clusters
        without pixels are background.
    """
    background, upper, lower = statistics.sums.T
    people = upper + lower > background
    return np.where(people, np.cumsum(people), 0).astype(np.uint8)


def merge_by_figure(statistics: FigureStatistics) -> NDArray[np.uint8]:
    """Background if most of a cluster lies outside the figures, else upper or lower.

    The rule assumes that most figures are right. It fails where most are wrong: people in the
    colours of their surroundings, or lying down.

    Returns:
        (K,) uint8: 0 background, 1 upper, 2 lower. Clusters without pixels are background.
    """
    background, upper, lower = statistics.sums.T
    people = upper + lower > background
    return np.where(people, np.where(upper >= lower, 1, 2), 0).astype(np.uint8)
