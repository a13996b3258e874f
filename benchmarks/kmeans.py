"""k-means of 1M x 128 points in memory: centroids, then every point's cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans as Sklearn

from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids
from c2l.options import KMeansOptions
from c2l.runtime.pool import worker_count
from c2l.runtime.threads import prepare_cpu

from .compare import Row, seconds
from .samples import points

COUNT = 1_000_000
# What a stored image of 80 x 80 makes of the default mini-batch of 192 images.
BATCH = 192 * 80 * 80
OPTIONS = KMeansOptions()
Points = NDArray[np.float32]
SKLEARN = {"scikit-learn": 1024, "scikit-learn, batch 8192": 8192}


def ours(x: Points, clusters: int) -> Points:
    """The product's steps; see ``c2l/stages/cluster.py``."""
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(x), min(len(x), OPTIONS.kmeans_points), replace=False))
    start = initial_centroids(
        x[chosen], clusters, iterations=OPTIONS.kmeans_iterations, seed=0
    ).centroids
    whole = torch.from_numpy(x)
    means = MiniBatchKMeans.start(torch.from_numpy(start))
    for first in range(0, len(x), BATCH):
        means.update(whole[first : first + BATCH])
    assign(whole, means.centroids)
    return means.centroids.numpy()


def _faiss(x: Points, clusters: int) -> Points:
    trainer: Any = faiss.Kmeans(x.shape[1], clusters, seed=0, max_points_per_centroid=len(x))
    trainer.train(x)
    trainer.assign(x)
    return np.asarray(trainer.centroids, np.float32)


def _sklearn(x: Points, clusters: int, batch: int) -> Points:
    model = Sklearn(clusters, batch_size=batch, random_state=0).fit(x)
    return np.asarray(model.cluster_centers_, np.float32)


def _inertia(x: Points, centroids: Points) -> float:
    running = MiniBatchKMeans.start(torch.from_numpy(centroids))
    running.update(torch.from_numpy(x))
    return running.inertia


def measure(store: Path, rounds: int, clusters: tuple[int, ...] = (3, 27, 256)) -> list[Row]:
    """Speed over each peer, with the inertia of both."""
    prepare_cpu()
    faiss.omp_set_num_threads(worker_count())
    x = points(store, COUNT)
    rows = []
    for k in clusters:
        found: dict[str, Points] = {}

        def keep(name: str, run: Any, *arguments: Any, found: Any = found) -> Any:
            return lambda: found.update({name: run(*arguments)})

        took = seconds(
            {
                "ours": keep("ours", ours, x, k),
                "faiss.Kmeans, all points": keep("faiss.Kmeans, all points", _faiss, x, k),
                **{name: keep(name, _sklearn, x, k, size) for name, size in SKLEARN.items()},
            },
            rounds,
        )
        inertia = {name: _inertia(x, centroids) for name, centroids in found.items()}
        for name in list(took)[1:]:
            higher = inertia["ours"] / inertia[name]
            rows.append(
                Row(
                    f"k-means, K = {k}, {len(x)} x {x.shape[1]}",
                    name,
                    took[name] / took["ours"] if higher <= 1.01 else 0.0,
                    5.0 if name in SKLEARN else 1.0,
                    True,
                    f"{took['ours']:.2f} s against {took[name]:.2f} s, "
                    f"inertia {100 * (higher - 1):+.2f} %",
                )
            )
    return rows
