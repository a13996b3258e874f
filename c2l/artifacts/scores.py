"""Reads eval.json with its types and shapes checked, since a file of any origin may hold any."""

from __future__ import annotations

import math
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from c2l import schema
from c2l.artifacts.chain import Format, Link, json_summary
from c2l.artifacts.lineage import DATA, PREDICTOR, SCORES, Source, from_json, quoted, source
from c2l.artifacts.untrusted.types import SCORES_KINDS, require_kinds
from c2l.data.unscored import Pixels
from c2l.errors import BadInputError
from c2l.options import EvalOptions
from c2l.runtime.json_files import read_json, unseal
from c2l.scoring.agreement import agreement

if TYPE_CHECKING:
    from c2l.data.dataset import Dataset

HINT = "make one with: c2l eval RUN DATA -o eval.json"
ALIKE = "score both alike by c2l eval --split and --merge, or show both by c2l compare --mixed"
# Photos left out that a line names.
MOST_SHOWN = 5
FRACTIONS = ("miou", "pixel_accuracy", "mean_class_accuracy")


def read_scores(path: Path) -> dict[str, Any]:
    """What ``eval`` wrote.

    Raises:
        BadInputError: missing, no eval.json, changed since it was written, or damaged.
    """
    scores = read_json(path, what="an eval.json", hint=HINT)
    if scores.get("format") != schema.FORMAT_EVAL:
        raise BadInputError(path, "not an eval.json of c2l", hint=HINT)
    if scores.get("format_version") != schema.FORMAT_VERSION:
        found = scores.get("format_version")
        raise BadInputError(
            path, f"format version {found}; this c2l reads {schema.FORMAT_VERSION}", hint=HINT
        )
    unseal(path, scores, hint=HINT)
    _origin(path, scores)
    try:
        _check(scores)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise BadInputError(path, f"damaged: {problem}", hint=HINT) from None
    return scores


def scores_of(path: Path, predictor_sha256: str, clusters: int) -> dict[str, Any]:
    """Read the scores of one predictor.

    Raises:
        BadInputError: as ``read_scores``, or they are another's.
    """
    scores = read_scores(path)
    found = scores.get("lineage", {}).get("predictor_sha256")
    if found != predictor_sha256 or len(scores["confusion"]) != clusters:
        raise BadInputError(
            path,
            "these are not the scores of this predictor",
            hint="score it again: c2l eval RUN DATA -o eval.json --overwrite",
        )
    return scores


def are_of(scores: dict[str, Any], path: Path, dataset: Dataset) -> bool:
    """Whether scores are of photos of this data set, in the same place or with the same bytes."""
    # These read images, which other readers of scores do not need.
    from c2l.data.decoding import inputs_digest
    from c2l.data.scoring_input import content_sha256

    lineage = scores["lineage"]
    place = source(DATA, Path(str(lineage.get("data"))), "").located(path)
    if dataset.root.resolve().is_relative_to(place.resolve()):
        return True
    masked = [record for record in dataset.records if record.mask is not None]
    if len(masked) != scores.get("images"):
        return False
    sums = [content_sha256(record) for record in masked]
    digest = inputs_digest([record.name for record in masked], sums)
    return bool(digest == lineage.get("data_sha256"))


def scored_on(scores: dict[str, Any]) -> dict[str, Any]:
    """The photos, split, label merge and label space, in which scores to compare must agree."""
    lineage = scores.get("lineage", {})
    # Before ``data_sha256``, the digest of the photos and masks was only among the sources.
    sources = (s.get("sha256") for s in lineage.get("sources", []) if s.get("role") == DATA)
    # The same labels are counted whatever was predicted.
    labels = [sum(counts) for counts in zip(*scores["confusion_raw"], strict=True)]
    return {
        "photos": [scores.get("images"), labels, lineage.get("data_sha256") or next(sources, None)],
        "split": scores.get("split"),
        "label merge": [scores["classes"], scores.get("merge_table")],
        "label space": scores["label_space"]["names"],
    }


def require_alike(
    files: Sequence[tuple[Path, dict[str, Any]]], *, mixed: bool = False, hint: str = ALIKE
) -> list[str]:
    """In what the scoring of eval.json files differs from that of the first.

    Raises:
        BadInputError: it differs, and ``mixed`` does not allow that.
    """
    found: list[str] = []
    for path, scores in files[1:]:
        first_path, first = files[0]
        own, theirs = scored_on(scores), scored_on(first)
        differing = [key for key in own if own[key] != theirs[key]]
        if differing and not mixed:
            raise BadInputError(
                path,
                f"its scoring differs from that of {first_path} in {', '.join(differing)}: "
                f"{_scoring(scores)}, there {_scoring(first)}",
                hint=hint,
            )
        found += differing
    return list(dict.fromkeys(found))


