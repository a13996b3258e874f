"""Classifiers on dense features: a score per pixel and class. Adding one is one class here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.clustering.nmf import activations
from c2l.nn.network import DENSE
from c2l.schema import PARTS


@dataclass(frozen=True)
class Classifier(ABC):
    """A score for each class at each pixel, from named tensors; the largest score wins.

    Attributes:
        kind: its name in files.
        layer: features that it reads: ``DENSE``, or None for those that are clustered.
    """

    kind: ClassVar[str]
    layer: ClassVar[str | None] = None

    @classmethod
    def load(cls, tensors: dict[str, Tensor], names: tuple[str, ...]) -> Classifier:
        """From what ``tensors`` and ``names`` gave when it was stored.

        Raises:
            TypeError: tensors of another classifier.
        """
        return cls(**tensors)

    def tensors(self) -> dict[str, Tensor]:
        """What a file stores of it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes; empty where they are clusters."""
        return ()

    @property
    def classes(self) -> int:
        """K."""
        return len(self.rows)

    @property
    def channels(self) -> int:
        """C of the features."""
        return self.rows.shape[1]

    @property
    @abstractmethod
    def rows(self) -> Tensor:
        """The (K, C) tensor that features are compared with."""

    @abstractmethod
    def scores(self, features_PC: Tensor) -> Tensor:
        """Scores of every class.

        Args:
            features_PC: (P, C) float32, as the network gives them.

        Returns:
            (P, K) float32.
        """

    def part_shares(self, scores_BKhw: Tensor, shares_K3: Tensor) -> Tensor:
        """Share of background, upper and lower at each pixel, (B, 3, h, w).

        Args:
            scores_BKhw: from ``scores``.
            shares_K3: those of each class.
        """
        return shares_K3[scores_BKhw.argmax(1)].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Centroids(Classifier):
    """The nearest centroid: ``argmin |x - c|^2 = argmax (x.c - |c|^2 / 2)``.

    Attributes:
        centroids: (K, C) float32, of features of unit length.
        counts: (K,) int64 pixels of each cluster.
    """

    kind: ClassVar[str] = "centroids"
    centroids: Tensor
    counts: Tensor

    @property
    def rows(self) -> Tensor:
        return self.centroids

    def scores(self, features_PC: Tensor) -> Tensor:
        half_norms = self.centroids.square().sum(1) / 2
        return torch.addmm(-half_norms, F.normalize(features_PC, dim=1), self.centroids.T)


@dataclass(frozen=True)
class Factors(Classifier):
    """The strongest factor of a non-negative matrix factorisation (DFF).

    Attributes:
        factors: (K, C) float32 H.
        counts: (K,) int64 pixels of each factor.
    """

    kind: ClassVar[str] = "factors"
    factors: Tensor
    counts: Tensor

    @property
    def rows(self) -> Tensor:
        return self.factors

    def scores(self, features_PC: Tensor) -> Tensor:
        return activations(features_PC, self.factors)


@dataclass(frozen=True)
class Mixture(Classifier):
    """The likeliest component of a Gaussian mixture, whose components are the parts.

    Attributes:
        centroids: (K, C) float32 means of the components.
        counts: (K,) int64 pixels of each component.
        weights: (K, C) float32: a component's score is ``weights . x + bias``, the log of its
            posterior up to what all components share.
        bias: (K,) float32.
    """

    kind: ClassVar[str] = "mixture"
    centroids: Tensor
    counts: Tensor
    weights: Tensor
    bias: Tensor

    @property
    def names(self) -> tuple[str, ...]:
        return PARTS

    @property
    def rows(self) -> Tensor:
        return self.weights

    def scores(self, features_PC: Tensor) -> Tensor:
        return torch.addmm(self.bias, F.normalize(features_PC, dim=1), self.weights.T)

    def part_shares(self, scores_BKhw: Tensor, shares_K3: Tensor) -> Tensor:
        """The posterior, which ``shares_K3``, the identity, leaves as it is."""
        return scores_BKhw.softmax(1)


@dataclass(frozen=True)
class Head(Classifier):
    """A 1x1 convolution on m, trained on named classes; its scores are probabilities.

    It reads m as the pyramid gives it: the length of m, which y has lost, tells parts apart.

    Attributes:
        weights: (K, C) float32.
        bias: (K,) float32.
        class_names: K names.
    """

    kind: ClassVar[str] = "head"
    layer: ClassVar[str | None] = DENSE
    weights: Tensor
    bias: Tensor
    class_names: tuple[str, ...]

    @classmethod
    def load(cls, tensors: dict[str, Tensor], names: tuple[str, ...]) -> Classifier:
        if len(names) != len(tensors.get("weights", ())):
            raise TypeError(f"{len(names)} names")
        return cls(**tensors, class_names=names)

    def tensors(self) -> dict[str, Tensor]:
        return {"weights": self.weights, "bias": self.bias}

    @property
    def names(self) -> tuple[str, ...]:
        return self.class_names

    @property
    def rows(self) -> Tensor:
        return self.weights

    def scores(self, features_PC: Tensor) -> Tensor:
        return torch.addmm(self.bias, features_PC, self.weights.T).softmax(1)


CLASSIFIERS: dict[str, type[Classifier]] = {c.kind: c for c in (Centroids, Factors, Mixture, Head)}
