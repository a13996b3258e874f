"""extract: images to dense features of a backbone or of a trained network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from c2l import schema
from c2l.artifacts.drawn import located
from c2l.artifacts.feature_writer import FeatureWriter, StoreLayout, write_features
from c2l.artifacts.lineage import DATA, PREDICTOR, WEIGHTS, Source, as_json, source
from c2l.artifacts.outputs import HDF5, claim, inputs_of, refuse_existing
from c2l.data.dataset import Dataset, open_images
from c2l.data.decoding import Decoded, Skips, batched, decode, inputs_digest
from c2l.data.records import Record
from c2l.errors import BadInputError, UsageError
from c2l.model.build import build_network, read_layer
from c2l.model.loading import load_predictor
from c2l.nn.augment import geometric, photometric
from c2l.nn.network import ParsingNetwork
from c2l.nn.views import view_parameters
from c2l.options import ExtractOptions, NetworkOptions, recorded
from c2l.runtime.device import pick_device, precision, to_batch
from c2l.runtime.files import sha256_file
from c2l.runtime.progress import console, progress
from c2l.runtime.signals import StopRequest
from c2l.runtime.streams import Purpose, stream
from c2l.runtime.threads import prepare_cpu

# Principal components are computed from the features of every n-th image: of all that there are, or
# of this many to twice as many. Another choice would give another store under the same seed.
PCA_IMAGES = 256


@dataclass(frozen=True)
class Encoder:
    """The network whose features are extracted.

    Attributes:
        net: in evaluation mode, on its device.
        weights: where its weights came from, and their hash.
        amp: its mixed precision.
        device: where it is.
        file: the role and path of the file the weights came from, if they came from one.
        config: the options that decide its network, as they are in force.
    """

    net: ParsingNetwork
    weights: tuple[str, str]
    amp: str
    device: torch.device
    file: tuple[str, Path] | None
    config: dict[str, Any]

    def lineage(self, data: Path) -> Callable[[str], list[Source]]:
        """The store's inputs, once the digest of the photos is known."""

        def made_from(photos_sha256: str) -> list[Source]:
            found = [source(DATA, data, photos_sha256)]
            if self.file:
                found.append(source(*self.file, self.weights[1]))
            return found

        return made_from


@dataclass(frozen=True)
class Projection:
    """Principal components of normalised features: ``(x / |x| - mean) @ components.T``."""

    mean: Tensor
    components: Tensor

    @property
    def sha256(self) -> str:
        """Hash of both: a stopped store is not resumed under others."""
        both = torch.cat([self.mean[None], self.components]).cpu().numpy()
        return sha256(both.tobytes()).hexdigest()


def plan(data: Path, options: ExtractOptions) -> dict[str, Any]:
    """What ``--dry-run`` says: items, shape, bytes on disk and in memory."""
    options.check()
    dataset = open_images(data, options)
    encoder = _open_encoder(options)
    layout, _ = _probe(encoder, dataset, options)
    image = options.image_size**2 * 3 * options.batch_size
    return {
        "images": len(layout.names),
        "shape": list(layout.shape),
        "disk_bytes": layout.nbytes,
        "memory_bytes_for_a_batch": image * 5
        + layout.nbytes // len(layout.names) * 2 * options.batch_size,
        "device": str(encoder.device),
        "weights": encoder.weights[0],
    }


def extract(data: Path, output: Path, options: ExtractOptions, *, overwrite: bool = False) -> Path:
    """Write the feature store of a data set.

    A stopped store is resumed.

    Returns:
        The path of the store.

    Raises:
        BadInputError: the data set, an image, or the weights.
        UsageError: the output exists; or options that do not go together.
        OutputError: the output cannot be written.
        ConfigDiffersError: a stopped run left it under other options.
        LockedError: another process writes it.
        StoppedError: a signal came; what was done is kept.
    """
    options.check()
    inputs = inputs_of(options, data=data)
    refuse_existing(output, overwrite=overwrite, starts=HDF5, inputs=inputs)
    prepare_cpu()
    dataset = open_images(data, options)
    encoder = _open_encoder(options)
    layout, projection = _probe(encoder, dataset, options)
    skips = Skips(options.on_error, dataset.unusable)
    with (
        claim(output, overwrite=overwrite, starts=HDF5, inputs=inputs),
        StopRequest() as stop,
        write_features(
            output,
            layout,
            _config(dataset, options, encoder),
            _attributes(encoder, options, projection),
            anew=overwrite,
        ) as writer,
    ):
        if writer.unused:
            console.print(f"{output}: what a stopped run left of it is not used: {writer.unused}")
        sums = _continue(writer, dataset)
        if sums:
            there = f"{len(sums)} of {len(layout.names)} images are there already"
            console.print(f"going on with {output}: {there}")
        with progress("extract", len(layout.names)) as bar, ThreadPoolExecutor(1) as pool:
            bar.begin(len(sums))
            pending: Future[None] | None = None
            for group in _missing(dataset, writer, options, skips):
                rows = _rows(encoder, group, options, projection)
                # One batch is written while the next one is computed.
                if pending:
                    pending.result()
                pending = pool.submit(_store, writer, rows)
                sums |= {image.index: image.sha256 for image in group}
                bar.advance(len(group))
                stop.check(
                    f"stopped; {len(sums)} of {len(layout.names)} images are kept for {output}",
                    "run the same command again to resume",
                )
            if pending:
                pending.result()
        _finish(writer, dataset, sums, skips, projection, encoder.lineage(dataset.root))
    skips.count(len(layout.names))
    return output