def _scoring(scores: dict[str, Any]) -> str:
    split = scores.get("split")
    labels = f"labels {scores.get('merge')} of {scores['label_space']['name']}"
    where = f"split {split}" if split else "no split"
    return f"{scores.get('images')} photos of {where}, {labels}"


def _check(scores: dict[str, Any]) -> None:
    classes = _names(scores["classes"], "classes")
    for part in (scores, scores["hungarian"], scores["many_to_one"]):
        _fractions(part)
        _agreement(part)
        for key in ("iou", "class_accuracy"):
            for name, value in _object(part.get(key, {}), key).items():
                _names([name], key)
                _fraction(value, key)
    clusters = _counts(scores["confusion"], len(classes), "confusion")
    if (named := scores.get("names")) and len(_names(named, "names")) != clusters:
        raise ValueError("'names' does not fit its confusion matrix")
    if (called := scores.get("called")) and len(_names(called, "called")) != clusters:
        raise ValueError("'called' does not fit its confusion matrix")
    for key in ("matching", "many_to_one"):
        _matching(scores[key]["clusters_to_classes"], clusters, len(classes), key)
    space = scores["label_space"]
    labels = _names(space["names"], "label_space")
    _names([space["name"], scores.get("merge", "-"), scores.get("method", "-")], "names")
    _counts(scores["confusion_raw"], len(labels), "confusion_raw")
    for name, values in _object(scores.get("baseline_confusions_raw", {}), "baselines").items():
        _names([name], "baselines")
        _counts(values, len(labels), f"baseline {name}")
    for name, values in _object(scores.get("baselines", {}), "baselines").items():
        _names([name], "baselines")
        _fractions(values)
        _agreement(values)
    _intervals(scores.get("intervals", {}), "intervals")
    for name, values in _object(scores.get("differences", {}), "differences").items():
        _names([name], "differences")
        _intervals(values, "differences", signed=True)
    _images(scores.get("per_image", []))
    if "pixels" in scores:
        Pixels.stored(scores["pixels"])
    _names([scores.get("photos", "-"), scores.get("labels_by", "-")], "photos, labels_by")
    _table(scores.get("merge_table"), len(classes))


def photos_scored(scores: dict[str, Any]) -> str:
    """How many photos were scored, and which were left out and why, as one line."""
    count, skipped = scores.get("images", 0), [*map(str, scores.get("skipped", {}).values())]
    if not skipped:
        return f"{count} photos"
    shown, more = "; ".join(skipped[:MOST_SHOWN]), len(skipped) - MOST_SHOWN
    said = f"{count} of {count + len(skipped)} photos, {len(skipped)} left out: {shown}"
    return f"{said}; and {more} more" if more > 0 else said


def ranked(scores: dict[str, Any]) -> list[tuple[str, float]]:
    """Name and mIoU of each image that has labels, from the best to the worst.

    Empty for scores that were made from others under another merge.
    """
    images = scores.get("per_image", [])
    known = [(i["name"], float(i["miou"])) for i in images if i["miou"] is not None]
    return sorted(known, key=lambda image: (-image[1], image[0]))


def _images(values: Any) -> None:
    """Each image's name and scores."""
    if not isinstance(values, list):
        raise ValueError("'per_image' is not a list")
    for image in values:
        own = _object(image, "per_image")
        _names([own["name"]], "per_image")
        for key in ("miou", "pixel_accuracy"):
            _fraction(own[key], key)


def _intervals(values: Any, key: str, *, signed: bool = False) -> None:
    """Two fractions by metric; those of differences may be negative."""
    for ends in _object(values, key).values():
        if len(ends) != 2:
            raise ValueError("an interval has two ends")
        for end in ends:
            _fraction(abs(end) if signed else end, key)


def _object(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key!r} is not an object")
    return value


def _names(values: Any, key: str) -> list[str]:
    if not isinstance(values, list) or not 1 <= len(values) <= schema.IGNORE:
        raise ValueError(f"{key!r} is not a list of names")
    for name in values:
        # A name is printed: nothing in it may steer a terminal.
        if not isinstance(name, str) or any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
            raise ValueError(f"{key!r} holds something other than a name")
    return values


