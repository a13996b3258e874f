"""eval: a predictor against masks, beside the trivial predictors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from c2l import __version__, schema
from c2l.artifacts.files import refuse_existing, write_json
from c2l.artifacts.scores import read_scores
from c2l.clustering.figure import centre_prior, colour_codes, sharpen, split_rows
from c2l.data.images import read_rgb
from c2l.data.labels import LabelSpace, Merge, folder_space, load_merge
from c2l.data.layouts import Dataset, Record, open_dataset
from c2l.data.masks import check_mask_size, read_mask
from c2l.data.pool import ordered_map
from c2l.errors import BadInputError, UsageError
from c2l.options import EvalOptions, identity
from c2l.pipeline.claim import claim
from c2l.pipeline.device import limit_threads, pick_device
from c2l.pipeline.predictor import Predictor, load_predictor, to_batch
from c2l.pipeline.progress import steps
from c2l.scoring.baselines import BORDER_CLASSES, TrivialBaselines
from c2l.scoring.bootstrap import bootstrap
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.matching import hungarian, majority
from c2l.scoring.matching import identity as same_class
from c2l.scoring.metrics import score

Counts = NDArray[np.int64]
# Images that the trivial predictors are fitted on at most, evenly spread.
BASELINE_IMAGES = 200
FIGURE = "place-and-colour"


@dataclass(frozen=True)
class Labelled:
    """A photo and its mask.

    Attributes:
        pixels: (S, S, 3) uint8, resized.
        mask: (H, W) raw label ids at the photo's own size.
    """

    name: str
    pixels: NDArray[np.uint8]
    mask: NDArray[Any]


def plan(artifact: Path, data: Path | None, options: EvalOptions) -> dict[str, Any]:
    """What ``--dry-run`` says; an eval.json is scored again without images."""
    images = 0
    if data is not None:
        images = len(_labelled(data, options.split).records)
    elif artifact.suffix != ".json":
        raise UsageError("DATA is missing: a data set with masks is needed")
    return {"images": images, "disk_bytes": 100_000, "device": str(pick_device(options.device))}


def evaluate(
    artifact: Path,
    data: Path | None,
    output: Path,
    options: EvalOptions,
    *,
    overwrite: bool = False,
) -> Path:
    """Score a predictor, or score an eval.json again under another label merge.

    Args:
        artifact: a run folder, a clusters file, or an eval.json (then ``data`` is None).
        data: a data set with masks.
        output: the JSON file.
        options: see ``EvalOptions``.
        overwrite: replace an existing output.

    Returns:
        The path of the JSON file.

    Raises:
        BadInputError: the artifact, the data, a mask, or no labelled pixel.
        UsageError: the output exists; ``data`` missing.
    """
    refuse_existing(output, overwrite=overwrite)
    again = artifact.suffix == ".json"
    if again and data is not None:
        raise UsageError("an eval.json is scored again without DATA")
    with claim(output, overwrite=overwrite):
        result = _rescore(artifact, options) if again else _evaluate(artifact, data, options)
        write_json(output, result, sealed=True)
    return output


def _evaluate(artifact: Path, data: Path | None, options: EvalOptions) -> dict[str, Any]:
    if data is None:
        raise UsageError("DATA is missing: a data set with masks is needed")
    limit_threads()
    dataset = _labelled(data, options.split)
    space = dataset.space or _found_space(dataset)
    merge = load_merge(options.merge, space)
    predictor = load_predictor(
        artifact, pick_device(options.device), options.weights, trust=options.trust
    )
    raw, per_image = _confusions(predictor, dataset, space, merge, options, "score")
    result = _result(raw, merge, space, options, per_image, predictor.groups is not None)
    if options.match_split is not None:
        result["matched_elsewhere"] = _matched_elsewhere(
            predictor, data, space, merge, options, per_image.sum(0)
        )
    baselines = _baselines(predictor, dataset, space, merge, options) if options.baselines else {}
    result |= {
        "baselines": {name: _scored(*found, merge) for name, found in baselines.items()},
        "baseline_confusions_raw": {n: found[0].tolist() for n, found in baselines.items()},
        "images": len(per_image),
        "split": dataset.split,
        "method": predictor.method,
        "clusters": predictor.clusters,
        "lineage": {
            "predictor": str(artifact),
            "predictor_sha256": predictor.sha256,
            "data": str(dataset.root.resolve()),
            "options": identity(options),
            "made_from": predictor.lineage["config"],
        },
    }
    return result


def _labelled(data: Path, split: str | None) -> Dataset:
    dataset = open_dataset(data, split=split, labelled_only=True)
    if not dataset.records:
        raise BadInputError(
            data, "no image of it has a mask", hint="see what it holds: c2l data check DIR"
        )
    return dataset


def _found_space(dataset: Dataset) -> LabelSpace:
    """The label space of a folder whose labels nobody named, from the ids in its masks."""
    ids: set[int] = set()
    masks = (record.mask for record in dataset.records if record.mask is not None)
    for mask in ordered_map(read_mask, masks):
        ids |= {int(v) for v in np.unique(mask)}
    return folder_space(ids)


def _read(size: int) -> Any:
    def read(record: Record) -> Labelled:
        pixels = read_rgb(record.image, size=size)
        if record.mask is None:
            raise BadInputError(record.image, "has no mask")
        mask = read_mask(record.mask)
        from c2l.data.images import read_size

        check_mask_size(mask, read_size(record.image), record.mask)
        return Labelled(record.name, pixels, mask)

    return read


def _batches(dataset: Dataset, size: int, batch: int, workers: int) -> Iterator[list[Labelled]]:
    group: list[Labelled] = []
    for item in ordered_map(_read(size), dataset.records, workers=workers):
        group.append(item)
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group


def _ids(mask: NDArray[Any], labels: int) -> NDArray[np.uint8]:
    """Raw ids as uint8, what lies outside the label space as ignore."""
    outside = (mask < 0) | (mask >= labels)
    return np.where(outside, schema.IGNORE, mask).astype(np.uint8)


def _by_class(raw: Counts, merge: Merge) -> Counts:
    """(K, N) counts by class from (K, R) counts by raw label."""
    table = np.asarray(merge.table)[: raw.shape[-1]]
    return np.stack(
        [raw[..., table == index].sum(-1) for index in range(len(merge.classes))], axis=-1
    )


def _confusions(
    predictor: Predictor,
    dataset: Dataset,
    space: LabelSpace,
    merge: Merge,
    options: EvalOptions,
    title: str,
) -> tuple[Counts, Counts]:
    """Counts by raw label of the whole set, (K, R), and by class of each image, (M, K, N)."""
    labels = len(space.names)
    raw = np.zeros((predictor.clusters, labels), dtype=np.int64)
    per_image = []
    with steps(title, len(dataset.records)) as bar:
        for group in _batches(dataset, predictor.image_size, options.batch_size, options.workers):
            pixels = np.stack([item.pixels for item in group])
            sizes = [(item.mask.shape[0], item.mask.shape[1]) for item in group]
            for item, found in zip(group, predictor.predict(pixels, sizes), strict=True):
                counts = confusion_matrix(
                    found, _ids(item.mask, labels), predictor.clusters, labels, source=item.name
                )
                raw += counts
                per_image.append(_by_class(counts, merge))
            bar.advance(len(group))
    return raw, np.stack(per_image)


def _scored(raw: Counts, matching: NDArray[np.int64], merge: Merge) -> dict[str, Any]:
    return score(_by_class(raw, merge), matching, merge.classes).as_dict()


def _result(
    raw: Counts,
    merge: Merge,
    space: LabelSpace,
    options: EvalOptions,
    per_image: Counts | None,
    named: bool,
) -> dict[str, Any]:
    """Scores, matching and confusion matrices of one predictor.

    Clusters that were joined to named parts without labels are scored as named, where the
    classes have these names; all else is matched one to one by the Hungarian method.
    """
    confusion = _by_class(raw, merge)
    best = hungarian(confusion)
    by_name = named and tuple(merge.classes) == tuple(BORDER_CLASSES)
    matching = same_class(*confusion.shape) if by_name else best
    many = majority(confusion)
    intervals = {}
    if per_image is not None:
        intervals = bootstrap(per_image, matching, options.bootstrap, options.seed)
    return {
        "format": schema.FORMAT_EVAL,
        "format_version": schema.FORMAT_VERSION,
        "created_by": f"c2l {__version__}",
        **score(confusion, matching, merge.classes).as_dict(),
        "classes": list(merge.classes),
        "merge": merge.name,
        "merge_table": list(merge.table),
        "named": named,
        "confusion": confusion.tolist(),
        "matching": {
            "kind": "by name" if by_name else "hungarian",
            "clusters_to_classes": matching.tolist(),
        },
        "hungarian": score(confusion, best, merge.classes).as_dict(),
        "many_to_one": {
            **score(confusion, many, merge.classes).as_dict(),
            "clusters_to_classes": many.tolist(),
        },
        "intervals": intervals,
        "label_space": {"name": space.name, "names": list(space.names)},
        "confusion_raw": raw.tolist(),
    }


def _matched_elsewhere(
    predictor: Predictor,
    data: Path,
    space: LabelSpace,
    merge: Merge,
    options: EvalOptions,
    confusion: Counts,
) -> dict[str, Any]:
    """The matching fitted on another split, applied to the scored one."""
    dataset = _labelled(data, options.match_split)
    _, elsewhere = _confusions(predictor, dataset, space, merge, options, "match")
    matching = hungarian(elsewhere.sum(0))
    return {
        **score(confusion, matching, merge.classes).as_dict(),
        "split": options.match_split,
        "images": len(elsewhere),
        "clusters_to_classes": matching.tolist(),
    }


def _baselines(
    predictor: Predictor,
    dataset: Dataset,
    space: LabelSpace,
    merge: Merge,
    options: EvalOptions,
) -> dict[str, tuple[Counts, NDArray[np.int64]]]:
    """Raw confusion and matching of each trivial predictor, fitted without labels."""
    size, labels = predictor.image_size, len(space.names)
    every = max(1, len(dataset.records) // BASELINE_IMAGES)
    chosen = [r.image for r in dataset.records[::every]]
    trivial = TrivialBaselines.fit(
        ordered_map(lambda p: read_rgb(p, size=size), chosen, workers=options.workers),
        len(merge.classes),
        options.seed,
        border=tuple(merge.classes) == tuple(BORDER_CLASSES),
    )
    counts = {
        name: np.zeros((trivial.clusters(name), labels), dtype=np.int64) for name in trivial.names
    }
    named = tuple(merge.classes) == tuple(BORDER_CLASSES)
    if named:
        counts[FIGURE] = np.zeros((len(BORDER_CLASSES), labels), dtype=np.int64)
    with steps("trivial baselines", len(dataset.records)) as bar:
        for group in _batches(dataset, size, options.batch_size, options.workers):
            figures = _figures([item.pixels for item in group]) if named else []
            for number, item in enumerate(group):
                target = _ids(item.mask, labels)
                found_by = trivial.predict(item.pixels)
                if named:
                    found_by[FIGURE] = figures[number]
                for name, found in found_by.items():
                    full = _nearest(found, target.shape)
                    counts[name] += confusion_matrix(
                        full, target, len(counts[name]), labels, source=item.name
                    )
            bar.advance(len(group))
    return {
        name: (
            raw,
            same_class(3, 3) if name == FIGURE else trivial.matching(name, _by_class(raw, merge)),
        )
        for name, raw in counts.items()
    }


def _figures(images: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Each photo's own figure from place and colour, halved: 0 ground, 1 upper, 2 lower."""
    x = to_batch(np.stack(images), torch.device("cpu"))
    side = images[0].shape[0] // 4
    codes = colour_codes(x, side, side)
    sides = split_rows(sharpen(codes, centre_prior(side, side).expand(len(x), -1, -1)))
    full = F.interpolate(sides, images[0].shape[:2], mode="bilinear")
    part = torch.where(full[:, 1] >= full[:, 2], 1, 2)
    found: NDArray[np.uint8] = torch.where(full[:, 0] >= 0.5, 0, part).to(torch.uint8).numpy()
    return list(found)


