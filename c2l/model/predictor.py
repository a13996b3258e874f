"""The predictor: from a photo to its clusters or parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l import schema
from c2l.artifacts.predictor import Groups
from c2l.errors import BadInputError
from c2l.figure.guided import guided_filter
from c2l.figure.model import part_labels, sharpen_parts
from c2l.model.build import read_layer
from c2l.model.classifier import Classifier
from c2l.nn.network import DENSE, ParsingNetwork
from c2l.runtime.device import precision, to_batch

Images = NDArray[np.uint8]
# Score values held at once while a photo's labels are decided: 64 MiB.
MAP_VALUES = 1 << 24
# Photos sharpened at once, by their memory.
SHARP_PHOTOS = 8
# Radius and grid of the guided filter that aligns scores with edges; docs/drawn.md says how they
# were chosen.
ALIGN_RADIUS, ALIGN_SIDE = 0.04, 112


@dataclass(frozen=True)
class Encoder:
    """A network, and how it is read.

    Attributes:
        net: in evaluation mode, on ``device``.
        layer: where the features are read: a stage, ``DENSE`` for m, or None for what the network
            itself clusters.
        image_size: S of the images it was trained on or extracted at.
        amp: its mixed precision.
        device: of the network.
    """

    net: ParsingNetwork
    layer: str | None
    image_size: int
    amp: str
    device: torch.device

    def features(self, images_BHW3: Images) -> Tensor:
        """(B, C, h, w) of (B, S, S, 3) uint8 images."""
        return self.read(to_batch(images_BHW3, self.device).float() / 255)

    def read(self, images_B3SS: Tensor) -> Tensor:
        """(B, C, h, w) of (B, 3, S, S) float images in [0, 1], on the device."""
        with precision(self.device, self.amp):
            if self.layer == DENSE:
                return self.net.features(images_B3SS).float()
            if self.layer is not None:
                return read_layer(self.net, images_B3SS, self.layer)
            clustered: Tensor = self.net(images_B3SS)
            return clustered


@dataclass(frozen=True)
class Sharpen:
    """Fits predictions of the parts to each photo's own colours.

    Attributes:
        shares: (K, 3) float32 share of background, upper and lower in each class.
    """

    shares: Tensor

    def labels(
        self, images_BHW3: Images, parts_B3hw: Tensor, sizes: Sequence[tuple[int, int]]
    ) -> list[Images]:
        """Parts, 0 to 2, of every pixel at each photo's own size.

        Args:
            images_BHW3: (B, S, S, 3) uint8.
            parts_B3hw: share of background, upper and lower at each pixel.
            sizes: (height, width) of each photo.
        """
        return [
            part_labels(parts, size).cpu().numpy()
            for parts, size in zip(self.parts(images_BHW3, parts_B3hw), sizes, strict=True)
        ]

    def parts(self, images_BHW3: Images, parts_B3hw: Tensor) -> Iterator[Tensor]:
        """The sharpened shares of each photo in turn, (3, S, S) float32."""
        for first in range(0, len(parts_B3hw), SHARP_PHOTOS):
            maps = parts_B3hw[first : first + SHARP_PHOTOS]
            pixels = to_batch(images_BHW3[first : first + SHARP_PHOTOS], maps.device)
            yield from sharpen_parts(pixels, maps)


@dataclass(frozen=True)
class Origin:
    """Where a predictor came from.

    Attributes:
        path: the run folder or the clusters file.
        kind: the format of what lies there.
        method: ``c2l``, ``picie``, ``kmeans``, ``nmf`` or ``drawings``.
        config: the configuration stored there.
        sha256: of ``file``.
    """

    path: Path
    kind: str
    method: str
    config: dict[str, Any]
    sha256: str

    @property
    def file(self) -> Path:
        """The file that holds the predictor."""
        return self.path / schema.PREDICTOR if self.kind == schema.FORMAT_RUN else self.path


@dataclass(frozen=True)
class Predictor:
    """A network, the classifier on its features, and what becomes of its classes.

    Attributes:
        encoder: gives the features.
        classifier: gives a score for each class.
        groups: of the classes, where they were merged without labels; None keeps them apart.
        sharpen: fits the parts to the photo's own colours; None takes the largest score.
        align: whether scores are aligned with the photo's edges.
        origin: where it came from.
        called: names that a user gave, by id.
    """

    encoder: Encoder
    classifier: Classifier
    groups: Groups | None
    sharpen: Sharpen | None
    origin: Origin
    align: bool = False
    called: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the ids that predictions hold, as the user gave them."""
        return tuple(self.called.get(i, name) for i, name in enumerate(self.own_names))

    @property
    def own_names(self) -> tuple[str, ...]:
        """The same without given names; scores are matched by these."""
        if self.groups is not None:
            return self.groups.names
        return self.classifier.names or tuple(
            f"cluster {k}" for k in range(self.classifier.classes)
        )

    @property
    def clusters(self) -> int:
        """Number of the ids that predictions hold."""
        return self.classifier.classes if self.groups is None else len(self.groups.names)

    @property
    def named(self) -> bool:
        """Whether the ids are parts with a meaning, without a matching to labels."""
        return self.groups.parts if self.groups is not None else bool(self.classifier.names)

    @torch.no_grad()
    def scores(self, images_BHW3: Images) -> Tensor:
        """Scores of every class of the classifier, on the feature grid or at the photo's edges.

        Args:
            images_BHW3: (B, S, S, 3) uint8.

        Returns:
            (B, K, h, w) float32 on the device, (B, K, S, S) aligned; the largest is the pixel's
            class.

        Raises:
            BadInputError: a classifier of features of other channels.
        """
        scores = self.classify(self.encoder.features(images_BHW3))
        return aligned(to_batch(images_BHW3, scores.device), scores) if self.align else scores

    def classify(self, features_BChw: Tensor) -> Tensor:
        """Scores of every class, (B, K, h, w) float32, of features as the encoder gives them.

        Raises:
            BadInputError: a classifier of features of other channels.
        """
        batch, channels, height, width = features_BChw.shape
        if channels != self.classifier.channels:
            raise BadInputError(
                self.origin.path,
                f"centroids of {self.classifier.channels} channels, features of {channels}",
            )
        points = features_BChw.float().permute(0, 2, 3, 1).reshape(-1, channels)
        values = self.classifier.scores(points)
        return values.view(batch, height, width, -1).permute(0, 3, 1, 2)

    @torch.no_grad()
    def scores_by_name(self, images_BHW3: Images) -> Tensor:
        """A score map for each of ``names``, at the resolution at which it was computed.

        Args:
            images_BHW3: (B, S, S, 3) uint8.

        Returns:
            (B, len(names), h, w) float32. Sharpened parts: probabilities at (S, S). Otherwise what
            ``scores`` gives; a group scores as the best of its clusters.
        """
        scores = self.scores(images_BHW3)
        if self.sharpen is not None:
            parts = self.classifier.part_shares(scores, self.sharpen.shares)
            return torch.stack(list(self.sharpen.parts(images_BHW3, parts)))
        return self.grouped(scores)

    def grouped(self, scores_BKhw: Tensor) -> Tensor:
        """Scores of each of ``names``: a group's is the best of its clusters, -inf without any."""
        if self.groups is None:
            return scores_BKhw
        nothing = torch.full_like(scores_BKhw[:, 0], -torch.inf)
        members = (np.flatnonzero(self.groups.of == g).tolist() for g in range(self.clusters))
        return torch.stack([scores_BKhw[:, m].amax(1) if m else nothing for m in members], 1)

    def predict(self, images_BHW3: Images, sizes: Sequence[tuple[int, int]]) -> list[Images]:
        """The cluster or part of every pixel at each photo's own size.

        Scores are brought to the photo's size bilinearly, then the largest is taken.

        Args:
            images_BHW3: (B, S, S, 3) uint8.
            sizes: (height, width) of each of the B photos.

        Returns:
            B arrays (height, width) uint8, or uint16 from 257 ids on.
        """
        scores = self.scores(images_BHW3)
        if self.sharpen is not None:
            parts = self.classifier.part_shares(scores, self.sharpen.shares)
            return self.sharpen.labels(images_BHW3, parts, sizes)
        results = []
        dtype = torch.uint8 if self.classifier.classes <= 256 else torch.uint16
        for score, size in zip(scores, sizes, strict=True):
            labels = argmax_at(score, size).to(dtype).cpu().numpy()
            results.append(labels if self.groups is None else self.groups.of[labels])
        return results


