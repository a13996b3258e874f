"""Clusters are merged by position or by the figures, as hand counts say."""

from __future__ import annotations

import numpy as np
import pytest

from c2l.clustering.merge import (
    FigureStatistics,
    PositionStatistics,
    merge_background,
    merge_by_border,
    merge_by_figure,
)

# A 16 x 16 image has a border of one pixel: 60 pixels of 256.
BACKGROUND, UPPER, LOWER = 0, 1, 2


def person(top: int = 3, bottom: int = 13) -> np.ndarray:  # type: ignore[type-arg]
    """Cluster 2 around a person of cluster 0 above and cluster 1 below."""
    labels = np.full((16, 16), 2, dtype=np.uint8)
    labels[top:8, 5:11] = 0
    labels[8:bottom, 5:11] = 1
    return labels


def statistics(*images: np.ndarray, clusters: int = 3) -> PositionStatistics:  # type: ignore[type-arg]
    counted = PositionStatistics(clusters)
    counted.add(np.stack(images))
    return counted


def test_pixels_border_and_rows_are_counted() -> None:
    counted = statistics(person(), person())
    np.testing.assert_array_equal(counted.pixels, [60, 60, 392])
    np.testing.assert_array_equal(counted.border, [0, 0, 120])
    rows = [2 * 6 * sum((r + 0.5) / 16 for r in rows) for rows in (range(3, 8), range(8, 13))]
    np.testing.assert_allclose(counted.rows[:2], rows)
    assert counted.rows.sum() == pytest.approx(2 * 256 * 0.5)


def test_batches_add_up() -> None:
    together, apart = statistics(person(), person(1, 15)), PositionStatistics(3)
    apart.add(person()[None])
    apart.add(person(1, 15)[None])
    for name in ("pixels", "border", "rows"):
        np.testing.assert_allclose(getattr(together, name), getattr(apart, name))


def test_border_is_a_sixteenth_of_each_side_and_at_least_one_pixel() -> None:
    for shape, width in (((32, 48), (2, 3)), ((5, 5), (1, 1))):
        labels = np.zeros(shape, dtype=np.int64)
        inner = (shape[0] - 2 * width[0]) * (shape[1] - 2 * width[1])
        assert statistics(labels).border[0] == shape[0] * shape[1] - inner


def test_surroundings_are_background_and_people_split_by_height() -> None:
    merged = merge_by_border(statistics(person()), 0.5)
    assert merged.dtype == np.uint8
    np.testing.assert_array_equal(merged, [UPPER, LOWER, BACKGROUND])


def test_the_threshold_decides_about_people_at_the_border() -> None:
    # The legs leave the picture: 6 of their 48 pixels lie on the border. That is 0.1 of the border
    # and 0.1875 of all pixels, a ratio of 0.53.
    labels = person(3, 16)
    counted = statistics(labels)
    assert counted.border.tolist() == [0, 6, 54]
    assert counted.pixels.tolist() == [30, 48, 178]
    ratio = (6 / 60) / (48 / 256)
    np.testing.assert_array_equal(
        merge_by_border(counted, ratio + 0.01), [UPPER, LOWER, BACKGROUND]
    )
    # Above the threshold the legs are background, and the trunk is not above its own mean row.
    np.testing.assert_array_equal(
        merge_by_border(counted, ratio - 0.01), [LOWER, BACKGROUND, BACKGROUND]
    )


def test_clusters_without_pixels_are_background() -> None:
    merged = merge_by_border(statistics(person(), clusters=5), 0.5)
    np.testing.assert_array_equal(merged, [UPPER, LOWER, BACKGROUND, BACKGROUND, BACKGROUND])


def test_no_images_or_no_people_are_all_background() -> None:
    assert not merge_by_border(PositionStatistics(4), 0.5).any()
    assert not merge_by_border(statistics(np.zeros((16, 16), np.int64)), 0.5).any()
    assert not merge_by_border(statistics(person()), 0.0).any()


def test_people_split_at_their_own_mean_row() -> None:
    # All people are in the lower half of the picture.
    labels = np.full((16, 16), 3, dtype=np.uint8)
    labels[9:11, 5:11], labels[11:13, 5:11], labels[13:15, 5:11] = 0, 1, 2
    merged = merge_by_border(statistics(labels, clusters=4), 0.5)
    assert merged[0] == UPPER
    assert merged[2] == LOWER
    assert merged[3] == BACKGROUND


def test_points_are_counted_like_the_pixels_of_a_map() -> None:
    labels = person()
    rows, columns = np.divmod(np.arange(256), 16)
    points = PositionStatistics(3)
    points.add_points(np.stack([columns + 0.5, rows + 0.5], axis=1) / 16, labels.ravel())
    for name in ("pixels", "border", "rows"):
        np.testing.assert_allclose(getattr(points, name), getattr(statistics(labels), name))


def test_points_without_people_or_without_a_border_are_all_background() -> None:
    for position in (0.01, 0.51):
        points = PositionStatistics(2)
        points.add_points(np.full((6, 2), position), np.zeros(6, np.int64))
        assert not merge_by_border(points, 0.5).any()


def test_overlaps_with_the_figures_are_summed_and_the_largest_part_decides() -> None:
    labels = np.array([[[0, 0, 1], [1, 2, 3]]])
    parts = np.zeros((1, 3, 2, 3), np.float32)
    parts[0, :, 0, 0] = [0.2, 0.5, 0.3]
    parts[0, :, 0, 1] = [0.6, 0.2, 0.2]
    parts[0, :, 0, 2] = [0.1, 0.2, 0.7]
    parts[0, :, 1, 0] = [0.4, 0.3, 0.3]
    parts[0, :, 1, 1] = [0.9, 0.1, 0.0]
    parts[0, :, 1, 2] = [0.5, 0.25, 0.25]
    figures = FigureStatistics(5)
    figures.add(labels, parts)
    np.testing.assert_allclose(
        figures.sums,
        [[0.8, 0.7, 0.5], [0.5, 0.5, 1.0], [0.9, 0.1, 0], [0.5, 0.25, 0.25], [0, 0, 0]],
        atol=1e-6,
    )
    np.testing.assert_allclose(figures.shares()[[0, 4]], [[0.4, 0.35, 0.25], [1, 0, 0]], atol=1e-6)
    merged = merge_by_figure(figures)
    assert merged.dtype == np.uint8
    # More figure than background; ties are background, and so is a cluster without pixels.
    np.testing.assert_array_equal(merged, [1, 2, 0, 0, 0])
    figures.add(labels, parts)
    np.testing.assert_array_equal(merge_by_figure(figures), merged)


def test_background_clusters_are_merged_and_the_others_stay_apart() -> None:
    figures = FigureStatistics(5)
    figures.sums[:] = [[5, 1, 0], [1, 2, 0], [9, 3, 3], [0, 0, 4], [0, 0, 0]]
    merged = merge_background(figures)
    assert merged.dtype == np.uint8
    np.testing.assert_array_equal(merged, [0, 1, 0, 2, 0])
