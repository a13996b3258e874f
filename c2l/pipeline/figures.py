"""Every photo's own figure, guessed once and kept beside the decoded pixels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.artifacts.files import output_errors, publish
from c2l.clustering.figure import figure_sides
from c2l.nn.backbone import dense_side
from c2l.pipeline.images import PixelCache
from c2l.pipeline.predictor import to_batch
from c2l.pipeline.progress import steps

Indices = NDArray[np.int64]
# Photos whose colour histograms and edges are held at once.
BATCH = 8


class FigureCache:
    """Upper and lower of every photo at stride 4, a byte a pixel and side, read by position."""

    def __init__(self, path: Path, side: int, device: torch.device) -> None:
        self._path, self._side, self._device = path, side, device

    def sides(self, indices: Indices) -> Tensor:
        """Ground, upper and lower of some photos, (B, 3, S / 4, S / 4) float32."""
        length = 2 * self._side * self._side
        with self._path.open("rb") as file:
            rows = []
            for index in indices:
                file.seek(int(index) * length)
                rows.append(np.frombuffer(file.read(length), dtype=np.uint8))
        stored = torch.from_numpy(np.stack(rows).reshape(-1, 2, self._side, self._side))
        figure = stored.to(self._device).float() / 255
        return torch.cat([(1 - figure.sum(1, True)).clamp_min(0), figure], 1)


def build_figures(cache: PixelCache, device: torch.device) -> FigureCache:
    """Guess every photo's figure; what is there already for the same photos is used.

    Raises:
        OutputError: the file cannot be written.
    """
    side = dense_side(cache.size)
    final = cache.path.with_name(f"sides-{cache.size}-{cache.inputs_sha256[:16]}.u8")
    if not final.exists():
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        with (
            output_errors(final, needed=2 * len(cache) * side * side),
            partial.open("wb") as file,
            steps("figures", len(cache)) as bar,
        ):
            for first in range(0, len(cache), BATCH):
                group = np.arange(first, min(first + BATCH, len(cache)))
                sides = figure_sides(to_batch(cache.read(group), device))
                small = F.interpolate(sides[:, 1:], (side, side), mode="area")
                file.write((small * 255).round().to(torch.uint8).cpu().numpy().tobytes())
                bar.advance(len(group))
        publish(partial, final)
    return FigureCache(final, side, device)
