"""cluster: stored features to centroids (k-means) or factors (NMF) and every pixel's cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l import schema
from c2l.artifacts.clusters import Clusters, ClustersWriter, write_clusters
from c2l.artifacts.features import FeatureReader, read_features
from c2l.artifacts.freshness import require_fresh
from c2l.artifacts.lineage import DATA, FEATURES, PREDICTOR, WEIGHTS, as_json, source
from c2l.artifacts.outputs import HDF5, claim, inputs_of
from c2l.clustering.kmeans import MiniBatchKMeans, assign, initial_centroids, sample_size
from c2l.clustering.merge import PositionStatistics, merge_by_border
from c2l.clustering.nmf import activations, factorise
from c2l.errors import BadInputError, UsageError
from c2l.options import ClusterOptions, recorded
from c2l.runtime.device import pick_device
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.progress import Progress, console, progress
from c2l.runtime.streams import Purpose, stream
from c2l.runtime.threads import prepare_cpu
from c2l.scoring.health import predictor_health

# Pixels that NMF is fitted on at most, spread evenly over the images: V stays under 1 GiB
# at 512 channels.
NMF_PIXELS = 400_000


def plan(features: Path, options: ClusterOptions) -> dict[str, Any]:
    """What ``--dry-run`` says."""
    options.check()
    with read_features(features) as reader:
        pixels = int(np.prod(reader.shape[:-1], dtype=np.int64))
        buffered = min(len(reader.names), options.kmeans_batch * options.kmeans_init_batches)
        return {
            "images": len(reader.names),
            "pixels": pixels,
            "disk_bytes": _label_bytes(reader, options),
            "memory_bytes_for_the_start": buffered
            * sample_size(options, options.clusters, buffered)
            * reader.channels
            * 4,
            "device": str(pick_device(options.device)),
        }


def _label_bytes(reader: FeatureReader, options: ClusterOptions) -> int:
    pixels = int(np.prod(reader.shape[:-1], dtype=np.int64))
    return pixels * (1 if options.clusters <= 256 else 2)


def cluster(
    features: Path, output: Path, options: ClusterOptions, *, overwrite: bool = False
) -> Path:
    """Cluster a feature store.

    Returns:
        The path of the clusters file.

    Raises:
        BadInputError: the store is missing, damaged, stale, or cannot be clustered this way.
        UsageError: the output exists; fewer pixels than clusters; options that do not fit.
        OutputError: the output cannot be written.
        LockedError: another process writes it.
    """
    options.check()
    inputs = inputs_of(options, features)
    with claim(output, overwrite=overwrite, starts=HDF5, inputs=inputs):
        return _cluster(features, output, options)


def _cluster(features: Path, output: Path, options: ClusterOptions) -> Path:
    prepare_cpu()
    device = pick_device(options.device)
    with ExitStack() as stack:
        with unchanged(features):
            reader = stack.enter_context(read_features(features))
            digest = sha256_file(features)
        require_fresh(features, (DATA, WEIGHTS, PREDICTOR))
        _check(reader, options)
        if options.method == "nmf":
            centroids, objective = _fit_nmf(reader, options, device)
            views = None
        else:
            centroids, objective = _fit_kmeans(reader, options, device, schema.FEATURES)
            views = _fit_views(reader, options, device)
        with write_clusters(output, needed=_label_bytes(reader, options)) as writer:
            counts, groups = _assign_all(reader, writer, centroids, options)
            writer.finish(
                Clusters(
                    centroids=_in_full_space(reader, centroids).cpu().numpy(),
                    counts=counts,
                    objective=objective,
                    config={**recorded(options), "features": reader.config},
                    attributes=_attributes(reader, digest),
                    views=views,
                    groups=groups,
                    names=reader.names,
                )
            )
    return output


def _check(reader: FeatureReader, options: ClusterOptions) -> None:
    pixels = int(np.prod(reader.shape[:-1], dtype=np.int64))
    if pixels < options.clusters:
        raise UsageError(
            f"--clusters {options.clusters}: {reader.path} holds only {pixels} pixels",
            hint="choose fewer clusters",
        )
    if options.merge_clusters != "none" and reader.sampled:
        raise UsageError("--merge-clusters needs whole maps, not --pixels-per-image")
    if options.method == "nmf":
        if reader.has_pca or reader.read(0).min() < 0:
            raise BadInputError(
                reader.path,
                "NMF needs non-negative features",
                hint="extract a stage of a backbone that ends in ReLU, such as resnet18: "
                "c2l extract DATA -o features.h5 --layer layer4",
            )
        if options.clusters > reader.channels:
            raise UsageError(f"--clusters {options.clusters}: more than {reader.channels} channels")


def _points(reader: FeatureReader, index: int, name: str, device: torch.device) -> Tensor:
    """Normalised features of an image, (P, C) float32; principal components unchanged."""
    points = torch.from_numpy(reader.read(index, name)).to(device).float()
    return points if reader.has_pca else F.normalize(points, dim=1)


def _start_points(
    reader: FeatureReader, options: ClusterOptions, device: torch.device, name: str
) -> NDArray[np.float32]:
    """Random pixels of the images that are buffered for the initial k-means."""
    images = min(len(reader.names), options.kmeans_batch * options.kmeans_init_batches)
    wanted = sample_size(options, options.clusters, images)
    count = min(wanted, int(np.prod(reader.shape[1:-1])))
    rows = np.empty((images * count, reader.channels), dtype=np.float32)
    for index in range(images):
        points = _points(reader, index, name, device).cpu().numpy()
        generator = stream(options.seed, Purpose.INIT, 0, index)
        chosen = np.sort(generator.choice(len(points), count, replace=False))
        rows[index * count : (index + 1) * count] = points[chosen]
    return rows


def _fit_kmeans(
    reader: FeatureReader, options: ClusterOptions, device: torch.device, name: str
) -> tuple[Tensor, list[float]]:
    start = initial_centroids(
        _start_points(reader, options, device, name),
        options.clusters,
        iterations=options.kmeans_iterations,
        seed=options.seed,
        device=device,
    )
    means = MiniBatchKMeans.start(torch.from_numpy(start.centroids).to(device))
    with progress("k-means", len(reader.names)) as bar:
        batches = _batches_of_points(reader, options.kmeans_batch, name, device, bar)
        means.update_as_one(islice(batches, options.kmeans_init_batches))
        for batch in batches:
            means.update(batch)
    return means.centroids, [*start.objective, means.inertia]


def _batches_of_points(
    reader: FeatureReader, size: int, name: str, device: torch.device, bar: Progress
) -> Iterator[Tensor]:
    count = len(reader.names)
    for first in range(0, count, size):
        group = range(first, min(first + size, count))
        yield torch.cat([_points(reader, i, name, device) for i in group])
        bar.advance(len(group))


def _fit_views(
    reader: FeatureReader, options: ClusterOptions, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Centroids of each view, where the store has them: ``fit --init`` starts from these."""
    if not reader.has_views:
        return None
    first, _ = _fit_kmeans(reader, options, device, schema.FEATURES_VIEW1)
    second, _ = _fit_kmeans(reader, options, device, schema.FEATURES_VIEW2)
    return (
        _in_full_space(reader, first).cpu().numpy(),
        _in_full_space(reader, second).cpu().numpy(),
    )


