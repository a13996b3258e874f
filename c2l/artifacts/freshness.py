"""Whether an artifact's inputs are still those it was made from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from c2l import schema
from c2l.artifacts.chain import Link
from c2l.artifacts.lineage import DATA, Source
from c2l.artifacts.registry import read_link
from c2l.artifacts.sums import KnownSums
from c2l.artifacts.untrusted.types import RUN_INPUTS_KINDS, require_kinds
from c2l.data.dataset import Dataset, open_dataset
from c2l.data.decoding import inputs_digest
from c2l.data.names import shown
from c2l.data.records import Choices
from c2l.data.scoring_input import joined_sha256
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import read_json
from c2l.runtime.progress import progress

# Photos that an error names, of each way in which they changed.
_MOST_NAMED = 5


class Freshness:
    """Compares inputs with what artifacts note of them; every file is hashed once.

    Args:
        thorough: read every file, also those that an earlier command hashed.
    """

    def __init__(self, *, thorough: bool) -> None:
        self._known = None if thorough else KnownSums()
        self._sums: dict[Path, str] = {}

    def __enter__(self) -> Freshness:
        return self

    def __exit__(self, *_: object) -> None:
        if self._known:
            self._known.close()

    def problem(self, link: Link, source: Source) -> str | None:
        """What is wrong with an input, or None."""
        path = source.located(link.path)
        if not os.path.exists(path):
            return f"its {source.role} {path} is not there"
        try:
            if source.role == DATA:
                return self._photos(link, source, path)
            if source.sha256 and self.sha256(path) != source.sha256:
                return f"its {source.role} {path} has changed since"
        except BadInputError as error:
            return f"its {source.role} cannot be read: {error.message}"
        return None

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file's content."""
        if path not in self._sums:
            self._sums[path] = self._known.sha256(path) if self._known else sha256_file(path)
        return self._sums[path]

    def _photos(self, link: Link, source: Source, path: Path) -> str | None:
        choices = Choices.stored(link.options)
        dataset = open_dataset(path, split=link.split, labelled_only=link.scored, choices=choices)
        if link.images and dataset.images != link.images:
            return f"its data {path} holds {dataset.images} images now, then {link.images}"
        if source.sha256 and self.digest(dataset, link) != source.sha256:
            return f"photos or masks of its data {path} have changed since"
        return None

    def digest(self, dataset: Dataset, link: Link) -> str:
        """The digest of the photos, as an artifact made from them notes it."""
        records = [record for record in dataset.records if record.name not in link.skipped]
        if link.names is not None:
            records = [record for record in records if record.name in link.names]
        sums = []
        with progress("hash", len(records), brief=True) as bar:
            for record in records:
                parts = [self.sha256(record.image)]
                if link.scored:
                    parts += record.mask_sums(self.sha256)
                sums.append(joined_sha256(parts) if link.scored else parts[0])
                bar.advance()
        return inputs_digest([record.name for record in records], sums)


def require_fresh(path: Path, roles: Sequence[str]) -> None:
    """Refuse an artifact whose inputs have changed since; a missing input is not checked.

    Args:
        path: the artifact.
        roles: the inputs that are checked.

    Raises:
        BadInputError: names what has changed, and the command that mends it.
    """
    link = read_link(path)
    there = [s for s in link.sources if s.role in roles and os.path.exists(s.located(path))]
    with Freshness(thorough=False) as fresh:
        why = "; ".join(problem for s in there if (problem := fresh.problem(link, s)))
    if why:
        raise BadInputError(path, f"is stale: {why}", hint=link.command("--overwrite"))


def require_same_photos(run: Path, dataset: Dataset) -> None:
    """Refuse a data set, wherever it lies, that a finished run was not trained on.

    Raises:
        BadInputError: it differs.
    """
    link = read_link(run)
    data = link.source(DATA)
    with Freshness(thorough=False) as fresh:
        if data and data.sha256 and fresh.digest(dataset, link) != data.sha256:
            now = {r.name: fresh.sha256(r.image) for r in dataset.records}
            raise changed_photos(run, {n: s for n, s in now.items() if n not in link.skipped})


def changed_photos(run: Path, now: dict[str, str]) -> BadInputError:
    """The error of a run whose photos are no longer those that it began with.

    Args:
        run: the folder.
        now: SHA-256 of each photo by name.
    """
    inputs = read_json(run / schema.RUN_INPUTS, what="a run's inputs")
    require_kinds(run / schema.RUN_INPUTS, inputs, RUN_INPUTS_KINDS)
    then = inputs.get("photos", {})
    ways = {
        "added": [name for name in now if then and name not in then],
        "missing": [name for name in then if name not in now],
        "changed": [name for name in then if now.get(name, then[name]) != then[name]],
    }
    said = [
        f"{way} {', '.join(map(shown, names[:_MOST_NAMED]))}"
        + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
        for way, names in ways.items()
        if names
    ]
    problem = "the photos have changed since the run began"
    problem += f": {'; '.join(said)}" if said else ""
    return BadInputError(run, problem, hint="put them back, or start a new run")
