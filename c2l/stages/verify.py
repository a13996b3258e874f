"""verify: an artifact's own content and that of everything it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from c2l import schema
from c2l.artifacts.chain import Link, read_link
from c2l.artifacts.checkpoints import damaged_files
from c2l.artifacts.clusters import read_assignments, read_clusters
from c2l.artifacts.features import read_features
from c2l.artifacts.freshness import Freshness
from c2l.artifacts.lineage import FEATURES, PREDICTOR, SCORES
from c2l.artifacts.predictor import read_predictor
from c2l.artifacts.runs import Run
from c2l.artifacts.scores import read_scores
from c2l.artifacts.untrusted.names import require_fit
from c2l.data.masks import read_mask
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import read_json
from c2l.runtime.progress import steps
from c2l.scoring.metrics import score


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        path: of the artifact.
        what: what was checked.
        problem: what is wrong, or None.
    """

    path: str
    what: str
    problem: str | None


def verify(artifacts: list[Path]) -> Iterator[Finding]:
    """Check artifacts and, through their lineage, all that they were made from.

    Yields:
        A finding a check, as it is made.

    Raises:
        BadInputError: an artifact that was named is missing or of no kind that c2l writes.
    """
    fresh, seen = Freshness(thorough=True), set()
    waiting = [read_link(path) for path in artifacts]
    while waiting:
        link = waiting.pop(0)
        if link.path.absolute() in seen:
            continue
        seen.add(link.path.absolute())
        yield from _own(link)
        for source in link.sources:
            what = f"its {source.role} {source.located(link.path)}"
            yield Finding(str(link.path), what, fresh.problem(link, source))
            if source.role in (FEATURES, PREDICTOR, SCORES):
                waiting += _next(source.located(link.path))
        if not link.sources:
            yield Finding(str(link.path), "lineage", "names no inputs: an earlier version made it")


def _next(path: Path) -> list[Link]:
    """The link at an input, where it is one that can be read."""
    try:
        return [read_link(path.parent if path.name == schema.PREDICTOR else path)]
    except BadInputError:
        return []


def _own(link: Link) -> Iterator[Finding]:
    if not link.complete:
        yield Finding(str(link.path), "completeness", f"is not finished: {link.done}")
    for what, check in CHECKS[link.kind]:
        try:
            problem = check(link.path)
        except BadInputError as error:
            problem = error.message
        yield Finding(str(link.path), what, problem)


def _features(path: Path) -> str | None:
    """Every chunk is read, which checks its checksum; every value is finite."""
    with read_features(path) as reader:
        views = (schema.FEATURES_VIEW1, schema.FEATURES_VIEW2) if reader.has_views else ()
        with steps(f"verify {path}", len(reader.names)) as bar:
            for index in range(len(reader.names)):
                for name in (schema.FEATURES, *views):
                    reader.read(index, name)
                if reader.sampled:
                    reader.pixel_index(index)
                bar.advance()
    return None


def _clusters(path: Path) -> str | None:
    """The sizes that are stored are those of the assignments."""
    stored = read_clusters(path)
    counts = np.zeros(len(stored.centroids), dtype=np.int64)
    for labels in read_assignments(path):
        found = np.bincount(labels.ravel(), minlength=len(counts))
        if len(found) > len(counts):
            return f"an assignment of {len(found) - 1}, there are {len(counts)} clusters"
        counts += found
    if not np.array_equal(counts, stored.counts):
        return "the clusters' sizes are not those of its assignments"
    return None


def _checkpoints(path: Path) -> str | None:
    """Every committed checkpoint matches its marker."""
    run, bad = Run.open(path), []
    for step in run.steps():
        folder = run.step_folder(step)
        bad += [f"{folder.name}/{name}" for name in damaged_files(folder)]
        if not run.has_made(step):
            return f"{folder.name} is another run's"
    return f"do not fit their commit marker: {', '.join(bad)}" if bad else None


def _predictor(path: Path) -> str | None:
    """The predictor is the one that the run ended with; every value is finite."""
    run = Run.open(path)
    if run.predictor.is_file():
        read_predictor(run.predictor)
        run.require_own_predictor()
    return None


def _metrics(path: Path) -> str | None:
    """The metrics are those that the line which ends the run vouches for."""
    run = Run.open(path)
    end = run.end()
    if not end:
        return None
    if "metrics_sha256" not in end:
        return "names no digest of its metrics: an earlier version made it"
    same = run.learned_sha256() == end["metrics_sha256"]
    return None if same else f"{schema.RUN_METRICS} was changed since the run ended"


def _scores(path: Path) -> str | None:
    """The scores follow from the confusion matrix that is stored with them."""
    value = read_scores(path)
    try:
        matching = np.array(value["matching"]["clusters_to_classes"], dtype=np.int64)
        confusion = np.array(value["confusion"], dtype=np.int64)
        found = score(confusion, matching, tuple(value["classes"])).as_dict()
        wrong = [k for k, v in found.items() if value[k] != v]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return f"damaged: {error}"
    return f"does not follow from its confusion matrix: {', '.join(wrong)}" if wrong else None


def _pictures(path: Path) -> str | None:
    """Every file is as it was written, and every mask holds ids of the legend alone."""
    legend = read_json(path / "masks" / schema.LEGEND, what="a legend of masks")
    known = {int(label["id"]) for label in legend["labels"]} | {schema.IGNORE}
    if "files" not in legend:
        return "names no hashes of its files: an earlier version made it"
    # Names of any origin: nothing outside the folder is looked at.
    require_fit(path / "masks" / schema.LEGEND, list(legend["files"]))
    for name, wanted in legend["files"].items():
        if not (path / name).is_file():
            return f"{name} is not there"
        if sha256_file(path / name) != wanted:
            return f"{name} was changed since it was drawn"
    for mask in sorted((path / "masks").rglob("*.png")):
        unknown = set(np.unique(read_mask(mask)).tolist()) - known
        if unknown:
            return f"{mask} holds ids that the legend lacks: {sorted(unknown)[:5]}"
    return None


Check = Callable[[Path], str | None]
CHECKS: dict[str, tuple[tuple[str, Check], ...]] = {
    schema.FORMAT_FEATURES: (("features of every image", _features),),
    schema.FORMAT_CLUSTERS: (("centroids and assignments", _clusters),),
    schema.FORMAT_RUN: (
        ("checkpoints", _checkpoints),
        ("predictor", _predictor),
        ("metrics", _metrics),
    ),
    schema.FORMAT_EVAL: (("scores", _scores),),
    schema.FORMAT_MASKS: (("masks", _pictures),),
}