def _fit_nmf(
    reader: FeatureReader, options: ClusterOptions, device: torch.device
) -> tuple[Tensor, list[float]]:
    share = max(1, NMF_PIXELS // len(reader.names))
    images = np.unique(np.linspace(0, len(reader.names) - 1, NMF_PIXELS).astype(np.int64))
    rows = []
    for index in images:
        values = reader.read(int(index)).astype(np.float32)
        if len(values) > share:
            generator = stream(options.seed, Purpose.INIT, 0, int(index))
            values = values[generator.choice(len(values), share, replace=False)]
        rows.append(values)
    result = factorise(
        torch.from_numpy(np.concatenate(rows)).to(device),
        options.clusters,
        iterations=options.nmf_iterations,
        tolerance=options.nmf_tolerance,
        generator=torch.Generator().manual_seed(options.seed),
    )
    return result.factors_KC, result.errors


def _assign_all(
    reader: FeatureReader, writer: ClustersWriter, centroids: Tensor, options: ClusterOptions
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Every pixel's cluster, their counts, and the label-free merge when asked for."""
    inner = reader.shape[1:-1]
    writer.assignments(len(reader.names), inner, options.clusters)
    counts = np.zeros(options.clusters, dtype=np.int64)
    positions = PositionStatistics(options.clusters)
    with progress("assign", len(reader.names)) as bar:
        for index in range(len(reader.names)):
            if options.method == "nmf":
                values = torch.from_numpy(reader.read(index)).to(centroids.device).float()
                labels = activations(values, centroids).argmax(1)
            else:
                points = _points(reader, index, schema.FEATURES, centroids.device)
                labels = assign(points, centroids)
            found = labels.cpu().numpy().reshape(inner)
            writer.store(index, found)
            counts += np.bincount(found.ravel(), minlength=options.clusters)
            if options.merge_clusters == "border":
                positions.add(found[None])
            bar.advance()
    groups = None
    if options.merge_clusters == "border":
        groups = merge_by_border(positions, options.merge_threshold)
    for what in predictor_health(counts, groups)["collapsed"]:
        console.print(f"warning: {what}")
    return counts, groups


def _in_full_space(reader: FeatureReader, centroids: Tensor) -> Tensor:
    """Centroids of principal components as centroids of the features themselves.

    What lies outside the components' space is the same for every centroid's distance, so the
    nearest one stays the nearest.
    """
    if not reader.has_pca:
        return centroids
    components, mean = reader.projection()
    back = torch.from_numpy(components).to(centroids.device)
    return centroids @ back + torch.from_numpy(mean).to(centroids.device)


def _attributes(reader: FeatureReader, digest: str) -> dict[str, str]:
    """Hashes and inputs; the network's weights stay an input, since eval and render need them."""
    network = [s for s in reader.lineage if s.role in (WEIGHTS, PREDICTOR)]
    made_from = [source(FEATURES, reader.path, digest), *network]
    kept = (schema.ATTR_INPUTS, schema.ATTR_BACKBONE, schema.ATTR_WEIGHTS)
    attributes = {name: reader.attribute(name) for name in kept}
    attributes[schema.ATTR_WEIGHTS_SHA256] = reader.attribute(schema.ATTR_WEIGHTS_SHA256)
    attributes[schema.ATTR_LINEAGE] = json.dumps(as_json(made_from))
    return {**attributes, "features_sha256": digest}