def _fractions(values: dict[str, Any]) -> None:
    for key in FRACTIONS:
        _fraction(values[key], key)


def _agreement(values: dict[str, Any]) -> None:
    """NMI and ARI, which older files lack; ARI is negative below chance."""
    for key in schema.AGREEMENT:
        if (value := values.get(key)) is not None:
            _fraction(abs(value) if key.endswith("ari") else value, key)


def _fraction(value: Any, key: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{key!r} holds something other than a fraction")


def _counts(values: Any, columns: int, key: str) -> int:
    """The rows of a matrix of counts."""
    if not isinstance(values, list) or not 1 <= len(values) <= 1 << 16:
        raise ValueError(f"{key!r} is not a matrix")
    for row in values:
        if len(row) != columns or not all(type(n) is int and n >= 0 for n in row):
            raise ValueError(f"{key!r} is not a matrix of {columns} counts per row")
    return len(values)


def _matching(values: Any, clusters: int, classes: int, key: str) -> None:
    fits = isinstance(values, list) and len(values) == clusters
    if not fits or not all(type(v) is int and -1 <= v < classes for v in values):
        raise ValueError(f"{key!r} does not fit its confusion matrix")


def _table(values: Any, classes: int) -> None:
    """From raw label to class."""
    if values is None:
        return
    allowed = {*range(classes), schema.IGNORE}
    if not isinstance(values, list) or len(values) != 256 or not allowed.issuperset(values):
        raise ValueError("'merge_table' does not fit its classes")


def _summary(path: Path) -> dict[str, Any]:
    value = read_scores(path)
    wide = ("confusion_raw", "baseline_confusions_raw", "per_image", "merge_table")
    values = {k: v for k, v in value.items() if k not in wide}
    values["worst"] = [f"{name} {miou:.3f}" for name, miou in ranked(value)[:-4:-1]]
    return json_summary(path, schema.FORMAT_EVAL, values)


def _origin(path: Path, value: dict[str, Any]) -> tuple[dict[str, Any], list[Source]]:
    """What scores say they were made from, and the inputs among it."""
    require_kinds(path, value, SCORES_KINDS)
    lineage: dict[str, Any] = value.get("lineage", {})
    require_kinds(path, lineage, {"options": dict})
    return lineage, from_json(lineage.get("sources", []), path)


def _link(path: Path) -> Link:
    value = read_json(path, what="an eval.json")
    lineage, sources = _origin(path, value)
    skipped = frozenset(value.get("skipped", {}))
    from_others = any(source.role == SCORES for source in sources)
    return Link(
        format=FORMAT,
        path=path,
        sources=tuple(sources),
        options=lineage.get("options", {}),
        takes=(SCORES,) if from_others else (PREDICTOR, DATA),
        images=int(value.get("images", 0)) + len(skipped),
        split=value.get("split"),
        skipped=skipped,
        scored=True,
    )


def _score_again(path: Path) -> str | None:
    """The scores follow from the confusion matrix that is stored with them."""
    from c2l.scoring.metrics import score

    value = read_scores(path)
    try:
        matching = np.array(value["matching"]["clusters_to_classes"], dtype=np.int64)
        confusion = np.array(value["confusion"], dtype=np.int64)
        found = score(confusion, matching, tuple(value["classes"])).as_dict()
        wrong = [k for k, v in found.items() if value[k] != v]
        stored = {k: v for k, v in agreement(confusion).items() if k in value}
        wrong += [k for k, v in stored.items() if not _close(value[k], v)]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return f"damaged: {error}"
    return f"does not follow from its confusion matrix: {', '.join(wrong)}" if wrong else None


def _close(one: float | None, other: float | None) -> bool:
    """Whether two numbers differ by rounding at most: logarithms do, by the processor."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, abs_tol=1e-9)


def _following(link: Link, data: str, _: object) -> str:
    if not (predictor := link.named(PREDICTOR)):
        return ""
    scores, pictures = quoted(link.path), link.beside("pictures")
    return f"c2l render {shlex.quote(predictor)} {data} -o {pictures} --scores {scores}"


FORMAT = Format(
    name=schema.FORMAT_EVAL,
    summary=_summary,
    link=_link,
    checks=(("scores", _score_again),),
    stage="eval",
    options=EvalOptions,
    following=_following,
)
