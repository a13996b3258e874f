"""Mini-batch k-means over points that lie on several ranks, the same bits for any number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from c2l.clustering.kmeans import MiniBatchKMeans
from c2l.runtime.ranks import ALONE, Ranks

# Every float16 is a multiple of 2^-24: sums of points are exact in int64, and so do not depend on
# their order, for 2^39 points of unit length.
FRACTION = 1 << 24


@dataclass
class RankedKMeans(MiniBatchKMeans):
    """Mini-batch k-means whose sums and counts are exact and over all ranks.

    Points are float16, in the same groups for any number of ranks: rounding in the products that
    assign them depends on how many there are.

    Attributes:
        ranks: that hold the points; all of them update together.
    """

    ranks: Ranks = ALONE

    @classmethod
    def over(cls, ranks: Ranks, start_KC: Tensor) -> RankedKMeans:
        """From initial centroids, the same on all ranks."""
        began = MiniBatchKMeans.start(start_KC)
        return cls(began.centroids, began.counts, began.half_inertia, ranks)

    def _sums(self, rows_PC: Tensor, labels_P: Tensor) -> Tensor:
        sums = self._nothing()
        return sums.index_add_(0, labels_P, (rows_PC.float() * FRACTION).to(torch.int64))

    def _nothing(self) -> Tensor:
        return torch.zeros_like(self.centroids, dtype=torch.int64)

    def _move(self, sums: Tensor, batch_counts: Tensor) -> None:
        total = self.ranks.sum(torch.cat([sums, batch_counts[:, None]], dim=1))
        super()._move((total[:, :-1].double() / FRACTION).float(), total[:, -1])
