"""Whether an artifact's inputs still are what it was made from."""

from __future__ import annotations

from pathlib import Path

from c2l import schema
from c2l.artifacts.chain import Link
from c2l.artifacts.files import sha256_file
from c2l.artifacts.lineage import DATA, Source
from c2l.data.layouts import Dataset, open_dataset
from c2l.errors import BadInputError
from c2l.pipeline.images import inputs_digest
from c2l.pipeline.labelled import content_sha256


class Freshness:
    """Compares inputs with what artifacts note of them; every file is hashed once.

    Args:
        thorough: hash all photos, not only those that look changed by their number or time.
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
        if not source.sha256 or not (self._thorough or _newer(dataset, link.stamp)):
            return None
        return self._contents(dataset, source, path, link)

    def _contents(self, dataset: Dataset, source: Source, path: Path, link: Link) -> str | None:
        scored = link.kind == schema.FORMAT_EVAL
        names, sums = [], []
        for record in dataset.records:
            if record.name in link.skipped:
                continue
            names.append(record.name)
            sums.append(content_sha256(record) if scored else self._sha256(record.image))
        if inputs_digest(names, sums) != source.sha256:
            return f"photos or masks of its data {path} have changed since"
        return None


def _newer(dataset: Dataset, stamp: Path) -> bool:
    """Whether any photo or mask was changed after the artifact."""
    since = stamp.stat().st_mtime_ns if stamp.exists() else 0
    for record in dataset.records:
        for path in (record.image, record.mask):
            if path is not None and path.stat().st_mtime_ns > since:
                return True
    return False