def aligned(pixels_B3SS: Tensor, scores_BKhw: Tensor) -> Tensor:
    """Scores aligned with the edges of their photos, one photo at a time to save memory.

    Args:
        pixels_B3SS: 0 to 255 in any type.
        scores_BKhw: float32 on any grid.

    Returns:
        (B, K, S, S) float32; probabilities stay probabilities.
    """
    found = [
        guided_filter(pixels[None] / 255, scores[None], radius=ALIGN_RADIUS, side=ALIGN_SIDE)
        for pixels, scores in zip(pixels_B3SS.float(), scores_BKhw, strict=True)
    ]
    scores = torch.cat(found).clamp_min(0)
    return scores / scores.sum(1, True).clamp_min(1e-6)


def argmax_at(scores_Khw: Tensor, size: tuple[int, int]) -> Tensor:
    """The strongest cluster of every pixel, scores brought to ``size`` bilinearly.

    A few clusters at a time, so that a large photo with many clusters does not need K maps of
    its size at once.

    Returns:
        (height, width) int64; ties go to the lower index.
    """
    at_once = max(1, MAP_VALUES // (size[0] * size[1]))
    best: Tensor | None = None
    labels = torch.zeros(size, dtype=torch.int64, device=scores_Khw.device)
    for first in range(0, len(scores_Khw), at_once):
        maps = F.interpolate(scores_Khw[None, first : first + at_once], size, mode="bilinear")[0]
        value, index = maps.max(0)
        if best is None:
            best, labels = value, index
        else:
            labels = torch.where(value > best, index + first, labels)
            best = torch.maximum(best, value)
    return labels
