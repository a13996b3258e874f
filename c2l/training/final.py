"""The end of a run: k-means on the photos as they are, the label-free merge, the predictor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.predictor import Groups, StoredPredictor, write_predictor
from c2l.clustering.merge import (
    FigureStatistics,
    PositionStatistics,
    figure_shares,
    merge_by_border,
    merge_by_figure,
    merge_ground,
)
from c2l.clustering.mixture import Discriminant
from c2l.errors import UsageError
from c2l.model.classifier import Centroids, Classifier, Mixture
from c2l.options import names_parts, recorded
from c2l.runtime.device import precision
from c2l.runtime.progress import steps, voice
from c2l.scoring.health import predictor_health
from c2l.training.job import Indices, Job, prefetch
from c2l.training.mixture import mixture_pass
from c2l.training.passes import ViewClustering, cluster_pass, feature_buffer

Shares = NDArray[np.float32]


@torch.no_grad()
def store_predictor(job: Job) -> None:
    """A fresh k-means on un-augmented images, and the label-free merge when asked for."""
    options = job.options
    job.trainer.net.eval()
    classifier: Classifier
    if options.final_clusters == "mixture":
        mixture, counts = _fit_mixture(job)
        classifier = Mixture(mixture.means, counts, mixture.weights, mixture.bias)
        # The components are the parts.
        groups: NDArray[np.uint8] | None = np.arange(len(schema.PARTS), dtype=np.uint8)
        shares: Shares | None = (
            np.eye(len(schema.PARTS), dtype=np.float32) if options.sharpen else None
        )
    else:
        positions = PositionStatistics(options.clusters)
        figures = FigureStatistics(options.clusters)
        found = _cluster_plain(job, positions, figures)
        classifier, counts = Centroids(found.centroids, found.counts), found.counts
        groups, shares = _merge(job, positions, figures)
    record = predictor_health(
        counts.cpu().numpy(), groups, named=names_parts(options), shares=shares
    )
    for what in record["collapsed"]:
        voice.say(f"warning: the predictor: {what}")
    job.trainer.run.log({"kind": "predictor", **record})
    write_predictor(
        job.trainer.run.predictor,
        StoredPredictor(
            network=job.trainer.net.state_dict(),
            classifier=classifier.kind,
            names=classifier.names,
            tensors=classifier.tensors(),
            groups=None if groups is None else Groups(groups, names_parts(options)),
            shares=None if shares is None else torch.from_numpy(shares),
            config=recorded(options),
        ),
    )


def _encoder(job: Job) -> Callable[[Any], Tensor]:
    """From loaded photos to the features that are clustered."""

    def encode(loaded: Any) -> Tensor:
        job.trainer.leave_if_asked()
        m = job.views.plain(job.trainer.net, loaded)
        with precision(job.device, job.options.amp):
            return job.trainer.net.embed(m)[0]

    return encode


def _fit_mixture(job: Job) -> tuple[Discriminant, Tensor]:
    """The mixture of all photos, and the pixels of its components."""
    if job.figures is None:
        raise UsageError("--final-clusters mixture needs photos")
    epoch = job.options.warmup + job.options.epochs
    groups, encode = job.passes(epoch), _encoder(job)
    load = partial(job.views.load, epoch=epoch, views=())
    with (
        steps("final mixture", job.count) as bar,
        feature_buffer(job.trainer.run.scratch / "plain.f16", job.device, job.map_bytes) as buffer,
    ):
        return mixture_pass(
            (encode(loaded) for _, loaded in prefetch(load, groups)),
            groups,
            job.figures.sides,
            job.options.mixture_iterations,
            buffer=buffer,
            store=lambda group, labels: job.trainer.leave_if_asked(),
            bar=bar,
        )


def _cluster_plain(
    job: Job, positions: PositionStatistics, figures: FigureStatistics
) -> ViewClustering:
    """The clustering of all photos; its statistics are added to the last two arguments."""
    options = job.options
    epoch = options.warmup + options.epochs

    def store(group: Indices, labels: NDArray[np.uint8]) -> None:
        job.trainer.leave_if_asked()
        positions.add(labels)
        if job.figures is not None:
            figures.add(labels, job.figures.sides(group).cpu().numpy())

    groups, encode = job.passes(epoch), _encoder(job)
    load = partial(job.views.load, epoch=epoch, views=())
    scratch = job.trainer.run.scratch / "plain.f16"
    with (
        steps("final k-means", job.count) as bar,
        feature_buffer(scratch, job.device, job.map_bytes) as buffer,
    ):
        return cluster_pass(
            (encode(loaded) for _, loaded in prefetch(load, groups)),
            groups,
            options.clusters,
            options,
            seed=options.seed,
            epoch=epoch,
            buffer=buffer,
            store=store,
            bar=bar,
        )


def _merge(
    job: Job, positions: PositionStatistics, figures: FigureStatistics
) -> tuple[NDArray[np.uint8] | None, Shares | None]:
    """The part of each cluster, and each part's share in it where predictions are sharpened."""
    options = job.options
    if options.merge_clusters == "border":
        return merge_by_border(positions, options.merge_threshold), None
    if options.merge_clusters == "figure":
        return merge_by_figure(figures), figure_shares(figures) if options.sharpen else None
    if options.merge_clusters == "ground":
        return merge_ground(figures), None
    return None, None
