"""The end of a run: k-means on the photos as they are, the label-free merge, the predictor."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.clustering.merge import (
    FigureStatistics,
    PositionStatistics,
    figure_shares,
    merge_by_border,
    merge_by_figure,
    merge_ground,
)
from c2l.options import NAMED_MERGES, recorded
from c2l.pipeline.device import precision
from c2l.pipeline.health import predictor_health
from c2l.pipeline.job import Indices, Job
from c2l.pipeline.predictor import save_predictor
from c2l.pipeline.progress import steps, voice
from c2l.pipeline.targets import ViewClustering, cluster_pass, feature_buffer

Groups = NDArray[np.uint8]
Shares = NDArray[np.float32]


@torch.no_grad()
def store_predictor(job: Job) -> None:
    """A fresh k-means on un-augmented images, and the label-free merge when asked for."""
    options = job.options
    job.trainer.net.eval()
    positions = PositionStatistics(options.clusters)
    figures = FigureStatistics(options.clusters)
    found = _cluster_plain(job, positions, figures)
    groups, shares = _merge(job, positions, figures)
    record = predictor_health(
        found.counts.cpu().numpy(), groups, named=options.merge_clusters in NAMED_MERGES
    )
    for what in record["collapsed"]:
        voice.say(f"warning: the predictor: {what}")
    job.trainer.run.log({"kind": "predictor", **record})
    save_predictor(
        job.trainer.run.predictor,
        job.trainer.net,
        found.centroids,
        found.counts,
        groups,
        shares,
        recorded(options),
    )


def _cluster_plain(
    job: Job, positions: PositionStatistics, figures: FigureStatistics
) -> ViewClustering:
    """The clustering of all photos; its statistics are added to the last two arguments."""
    net, options = job.trainer.net, job.options
    epoch = options.warmup + options.epochs

    def encode(group: Indices) -> Tensor:
        job.trainer.leave_if_asked()
        m = job.views.plain(net, job.views.load(group))
        with precision(job.device, options.amp):
            return net.embed(m)[0]

    def store(group: Indices, labels: NDArray[np.uint8]) -> None:
        job.trainer.leave_if_asked()
        positions.add(labels)
        if job.figures is not None:
            figures.add(labels, job.figures.sides(group).cpu().numpy())

    scratch = job.trainer.run.scratch / "plain.f16"
    with (
        steps("final k-means", job.count) as bar,
        feature_buffer(scratch, job.device, job.map_bytes) as buffer,
    ):
        return cluster_pass(
            encode,
            job.passes(epoch),
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
) -> tuple[Groups | None, Shares | None]:
    """The part of each cluster, and each part's share in it where predictions are sharpened."""
    options = job.options
    if options.merge_clusters == "border":
        return merge_by_border(positions, options.merge_threshold), None
    if options.merge_clusters == "figure":
        return merge_by_figure(figures), figure_shares(figures) if options.sharpen else None
    if options.merge_clusters == "ground":
        return merge_ground(figures), None
    return None, None
