"""Predictors and networks from the artifacts that hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from c2l import schema
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.freshness import require_fresh
from c2l.artifacts.lineage import FEATURES, PREDICTOR, WEIGHTS, from_json
from c2l.artifacts.predictor import Groups, StoredPredictor, read_predictor
from c2l.artifacts.registry import read_link
from c2l.artifacts.runs import Run
from c2l.errors import BadInputError, UsageError
from c2l.model.classifier import CLASSIFIERS, Centroids, Classifier, Factors
from c2l.model.network import build_network, check_backbone, effective
from c2l.model.predictor import Encoder, Origin, Predictor, Sharpen
from c2l.nn.network import ParsingNetwork
from c2l.options import ExtractOptions, FitOptions, NetworkOptions, Options, stored
from c2l.runtime.files import sha256_file, unchanged

T = TypeVar("T", bound=Options)


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
    except UsageError as error:
        raise BadInputError(path, f"its stored configuration does not fit: {error}") from None


def _read_finished(path: Path) -> tuple[Run, str, StoredPredictor]:
    """A run, and the SHA-256 and the content of the predictor that it ended with."""
    run = Run.open(path)
    if not run.predictor.is_file():
        raise BadInputError(
            path,
            "the run is not finished: it has no predictor yet",
            hint=f"finish it: {read_link(path).command('--resume')}",
        )
    with unchanged(run.predictor):
        return run, run.require_own_predictor(), read_predictor(run.predictor)


def _from_run(path: Path, device: torch.device) -> Predictor:
    run, sha256, found = _read_finished(path)
    options = effective(options_from(FitOptions, run.config.get("options", {}), path))
    net, _ = build_network(
        replace(options, weights="none"),
        options,
        options.clusters,
        seed=options.seed,
        layer=run.config.get("frozen_layer") or "fpn",
        frozen_channels=int(run.config.get("frozen_channels", 0)),
    )
    try:
        net.load_state_dict(found.network)
    except RuntimeError as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(run.predictor, f"does not fit its run: {first}") from None
    return Predictor(
        Encoder(net.to(device).eval(), None, options.image_size, options.amp, device),
        _classifier(found, run.predictor, device),
        found.groups,
        None if found.shares is None else Sharpen(found.shares.to(device)),
        Origin(path, schema.FORMAT_RUN, options.method, run.config, sha256),
    )


def _classifier(stored: StoredPredictor, path: Path, device: torch.device) -> Classifier:
    if stored.classifier not in CLASSIFIERS:
        raise BadInputError(
            path,
            f"a classifier of kind {stored.classifier!r}; this c2l has {', '.join(CLASSIFIERS)}",
            hint="read it with a newer c2l",
        )
    tensors = {name: tensor.to(device) for name, tensor in stored.tensors.items()}
    try:
        return CLASSIFIERS[stored.classifier].load(tensors, stored.names)
    except TypeError as error:
        raise BadInputError(path, f"damaged: its tensors do not fit: {error}") from None


def load_start(net: ParsingNetwork, path: Path) -> str:
    """Copy another run's network into a new one; modules that it lacks keep their values.

    Returns:
        SHA-256 of the file it came from.

    Raises:
        BadInputError: no finished run, or a backbone or pyramid of another shape.
    """
    run, sha256, found = _read_finished(path)
    given, own = found.network, net.state_dict()
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


def _from_clusters(path: Path, device: torch.device, weights: str | None) -> Predictor:
    with unchanged(path):
        clusters = read_clusters(path)
        sha256 = sha256_file(path)
    require_fresh(path, (FEATURES,))
    extract = options_from(ExtractOptions, clusters.config.get("features", {}), path)
    net = network_of(extract, clusters.attributes, path, device, weights)
    method = str(clusters.config.get("method", "kmeans"))
    made = Factors if method == "nmf" else Centroids
    rows, counts = (torch.from_numpy(a).to(device) for a in (clusters.centroids, clusters.counts))
    return Predictor(
        Encoder(net, extract.layer, extract.image_size, extract.amp, device),
        made(rows, counts),
        None if clusters.groups is None else Groups(clusters.groups, parts=True),
        None,
        Origin(path, schema.FORMAT_CLUSTERS, method, clusters.config, sha256),
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
    recorded = attributes.get(schema.ATTR_WEIGHTS_SHA256, "")
    weights = weights or _where_they_lie(extract, attributes, path)
    if extract.checkpoint is not None:
        source = Path(weights or extract.checkpoint)
        predictor = _from_run(source, device)
        net, found = predictor.encoder.net, predictor.origin.sha256
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
