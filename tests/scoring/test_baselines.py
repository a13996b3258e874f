"""The trivial predictors find what they are meant to find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c2l.errors import UsageError
from c2l.schema import PARTS
from c2l.scoring import baselines as module
from c2l.scoring.baselines import TrivialBaselines
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.kmeans import kmeans_fit, nearest
from c2l.scoring.metrics import score

PHOTOS = Path(__file__).parents[3] / "shared" / "ccp"


def flag(height: int = 30, width: int = 45) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image of three stripes of flat colours, and the stripe of each pixel."""
    stripes = np.repeat(np.arange(3, dtype=np.uint8), width // 3)
    mask = np.tile(stripes, (height, 1))
    colours = np.array([[250, 10, 10], [10, 240, 20], [20, 10, 235]], dtype=np.uint8)
    return colours[mask], mask


def test_kmeans_on_colour_finds_flat_colours() -> None:
    image, mask = flag()
    fitted = TrivialBaselines.fit([image] * 3, 3, seed=0)
    counts = confusion_matrix(fitted.predict(image)["kmeans-rgb"], mask, 3, 3)
    assert score(counts, fitted.matching("kmeans-rgb", counts), "abc").miou == 1.0


def test_kmeans_on_position_gives_every_image_the_same_map() -> None:
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, size=(40, 30, 3), dtype=np.uint8) for _ in range(4)]
    fitted = TrivialBaselines.fit(photos, 3, seed=0)
    maps = [fitted.predict(photo)["kmeans-xy"] for photo in photos]
    assert all(np.array_equal(maps[0], other) for other in maps)
    assert np.bincount(maps[0].ravel(), minlength=3).min() > 200


def test_colour_and_position_together_weight_position_twice() -> None:
    image, _ = flag()
    fitted = TrivialBaselines.fit([image], 3, seed=0)
    row, column = 7, 20
    point = [*(image[row, column] / 255), 2 * (column + 0.5) / 45, 2 * (row + 0.5) / 30]
    distances = np.square(fitted.centroids["kmeans-rgb+2xy"] - np.array(point)).sum(axis=1)
    assert fitted.predict(image)["kmeans-rgb+2xy"][row, column] == distances.argmin()


def test_everything_background_is_class_zero_whatever_class_is_most_frequent() -> None:
    image, _ = flag()
    fitted = TrivialBaselines.fit([image], 3, seed=0)
    predicted = fitted.predict(image)["everything-background"]
    target = np.full(predicted.shape, 1, dtype=np.uint8)
    target[:10] = 0
    counts = confusion_matrix(predicted, target, fitted.clusters("everything-background"), 3)
    matching = fitted.matching("everything-background", counts)
    assert score(counts, matching, "abc").pixel_accuracy == pytest.approx(1 / 3)


def test_maps_have_the_size_of_the_image_and_valid_ids() -> None:
    image, _ = flag()
    fitted = TrivialBaselines.fit([image], 3, seed=0, parts=np.arange(3))
    other = np.zeros((11, 70, 3), dtype=np.uint8)
    maps = fitted.predict(other)
    assert tuple(maps) == fitted.names
    assert set(maps) == {
        "everything-background",
        "centre-third",
        "kmeans-rgb",
        "kmeans-xy",
        "kmeans-rgb+2xy",
        "xy-border",
    }
    assert not maps["centre-third"][:, :23].any()
    assert (maps["centre-third"][:5, 23:47] == 1).all()
    assert (maps["centre-third"][5:, 23:47] == 2).all()
    for name, found in maps.items():
        assert found.shape == (11, 70)
        assert found.dtype == np.uint8
        assert found.max() < fitted.clusters(name)


def test_position_and_border_rule_find_a_person_in_the_middle() -> None:
    image, _ = flag(80, 60)
    fitted = TrivialBaselines.fit([image] * 20, 3, seed=0, parts=np.arange(3))
    found = fitted.predict(image)["xy-border"]
    edge = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    assert (edge == 0).mean() > 0.95
    assert found[30, 30] == 1
    assert found[52, 30] == 2
    assert np.array_equal(fitted.matching("xy-border", np.ones((3, 3), np.int64)), [0, 1, 2])


def test_the_border_rule_needs_its_three_classes() -> None:
    image, _ = flag()
    with pytest.raises(UsageError, match="background, upper, lower"):
        TrivialBaselines.fit([image], 2, seed=0, parts=np.arange(3))


