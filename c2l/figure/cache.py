"""Every photo's own figure, guessed once and kept beside the decoded pixels."""

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
from c2l.figure.model import GUESS, figure_evidence, figure_sides
from c2l.figure.place import Places
from c2l.nn.backbone import dense_side
from c2l.runtime.device import to_batch
from c2l.runtime.files import replacing, sha256_file
from c2l.runtime.json_files import read_json, write_json
from c2l.runtime.progress import steps, voice
from c2l.runtime.signals import StopRequest

Indices = NDArray[np.int64]
# Photos whose colour histograms and edges are held at once.
BATCH = 8
# Photos from which it is learned where people stand, at most, evenly spread.
PLACE_PHOTOS = 400
# Middles that spread over more of the width than this bring a warning.
WIDE = 0.35
# Nats between the best and the worst place below which colours say nothing of the place.
LEAST_INFORMATION = 0.01


class FigureCache:
    """Upper and lower of every photo at stride 4, a byte a pixel and side, read by position.

    Args:
        path: the raw file.
        side: of a photo's grid, S / 4.
        device: that figures are wanted on.
    """

    def __init__(self, path: Path, side: int, device: torch.device) -> None:
        self._path, self._side, self._device = path, side, device
        self._file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def sides(self, indices: Indices) -> Tensor:
        """Ground, upper and lower of some photos, (B, 3, S / 4, S / 4) float32.

        Raises:
            BadInputError: the file is shorter than it should be.
        """
        length = 2 * self._side * self._side
        rows = [read_at(self._file, length, int(index), self._path) for index in indices]
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
    key = hashlib.sha256(f"{cache.inputs_sha256} {GUESS}".encode()).hexdigest()[:16]
    final = cache.path.with_name(f"figures-{cache.size}-{key}.u8")
    manifest = final.with_suffix(".json")
    known = read_json(manifest, what="a cache manifest", sealed=True) if _is_there(manifest) else {}
    if not _is_there(final) or known.get("figures_sha256") != sha256_file(final):
        places, known = _learn_places(cache, device, stop)
        content = hashlib.sha256()
        needed = 2 * len(cache) * side * side
        with (
            replacing(final, needed=needed, partial=partial_of(final)) as place,
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
        known["figures_sha256"] = content.hexdigest()
        write_json(manifest, known, sealed=True)
    _report(known)
    return FigureCache(final, side, device)


def _is_there(path: Path) -> bool:
    """Whether a file of the cache is there; what is there and no file is in the way.

    Raises:
        BadInputError: a folder or the like has the file's name.
    """
    if path.exists() and not path.is_file():
        raise BadInputError(path, "is no file", hint="remove it; the cache is made again")
    return path.is_file()


def _learn_places(
    cache: PixelCache, device: torch.device, stop: StopRequest | None
) -> tuple[Places, dict[str, Any]]:
    """Where the people of these photos stand, and what is told of it."""
    chosen = evenly(len(cache), PLACE_PHOTOS)
    evidence = []
    with steps("places", len(chosen)) as bar:
        for group in _groups(len(chosen), stop):
            evidence.append(figure_evidence(to_batch(cache.read(chosen[group]), device)).cpu())
            bar.advance(len(group))
    said = torch.cat(evidence)
    places = Places.learn(said)
    middles = places.find(said)[0]
    range_ = torch.quantile(middles, torch.tensor([0.1, 0.5, 0.9])).tolist()
    tells = (said.amax((1, 2)) - said.amin((1, 2))).median()
    return places, {"middles": [round(m, 4) for m in range_], "information": float(tells)}


def _report(known: dict[str, Any]) -> None:
    """Say where people were found; where that cannot be trusted, say so."""
    first, _, last = known["middles"]
    if known["information"] < LEAST_INFORMATION:
        voice.say("warning: colours do not tell where people stand; the middle is taken")
        return
    text = f"four of five people are found at {100 * first:.0f} to {100 * last:.0f} % of the width"
    if last - first > WIDE:
        text = f"warning: {text}; where it varies so much, more photos are misread"
    voice.say(text)


def _groups(count: int, stop: StopRequest | None) -> Iterator[Indices]:
    for first in range(0, count, BATCH):
        if stop:
            stop.check("stopped while the figures were guessed", AGAIN)
        yield np.arange(first, min(first + BATCH, count))
