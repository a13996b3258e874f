"""Where a training run's two views come from: photos, or stored features of a frozen backbone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l import schema
from c2l.artifacts.features import FeatureReader
from c2l.data.views import Purpose, view_parameters
from c2l.nn.augment import geometric, photometric
from c2l.nn.network import ParsingNetwork
from c2l.pipeline.device import precision
from c2l.pipeline.figures import FigureCache
from c2l.pipeline.images import PixelCache
from c2l.pipeline.predictor import to_batch

Indices = NDArray[np.int64]


class ViewSource(Protocol):
    """What the epoch loop asks for; ``load`` is host work that may run ahead in a thread."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""

    def load(self, indices: Indices) -> Any:
        """The data of some images on the host."""

    def view(self, net: ParsingNetwork, loaded: Any, epoch: int, view: int) -> Tensor:
        """m of one view on the grid that both views share, (B, C, h, w) float32."""

    def plain(self, net: ParsingNetwork, loaded: Any) -> Tensor:
        """m of the images as they are, (B, C, h, w)."""


class PhotoViews:
    """Both views made from cached photos (Eq. 5), the same in clustering and training."""

    def __init__(self, cache: PixelCache, seed: int, device: torch.device, amp: str) -> None:
        self.cache, self.seed, self.device, self.amp = cache, seed, device, amp

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""
        return self.cache.names

    def load(self, indices: Indices) -> tuple[Indices, NDArray[np.uint8]]:
        """The images' indices and pixels, (B, S, S, 3) uint8."""
        return indices, self.cache.read(indices)

    def view(
        self,
        net: ParsingNetwork,
        loaded: tuple[Indices, NDArray[np.uint8]],
        epoch: int,
        view: int,
    ) -> Tensor:
        """View 1 is G(f(P1(x))), view 2 is f(G(P2(x)))."""
        indices, pixels = loaded
        parameters = view_parameters(self.seed, epoch, indices)
        x = photometric(to_batch(pixels, self.device), parameters, view)
        if view == 1:
            x = geometric(x, parameters)
        with precision(self.device, self.amp):
            m = net.features(x)
        return geometric(m.float(), parameters) if view == 0 else m.float()

    def plain(self, net: ParsingNetwork, loaded: tuple[Indices, NDArray[np.uint8]]) -> Tensor:
        """f(x)."""
        x = to_batch(loaded[1], self.device).float() / 255
        with precision(self.device, self.amp):
            return net.features(x)

    def warmup(
        self, loaded: tuple[Indices, NDArray[np.uint8]], figures: FigureCache, epoch: int
    ) -> tuple[Tensor, Tensor]:
        """An augmented crop of each image and its targets, of a random stream of their own.

        Returns:
            (B, 3, S, S) float32 in [0, 1] and (B, 3, S / 4, S / 4) float32.
        """
        indices, pixels = loaded
        parameters = view_parameters(self.seed, epoch, indices, purpose=Purpose.WARMUP)
        x = photometric(to_batch(pixels, self.device), parameters, 0)
        return geometric(x, parameters), geometric(figures.sides(indices), parameters)


class StoredViews:
    """Both views read from a feature store: the backbone is frozen, the heads are trained."""

    def __init__(self, reader: FeatureReader, device: torch.device, amp: str) -> None:
        self.reader, self.device, self.amp = reader, device, amp

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N images."""
        return self.reader.names

    def load(self, indices: Indices) -> dict[str, NDArray[np.float16]]:
        """(B, h, w, C) float16 of the images and both views."""
        keys = (schema.FEATURES, schema.FEATURES_VIEW1, schema.FEATURES_VIEW2)
        shape = (*self.reader.grid, self.reader.channels)
        return {
            key: np.stack([self.reader.read(int(i), key).reshape(shape) for i in indices])
            for key in keys
        }

    def _project(self, net: ParsingNetwork, values: NDArray[np.float16]) -> Tensor:
        dense = torch.from_numpy(values).to(self.device).permute(0, 3, 1, 2)
        with precision(self.device, self.amp):
            return net.project_frozen(dense)

    def view(
        self, net: ParsingNetwork, loaded: dict[str, NDArray[np.float16]], epoch: int, view: int
    ) -> Tensor:
        """The stored view, projected; it is the same in every epoch."""
        keys = (schema.FEATURES_VIEW1, schema.FEATURES_VIEW2)
        return self._project(net, loaded[keys[view]]).float()

    def plain(self, net: ParsingNetwork, loaded: dict[str, NDArray[np.float16]]) -> Tensor:
        """The stored features, projected."""
        return self._project(net, loaded[schema.FEATURES])
