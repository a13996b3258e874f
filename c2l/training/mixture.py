"""The last clustering as a mixture: its first responsibilities are the photos' own figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.kmeans import count_labels
from c2l.clustering.mixture import Discriminant, MixtureSums, expectation_maximisation
from c2l.errors import UsageError
from c2l.runtime.progress import Steps
from c2l.training.passes import FeatureBuffer

Indices = NDArray[np.int64]


def mixture_pass(
    features: Iterable[Tensor],
    groups: Sequence[Indices],
    sides: Callable[[Indices], Tensor],
    iterations: int,
    *,
    buffer: FeatureBuffer,
    store: Callable[[Indices, NDArray[np.uint8]], None],
    bar: Steps,
) -> tuple[Discriminant, Tensor]:
    """Fit a mixture to the features of all images, then label them.

    Args:
        features: (B, C, h, w), normalised, of each of the groups in turn.
        groups: the images in mini-batches.
        sides: images' indices to (B, K, h', w') probabilities of each component.
        iterations: of expectation maximisation after the first fit, which is to the sides.
        buffer: where the features are kept between the passes.
        store: takes the images' indices and their labels, (B, h, w) uint8.
        bar: counts images.

    Returns:
        The mixture, and (K,) int64 pixels of each component.
    """
    sums: MixtureSums | None = None
    grid = (0, 0)
    for group, found in zip(groups, features, strict=True):
        grid = (found.shape[2], found.shape[3])
        points = found.permute(0, 2, 3, 1).flatten(0, 2)
        given = F.interpolate(sides(group).to(found.device), grid, mode="area")
        sums = sums or MixtureSums(given.shape[1], found.shape[1], points.device)
        given = (given / given.sum(1, True)).permute(0, 2, 3, 1).flatten(0, 2)
        sums.add(points, given)
        buffer.append(points)
        bar.advance(len(group))
    if sums is None:
        raise UsageError("there are no images to cluster")
    mixture = expectation_maximisation(sums.fit(), (iter(buffer) for _ in range(iterations)))
    components = len(mixture.bias)
    counts = torch.zeros(components, dtype=torch.int64, device=mixture.bias.device)
    for group, batch in zip(groups, buffer, strict=True):
        labels = mixture.scores(batch).argmax(1)
        counts += count_labels(labels, components)
        store(group, labels.view(len(group), *grid).to(torch.uint8).cpu().numpy())
    return mixture, counts
