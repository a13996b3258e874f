"""A clusters file holds the nearest centroid or strongest factor of every stored pixel."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import NETWORK, PHOTOS, Cli
from numpy.typing import NDArray


def read(path: Path, name: str) -> NDArray[Any]:
    """A data set of an HDF5 file."""
    with h5py.File(path, "r") as file:
        return file[name][:]


def normalised(points_PC: NDArray[Any]) -> NDArray[np.float64]:
    """Points of unit length."""
    points = points_PC.astype(np.float64)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def assert_best(scores_PK: NDArray[np.float64], labels_P: NDArray[Any]) -> None:
    """Every label is the best of its row, but for what rounding can turn."""
    chosen = scores_PK[np.arange(len(labels_P)), labels_P]
    np.testing.assert_allclose(chosen, scores_PK.max(1), atol=1e-4)
    assert (scores_PK.argmax(1) == labels_P).mean() > 0.999


def nearness(points_PC: NDArray[np.float64], centroids_KC: NDArray[Any]) -> NDArray[np.float64]:
    """The negative squared distance of every point to every centroid."""
    return -np.square(points_PC[:, None] - centroids_KC[None].astype(np.float64)).sum(-1)


def test_every_pixel_is_in_the_cluster_of_its_nearest_centroid(store: Path, clusters: Path) -> None:
    labels = read(clusters, "assignments")
    assert (labels.shape, labels.dtype) == ((12, 16, 16), np.uint8)
    points = normalised(read(store, "features").reshape(-1, 16))
    assert_best(nearness(points, read(clusters, "centroids")), labels.ravel())
    np.testing.assert_array_equal(
        read(clusters, "counts"), np.bincount(labels.ravel(), minlength=3)
    )


def test_the_clusters_file_says_what_it_was_made_from(store: Path, clusters: Path) -> None:
    with h5py.File(clusters, "r") as file:
        assert file.attrs["features_sha256"] == hashlib.sha256(store.read_bytes()).hexdigest()
        config = json.loads(file.attrs["config_json"])
        assert (config["clusters"], config["method"]) == (3, "kmeans")
        assert config["features"]["image_size"] == 64
        assert file["centroids"].dtype == np.float32
        assert file["centroids_view1"].shape == file["centroids_view2"].shape == (3, 16)
        objective = file["objective"][:]
    assert np.all(np.diff(objective[:-1]) <= 1e-3 * objective[0])
    np.testing.assert_array_equal(read(clusters, "names"), read(store, "names"))


def test_one_batch_of_all_photos_leaves_means_as_centroids(
    cli: Cli, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c.h5"
    cli.ok("cluster", store, "-o", path, "-k", "3", "--kmeans-pixels", "256")
    points, labels = normalised(read(store, "features").reshape(-1, 16)), read(path, "assignments")
    means = np.stack([points[labels.ravel() == k].mean(0) for k in range(3)])
    # Twenty rounds of full k-means and one more step: all but settled.
    np.testing.assert_allclose(read(path, "centroids"), means, atol=0.02)


def test_components_are_clustered_as_they_are_and_centroids_are_full_ones(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    store, path = tmp_path / "f.h5", tmp_path / "c.h5"
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK, "--pca", "5")
    cli.ok("cluster", store, "-o", path, "-k", "4")
    components, mean = read(store, "pca_components"), read(store, "pca_mean")
    centroids = (read(path, "centroids") - mean) @ components.T
    points = read(store, "features").reshape(-1, 5).astype(np.float64)
    assert read(path, "centroids").shape == (4, 16)
    assert_best(nearness(points, centroids), read(path, "assignments").ravel())


def test_nmf_gives_every_pixel_to_its_strongest_factor(
    cli: Cli, layer4: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dff.h5"
    cli.ok("cluster", layer4, "-o", path, "-k", "3", "--method", "nmf")
    points = read(layer4, "features").reshape(-1, 1024).astype(np.float64)
    factors = read(path, "centroids").astype(np.float64)
    assert factors.min() >= 0
    factors /= np.linalg.norm(factors, axis=1, keepdims=True)
    target, gram = points @ factors.T, factors @ factors.T
    weights = target.copy()
    for _ in range(100):
        weights *= target / (weights @ gram + 1e-9)
    assert_best(weights / np.abs(weights).max(), read(path, "assignments").ravel())
    objective = read(path, "objective")
    assert np.all(np.diff(objective) < 0)


def test_sampled_pixels_have_a_cluster_each(cli: Cli, people: Path, tmp_path: Path) -> None:
    store, path = tmp_path / "f.h5", tmp_path / "c.h5"
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK, "--pixels-per-image", "20")
    cli.ok("cluster", store, "-o", path, "-k", "2")
    labels = read(path, "assignments")
    assert labels.shape == (12, 20)
    points = normalised(read(store, "features").reshape(-1, 16))
    assert_best(nearness(points, read(path, "centroids")), labels.ravel())


def test_more_than_256_clusters_take_two_bytes(cli: Cli, store: Path, tmp_path: Path) -> None:
    cli.ok("cluster", store, "-o", tmp_path / "c.h5", "-k", "300")
    labels = read(tmp_path / "c.h5", "assignments")
    assert labels.dtype == np.uint16
    assert labels.max() > 255


def test_the_border_rule_names_clusters_by_where_they_lie(
    cli: Cli, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c.h5"
    cli.ok("cluster", store, "-o", path, "-k", "8", "--merge-clusters", "border")
    labels = read(path, "assignments")
    expected, rows, pixels = [], {}, {}
    for k in range(8):
        mine = labels == k
        at_border = mine[:, 0].sum() + mine[:, -1].sum()
        at_border += mine[:, 1:-1, 0].sum() + mine[:, 1:-1, -1].sum()
        share, border_share = mine.mean(), at_border / (12 * 60)
        person = share > 0 and border_share < 0.5 * share
        expected.append(1 if person else 0)
        rows[k], pixels[k] = np.nonzero(mine)[1].sum(), mine.sum()
    people = [k for k in range(8) if expected[k]]
    middle = sum(rows[k] for k in people) / max(sum(pixels[k] for k in people), 1)
    expected = [(1 if rows[k] / pixels[k] < middle else 2) if expected[k] else 0 for k in range(8)]
    assert read(path, "groups").tolist() == expected


def test_the_same_store_gives_the_same_bytes(cli: Cli, store: Path, clusters: Path) -> None:
    again = clusters.with_name("again.h5")
    cli.ok("cluster", store, "-o", again, "-k", "3")
    assert again.read_bytes() == clusters.read_bytes()


def test_more_clusters_than_pixels_are_a_usage_error(cli: Cli, store: Path, tmp_path: Path) -> None:
    outcome = cli("cluster", store, "-o", tmp_path / "c.h5", "-k", "3073")
    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert "3072 pixels" in outcome.err


def test_nmf_on_signed_features_names_the_command_that_mends_it(
    cli: Cli, store: Path, tmp_path: Path
) -> None:
    outcome = cli("cluster", store, "-o", tmp_path / "c.h5", "-k", "3", "--method", "nmf")
    assert (outcome.code, os.listdir(tmp_path)) == (3, [])
    assert "c2l extract" in outcome.err
    assert "--layer layer4" in outcome.err


@pytest.mark.parametrize("damage", ["text", "cut", "other kind", "foreign", "flipped"])
def test_a_store_that_is_none_is_named(
    cli: Cli, store: Path, clusters: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "in.h5"
    sound = store.read_bytes()
    if damage == "text":
        path.write_text("features")
    elif damage == "cut":
        path.write_bytes(sound[: len(sound) // 2])
    elif damage == "other kind":
        path.write_bytes(clusters.read_bytes())
    elif damage == "foreign":
        with h5py.File(path, "w") as file:
            file["features"] = np.zeros((2, 4, 4, 8), np.float16)
    elif damage == "flipped":
        with h5py.File(store, "r") as file:
            place = file["features"].id.get_chunk_info(5).byte_offset + 100
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
    outcome = cli("cluster", path, "-o", tmp_path / "c.h5", "-k", "3")
    assert outcome.code == 3
    assert str(path) in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "c.h5").exists()


def test_an_existing_output_is_refused(cli: Cli, store: Path, clusters: Path) -> None:
    before = clusters.read_bytes()
    assert cli("cluster", store, "-o", clusters, "-k", "2").code == 2
    assert clusters.read_bytes() == before


def test_a_dry_run_counts_and_writes_nothing(cli: Cli, store: Path, tmp_path: Path) -> None:
    said = cli.ok("cluster", store, "-o", tmp_path / "c.h5", "-k", "3", "--dry-run", "--json")
    assert (said.values["images"], said.values["pixels"]) == (12, 3072)
    assert os.listdir(tmp_path) == []
