"""Every photo's own figure, guessed once and kept beside the decoded pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.artifacts.files import replacing
from c2l.clustering.figure import figure_evidence, figure_sides
from c2l.clustering.place import Places
from c2l.nn.backbone import dense_side
from c2l.pipeline.images import AGAIN, PixelCache, partial_of
from c2l.pipeline.predictor import to_batch
from c2l.pipeline.progress import steps, voice
from c2l.pipeline.signals import StopRequest

Indices = NDArray[np.int64]
# Photos whose colour histograms and edges are held at once.
BATCH = 8
# Photos from which it is learned where people stand, at most, evenly spread.
PLACE_PHOTOS = 400
# Middles that spread wider than this over the width are found photo by photo.
WIDE = 0.5
# Bytes that are hashed at once.
CHUNK = 2**20


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


def build_figures(
    cache: PixelCache, device: torch.device, stop: StopRequest | None = None
) -> FigureCache:
    """Guess every photo's figure; what is there already for the same photos, and sound, is used.

    Raises:
        OutputError: the file cannot be written.
        StoppedError: a signal came.
    """
    side = dense_side(cache.size)
    # The digest of the content stands at its end.
    final = cache.path.with_name(f"figures-{cache.size}-{cache.inputs_sha256[:16]}.u8")
    length = 2 * len(cache) * side * side
    if not _sound(final, length):
        places = _learn_places(cache, device, stop)
        content = hashlib.sha256()
        with (
            replacing(final, needed=length, partial=partial_of(final)) as place,
            place.open("wb") as file,
            steps("figures", len(cache)) as bar,
        ):
            for group in _groups(len(cache), stop):
                sides = figure_sides(to_batch(cache.read(group), device), places)
                small = F.interpolate(sides[:, 1:], (side, side), mode="area")
                found = (small * 255).round().to(torch.uint8).cpu().numpy().tobytes()
                file.write(found)
                content.update(found)
                bar.advance(len(group))
            file.write(content.digest())
    return FigureCache(final, side, device)


def _sound(path: Path, length: int) -> bool:
    """Whether a file of figures is there, whole and as it was written."""
    content = hashlib.sha256()
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != length + content.digest_size:
                return False
            for first in range(0, length, CHUNK):
                content.update(file.read(min(CHUNK, length - first)))
            return file.read() == content.digest()
    except FileNotFoundError:
        return False


def _learn_places(cache: PixelCache, device: torch.device, stop: StopRequest | None) -> Places:
    """Where the people of these photos stand, and a line about it."""
    chosen = np.linspace(0, len(cache) - 1, min(len(cache), PLACE_PHOTOS)).round().astype(np.int64)
    evidence = []
    with steps("places", len(chosen)) as bar:
        for group in _groups(len(chosen), stop):
            evidence.append(figure_evidence(to_batch(cache.read(chosen[group]), device)).cpu())
            bar.advance(len(group))
    places = Places.learn(torch.cat(evidence))
    first, last = places.range()
    text = f"most people stand at {100 * first:.0f} to {100 * last:.0f} % of the photos' width"
    if last - first > WIDE:
        text += "; so wide a range makes their figures less certain"
    voice.say(text)
    return places


def _groups(count: int, stop: StopRequest | None) -> Iterator[Indices]:
    for first in range(0, count, BATCH):
        if stop:
            stop.check("stopped while the figures were guessed", AGAIN)
        yield np.arange(first, min(first + BATCH, count))
