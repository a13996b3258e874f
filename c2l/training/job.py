"""The parts of one training run, as the epoch loop sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.figure.cache import FigureCache
from c2l.nn.pyramid import dense_side
from c2l.options import FitOptions
from c2l.runtime.streams import epoch_order
from c2l.training.trainer import Trainer
from c2l.training.views import ViewSource

Indices = NDArray[np.int64]
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Job:
    """What the epoch loop works with.

    Attributes:
        trainer: network, optimiser, position.
        views: where the two views come from.
        options: of the run, with the method's modules settled.
        device: of the network.
        start: centroids of both views that start the first epoch, or None.
        figures: the photos' own figures, where the warm-up or the merge needs them.
    """

    trainer: Trainer
    views: ViewSource
    options: FitOptions
    device: torch.device
    start: tuple[Tensor, Tensor] | None
    figures: FigureCache | None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.views.names)

    @property
    def map_bytes(self) -> int:
        """Bytes of the float16 features of all images."""
        side = dense_side(self.options.image_size)
        return self.count * side * side * self.options.fpn_dim * 2

    @property
    def label_bytes(self) -> int:
        """Bytes of the labels of all images in both views."""
        return 2 * self.count * dense_side(self.options.image_size) ** 2

    def groups(self, size: int, epoch: int) -> list[Indices]:
        """The images in an epoch's order, in batches."""
        order = epoch_order(self.options.seed, epoch, self.count)
        return [order[i : i + size] for i in range(0, self.count, size)]

    def passes(self, epoch: int) -> list[Indices]:
        """The images in the mini-batches of a clustering pass."""
        return self.groups(min(self.options.kmeans_batch, self.options.batch_size * 2), epoch)

    def left(self, epoch: int) -> list[Indices]:
        """The batches of an epoch that are not done yet."""
        return self.groups(self.options.batch_size, epoch)[self.trainer.position.batch :]

    def title(self, what: str, epoch: int) -> str:
        """A line's beginning: ``what`` and the epoch, counted from 1 after the warm-up."""
        return f"{what} {epoch - self.options.warmup + 1}/{self.options.epochs}"

    def named(self, group: Indices) -> list[str]:
        """Names of some images."""
        return [self.views.names[int(i)] for i in group]


def prefetch(
    load: Callable[[Indices], Loaded], groups: Sequence[Indices]
) -> Iterator[tuple[Indices, Loaded]]:
    """Batches of images with what is loaded of them, the next two while one is used."""
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(load, group) for group in groups[:2]]
        for position in range(len(groups)):
            ready = pending.pop(0).result()
            if position + 2 < len(groups):
                pending.append(pool.submit(load, groups[position + 2]))
            yield groups[position], ready
