"""One epoch of ``fit --method picie`` is PiCIE's epoch, written out in NumPy on fixed features.

The features are a store's, so that the trained part is one 1x1 projection, whose gradient is
short enough to write down. Float64 throughout, but for the float16 in which the features wait
between the two passes of clustering.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import FIT, Cli, stop_after
from numpy.typing import NDArray
from safetensors.numpy import load_file

from c2l.artifacts.clusters import Clusters, write_clusters
from c2l.model.build import build_network
from c2l.options import FitOptions
from c2l.runtime.streams import epoch_order
from c2l.training import state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IMAGES, CHANNELS, CLUSTERS, BATCH, RATE = 12, 16, 3, 5, 0.01
VIEWS = ("view1", "view2")


@dataclass
class Adam:
    """Adam as its paper has it, with its default decays."""

    value: Floats
    rate: float
    first: Floats | float = 0.0
    second: Floats | float = 0.0
    step: int = 0

    def update(self, gradient: Floats) -> None:
        """One step down the gradient."""
        self.step += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient**2
        mean, square = self.first / (1 - 0.9**self.step), self.second / (1 - 0.999**self.step)
        self.value = self.value - self.rate * mean / (np.sqrt(square) + 1e-8)


def unit(values: Floats) -> Floats:
    """Rows of unit length."""
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def nearest(points: Floats, centroids: Floats) -> Ints:
    """The nearest centroid of each point."""
    return np.square(points[:, None] - centroids).sum(-1).argmin(1)


def mini_batch_kmeans(batches: list[Floats], start: Floats) -> Floats:
    """``n_k += m_k; c_k += (m_k / n_k) (mean_k - c_k)`` for each batch."""
    centroids, seen = start.copy(), np.zeros(len(start))
    for points in batches:
        labels = nearest(points, centroids)
        for k in range(len(start)):
            members = points[labels == k]
            if len(members):
                seen[k] += len(members)
                centroids[k] += len(members) / seen[k] * (members.mean(0) - centroids[k])
    return centroids


def cross_entropy(
    points: Floats, labels: Ints, centroids: Floats, weights: Floats
) -> tuple[float, Floats]:
    """Weighted cross-entropy against frozen centroids, and its gradient on the points.

    The mean is one by weight: the sum over pixels divided by the sum of their weights.
    """
    logits = points @ centroids.T
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    mine = weights[labels] / weights[labels].sum()
    rows = np.arange(len(points))
    loss = -(mine * np.log(shares[rows, labels])).sum()
    shares[rows, labels] -= 1
    return float(loss), (mine[:, None] * shares) @ centroids


@dataclass
class Picie:
    """PiCIE's epoch with a linear network: y = normalised (W x + b).

    Attributes:
        maps: (N, P, C) unit-length features of each view.
        weight: (D, C) W; bias: (D,) b.
        centroids, labels, weights: of each view, once clustered.
        losses: of each step.
    """

    maps: list[Floats]
    weight: Adam
    bias: Adam
    centroids: list[Floats] = field(default_factory=list)
    labels: list[Ints] = field(default_factory=list)
    weights: list[Floats] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def embed(self, pixels: Floats) -> tuple[Floats, Floats]:
        """W x + b and its length."""
        raw = pixels @ self.weight.value.T + self.bias.value
        return raw, np.linalg.norm(raw, axis=1, keepdims=True)

    def cluster(self, order: Ints, starts: list[Floats]) -> None:
        """Centroids, labels and class weights of both views."""
        for maps, start in zip(self.maps, starts, strict=True):
            raw, length = self.embed(maps.reshape(-1, maps.shape[-1]))
            points = (raw / length).astype(np.float16).astype(np.float64)
            points = points.reshape(*maps.shape[:2], -1)
            # Mini-batches of clustering are twice those of training.
            groups = [order[i : i + 2 * BATCH] for i in range(0, len(order), 2 * BATCH)]
            batches = [points[group].reshape(-1, points.shape[-1]) for group in groups]
            centroids = mini_batch_kmeans(batches, start)
            labels = nearest(points.reshape(-1, points.shape[-1]), centroids)
            self.centroids.append(centroids)
            self.labels.append(labels.reshape(maps.shape[:2]))
            self.weights.append(np.bincount(labels, minlength=len(start)) / len(labels))

    def train(self, order: Ints) -> None:
        """One pass: half within-view, half cross-view loss, the last batch smaller."""
        for first in range(0, len(order), BATCH):
            group = order[first : first + BATCH]
            total, weight, bias = 0.0, np.zeros_like(self.weight.value), 0.0
            for view, maps in enumerate(self.maps):
                pixels = maps[group].reshape(-1, maps.shape[-1])
                raw, length = self.embed(pixels)
                y, gradient = raw / length, np.zeros_like(raw)
                for other in (view, 1 - view):
                    labels = self.labels[other][group].ravel()
                    loss, slope = cross_entropy(
                        y, labels, self.centroids[other], self.weights[other]
                    )
                    total, gradient = total + loss / 4, gradient + slope / 4
                # What points along y is lost in the normalisation.
                gradient = (gradient - y * (gradient * y).sum(1, keepdims=True)) / length
                weight, bias = weight + gradient.T @ pixels, bias + gradient.sum(0)
            self.losses.append(total)
            self.weight.update(weight)
            self.bias.update(np.asarray(bias))


def network_of_the_heads() -> Any:
    """The network with its projection as a run of seed 0 begins."""
    options = FitOptions(weights="none", fpn_dim=CHANNELS)
    return build_network(options, None, 0, seed=0, layer="fpn", frozen_channels=CHANNELS)[0]


@pytest.fixture(scope="module")
def begun(store: Path) -> tuple[Picie, list[Floats]]:
    """The rendering at its start, and centroids that start its k-means: three pixels a view."""
    with h5py.File(store) as file:
        maps = [
            unit(file[f"features_{view}"][:].astype(np.float64).reshape(IMAGES, -1, CHANNELS))
            for view in VIEWS
        ]
    projection = network_of_the_heads().projection
    weight = projection.weight.detach().numpy().astype(np.float64)[:, :, 0, 0]
    bias = projection.bias.detach().numpy().astype(np.float64)
    picie = Picie(maps, Adam(weight, RATE), Adam(bias, RATE))
    starts = []
    for view in range(2):
        raw, length = picie.embed(maps[view][[0, 4, 8], [10, 120, 200]])
        starts.append((raw / length).astype(np.float32).astype(np.float64))
    return picie, starts


@pytest.fixture(scope="module")
def rendering(begun: tuple[Picie, list[Floats]]) -> Picie:
    """The rendering after its epoch."""
    picie, starts = begun
    order = epoch_order(0, 0, IMAGES)
    picie.cluster(order, starts)
    picie.train(order)
    return picie


@dataclass(frozen=True)
class Ran:
    """What the program left: centroids and labels of both views, losses, the projection."""

    centroids: list[Floats]
    labels: list[Ints]
    losses: list[float]
    weight: Floats
    bias: Floats


@pytest.fixture(scope="module")
def ran(
    cli: Cli,
    people: Path,
    store: Path,
    begun: tuple[Picie, list[Floats]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Ran:
    """The program's epoch, stopped once to look at its targets, then ended."""
    folder = tmp_path_factory.mktemp("picie")
    init, run = folder / "init.h5", folder / "run"
    first, second = (start.astype(np.float32) for start in begun[1])
    with write_clusters(init) as writer:
        sizes = np.ones(CLUSTERS, np.int64)
        writer.finish(Clusters(first, sizes, [], {}, {}, views=(first, second)))
    options = (*FIT, "--batch-size", str(BATCH), "--method", "picie", "--epochs", "1")
    options += ("--lr", str(RATE), "--features", str(store), "--init", str(init))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "LOG_EVERY", 1)
        with stop_after(1):
            assert cli("fit", people, "-o", run, *options).code == 75
        with h5py.File(run / "epoch-0000" / "clusters.h5") as file:
            centroids = [file[f"centroids_{view}"][:].astype(np.float64) for view in VIEWS]
            labels = [
                file[f"assignments_{view}"][:].reshape(IMAGES, -1).astype(np.int64)
                for view in VIEWS
            ]
        cli.ok("fit", people, "-o", run, *options, "--resume")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    tensors = load_file(run / "predictor.safetensors")
    return Ran(
        centroids,
        labels,
        [line["loss_view"] for line in lines if line["kind"] == "step"],
        tensors["model.projection.weight"].astype(np.float64)[:, :, 0, 0],
        tensors["model.projection.bias"].astype(np.float64),
    )


