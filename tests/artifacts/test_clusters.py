"""Clusters and an epoch's targets come back as they were written."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from c2l import schema
from c2l.artifacts.clusters import Clusters, read_clusters, write_clusters
from c2l.artifacts.targets import read_targets, write_targets
from c2l.errors import BadInputError

RANDOM = np.random.default_rng(0)
CENTROIDS = RANDOM.normal(size=(3, 4)).astype(np.float32)


def clusters(**changed: object) -> Clusters:
    values: dict[str, object] = {
        "centroids": CENTROIDS,
        "counts": np.array([5, 0, 2**40]),
        "objective": [3.0, 1.5],
        "config": {"method": "kmeans", "features": {"layer": "fpn"}},
        "attributes": {"weights_sha256": "a" * 64},
        "names": ("a.png", "ä/b.png"),
    }
    return Clusters(**{**values, **changed})  # type: ignore[arg-type]


def test_clusters_round_trip(tmp_path: Path) -> None:
    views, groups = (CENTROIDS + 1, CENTROIDS + 2), np.array([0, 1, 2], np.uint8)
    labels = RANDOM.integers(0, 3, (2, 5, 6))
    path = tmp_path / "c.h5"
    with write_clusters(path) as writer:
        writer.assignments(2, (5, 6), 3)
        writer.store(0, labels[0])
        writer.store(1, labels[1])
        writer.finish(clusters(views=views, groups=groups))
    found = read_clusters(path)
    np.testing.assert_array_equal(found.centroids, CENTROIDS)
    np.testing.assert_array_equal(found.counts, [5, 0, 2**40])
    assert found.objective == [3.0, 1.5]
    assert found.config == clusters().config
    assert found.attributes["weights_sha256"] == "a" * 64
    assert found.views is not None
    np.testing.assert_array_equal(found.views, views)
    np.testing.assert_array_equal(found.groups, groups)
    with h5py.File(path) as file:
        assert file["assignments"].dtype == np.uint8
        np.testing.assert_array_equal(file["assignments"][:], labels)
        assert file["names"].asstr()[:].tolist() == ["a.png", "ä/b.png"]


def test_views_and_groups_may_be_missing(tmp_path: Path) -> None:
    with write_clusters(tmp_path / "c.h5") as writer:
        writer.finish(clusters())
    found = read_clusters(tmp_path / "c.h5")
    assert found.views is None
    assert found.groups is None


@pytest.mark.parametrize(("count", "dtype"), [(256, np.uint8), (257, np.uint16)])
def test_assignments_take_the_smallest_type(tmp_path: Path, count: int, dtype: type) -> None:
    with write_clusters(tmp_path / "c.h5") as writer:
        writer.assignments(1, (2,), count)
        writer.store(0, np.array([0, count - 1]))
        writer.finish(clusters())
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["assignments"].dtype == dtype
        assert file["assignments"][0].tolist() == [0, count - 1]


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def stop() -> None:
        with write_clusters(tmp_path / "c.h5") as writer:
            writer.assignments(1, (2,), 3)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert os.listdir(tmp_path) == []


def test_same_clusters_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        with write_clusters(tmp_path / name) as writer:
            writer.assignments(2, (3, 3), 3)
            writer.store(0, np.ones((3, 3)))
            writer.finish(clusters())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("bad", [np.full((3, 4), np.nan), np.ones(4)])
def test_centroids_that_cannot_be_used_are_refused(tmp_path: Path, bad: np.ndarray) -> None:
    with write_clusters(tmp_path / "c.h5") as writer:
        writer.finish(clusters(centroids=bad.astype(np.float32)))
    with pytest.raises(BadInputError, match="not usable"):
        read_clusters(tmp_path / "c.h5")


def test_targets_round_trip(tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 255, (2, 6, 3, 4)).astype(np.uint8)
    order = [np.array([4, 1, 5]), np.array([0, 3, 2])]
    path = tmp_path / "epoch-0000" / schema.EPOCH_TARGETS
    with write_targets(path, 6, {"epoch": 0}) as writer:
        for view in (0, 1):
            for group in order:
                writer.store(view, group, labels[view, group])
            writer.finish(view, CENTROIDS + view, np.array([1, 2, 3 + view]))
    with read_targets(path) as targets:
        for view in (0, 1):
            chosen = np.array([5, 0, 0, 2])
            np.testing.assert_array_equal(targets.labels(view, chosen), labels[view, chosen])
            np.testing.assert_array_equal(targets.centroids[view], CENTROIDS + view)
            np.testing.assert_array_equal(targets.counts[view], [1, 2, 3 + view])


def test_targets_of_a_stopped_clustering_do_not_exist(tmp_path: Path) -> None:
    def stop() -> None:
        with write_targets(tmp_path / "t.h5", 2, {}) as writer:
            writer.store(0, np.array([0]), np.zeros((1, 2, 2), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert os.listdir(tmp_path) == []


def test_targets_whose_labels_are_damaged_are_refused(tmp_path: Path) -> None:
    labels = RANDOM.integers(0, 255, (1, 8, 8)).astype(np.uint8)
    path = tmp_path / "t.h5"
    with write_targets(path, 1, {}) as writer:
        for view in (0, 1):
            writer.store(view, np.array([0]), labels)
            writer.finish(view, CENTROIDS, np.arange(3))
    raw = bytearray(path.read_bytes())
    raw[raw.find(labels.tobytes()) + 5] ^= 4
    path.write_bytes(raw)

    def read() -> None:
        with read_targets(path) as targets:
            for view in (0, 1):
                targets.labels(view, np.array([0]))

    with pytest.raises(BadInputError, match=r"t\.h5"):
        read()
