"""What a run is made from, opened and checked before anything is written."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from c2l import schema
from c2l.artifacts.clusters import Clusters, read_clusters
from c2l.artifacts.drawn import located
from c2l.artifacts.lineage import CENTROIDS, DATA, FEATURES, PREDICTOR, WEIGHTS, Source, source
from c2l.data.dataset import Dataset, open_images
from c2l.errors import BadInputError, UsageError
from c2l.figure.model import FIGURE_VERSION
from c2l.model.build import build_network
from c2l.model.loading import load_start
from c2l.nn.network import ParsingNetwork
from c2l.options import FitOptions, needs_figures, recorded
from c2l.runtime.device import pick_device
from c2l.runtime.files import sha256_file, unchanged
from c2l.runtime.ranks import ALONE, Ranks
from c2l.training.frozen import FrozenLayer, open_frozen


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run.

    Attributes:
        options: in force.
        dataset: the photos.
        device: where the run trains.
        frozen: the feature store that heads are trained on, or None.
        net: the network as the run begins.
        start: centroids of both views that start the first epoch, or None.
        config: what the run's configuration holds.
    """

    options: FitOptions
    dataset: Dataset
    device: torch.device
    frozen: FrozenLayer | None
    net: ParsingNetwork
    start: tuple[Tensor, Tensor] | None
    config: dict[str, Any]

    def sources(self) -> list[Source]:
        """For the lineage; the digest of the photos follows in ``inputs.json``."""
        options, config = self.options, self.config
        found = [source(DATA, self.dataset.root, "")]
        if options.weights not in ("none", "imagenet") and not options.checkpoint:
            found.append(source(WEIGHTS, located(Path(options.weights)), config["weights_sha256"]))
        if options.checkpoint:
            start = located(Path(options.checkpoint))
            start = start / schema.PREDICTOR if start.is_dir() else start
            found.append(source(PREDICTOR, start, config["checkpoint_sha256"]))
        if options.init:
            found.append(source(CENTROIDS, Path(options.init), config["init_sha256"]))
        if self.frozen:
            found.append(source(FEATURES, self.frozen.path, sha256_file(self.frozen.path)))
        return found


def open_inputs(data: Path, options: FitOptions, stack: ExitStack) -> Inputs:
    """Open and check the inputs of a run.

    Args:
        data: the data set.
        options: in force.
        stack: closes what stays open.

    Raises:
        BadInputError: the data, weights, features, clusters or the run to start from.
        UsageError: a last batch that batch normalisation cannot take.
    """
    dataset = open_images(data, options)
    device = pick_device(options.device)
    frozen = open_frozen(options, device, stack)
    if frozen:
        options = frozen.apply_to(options)
    with unchanged(*([Path(options.init)] if options.init else [])):
        net, config = _network(options, frozen)
        start = _start_centroids(options, config, device)
    if options.on_error == "fail" and not frozen:
        require_batches(net, options, len(dataset.records))
    config["data"] = {
        "layout": dataset.layout,
        "split": dataset.split,
        "images": dataset.images,
    }
    return Inputs(options, dataset, device, frozen, net, start, config)


def require_batches(
    net: ParsingNetwork, options: FitOptions, images: int, ranks: Ranks = ALONE
) -> None:
    """Refuse a last batch of one photo in which batch normalisation sees one value per channel.

    Args:
        net: as the run begins.
        options: in force.
        images: how many there are, broken ones left out.
        ranks: that share a batch, and with ``--batch-norm rank`` see only their part.

    Raises:
        UsageError: with the ways out.
    """
    fewest = (images - 1) % options.batch_size + 1
    if options.batch_norm == "rank":
        fewest //= ranks.size
    if fewest > 1:
        return
    values: list[int] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, x: values.append(x[0].numel() // x[0].shape[1]))
        for module in net.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, options.image_size, options.image_size))
    net.train(training)
    for hook in hooks:
        hook.remove()
    if 1 in values:
        raise UsageError(
            f"--image-size {options.image_size}: the last batch holds one photo, of whose map "
            "batch normalisation sees one value",
            hint="use --image-size 64 or more, or another --batch-size",
        )


def _network(
    options: FitOptions, frozen: FrozenLayer | None
) -> tuple[ParsingNetwork, dict[str, Any]]:
    """The network as the run begins, and where its weights came from."""
    made = replace(frozen.made, fpn_dim=options.fpn_dim) if frozen else options
    if options.checkpoint:
        # The run's network replaces the weights.
        made = replace(options, weights="none")
    net, weights = build_network(
        made,
        options,
        options.clusters,
        seed=frozen.made.seed if frozen else options.seed,
        layer=frozen.made.layer if frozen else "fpn",
        frozen_channels=frozen.views.reader.channels if frozen else 0,
    )
    if frozen:
        frozen.require_weights(weights)
    start = load_start(net, Path(options.checkpoint)) if options.checkpoint else ""
    config: dict[str, Any] = {
        "options": recorded(options),
        "weights_sha256": weights.sha256,
        "init_sha256": sha256_file(Path(options.init)) if options.init else "",
        "checkpoint_sha256": start,
        "frozen_layer": "",
        "guess": FIGURE_VERSION if needs_figures(options) else 0,
    }
    return net, config | (frozen.config if frozen else {})


def _start_centroids(
    options: FitOptions, config: dict[str, Any], device: torch.device
) -> tuple[Tensor, Tensor] | None:
    if options.init is None:
        return None
    path = Path(options.init)
    stored = read_clusters(path)
    if not options.features:
        _require_same_network(path, stored, options, config)
    first, second = stored.views or (stored.centroids, stored.centroids)
    if first.shape != (options.clusters, options.fpn_dim):
        raise BadInputError(
            path,
            f"centroids of shape {first.shape}; this run needs "
            f"({options.clusters}, {options.fpn_dim})",
            hint=f"cluster features of layer fpn with -k {options.clusters}",
        )
    return torch.from_numpy(first).to(device), torch.from_numpy(second).to(device)


def _require_same_network(
    path: Path, stored: Clusters, options: FitOptions, config: dict[str, Any]
) -> None:
    """Refuse centroids of another network's features: in this one's they lie anywhere.

    Raises:
        BadInputError: names what differs.
    """
    given = stored.attributes.get(schema.ATTR_WEIGHTS_SHA256)
    if given is None:
        return
    mine = config["checkpoint_sha256"] or config["weights_sha256"]
    seed = stored.config.get("features", {}).get("seed", options.seed)
    if given == mine and (options.checkpoint or seed == options.seed):
        return
    what = f"the seed {seed}" if given == mine else "other weights"
    raise BadInputError(
        path,
        f"its centroids are of a network of {what}",
        hint="extract and cluster with the weights, or the checkpoint, and the seed of this run",
    )
