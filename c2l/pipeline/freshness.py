"""Whether an artifact's inputs still are what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from c2l import schema
from c2l.artifacts.chain import Link, read_link
from c2l.artifacts.files import sha256_file
from c2l.artifacts.guard import remember
from c2l.artifacts.lineage import DATA, FEATURES, Source
from c2l.data.layouts import Dataset, open_dataset
from c2l.errors import BadInputError
from c2l.pipeline.images import inputs_digest
from c2l.pipeline.labelled import content_sha256

CHANGED_PHOTOS = "the photos have changed since the run began"


class Freshness:
    """Compares inputs with what artifacts note of them; every file is hashed once.

    Args:
        thorough: hash all photos and feature stores, not only what looks changed by number or
            time.
    """

    def __init__(self, *, thorough: bool) -> None:
        self._thorough = thorough
        self._sums: dict[Path, str] = {}

    def problem(self, link: Link, source: Source) -> str | None:
        """What is wrong with an input, or None."""
        path = source.located(link.path)
        if not path.exists():
            return f"its {source.role} {path} is not there"
        if source.role == DATA:
            return self._photos(link, source, path)
        if source.role == FEATURES and not self._thorough and not _newer([path], link.stamp):
            return None  # it may be larger than all else together
        if source.sha256 and self._sha256(path) != source.sha256:
            return f"its {source.role} {path} has changed since"
        return None

    def _sha256(self, path: Path) -> str:
        if path not in self._sums:
            self._sums[path] = sha256_file(path)
        return self._sums[path]

    def _photos(self, link: Link, source: Source, path: Path) -> str | None:
        scored = link.kind == schema.FORMAT_EVAL
        try:
            dataset = open_dataset(path, split=link.split, labelled_only=scored)
        except BadInputError as error:
            return f"its data cannot be read: {error.message}"
        if link.images and len(dataset.records) != link.images:
            return f"its data {path} holds {len(dataset.records)} images now, then {link.images}"
        files = (p for r in dataset.records for p in (r.image, r.mask) if p is not None)
        if not source.sha256 or not (self._thorough or _newer(files, link.stamp)):
            return None
        return self._contents(dataset, source, path, link)

    def _contents(self, dataset: Dataset, source: Source, path: Path, link: Link) -> str | None:
        if self.digest(dataset, link) != source.sha256:
            return f"photos or masks of its data {path} have changed since"
        return None

    def digest(self, dataset: Dataset, link: Link) -> str:
        """The digest of the photos, as an artifact made from them notes it."""
        scored = link.kind == schema.FORMAT_EVAL
        names, sums = [], []
        for record in dataset.records:
            if record.name in link.skipped:
                continue
            names.append(record.name)
            sums.append(content_sha256(record) if scored else self._sha256(record.image))
        return inputs_digest(names, sums)


def require_fresh(path: Path, roles: Sequence[str], *, trust: bool = False) -> None:
    """Refuse an artifact whose inputs have changed since; one that is gone is no reason.

    Args:
        path: of the artifact.
        roles: of the inputs that are looked at.
        trust: open it without a trial in a child process.

    Raises:
        BadInputError: names what has changed, and the command that mends it.
    """
    if trust:
        remember(path)
    link, fresh = read_link(path), Freshness(thorough=False)
    there = [s for s in link.sources if s.role in roles and s.located(path).exists()]
    why = "; ".join(problem for s in there if (problem := fresh.problem(link, s)))
    if why:
        raise BadInputError(path, f"is stale: {why}", hint=link.command("--overwrite"))


def require_same_photos(run: Path, dataset: Dataset) -> None:
    """Refuse a data set, wherever it lies, that a finished run was not trained on.

    Raises:
        BadInputError: it differs; the contents are compared where a photo is newer than the run.
    """
    link = read_link(run)
    data, photos = link.source(DATA), (record.image for record in dataset.records)
    same = data is None or not data.sha256 or len(dataset.records) == link.images
    if same and data and data.sha256 and _newer(photos, link.stamp):
        same = Freshness(thorough=False).digest(dataset, link) == data.sha256
    if not same:
        raise BadInputError(run, CHANGED_PHOTOS, hint="start a new run")


def _newer(files: Iterable[Path], stamp: Path) -> bool:
    """Whether any was written after the artifact; the second time shows what the first hides."""
    since = stamp.stat().st_mtime_ns if stamp.exists() else 0
    return any(max(s.st_mtime_ns, s.st_ctime_ns) > since for s in map(Path.stat, files))
