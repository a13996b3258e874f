"""Where the two views come from: photos, or stored features of a frozen backbone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.features import FeatureReader
from c2l.data.cache import PixelCache
from c2l.figure.cache import FigureCache
from c2l.nn.augment import geometric, photometric
from c2l.nn.network import ParsingNetwork
from c2l.nn.views import ViewParameters, view_parameters
from c2l.runtime.device import free_bytes, precision, send, upload
from c2l.runtime.ranks import Ranks
from c2l.runtime.streams import Purpose

Indices = NDArray[np.int64]
Loaded = TypeVar("Loaded")
# Photos that are copied into a GPU's memory at once.
COPIED = 256
VIEW_FEATURES = (schema.FEATURES_VIEW1, schema.FEATURES_VIEW2)


class ViewSource(Protocol):
    """What the training loop asks for; ``load`` is host work that runs ahead in a thread."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""

    def load(self, indices: Indices, epoch: int, views: Sequence[int]) -> Any:
        """What ``view`` needs of some images, or without views what ``plain`` does."""

    def view(self, net: ParsingNetwork, loaded: Any, view: int) -> Tensor:
        """m of one view on the grid that both views share, (B, C, h, w) float32."""

    def plain(self, net: ParsingNetwork, loaded: Any) -> Tensor:
        """m of the images without augmentation, (B, C, h, w)."""


@dataclass(frozen=True)
class LoadedPhotos:
    """A batch of photos on the device.

    Attributes:
        pixels: (B, 3, S, S) uint8.
        parameters: of their views.
        part_probs: (B, 3, S / 4, S / 4) float32 of background, upper and lower, in the warm-up.
    """

    pixels: Tensor
    parameters: ViewParameters
    part_probs: Tensor | None = None


class PhotoViews:
    """Both views made from cached photos (Eq. 5), the same in clustering and training."""

    def __init__(self, cache: PixelCache, seed: int, device: torch.device, amp: str) -> None:
        self.cache, self.seed, self.device, self.amp = cache, seed, device, amp
        self.resident = resident_pixels(cache, device)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""
        return self.cache.names

    def load(self, indices: Indices, epoch: int, views: Sequence[int] = (0, 1)) -> LoadedPhotos:
        """The photos and the parameters of both views."""
        return LoadedPhotos(self._pixels(indices), view_parameters(self.seed, epoch, indices))

    def _pixels(self, indices: Indices) -> Tensor:
        if self.resident is None:
            pixels = upload(self.cache.read(indices), self.device)
        else:
            pixels = self.resident[send(torch.from_numpy(indices), self.device)]
        return pixels.permute(0, 3, 1, 2)

    def view(self, net: ParsingNetwork, loaded: LoadedPhotos, view: int) -> Tensor:
        """View 1 is G(f(P1(x))), view 2 is f(G(P2(x)))."""
        x = photometric(loaded.pixels, loaded.parameters, view)
        if view == 1:
            x = geometric(x, loaded.parameters)
        with precision(self.device, self.amp):
            m = net.features(x)
            # In the network's own precision: half a map to move, and it is rounded already.
            m = geometric(m, loaded.parameters) if view == 0 else m
        return m.float()

    def plain(self, net: ParsingNetwork, loaded: LoadedPhotos) -> Tensor:
        """f(x)."""
        x = loaded.pixels.float() / 255
        with precision(self.device, self.amp):
            return net.features(x)

    def load_warmup(self, indices: Indices, epoch: int, figures: FigureCache) -> LoadedPhotos:
        """The photos, their figures, and parameters of a random stream of their own."""
        parameters = view_parameters(self.seed, epoch, indices, purpose=Purpose.WARMUP)
        return LoadedPhotos(self._pixels(indices), parameters, figures.parts(indices))

    def warmup(self, loaded: LoadedPhotos) -> tuple[Tensor, Tensor]:
        """An augmented crop of each image and its targets.

        Returns:
            (B, 3, S, S) float32 in [0, 1] and (B, 3, S / 4, S / 4) float32.
        """
        if loaded.part_probs is None:
            raise ValueError("loaded without the photos' figures")
        x = photometric(loaded.pixels, loaded.parameters, 0)
        return geometric(x, loaded.parameters), geometric(loaded.part_probs, loaded.parameters)


def resident_pixels(cache: PixelCache, device: torch.device) -> Tensor | None:
    """All photos in a GPU's memory, (N, S, S, 3) uint8; None where they do not fit, or on a CPU.

    They fit where they take a quarter of what is free, since the features of a clustering pass
    take up to half of it.
    """
    shape = (len(cache), cache.size, cache.size, 3)
    if device.type != "cuda" or math.prod(shape) > free_bytes(device) // 4:
        return None
    pixels = torch.empty(shape, dtype=torch.uint8, device=device)
    for first in range(0, len(cache), COPIED):
        part = np.arange(first, min(first + COPIED, len(cache)))
        pixels[first : first + len(part)] = torch.from_numpy(cache.read(part))
    return pixels


class StoredViews:
    """Both views read from a feature store: the backbone is frozen, the heads are trained."""

    def __init__(self, reader: FeatureReader, device: torch.device, amp: str) -> None:
        self.reader, self.device, self.amp = reader, device, amp

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""
        return self.reader.names

    def load(
        self, indices: Indices, epoch: int, views: Sequence[int] = (0, 1)
    ) -> dict[str, Tensor]:
        """(B, h, w, C) float16 of the wanted views, or of the images without augmentation.

        They are on the device.
        """
        keys = [VIEW_FEATURES[view] for view in views] or [schema.FEATURES]
        shape = (*self.reader.grid, self.reader.channels)
        return {
            key: upload(
                np.stack([self.reader.read(int(i), key).reshape(shape) for i in indices]),
                self.device,
            )
            for key in keys
        }

    def _project(self, net: ParsingNetwork, values: Tensor) -> Tensor:
        dense = values.permute(0, 3, 1, 2)
        with precision(self.device, self.amp):
            return net.project_frozen(dense)

    def view(self, net: ParsingNetwork, loaded: dict[str, Tensor], view: int) -> Tensor:
        """The stored view, projected; it is the same in every epoch."""
        return self._project(net, loaded[VIEW_FEATURES[view]]).float()

    def plain(self, net: ParsingNetwork, loaded: dict[str, Tensor]) -> Tensor:
        """The stored features, projected."""
        return self._project(net, loaded[schema.FEATURES])


@contextmanager
def prefetch(
    load: Callable[[Indices], Loaded], groups: Sequence[Indices]
) -> Iterator[Iterator[tuple[Indices, Loaded]]]:
    """Batches of images with what is loaded of them, the next two while one is used."""
    with ThreadPoolExecutor(1) as pool:

        def batches() -> Iterator[tuple[Indices, Loaded]]:
            pending = [pool.submit(load, group) for group in groups[:2]]
            for position, group in enumerate(groups):
                ready = pending.pop(0).result()
                if position + 2 < len(groups):
                    pending.append(pool.submit(load, groups[position + 2]))
                yield group, ready

        yield batches()


@contextmanager
def prefetch_parts(
    load: Callable[[Indices], Loaded], batches: Sequence[Indices], ranks: Ranks
) -> Iterator[Iterator[tuple[Indices, Loaded]]]:
    """Whole batches, with what is loaded of this rank's part of each."""

    def each() -> Iterator[tuple[Indices, Loaded]]:
        for batch, (_, loaded) in zip(batches, parts, strict=True):
            ranks.begin(batch)
            yield batch, loaded

    with prefetch(load, [ranks.part_of(batch) for batch in batches]) as parts:
        yield each()