def _nearest(labels: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Labels at another size, nearest neighbour."""
    rows = (np.arange(shape[0]) + 0.5) * labels.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * labels.shape[1] / shape[1]
    found: NDArray[np.uint8] = labels[rows.astype(np.int64)[:, None], columns.astype(np.int64)]
    return found


def _trivial_matching(name: str, confusion: Counts) -> NDArray[np.int64]:
    """Predictors that name their own classes keep them; k-means is matched."""
    return hungarian(confusion) if name.startswith("kmeans") else same_class(*confusion.shape)


def _rescore(path: Path, options: EvalOptions) -> dict[str, Any]:
    """Scores of a stored confusion matrix under another merge; no image is read."""
    old = read_scores(path)
    space = LabelSpace(old["label_space"]["name"], tuple(old["label_space"]["names"]))
    raw = np.array(old["confusion_raw"], dtype=np.int64)
    trivial = {
        name: np.array(values, dtype=np.int64)
        for name, values in old.get("baseline_confusions_raw", {}).items()
    }
    merge = load_merge(options.merge, space)
    result = _result(raw, merge, space, options, None, bool(old.get("named")))
    result["baselines"] = {
        name: _scored(values, _trivial_matching(name, _by_class(values, merge)), merge)
        for name, values in trivial.items()
    }
    kept = ("images", "split", "method", "clusters", "lineage", "baseline_confusions_raw")
    return {**result, **{k: old[k] for k in kept if k in old}, "rescored_from": str(path)}