def test_upper_and_lower_are_the_person_where_labels_say_person() -> None:
    image, _ = flag()
    person = TrivialBaselines.fit([image], 2, seed=0, parts=np.array([0, 1, 1]))
    parts = TrivialBaselines.fit([image], 3, seed=0, parts=np.arange(3))
    for name in ("centre-third", "xy-border"):
        found, finer = person.predict(image)[name], parts.predict(image)[name]
        np.testing.assert_array_equal(found, finer > 0)
        assert person.matching(name, np.ones((2, 2), np.int64)).tolist() == [0, 1]


def test_the_seed_decides_the_predictors() -> None:
    rng = np.random.default_rng(5)
    photos = [rng.integers(0, 256, size=(24, 20, 3), dtype=np.uint8) for _ in range(3)]
    first, again, other = (TrivialBaselines.fit(photos, 3, seed) for seed in (1, 1, 2))
    for name in first.centroids:
        np.testing.assert_array_equal(first.centroids[name], again.centroids[name])
    assert any(not np.array_equal(first.centroids[n], other.centroids[n]) for n in first.centroids)


def test_the_sample_is_bounded_and_uniform_over_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 1024)

    def stream() -> Iterator[NDArray[np.uint8]]:
        for shade in range(200):
            yield np.full((8, 8, 3), shade, dtype=np.uint8)

    sample = module._sample_pixels(stream(), seed=0)

    assert sample.shape == (1024, 5)
    # 1024 of 200 x 256 uniform draws: each quarter of the stream gives about 256 of them.
    quarters = np.bincount((sample[:, 0] * 255 / 50).round(3).astype(int), minlength=4)
    assert quarters.min() > 200


def test_fitting_to_no_images_is_refused() -> None:
    with pytest.raises(UsageError, match="found none"):
        TrivialBaselines.fit([], 3, seed=0)


def test_an_unknown_predictor_is_refused_with_the_known_names() -> None:
    image, _ = flag()
    fitted = TrivialBaselines.fit([image], 3, seed=0)
    with pytest.raises(UsageError, match="everything-background, kmeans-rgb"):
        fitted.clusters("xy-border")


def test_kmeans_converges_to_the_means_of_its_clusters() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 2)).astype(np.float32)
    points[:100] += 8
    points[100:200] -= 8
    centroids = kmeans_fit(points, 3, seed=0)
    clusters = nearest(points, centroids)
    for index in range(3):
        np.testing.assert_allclose(
            centroids[index], points[clusters == index].mean(axis=0), atol=1e-4
        )


@pytest.mark.parametrize("distinct", [1, 2, 3])
def test_with_fewer_points_than_clusters_the_points_are_the_centroids(distinct: int) -> None:
    points = np.repeat(np.arange(distinct, dtype=np.float32)[:, None], 50, axis=0)
    centroids = kmeans_fit(points, 3, seed=0)
    assert np.isfinite(centroids).all()
    np.testing.assert_array_equal(centroids[nearest(points, centroids)], points)


def test_nearest_equals_the_full_distances() -> None:
    rng = np.random.default_rng(2)
    points = rng.random((200, 5)).astype(np.float32)
    centroids = rng.random((32, 5)).astype(np.float32)
    full = np.square(points[:, None] - centroids[None]).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest(points, centroids), full)


@pytest.mark.parametrize(("points", "k"), [(np.zeros((0, 2)), 2), (np.zeros((4, 2)), 0)])
def test_kmeans_without_points_or_clusters_is_refused(points: NDArray[np.float64], k: int) -> None:
    with pytest.raises(UsageError, match=f"in {k} clusters"):
        kmeans_fit(points.astype(np.float32), k, seed=0)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the CCP photos are not at ../shared/ccp")
def test_position_separates_people_from_background_on_real_photos() -> None:
    from PIL import Image
    from scipy.io import loadmat

    names = (PHOTOS / "splits" / "val.txt").read_text().split()[:8]
    photos = [np.asarray(Image.open(PHOTOS / "photos" / f"{n}.jpg").convert("RGB")) for n in names]
    fitted = TrivialBaselines.fit(photos, len(PARTS), seed=0, parts=np.arange(3))
    counts = np.zeros((3, 2), dtype=np.int64)
    for name, photo in zip(names, photos, strict=True):
        labels = loadmat(PHOTOS / "annotations" / "pixel-level" / f"{name}.mat")["groundtruth"]
        target = (labels > 0).astype(np.uint8)
        counts += confusion_matrix(fitted.predict(photo)["xy-border"], target, 3, 2)
    # Most pixels of people are predicted as people, and most of the background is not.
    assert counts[1:, 1].sum() > 0.6 * counts[:, 1].sum()
    assert counts[0, 0] > 0.6 * counts[:, 0].sum()
