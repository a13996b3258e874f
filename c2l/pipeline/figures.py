"""Every photo's own figure, guessed once and kept beside the decoded pixels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.artifacts.files import output_errors, publish
from c2l.clustering.figure import centre_prior, colour_codes, sharpen, split_rows
from c2l.nn.backbone import dense_side
from c2l.pipeline.images import PixelCache
from c2l.pipeline.predictor import to_batch
from c2l.pipeline.progress import steps

Indices = NDArray[np.int64]
# Photos whose colour histograms are held at once.
BATCH = 32


class FigureCache:
    """Probability of the figure for every photo at stride 4, a byte a pixel, read by position."""

    def __init__(self, path: Path, side: int, device: torch.device) -> None:
        self._path, self._side, self._device = path, side, device

    def sides(self, indices: Indices) -> Tensor:
        """Ground, upper and lower of some photos, (B, 3, S / 4, S / 4) float32."""
        length = self._side * self._side
        with self._path.open("rb") as file:
            rows = []
            for index in indices:
                file.seek(int(index) * length)
                rows.append(np.frombuffer(file.read(length), dtype=np.uint8))
        figure = torch.from_numpy(np.stack(rows).reshape(-1, self._side, self._side))
        return split_rows(figure.to(self._device).float() / 255)


def build_figures(cache: PixelCache, device: torch.device) -> FigureCache:
    """Guess every photo's figure; what is there already for the same photos is used.

    Raises:
        OutputError: the file cannot be written.
    """
    side = dense_side(cache.size)
    final = cache.path.with_name(f"figures-{cache.size}-{cache.inputs_sha256[:16]}.u8")
    if not final.exists():
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        prior = centre_prior(side, side).to(device)
        with (
            output_errors(final, needed=len(cache) * side * side),
            partial.open("wb") as file,
            steps("figures", len(cache)) as bar,
        ):
            for first in range(0, len(cache), BATCH):
                group = np.arange(first, min(first + BATCH, len(cache)))
                x = to_batch(cache.read(group), device)
                codes = colour_codes(x, side, side)
                figure = sharpen(codes, prior.expand(len(group), -1, -1))
                file.write((figure * 255).round().to(torch.uint8).cpu().numpy().tobytes())
                bar.advance(len(group))
        publish(partial, final)
    return FigureCache(final, side, device)