def _open_encoder(options: ExtractOptions) -> Encoder:
    device = pick_device(options.device)
    if options.checkpoint is not None:
        path = located(Path(options.checkpoint))
        predictor = load_predictor(path, device, None)
        if predictor.origin.kind == schema.FORMAT_CLUSTERS:
            raise BadInputError(path, "expected a run folder", hint="make one with: c2l fit")
        encoder, origin = predictor.encoder, predictor.origin
        if encoder.image_size != options.image_size:
            console.print(
                f"the run was trained at {encoder.image_size} pixels; "
                f"features are extracted at {options.image_size}"
            )
        trained = origin.config["options"]
        return Encoder(
            encoder.net,
            (str(path), origin.sha256),
            encoder.amp,
            device,
            (PREDICTOR, predictor.origin.file),
            {f.name: trained[f.name] for f in fields(NetworkOptions) if f.name in trained},
        )
    net, weights = build_network(options, None, 0, seed=options.seed)
    file = None if weights.source in ("none", "imagenet") else (WEIGHTS, Path(weights.source))
    named = (weights.source, weights.sha256)
    return Encoder(net.to(device).eval(), named, options.amp, device, file, {})


def _config(dataset: Dataset, options: ExtractOptions, encoder: Encoder) -> dict[str, Any]:
    """The options, those of the network as the trained run has them."""
    where = {"data": str(dataset.root.resolve()), "layout": dataset.layout}
    return {**recorded(options), **encoder.config, **where}


def _attributes(
    encoder: Encoder, options: ExtractOptions, projection: Projection | None
) -> dict[str, str]:
    mean, std = encoder.net.backbone.statistics
    preprocessing = {"size": options.image_size, "mean": mean, "std": std, "resize": "bilinear"}
    found = {
        schema.ATTR_BACKBONE: encoder.config.get("backbone", options.backbone),
        schema.ATTR_WEIGHTS: encoder.weights[0],
        schema.ATTR_WEIGHTS_SHA256: encoder.weights[1],
        schema.ATTR_PREPROCESSING: json.dumps(preprocessing, sort_keys=True),
    }
    if projection is not None:
        found[schema.ATTR_PCA_SHA256] = projection.sha256
    return found


def _continue(writer: FeatureWriter, dataset: Dataset) -> dict[int, str]:
    """Hashes of the images a stopped run wrote, by index; images changed since are done again."""
    sums = {}
    for index in np.flatnonzero(writer.done):
        stored = writer.stored_sha256(int(index))
        if sha256_file(dataset.records[int(index)].image) == stored:
            sums[int(index)] = stored
        else:
            writer.done[index] = False
    return sums


def _missing(
    dataset: Dataset, writer: FeatureWriter, options: ExtractOptions, skips: Skips
) -> Iterator[list[Decoded]]:
    wanted = np.flatnonzero(~writer.done)
    records = [dataset.records[int(i)] for i in wanted]
    decoded = decode(records, options.image_size, options.workers, skips)
    for group in batched(decoded, options.batch_size):
        yield [Decoded(int(wanted[d.index]), d.pixels, d.size, d.sha256) for d in group]


@torch.no_grad()
def _features(encoder: Encoder, images: Tensor, options: ExtractOptions) -> Tensor:
    """(B, C, h, w) float32 of a layer, strided."""
    with precision(encoder.device, encoder.amp):
        features = read_layer(encoder.net, images, options.layer)
    return features[:, :, :: options.stride, :: options.stride].float()


def _probe(
    encoder: Encoder, dataset: Dataset, options: ExtractOptions
) -> tuple[StoreLayout, Projection | None]:
    """The layout of the store, from one blank image; and the principal components."""
    size = options.image_size
    blank = torch.zeros(1, 3, size, size, device=encoder.device)
    _, channels, height, width = _features(encoder, blank, options).shape
    if options.pixels_per_image > height * width:
        raise UsageError(
            f"--pixels-per-image {options.pixels_per_image}: the map has {height * width} pixels"
        )
    projection = None
    if options.pca:
        if options.pca > channels:
            raise UsageError(f"--pca {options.pca}: the features have {channels} channels")
        projection = _principal_components(encoder, dataset.records, options, channels)
        channels = options.pca
    layout = StoreLayout(
        names=tuple(r.name for r in dataset.records),
        grid=(height, width),
        channels=channels,
        pixels=options.pixels_per_image,
        views=options.views,
    )
    return layout, projection


