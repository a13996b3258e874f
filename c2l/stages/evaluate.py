"""eval: a predictor against masks, beside the trivial predictors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from c2l import __version__, schema
from c2l.artifacts.lineage import DATA, LABELS, MERGE, PREDICTOR, SCORES, Source, as_json, source
from c2l.artifacts.outputs import JSON, claim, inputs_of
from c2l.artifacts.scores import read_scores
from c2l.data.labels import LabelSpace, Merge, load_merge
from c2l.data.parts_by_name import classes_by_name
from c2l.data.scoring_input import open_labelled, settle
from c2l.data.unscored import Pixels
from c2l.errors import BadInputError, UsageError
from c2l.model.loading import load_predictor
from c2l.model.predictor import Predictor
from c2l.options import EvalOptions, recorded
from c2l.runtime.device import pick_device
from c2l.runtime.files import sha256_file, sha256_lines
from c2l.runtime.json_files import flat, write_json
from c2l.runtime.progress import console
from c2l.runtime.ranks import Ranks, open_ranks
from c2l.runtime.threads import prepare_cpu
from c2l.scoring.agreement import agreement
from c2l.scoring.bootstrap import bootstrap
from c2l.scoring.labelled import Found, LabelledPass
from c2l.scoring.matching import hungarian, majority
from c2l.scoring.metrics import score, score_images
from c2l.scoring.trivial import TrivialEvaluation, by_class, matchings

Counts = NDArray[np.int64]
ScoredPass = LabelledPass[Predictor]


def plan(artifact: Path, data: Path | None, options: EvalOptions) -> dict[str, Any]:
    """What ``--dry-run`` says; an eval.json is scored again without images."""
    options.check()
    images = 0
    if data is not None:
        images = len(open_labelled(data, options, options.split).records)
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
    options.check()
    again = artifact.suffix == ".json"
    if again and data is not None:
        raise UsageError("an eval.json is scored again without DATA")
    if not again and data is None:
        raise UsageError("DATA is missing: a data set with masks is needed")
    inputs = inputs_of(options, artifact, data=data)
    prepare_cpu()
    device = pick_device(options.device)
    with open_ranks(device) as ranks, ExitStack() as stack:

        def begin() -> None:
            if ranks.first:
                stack.enter_context(claim(output, overwrite=overwrite, starts=JSON, inputs=inputs))

        ranks.together(begin)
        if data is None:
            ranks.first_does(lambda: _write(output, _rescore(artifact, options)))
        else:
            _evaluate(artifact, data, output, options, device, ranks)
    return output


def _write(output: Path, result: dict[str, Any]) -> None:
    absent = [name for name, iou in result["iou"].items() if iou is None]
    if absent:
        console.print(f"no labelled pixel shows {', '.join(absent)}: left out of the means")
    write_json(output, result, sealed=True)


def _evaluate(
    artifact: Path,
    data: Path,
    output: Path,
    options: EvalOptions,
    device: torch.device,
    ranks: Ranks,
) -> None:
    """Score the photos, which ranks share; the first writes the scores."""
    scored = ranks.together(lambda: _opened(artifact, data, options, device))
    _require_same(scored, ranks)
    found = scored.count(ranks, "score")
    pixels = Pixels.of(found.raw.sum(0), found.dropped, scored.labels.space, scored.merge)
    ranks.first_does(lambda: _require_sound(scored, found, pixels))
    elsewhere = None
    if options.match_split is not None:
        match = ranks.together(lambda: _on_split(scored, data, options.match_split))
        elsewhere = match.count(ranks, "match").per_image
    ranks.first_does(lambda: _write(output, _summary(artifact, scored, found, pixels, elsewhere)))


def _opened(artifact: Path, data: Path, options: EvalOptions, device: torch.device) -> ScoredPass:
    dataset = open_labelled(data, options, options.split)
    labels = settle(dataset)
    space = labels.space
    console.print(f"labels: {labels.said}")
    merge = load_merge(options.merge, space)
    predictor = load_predictor(artifact, device, options.weights, options.image_size)
    size, trivial = predictor.encoder.image_size, None
    if options.baselines:
        trivial = TrivialEvaluation(dataset, size, len(space.names), merge, options)
    return LabelledPass(predictor, size, dataset, labels, merge, options, trivial)


def _require_same(scored: ScoredPass, ranks: Ranks) -> None:
    """Refuse ranks that see another predictor, other photos or other options."""
    names = [record.name for record in scored.dataset.records]
    values = {
        "version": __version__,
        "options": recorded(scored.options),
        "predictor": scored.predictor.origin.sha256,
        "merge": [scored.merge.classes, list(scored.merge.table)],
        "labels": scored.labels.space.names,
        "photos": len(names),
        "names_sha256": sha256_lines(iter(names)),
    }
    ranks.require_same(str(scored.dataset.root), flat(values))


def _on_split(scored: ScoredPass, data: Path, split: str | None) -> ScoredPass:
    """The same pass over another split, where only the matching is fitted."""
    dataset = open_labelled(data, scored.options, split)
    labels = replace(scored.labels, odd=settle(dataset).odd)
    return replace(scored, dataset=dataset, labels=labels, trivial=None)


def _require_sound(scored: ScoredPass, found: Found, pixels: Pixels) -> None:
    """Say what is odd about the photos, and refuse what cannot be scored."""
    if found.either_way:
        console.print(
            f"note: {found.either_way} photos are turned by EXIF orientation, and their masks fit "
            "them turned and as stored; read as stored by: --exif ignore"
        )
    counts = found.per_image.sum((0, 1))
    _require_scored(scored.dataset.root, pixels, counts, scored.merge, scored.options)


def _summary(
    artifact: Path, scored: ScoredPass, found: Found, pixels: Pixels, elsewhere: Counts | None
) -> dict[str, Any]:
    """What the JSON file holds; ``elsewhere``: (M, K, N) counts that a matching is fitted to."""
    predictor, merge, options = scored.predictor, scored.merge, scored.options
    dataset, trivial = scored.dataset, scored.trivial
    named = predictor.own_names if predictor.named else ()
    result = _result(found.raw, merge, scored.labels.space, options, found, named)
    if elsewhere is not None:
        result["matched_elsewhere"] = _matched_elsewhere(
            found.per_image.sum(0), elsewhere, merge, options
        )
    baselines = trivial.results() if trivial else {}
    if trivial and options.bootstrap:
        matching = np.array(result["matching"]["clusters_to_classes"], dtype=np.int64)
        result["differences"] = trivial.differences(found.per_image, matching, options)
    result |= {
        "baselines": {
            name: _scored(by_class(counts, merge), own, merge)
            for name, (counts, own) in baselines.items()
        },
        "baseline_confusions_raw": {n: pair[0].tolist() for n, pair in baselines.items()},
        "images": len(found.per_image),
        "skipped": found.skipped,
        "pixels": pixels.as_dict(),
        "photos": dataset.line,
        "labels_by": scored.labels.said,
        "split": dataset.split,
        "method": predictor.origin.method,
        "clusters": predictor.clusters,
        **({"called": list(predictor.names)} if predictor.called else {}),
        "lineage": {
            "predictor": str(artifact),
            "predictor_sha256": predictor.origin.sha256,
            "data": str(dataset.root.resolve()),
            "data_sha256": found.sha256,
            "options": recorded(options),
            "made_from": predictor.origin.config,
            "sources": as_json(
                [
                    source(PREDICTOR, predictor.origin.file, predictor.origin.sha256),
                    source(DATA, dataset.root, found.sha256),
                    *_named_files(options),
                ]
            ),
        },
    }
    return result


def _require_scored(
    root: Path, pixels: Pixels, counts: Counts, merge: Merge, options: EvalOptions
) -> None:
    """Report the pixels that are not scored, and refuse a score that leaves too many out.

    Raises:
        BadInputError: more than a small share of the pixels is not scored, and nobody allowed
            that; or all that is scored is of one class.
    """
    if said := pixels.said():
        console.print(said)
    shown = [merge.classes[i] for i in np.flatnonzero(counts)]
    if len(shown) < 2:
        only = f"every pixel is {shown[0]}" if shown else "every pixel is ignored"
        raise BadInputError(
            root,
            f"{only}: a score needs two classes",
            hint="choose another --merge or split, or see the masks: c2l data check DIR",
        )
    if (excess := pixels.excess()) and not options.allow_unscored:
        raise BadInputError(
            root,
            excess,
            hint="name the labels by --labels NAME|FILE, or accept it by --allow-unscored",
        )


def _scored(confusion: Counts, matching: NDArray[np.int64], merge: Merge) -> dict[str, Any]:
    return {**score(confusion, matching, merge.classes).as_dict(), **agreement(confusion)}


def _result(
    raw: Counts,
    merge: Merge,
    space: LabelSpace,
    options: EvalOptions,
    found: Found | None,
    named: Sequence[str],
) -> dict[str, Any]:
    """Scores, matching and confusion matrices of one predictor.

    A predictor that names parts by itself is scored as it names them, where the classes have
    counterparts; all else is matched one to one by the Hungarian method.
    ``named`` holds the names that it gives its ids, and is empty where these are clusters.
    """
    confusion = by_class(raw, merge)
    best = hungarian(confusion)
    scores = score(confusion, best, merge.classes)
    own = classes_by_name(named, merge) if named and len(named) == len(confusion) else None
    matching = best if own is None else np.array(own, dtype=np.int64)
    many = majority(confusion)
    images: dict[str, Any] = {"intervals": {}}
    if found is not None:
        images = {
            "intervals": bootstrap(found.per_image, matching, options.bootstrap, options.seed),
            "per_image": score_images(found.names, found.per_image, matching),
        }
    return {
        "format": schema.FORMAT_EVAL,
        "format_version": schema.FORMAT_VERSION,
        "created_by": f"c2l {__version__}",
        **_scored(confusion, matching, merge),
        "classes": list(merge.classes),
        "merge": merge.name,
        "merge_table": list(merge.table),
        "named": bool(named),
        "names": list(named),
        "confusion": confusion.tolist(),
        "matching": {
            "kind": "hungarian" if own is None else "by name",
            "clusters_to_classes": matching.tolist(),
        },
        "hungarian": scores.as_dict(),
        "many_to_one": {
            **score(confusion, many, merge.classes).as_dict(),
            "clusters_to_classes": many.tolist(),
        },
        **images,
        "label_space": {"name": space.name, "names": list(space.names)},
        "confusion_raw": raw.tolist(),
    }


def _matched_elsewhere(
    confusion: Counts, elsewhere: Counts, merge: Merge, options: EvalOptions
) -> dict[str, Any]:
    """The matching fitted on another split, applied to the scored one."""
    matching = hungarian(elsewhere.sum(0))
    return {
        **score(confusion, matching, merge.classes).as_dict(),
        "split": options.match_split,
        "images": len(elsewhere),
        "clusters_to_classes": matching.tolist(),
    }


def _named_files(options: EvalOptions) -> list[Source]:
    """The files that --merge and --labels name, where they name some."""
    given = ((MERGE, options.merge), (LABELS, options.labels))
    paths = [(role, Path(name)) for role, name in given if name]
    return [source(role, path, sha256_file(path)) for role, path in paths if path.is_file()]


def _rescore(path: Path, options: EvalOptions) -> dict[str, Any]:
    """Scores of a stored confusion matrix under another merge; no image is read.

    What does not carry over is left out: intervals and each image's scores need every image's
    own counts, a matching fitted elsewhere that split's, and trivial rows see ``matchings``.
    """
    old = read_scores(path)
    space = LabelSpace(old["label_space"]["name"], tuple(old["label_space"]["names"]))
    raw = np.array(old["confusion_raw"], dtype=np.int64)
    merge = load_merge(options.merge, space)
    # Scores of before names were stored are of named predictors only where these are the parts.
    named = old.get("names", schema.PARTS if old.get("named") else ())
    result = _result(raw, merge, space, options, None, named)
    fitted_for = list(old.get("baseline_classes", old["classes"]))
    stored = old.get("baseline_confusions_raw", {})
    counts = {name: np.array(values, dtype=np.int64) for name, values in stored.items()}
    kept_rows = matchings(counts, merge, fitted_for)
    result["baselines"] = {
        name: _scored(by_class(counts[name], merge), own, merge) for name, own in kept_rows.items()
    }
    left_out = sorted(set(stored) - set(kept_rows))
    need_images = ("intervals", "differences", "per_image", "matched_elsewhere")
    left_out += [name for name in need_images if old.get(name)]
    if left_out:
        console.print(f"left out, since they need the images: {', '.join(left_out)}")
    kept = (
        "images",
        "skipped",
        "photos",
        "labels_by",
        "split",
        "method",
        "clusters",
        "called",
        "lineage",
    )
    result |= {k: old[k] for k in kept if k in old}
    if "pixels" in old:
        pixels = Pixels.of(raw.sum(0), Pixels.stored(old["pixels"]).dropped, space, merge)
        result["pixels"] = pixels.as_dict()
        _require_scored(path, pixels, by_class(raw, merge).sum(0), merge, options)
    lineage = dict(result.get("lineage", {}))
    made_from = [source(SCORES, path, sha256_file(path)), *_named_files(options)]
    lineage["sources"] = as_json(made_from)
    lineage["options"] = recorded(options)
    return {
        **result,
        "baseline_confusions_raw": stored,
        "baseline_classes": fitted_for,
        "lineage": lineage,
        "left_out": left_out,
        "rescored_from": str(path),
    }
