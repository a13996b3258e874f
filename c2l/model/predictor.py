"""The predictor: from a photo to its clusters or parts, however it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l import schema
from c2l.artifacts.chain import read_link
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.freshness import require_fresh
from c2l.artifacts.lineage import FEATURES, PREDICTOR, WEIGHTS, from_json
from c2l.artifacts.runs import Run
from c2l.artifacts.tensors import load_tensors
from c2l.clustering.nmf import activations
from c2l.errors import BadInputError, UsageError
from c2l.figure.model import sharpen_sides, side_labels
from c2l.model.network import build_network, check_backbone, effective, read_layer
from c2l.nn.network import ParsingNetwork
from c2l.options import ExtractOptions, FitOptions, NetworkOptions, names_parts, stored
from c2l.runtime.device import precision, to_batch
from c2l.runtime.files import sha256_file, unchanged

T = TypeVar("T")
# The layer of a trained run: what its own network clusters.
TRAINED = "trained"
# Score values held at once while a photo's labels are decided: 64 MiB.
MAP_VALUES = 1 << 24
# Photos sharpened at once, by their memory.
SHARP_PHOTOS = 8


@dataclass
class Predictor:
    """A network, and the classifier on its features.

    Attributes:
        net: the network, in evaluation mode, on ``device``.
        layer: where the features are read.
        kind: ``kmeans`` (nearest centroid), ``mixture`` (likeliest component) or ``nmf``
            (strongest factor).
        centroids: (K, C) float32 centroids, means or factors.
        groups: (K,) group of each cluster after the label-free merge, or None.
        named: whether the groups are background, upper and lower.
        shares: (K, 3) shares of ground, upper and lower in each cluster, where predictions are
            sharpened to the photo's own colours, or None.
        image_size: S the network sees.
        method: ``c2l``, ``picie``, ``kmeans`` or ``nmf``.
        sha256: of the file the predictor came from.
        lineage: what it was made from.
        mixture: (K, C) weights and (K,) bias of each component's score, or None.
    """

    net: ParsingNetwork
    layer: str
    kind: str
    centroids: Tensor
    groups: NDArray[np.uint8] | None
    named: bool
    shares: Tensor | None
    image_size: int
    method: str
    amp: str
    device: torch.device
    sha256: str
    lineage: dict[str, Any]
    mixture: tuple[Tensor, Tensor] | None = None

    @property
    def file(self) -> Path:
        """The file that ``sha256`` is of."""
        path = Path(self.lineage["path"])
        return path / schema.PREDICTOR if path.is_dir() else path

    @property
    def clusters(self) -> int:
        """Number of clusters that predictions take: K, or the parts after the merge."""
        if self.named:
            return len(schema.PARTS)
        return len(self.centroids) if self.groups is None else int(self.groups.max()) + 1

    @torch.no_grad()
    def scores(self, images_BHW3: NDArray[np.uint8]) -> Tensor:
        """Scores of every cluster on the feature grid.

        Args:
            images_BHW3: (B, S, S, 3) uint8.

        Returns:
            (B, K, h, w) float32 on the device; the largest is the pixel's cluster.
        """
        x = to_batch(images_BHW3, self.device).float() / 255
        with precision(self.device, self.amp):
            features = self.net(x) if self.layer == TRAINED else read_layer(self.net, x, self.layer)
        batch, channels, height, width = features.shape
        if channels != self.centroids.shape[1]:
            raise BadInputError(
                self.lineage.get("path", "clusters"),
                f"centroids of {self.centroids.shape[1]} channels, features of {channels}",
            )
        points = features.float().permute(0, 2, 3, 1).reshape(-1, channels)
        if self.kind == "nmf":
            values = activations(points, self.centroids)
        elif self.mixture is not None:
            weights, bias = self.mixture
            values = torch.addmm(bias, F.normalize(points, dim=1), weights.T)
        else:
            points = F.normalize(points, dim=1)
            half = self.centroids.square().sum(1) / 2
            values = torch.addmm(-half, points, self.centroids.T)
        return values.view(batch, height, width, -1).permute(0, 3, 1, 2)

    def predict(
        self, images_BHW3: NDArray[np.uint8], sizes: Sequence[tuple[int, int]]
    ) -> list[NDArray[np.uint8]]:
        """The cluster (or merged part) of every pixel at each photo's own size.

        Scores are brought to the photo's size bilinearly, then the largest is taken.

        Args:
            images_BHW3: (B, S, S, 3) uint8.
            sizes: (height, width) of each of the B photos.

        Returns:
            B arrays (height, width) uint8.
        """
        scores = self.scores(images_BHW3)
        if self.shares is not None:
            return self._predict_sharp(images_BHW3, scores, sizes, self.shares)
        results = []
        for score, size in zip(scores, sizes, strict=True):
            dtype = torch.uint8 if self.clusters <= 256 else torch.uint16
            labels = argmax_at(score, size).to(dtype).cpu().numpy()
            results.append(labels if self.groups is None else self.groups[labels])
        return results

    def _predict_sharp(
        self,
        images_BHW3: NDArray[np.uint8],
        scores: Tensor,
        sizes: Sequence[tuple[int, int]],
        shares: Tensor,
    ) -> list[NDArray[np.uint8]]:
        """Parts, 0 to 2, after the clusters' shares are sharpened to each photo's colours."""
        # The components of a mixture are the parts, and it says how likely each one is.
        mixed = self.mixture is not None
        maps = scores.softmax(1) if mixed else shares[scores.argmax(1)].permute(0, 3, 1, 2)
        results = []
        for first in range(0, len(maps), SHARP_PHOTOS):
            group = slice(first, first + SHARP_PHOTOS)
            sides = sharpen_sides(to_batch(images_BHW3[group], self.device), maps[group])
            for side, size in zip(sides, sizes[group], strict=True):
                results.append(side_labels(side, size).cpu().numpy())
        return results


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


def load_predictor(path: Path, device: torch.device, weights: str | None) -> Predictor:
    """The predictor of a run folder or of a clusters file.

    Args:
        path: a run folder, or a clusters file.
        device: where it will run.
        weights: where the backbone's weights lie now, for a clusters file.

    Raises:
        BadInputError: missing, unfinished, damaged, or its weights differ from those it used.
    """
    if path.is_dir():
        return _from_run(path, device)
    return _from_clusters(path, device, weights)


def options_from(kind: type[T], values: dict[str, Any], path: Path) -> T:
    """Options stored with an artifact.

    Raises:
        BadInputError: they do not fit.
    """
    if not isinstance(values, dict):
        raise BadInputError(path, "its stored configuration is no object")
    try:
        options = stored(kind, values)
        if isinstance(options, NetworkOptions):
            check_backbone(options.backbone)
        return options
    except (ValueError, UsageError) as error:
        raise BadInputError(path, f"its stored configuration does not fit: {error}") from None


def _from_run(path: Path, device: torch.device) -> Predictor:
    run = Run.open(path)
    if not run.predictor.is_file():
        raise BadInputError(
            path,
            "the run is not finished: it has no predictor yet",
            hint=f"finish it: {read_link(path).command('--resume')}",
        )
    options = effective(options_from(FitOptions, run.config.get("options", {}), path))
    net, _ = build_network(
        _without_weights(options),
        options,
        options.clusters,
        seed=options.seed,
        layer=run.config.get("frozen_layer") or "fpn",
        frozen_channels=int(run.config.get("frozen_channels", 0)),
    )
    sha256, tensors = _own_tensors(run)
    model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    try:
        net.load_state_dict(model)
        centroids = tensors[schema.CENTROIDS]
    except (RuntimeError, KeyError) as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(run.predictor, f"does not fit its run: {first}") from None
    groups = tensors.get(schema.GROUPS)
    shares = tensors.get(schema.GROUP_SHARES)
    mixture = None
    if schema.MIXTURE_WEIGHTS in tensors:
        weights, bias = tensors[schema.MIXTURE_WEIGHTS], tensors[schema.MIXTURE_BIAS]
        mixture = (weights.to(device), bias.to(device))
    return Predictor(
        net=net.to(device).eval(),
        layer=TRAINED,
        kind="mixture" if mixture else "kmeans",
        centroids=centroids.to(device),
        groups=groups.numpy() if groups is not None else None,
        named=groups is not None and names_parts(options),
        shares=shares.to(device) if shares is not None else None,
        image_size=options.image_size,
        method=options.method,
        amp=options.amp,
        device=device,
        sha256=sha256,
        lineage={"path": str(path), "kind": "run", "config": run.config},
        mixture=mixture,
    )


def _own_tensors(run: Run) -> tuple[str, dict[str, Tensor]]:
    """SHA-256 and tensors of the predictor that a run ended with."""
    with unchanged(run.predictor):
        return run.require_own_predictor(), load_tensors(run.predictor, sealed=True)[0]


def load_start(net: ParsingNetwork, path: Path) -> str:
    """Copy another run's network into a new one; modules that it lacks stay as they are.

    Returns:
        SHA-256 of the file it came from.

    Raises:
        BadInputError: no finished run, or a backbone or pyramid of another shape.
    """
    run = Run.open(path)
    if not run.predictor.is_file():
        raise BadInputError(path, "the run is not finished: it has no predictor yet")
    sha256, tensors = _own_tensors(run)
    given = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    own = net.state_dict()
    wrong = [
        k
        for k in own
        if k.startswith(("backbone.", "pyramid."))
        and (k not in given or given[k].shape != own[k].shape)
    ]
    if wrong:
        raise BadInputError(
            run.predictor,
            f"its network is another one: {len(wrong)} tensors do not fit ({wrong[0]})",
            hint="use the run's own --backbone and --fpn-dim",
        )
    fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    net.load_state_dict(fitting, strict=False)
    return sha256


def _without_weights(options: FitOptions) -> FitOptions:
    from dataclasses import replace

    return replace(options, weights="none")


def _from_clusters(path: Path, device: torch.device, weights: str | None) -> Predictor:
    with unchanged(path):
        clusters = read_clusters(path)
        sha256 = sha256_file(path)
    require_fresh(path, (FEATURES,))
    extract = options_from(ExtractOptions, clusters.config.get("features", {}), path)
    net = network_of(extract, clusters.attributes, path, device, weights)
    return Predictor(
        net=net,
        layer=extract.layer,
        kind=str(clusters.config.get("method", "kmeans")),
        centroids=torch.from_numpy(clusters.centroids).to(device),
        groups=clusters.groups,
        named=clusters.groups is not None,
        shares=None,
        image_size=extract.image_size,
        method=str(clusters.config.get("method", "kmeans")),
        amp=extract.amp,
        device=device,
        sha256=sha256,
        lineage={"path": str(path), "kind": "clusters", "config": clusters.config},
    )


def _where_they_lie(extract: ExtractOptions, attributes: dict[str, str], path: Path) -> str | None:
    """The weights beside the artifact, where the path as it was given leads nowhere now."""
    given = Path(extract.checkpoint or extract.weights)
    if given.exists():
        return None
    for found in from_json(attributes.get(schema.ATTR_LINEAGE) or [], path):
        here = found.located(path)
        if found.role in (WEIGHTS, PREDICTOR) and here.is_file():
            return str(here.parent if found.role == PREDICTOR else here)
    return None


def network_of(
    extract: ExtractOptions,
    attributes: dict[str, str],
    path: Path,
    device: torch.device,
    weights: str | None,
) -> ParsingNetwork:
    """The network that made a feature store, checked against the hash stored with it.

    Raises:
        BadInputError: the weights or the run are gone or have changed since.
    """
    from dataclasses import replace

    recorded = attributes.get(schema.ATTR_WEIGHTS_SHA256, "")
    weights = weights or _where_they_lie(extract, attributes, path)
    if extract.checkpoint is not None:
        source = Path(weights or extract.checkpoint)
        predictor = _from_run(source, device)
        net, found = predictor.net, predictor.sha256
    else:
        chosen = replace(extract, weights=weights) if weights else extract
        net, used = build_network(chosen, None, 0, seed=extract.seed)
        source, found = Path(used.source), used.sha256
    if found != recorded:
        raise BadInputError(
            source,
            f"its weights are not the ones {path} was made with",
            hint="name the right ones by --weights, or make the features and clusters again",
        )
    return net.to(device).eval()