def _principal_components(
    encoder: Encoder, records: tuple[Record, ...], options: ExtractOptions, channels: int
) -> Projection:
    chosen = records[:: max(1, len(records) // PCA_IMAGES)]
    total, count = torch.zeros(channels, dtype=torch.float64), 0
    outer = torch.zeros(channels, channels, dtype=torch.float64)
    decoded = decode(chosen, options.image_size, options.workers, Skips("skip"))
    with progress("pca", len(chosen)) as bar:
        for group in batched(decoded, options.batch_size):
            x = to_batch(np.stack([d.pixels for d in group]), encoder.device).float() / 255
            features = F.normalize(_features(encoder, x, options), dim=1)
            points = features.permute(0, 2, 3, 1).reshape(-1, channels).double().cpu()
            total, outer, count = (
                total + points.sum(0),
                outer + points.T @ points,
                count + len(points),
            )
            bar.advance(len(group))
    mean = total / max(count, 1)
    covariance = outer / max(count, 1) - torch.outer(mean, mean)
    vectors = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, : options.pca]
    # The sign of an eigenvector is arbitrary; fix it so that the same input gives the same bytes.
    vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    return Projection(mean.float().to(encoder.device), vectors.T.float().to(encoder.device))


def _pack(features_BCHW: Tensor, projection: Projection | None) -> Tensor:
    """(B, h, w, C) float16, projected when asked for."""
    x = features_BCHW.permute(0, 2, 3, 1)
    if projection is not None:
        x = (F.normalize(x, dim=-1) - projection.mean) @ projection.components.T
    return x.to(torch.float16)


def _rows(
    encoder: Encoder, group: list[Decoded], options: ExtractOptions, projection: Projection | None
) -> list[tuple[int, dict[str, NDArray[Any]]]]:
    """What is stored for each image of a batch."""
    pixels = to_batch(np.stack([d.pixels for d in group]), encoder.device)
    maps = {schema.FEATURES: _features(encoder, pixels.float() / 255, options)}
    if options.views:
        indices = np.array([d.index for d in group], dtype=np.int64)
        maps[schema.FEATURES_VIEW1], maps[schema.FEATURES_VIEW2] = _views(
            encoder, pixels, indices, options
        )
    packed = {name: _pack(m, projection).cpu().numpy() for name, m in maps.items()}
    rows = []
    for row, image in enumerate(group):
        arrays = {name: values[row] for name, values in packed.items()}
        if options.pixels_per_image:
            _sample(arrays, image.index, options)
        arrays[schema.ORIG_SIZE] = np.array(image.size, dtype=np.int32)
        arrays[schema.IMAGE_SHA256] = np.array(image.sha256, dtype="S64")
        rows.append((image.index, arrays))
    return rows


def _sample(arrays: dict[str, NDArray[Any]], index: int, options: ExtractOptions) -> None:
    """Keep random pixels of an image, in raster order."""
    flat = arrays[schema.FEATURES].reshape(-1, arrays[schema.FEATURES].shape[-1])
    generator = stream(options.seed, Purpose.PIXELS, 0, index)
    chosen = np.sort(generator.choice(len(flat), options.pixels_per_image, replace=False))
    arrays[schema.FEATURES] = flat[chosen]
    arrays[schema.PIXEL_INDEX] = chosen.astype(np.int32)


@torch.no_grad()
def _views(
    encoder: Encoder, pixels: Tensor, indices: NDArray[np.int64], options: ExtractOptions
) -> tuple[Tensor, Tensor]:
    """Epoch 0's G(f(P1(x))) and f(G(P2(x))) (Eq. 5)."""
    parameters = view_parameters(options.seed, 0, indices)
    first, second = photometric(pixels, parameters, 0), photometric(pixels, parameters, 1)
    with precision(encoder.device, encoder.amp):
        if options.layer == "fpn":
            warped = geometric(encoder.net.features(first), parameters)
            view1 = encoder.net.embed(warped)[0]
        else:
            view1 = geometric(read_layer(encoder.net, first, options.layer), parameters)
    view2 = _features(encoder, geometric(second, parameters), options)
    return view1.float()[:, :, :: options.stride, :: options.stride], view2


def _store(writer: FeatureWriter, rows: list[tuple[int, dict[str, NDArray[Any]]]]) -> None:
    for index, arrays in rows:
        writer.write(index, arrays)
    writer.flush()


def _finish(
    writer: FeatureWriter,
    dataset: Dataset,
    sums: dict[int, str],
    skips: Skips,
    projection: Projection | None,
    lineage: Callable[[str], list[Source]],
) -> None:
    if not sums:
        raise BadInputError(dataset.root, "not one image could be decoded")
    keep = np.array(sorted(sums), dtype=np.int64)
    names = [dataset.records[int(i)].name for i in keep]
    reasons = [f"{name}\t{reason}" for name, reason in sorted(skips.all.items())]
    extras: dict[str, NDArray[Any]] = {schema.SKIPPED: np.array(reasons, dtype=object)}
    if projection is not None:
        extras[schema.PCA_COMPONENTS] = projection.components.cpu().numpy()
        extras[schema.PCA_MEAN] = projection.mean.cpu().numpy()
    digest = inputs_digest(names, [sums[int(i)] for i in keep])
    made_from = json.dumps(as_json(lineage(digest)))
    writer.finish(keep, extras, {schema.ATTR_INPUTS: digest, schema.ATTR_LINEAGE: made_from})
