"""status: which artifacts in a folder are done, partial or stale, and what to run next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import Link
from c2l.artifacts.freshness import Freshness
from c2l.artifacts.lineage import DATA, FEATURES, as_written, quoted
from c2l.artifacts.locks import writer_of
from c2l.artifacts.outputs import FORMAT_NAME
from c2l.artifacts.registry import FORMATS, marker_of, read_leftover, read_link
from c2l.artifacts.stopped import COPIED, leftover
from c2l.data.dataset import open_dataset
from c2l.data.records import Choices
from c2l.errors import BadInputError, ForeignError, LockedInputError
from c2l.runtime.files import first_bytes

DONE, PARTIAL, STALE, WRITTEN, BROKEN = "done", "partial", "stale", "being written", "broken"
PARTIAL_SUFFIX = ".partial"
LEFTOVERS = (f".h5{PARTIAL_SUFFIX}", f".h5{PARTIAL_SUFFIX}{COPIED}")


@dataclass(frozen=True)
class Entry:
    """One artifact.

    Attributes:
        path: as a user would write it.
        stage: the command that makes it.
        state: done, partial, stale, being written, or broken.
        why: the reason, where there is one.
        next: the command to run next, empty when nothing is left to do.
    """

    path: str
    stage: str
    state: str
    why: str
    next: str


def status(folder: Path) -> list[Entry]:
    """The artifacts in a folder, those they are made from first.

    What was hashed before is read again only where its inode, size or times have changed;
    ``verify`` reads everything.

    Raises:
        BadInputError: no such folder.
    """
    if not folder.is_dir():
        raise BadInputError(folder, "no such folder", hint="name a folder of artifacts")
    entries, links = [], []
    for path in _found(folder):
        if path.name.startswith(".") and path.is_dir():
            entries.append(_half_a_folder(path))
            continue
        try:
            link = _read(path)
        except LockedInputError as error:
            entries.append(Entry(as_written(path), "", WRITTEN, error.message, ""))
            continue
        except BadInputError as error:
            entries.append(
                Entry(as_written(path), "", BROKEN, error.message, f"c2l inspect {quoted(path)}")
            )
            continue
        if link is not None:
            links.append(link)
    order = list(FORMATS)
    links.sort(key=lambda link: (order.index(link.format.name), str(link.path)))
    stale: set[Path] = set()
    with Freshness(thorough=False) as fresh:
        for link in links:
            entry = _entry(link, links, stale, fresh)
            if entry.state == STALE:
                stale.add(link.path.absolute())
            entries.append(entry)
    return entries


def summary(entries: list[Entry]) -> dict[str, Any]:
    """The same as one object."""
    return {"artifacts": [asdict(entry) for entry in entries]}


def _found(folder: Path) -> Iterator[Path]:
    """Paths that may be artifacts; what lies inside a run or a folder of pictures is theirs."""
    if marker_of(folder):
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name.startswith(".") and path.name.endswith(PARTIAL_SUFFIX):
                yield path
            elif not path.name.startswith("."):
                yield from _found(path)
        elif path.suffix in (".h5", ".json") or path.name.endswith(LEFTOVERS):
            yield path


def _read(path: Path) -> Link | None:
    """The link at a path; None for another program's file, or a leftover of what is complete."""
    if path.name.startswith("."):
        final = path.with_name(path.name[1:].removesuffix(COPIED).removesuffix(PARTIAL_SUFFIX))
        return None if path != leftover(final) or final.exists() else read_leftover(path, final)
    try:
        if path.suffix == ".json" and FORMAT_NAME not in first_bytes(path, 4096):
            return None
        return read_link(path)
    except ForeignError:
        return None
    except BadInputError:
        if path.suffix != ".json":
            raise
        return None  # It may be any program's.


def _half_a_folder(path: Path) -> Entry:
    """What ``render``, ``parse`` or ``data synth`` is writing, or left when it was killed."""
    final = path.with_name(path.name[1:].removesuffix(PARTIAL_SUFFIX))
    if writer := writer_of(final):
        return Entry(as_written(final), "", WRITTEN, writer, "")
    why = "left by a command that was killed; the same command replaces it"
    return Entry(as_written(path), "", PARTIAL, why, "")


def _entry(link: Link, links: list[Link], stale: set[Path], fresh: Freshness) -> Entry:
    stage, path = link.format.stage, as_written(link.path)
    writer = writer_of(link.path)
    if writer:
        return Entry(path, stage, WRITTEN, writer, "")
    problems = [fresh.problem(link, source) for source in link.sources]
    for source in link.sources:
        where = source.located(link.path)
        if {where, where.parent} & stale:
            problems.append(f"its {source.role} {as_written(where)} is stale itself")
    why = "; ".join(p for p in problems if p)
    if why:
        if not all(os.path.exists(source.located(link.path)) for source in link.sources):
            # A command that reads a missing input would not mend it.
            return Entry(path, stage, STALE, f"{why}: put it back, or name where it lies now", "")
        return Entry(path, stage, STALE, why, link.command("--overwrite"))
    if not link.complete:
        return Entry(path, stage, PARTIAL, link.done, link.command(*link.format.resume))
    return Entry(path, stage, DONE, "", _following(link, links))


def _following(link: Link, links: list[Link]) -> str:
    """The usual next command for an artifact that nothing has been made from."""
    used = {s.located(other.path) for other in links for s in other.sources}
    own = link.path.absolute()
    if own in used or own / schema.PREDICTOR in used:
        return ""
    origin = _origin(link, links)
    data = origin.source(DATA)
    where = data.located(link.path) if data else None
    choices = Choices.stored(origin.options)

    def has_masks() -> bool:
        """Whether the data set can be scored; it may be missing."""
        try:
            records = open_dataset(where, choices=choices).records if where else ()
        except BadInputError:
            return True
        return where is None or any(record.mask is not None for record in records)

    return link.format.following(link, quoted(where) if where else "DATA", has_masks)


def _origin(link: Link, links: list[Link]) -> Link:
    """The link that photos went into: of clusters, their features."""
    features = link.source(FEATURES)
    if features:
        origin = features.located(link.path)
        return next((other for other in links if other.path.absolute() == origin), link)
    return link