def test_clusters_are_told_apart_in_the_rendering(rendering: Picie) -> None:
    """Else agreement would mean little."""
    for weights, centroids in zip(rendering.weights, rendering.centroids, strict=True):
        assert weights.min() > 0.05
        assert np.linalg.norm(centroids[0] - centroids[1]) > 0.1
    assert (rendering.labels[0] != rendering.labels[1]).mean() > 0.05


def test_both_views_have_the_renderings_centroids(ran: Ran, rendering: Picie) -> None:
    for found, expected in zip(ran.centroids, rendering.centroids, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_both_views_have_the_renderings_labels(ran: Ran, rendering: Picie) -> None:
    for found, expected in zip(ran.labels, rendering.labels, strict=True):
        # A pixel halfway between two centroids may go to either.
        assert (found == expected).mean() > 0.999


def test_every_batch_has_the_renderings_loss(ran: Ran, rendering: Picie) -> None:
    assert len(ran.losses) == 3
    np.testing.assert_allclose(ran.losses, rendering.losses, atol=2e-5)
    assert np.ptp(ran.losses) > 1e-3


def test_the_projection_ends_where_the_renderings_does(ran: Ran, rendering: Picie) -> None:
    start = network_of_the_heads().projection.weight.detach().numpy()[:, :, 0, 0]
    moved = np.abs(rendering.weight.value - start)
    assert np.median(moved) > 0.01
    np.testing.assert_allclose(ran.weight, rendering.weight.value, atol=1e-3)
    np.testing.assert_allclose(ran.bias, rendering.bias.value, atol=1e-3)


@pytest.mark.parametrize("kind", ["within", "cross"])
def test_the_renderings_gradient_is_that_of_its_loss(rendering: Picie, kind: str) -> None:
    """Against finite differences, so that the reference itself is checked."""
    points = unit(np.random.default_rng(0).normal(size=(20, CHANNELS)))
    view = 0 if kind == "within" else 1
    labels = rendering.labels[view][0, :20]
    arguments = (labels, rendering.centroids[view], rendering.weights[view])
    slope = cross_entropy(points, *arguments)[1]
    for row, column in ((0, 0), (7, 3), (19, 15)):
        step = np.zeros_like(points)
        step[row, column] = 1e-6
        up, down = (cross_entropy(points + sign * step, *arguments)[0] for sign in (1, -1))
        assert slope[row, column] == pytest.approx((up - down) / 2e-6, abs=1e-7)
