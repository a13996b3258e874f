"""Predictors and networks from the artifacts that hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from c2l import schema
from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.drawn import NAME, located
from c2l.artifacts.freshness import require_fresh
from c2l.artifacts.given_names import read_given
from c2l.artifacts.lineage import FEATURES, PREDICTOR, WEIGHTS, from_json
from c2l.artifacts.predictor import Groups, StoredPredictor, read_predictor
from c2l.artifacts.registry import read_link
from c2l.artifacts.runs import Run
from c2l.errors import BadInputError, UsageError
from c2l.model.build import SAFE, build_network
from c2l.model.classifier import CLASSIFIERS, Centroids, Classifier, Factors
from c2l.model.predictor import Encoder, Origin, Predictor, Sharpen
from c2l.nn.architectures import require_known
from c2l.nn.network import ParsingNetwork
from c2l.options import (
    ExtractOptions,
    FitOptions,
    NetworkOptions,
    Options,
    TeachOptions,
    stored,
    without_modules_if_picie,
)
from c2l.runtime.files import sha256_file, unchanged

T = TypeVar("T", bound=Options)
# The smallest photo that a network is shown: one value of a map at stride 32.
LEAST_SIZE = 32


def load_predictor(
    path: Path, device: torch.device, weights: str | None, image_size: int = 0
) -> Predictor:
    """The predictor of a run folder, of a predictor's file or of a clusters file.

    Args:
        path: one of these, or ``drawn`` for the one that ships with c2l.
        device: where it will run.
        weights: where the backbone's weights lie now, for a clusters file.
        image_size: side in pixels of the photos that it will see; 0 for that of its training.

    Raises:
        BadInputError: missing, unfinished, damaged, or its weights differ from those it used.
        UsageError: an image size that its network cannot see.
    """
    path = located(path)
    if path.is_dir() or path.suffix == SAFE:
        predictor = _from_run(path, device)
    else:
        predictor = _from_clusters(path, device, weights)
    called = read_given(path, predictor.origin.sha256, predictor.clusters)
    predictor = replace(predictor, called=called)
    if image_size == 0:
        return predictor
    if image_size < LEAST_SIZE:
        raise UsageError(f"--image-size {image_size}: 0, or {LEAST_SIZE} or more")
    return replace(predictor, encoder=replace(predictor.encoder, image_size=image_size))


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
            require_known(options.backbone)
        return options
    except UsageError as error:
        raise BadInputError(path, f"its stored configuration does not fit: {error}") from None


@dataclass(frozen=True)
class Finished:
    """A predictor that training ended with, as it was read.

    Attributes:
        kind: the format of what was named: a run folder, or a predictor's file by itself.
        file: the predictor's.
        sha256: of the file.
        config: the configuration of the run, or as much of it as the file holds.
        content: of the file.
    """

    kind: str
    file: Path
    sha256: str
    config: dict[str, Any]
    content: StoredPredictor


def read_finished(path: Path) -> Finished:
    """The predictor of a run folder, or of a predictor's file.

    Raises:
        BadInputError: missing, unfinished, damaged, or not enough without its run.
    """
    path = located(path)
    if path.suffix == SAFE and not path.is_dir():
        with unchanged(path):
            found, sha256 = read_predictor(path), sha256_file(path)
        if found.config.get("features"):
            problem = "heads on stored features, whose run knows the network below them"
            raise BadInputError(path, problem, hint="name the run folder")
        config = {"options": found.config, "stage": found.stage}
        return Finished(schema.FORMAT_PREDICTOR, path, sha256, config, found)
    run = Run.open(path)
    if not run.predictor.is_file():
        raise BadInputError(
            path,
            "the run is not finished: it has no predictor yet",
            hint=f"finish it: {read_link(path).command('--resume')}",
        )
    with unchanged(run.predictor):
        sha256, found = run.require_own_predictor(), read_predictor(run.predictor)
    return Finished(schema.FORMAT_RUN, run.predictor, sha256, run.config, found)


def _from_run(path: Path, device: torch.device) -> Predictor:
    found = read_finished(path)
    config, stored = found.config, found.content
    options: FitOptions | TeachOptions
    if config.get("stage", "fit") == "teach":
        options = options_from(TeachOptions, config.get("options", {}), path)
        modules, clusters, method = None, 0, "drawings"
        size, align = options.test_size or options.image_size, options.align
    else:
        options = without_modules_if_picie(
            options_from(FitOptions, config.get("options", {}), path)
        )
        modules, clusters, method = options, options.clusters, options.method
        size, align = options.image_size, False
    net, _ = build_network(
        replace(options, weights="none"),
        modules,
        clusters,
        seed=options.seed,
        layer=config.get("frozen_layer") or "fpn",
        frozen_channels=int(config.get("frozen_channels", 0)),
    )
    try:
        net.load_state_dict(stored.network)
    except RuntimeError as error:
        first = str(error).split("\n", 1)[0]
        raise BadInputError(found.file, f"does not fit its run: {first}") from None
    classifier = _classifier(stored, found.file, device)
    return Predictor(
        Encoder(net.to(device).eval(), classifier.layer, size, options.amp, device),
        classifier,
        stored.groups,
        None if stored.shares is None else Sharpen(stored.shares.to(device)),
        Origin(path, found.kind, method, config, found.sha256),
        align,
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
        BadInputError: no finished run, one of heads only, or a backbone or pyramid of another
            shape.
    """
    found = read_finished(path)
    if found.config.get("frozen_layer"):
        raise BadInputError(
            found.file,
            "its heads were trained on stored features, not on those of the network below them",
            hint="start from the weights of its features: --weights",
        )
    given, own = found.content.network, net.state_dict()
    wrong = [
        k
        for k in own
        if k.startswith(("backbone.", "pyramid."))
        and (k not in given or given[k].shape != own[k].shape)
    ]
    if wrong:
        raise BadInputError(
            found.file,
            f"its network is another one: {len(wrong)} tensors do not fit ({wrong[0]})",
            hint="use the run's own --backbone and --fpn-dim",
        )
    fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    net.load_state_dict(fitting, strict=False)
    return found.sha256


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
    if given.exists() or str(given) == NAME:
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
