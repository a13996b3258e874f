"""What a heads-only run trains on: a feature store, and the frozen network that made it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from c2l import schema
from c2l.artifacts.features import read_features
from c2l.data.records import Record
from c2l.errors import BadInputError
from c2l.model.build import Weights
from c2l.model.loading import options_from
from c2l.options import ExtractOptions, FitOptions, flag
from c2l.runtime.files import sha256_file
from c2l.runtime.progress import console
from c2l.training.view_sources import StoredViews

# Options of the run that only repeat how the store was made.
_NETWORK = ("image_size", "backbone", "weights", "gradients_input")
AGAIN = "extract the features again: c2l extract DATA -o features.h5 --views"


@dataclass(frozen=True)
class FrozenLayer:
    """A feature store and its frozen network.

    Attributes:
        path: the store.
        made: the options it was made with.
        views: both views, read from it.
        weights_sha256: of the backbone that made it.
    """

    path: Path
    made: ExtractOptions
    views: StoredViews
    weights_sha256: str

    @property
    def config(self) -> dict[str, Any]:
        """What the run's configuration records of it."""
        return {
            "frozen_layer": self.made.layer,
            "frozen_channels": self.views.reader.channels,
            "frozen_seed": self.made.seed,
        }

    def apply_to(self, options: FitOptions) -> FitOptions:
        """The run's options with the network's own from the store; says what that changes."""
        own = {name: getattr(self.made, name) for name in _NETWORK}
        changed = [f"{flag(n)} {value}" for n, value in own.items() if value != getattr(options, n)]
        if changed:
            console.print(f"the network is that of {self.path}: {' '.join(changed)}")
        return replace(options, **own)

    def require_weights(self, weights: Weights) -> None:
        """Refuse weights that the store was not made with.

        Raises:
            BadInputError: they differ.
        """
        if weights.sha256 != self.weights_sha256:
            raise BadInputError(weights.source, f"not the weights that {self.path} was made with")

    def require_images(self, records: Sequence[Record], data: Path) -> None:
        """Refuse a store of other images than the data set's.

        Raises:
            BadInputError: it holds one that the data set lacks, or has with another content.
        """
        images = {record.name: record.image for record in records}
        sums = self.views.reader.image_sha256()
        for name, stored in zip(self.views.names, sums, strict=True):
            if name not in images or sha256_file(images[name]) != stored:
                what = "lacks" if name not in images else "has with another content"
                raise BadInputError(
                    self.path, f"holds image {name!r}, which {data} {what}", hint=AGAIN
                )


def open_frozen(options: FitOptions, device: torch.device, stack: ExitStack) -> FrozenLayer | None:
    """The frozen layer of ``--features``, or None without it.

    Raises:
        BadInputError: the store is damaged, or holds what heads cannot be trained on.
    """
    if options.features is None:
        return None
    path = Path(options.features)
    reader = stack.enter_context(read_features(path))
    made = options_from(ExtractOptions, reader.config, path)
    found = {
        f"features of the trained network {made.checkpoint}": bool(made.checkpoint),
        "features of one view": not reader.has_views,
        "a sample of pixels": reader.sampled,
        "features reduced by PCA": reader.has_pca,
    }
    if wrong := [what for what, is_so in found.items() if is_so]:
        raise BadInputError(
            path,
            "heads are trained on both views of whole maps of a backbone without training, found "
            + " and ".join(wrong),
            hint="make them with: c2l extract DATA -o features.h5 --views",
        )
    views = StoredViews(reader, device, options.amp)
    return FrozenLayer(path, made, views, reader.attribute(schema.ATTR_WEIGHTS_SHA256))
