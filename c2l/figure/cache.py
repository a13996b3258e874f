"""The figures of all photos, computed once and cached beside the decoded pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l.data.cache import AGAIN, PixelCache, partial_of, read_at
from c2l.data.decoding import evenly
from c2l.errors import BadInputError
from c2l.figure.model import FIGURE_VERSION, figure_evidence, figure_parts
from c2l.figure.place import Places
from c2l.nn.pyramid import dense_side
from c2l.runtime.device import to_batch, upload
from c2l.runtime.files import replacing, sha256_file
from c2l.runtime.json_files import read_json, write_json
from c2l.runtime.progress import console, progress
from c2l.runtime.signals import StopRequest

Indices = NDArray[np.int64]
# Photos whose colour histograms and edges are in memory at once.
BATCH = 8
# Most photos that places are learned from, evenly spread over the data set.
PLACE_PHOTOS = 400
# Warn if four fifths of the centres span more than this, relative to the width.
WIDE_SPAN = 0.35
# Warn if the evidence for the best and the worst place differs by less than this, in nats.
LEAST_INFORMATION = 0.01


class FigureCache:
    """Upper and lower of every photo at stride 4, one byte per pixel and part, read by index.

    Args:
        path: the raw file.
        side: side of the grid of a photo, S / 4.
        device: device of the returned tensors.
    """

    def __init__(self, path: Path, side: int, device: torch.device) -> None:
        self._path, self._side, self._device = path, side, device
        self._file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def parts(self, indices: Indices) -> Tensor:
        """Probabilities of background, upper and lower, (B, 3, S / 4, S / 4) float32.

        Raises:
            BadInputError: the file is too short.
        """
        length = 2 * self._side * self._side
        rows = [read_at(self._file, length, int(index), self._path) for index in indices]
        stored = upload(np.stack(rows).reshape(-1, 2, self._side, self._side), self._device)
        figure = stored.float() / 255
        return torch.cat([(1 - figure.sum(1, True)).clamp_min(0), figure], 1)


def build_figures(
    cache: PixelCache, device: torch.device, stop: StopRequest | None = None
) -> FigureCache:
    """Compute the figures of all photos, or reuse an intact cache of the same photos.

    Raises:
        BadInputError: a folder or special file has the name of the cache.
        OutputError: the file cannot be written.
        StoppedError: a signal was received.
    """
    side = dense_side(cache.size)
    key = hashlib.sha256(f"{cache.inputs_sha256} {FIGURE_VERSION}".encode()).hexdigest()[:16]
    final = cache.path.with_name(f"figures-{cache.size}-{key}.u8")
    manifest = final.with_suffix(".json")
    known = read_json(manifest, what="a cache manifest", sealed=True) if _exists(manifest) else {}
    if not _exists(final) or known.get("figures_sha256") != sha256_file(final):
        places, known = _learn_places(cache, device, stop)
        content = hashlib.sha256()
        needed = 2 * len(cache) * side * side
        with (
            replacing(final, needed=needed, partial=partial_of(final)) as partial,
            partial.open("wb") as file,
            progress("figures", len(cache)) as bar,
        ):
            for batch in _batches(len(cache), stop):
                parts = figure_parts(to_batch(cache.read(batch), device), places)
                small = F.interpolate(parts[:, 1:], (side, side), mode="area")
                stored = (small * 255).round().to(torch.uint8).cpu().numpy().tobytes()
                file.write(stored)
                content.update(stored)
                bar.advance(len(batch))
        known["figures_sha256"] = content.hexdigest()
        write_json(manifest, known, sealed=True)
    _report(known)
    return FigureCache(final, side, device)


def _exists(path: Path) -> bool:
    """Whether a file of the cache exists.

    Raises:
        BadInputError: a folder or special file has its name.
    """
    if path.exists() and not path.is_file():
        raise BadInputError(path, "is not a file", hint="remove it; the cache is made again")
    return path.is_file()


def _learn_places(
    cache: PixelCache, device: torch.device, stop: StopRequest | None
) -> tuple[Places, dict[str, Any]]:
    """The places of the people in these photos, and the values that ``_report`` shows."""
    chosen = evenly(len(cache), PLACE_PHOTOS)
    evidence = []
    with progress("places", len(chosen)) as bar:
        for batch in _batches(len(chosen), stop):
            evidence.append(figure_evidence(to_batch(cache.read(chosen[batch]), device)).cpu())
            bar.advance(len(batch))
    evidence_BSC = torch.cat(evidence)
    places = Places.learn(evidence_BSC)
    centres = places.find(evidence_BSC)[0]
    quantiles = torch.quantile(centres, torch.tensor([0.1, 0.5, 0.9])).tolist()
    information = (evidence_BSC.amax((1, 2)) - evidence_BSC.amin((1, 2))).median()
    return places, {
        "middles": [round(q, 4) for q in quantiles],
        "information": float(information),
    }


def _report(known: dict[str, Any]) -> None:
    """Print where people were found, with a warning if that is unreliable."""
    first, _, last = known["middles"]
    if known["information"] < LEAST_INFORMATION:
        console.print("warning: colours do not show where people stand; assuming the middle")
        return
    where = f"{100 * first:.0f} to {100 * last:.0f}"
    if last - first < 0.01:
        where = f"{100 * last:.0f}"
    text = f"80 % of the people stand at {where} % of the width"
    if last - first > WIDE_SPAN:
        text = f"warning: {text}; with such a wide range more figures are wrong"
    console.print(text)


def _batches(count: int, stop: StopRequest | None) -> Iterator[Indices]:
    for first in range(0, count, BATCH):
        if stop:
            stop.check("stopped while computing the figures", AGAIN)
        yield np.arange(first, min(first + BATCH, count))
