"""status: which artifacts of a folder are done, partial or stale, and the next command of each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import KINDS, Link, read_link, read_partial
from c2l.artifacts.freshness import Freshness
from c2l.artifacts.lineage import DATA, FEATURES, PREDICTOR, quoted, shown
from c2l.artifacts.locks import writer_of
from c2l.artifacts.outputs import FORMAT_NAME
from c2l.artifacts.stopped import COPIED, leftover
from c2l.data.layouts import open_dataset
from c2l.errors import BadInputError
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
        try:
            link = _read(path)
        except BadInputError as error:
            entries.append(
                Entry(shown(path), "", BROKEN, error.message, f"c2l inspect {quoted(path)}")
            )
            continue
        if link is not None:
            links.append(link)
    order = list(KINDS)
    links.sort(key=lambda link: (order.index(link.kind), str(link.path)))
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
    if _looks_like_run(folder) or (folder / "masks" / schema.LEGEND).is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if not path.name.startswith("."):
                yield from _found(path)
        elif path.suffix in (".h5", ".json") or path.name.endswith(LEFTOVERS):
            yield path


def _looks_like_run(folder: Path) -> bool:
    """Whether a configuration in it is a run's, which may be damaged, and not any program's."""
    config = folder / schema.RUN_CONFIG
    if not config.is_file():
        return False
    run = (folder / schema.PREDICTOR).exists() or any(folder.glob(f"{schema.STEP_PREFIX}*"))
    return run or FORMAT_NAME in first_bytes(config, 4096)


def _read(path: Path) -> Link | None:
    """The link at a path; None for what is no artifact or is shadowed by a complete one."""
    if path.name.startswith("."):
        final = path.with_name(path.name[1:].removesuffix(COPIED).removesuffix(PARTIAL_SUFFIX))
        if path != leftover(final) or final.exists():
            return None
        return read_partial(path, final)
    if path.suffix == ".json":
        try:
            return read_link(path) if FORMAT_NAME in first_bytes(path, 4096) else None
        except BadInputError:
            return None  # any program's
    if path.is_dir() and not _is_ours(path):
        return None
    return read_link(path)


def _is_ours(path: Path) -> bool:
    try:
        read_link(path)
    except BadInputError as error:
        return "not a run of this version" not in error.message
    return True


def _entry(link: Link, links: list[Link], stale: set[Path], fresh: Freshness) -> Entry:
    stage, path = KINDS[link.kind].stage, shown(link.path)
    writer = writer_of(link.path)
    if writer:
        return Entry(path, stage, WRITTEN, writer, "")
    problems = [fresh.problem(link, source) for source in link.sources]
    for source in link.sources:
        where = source.located(link.path)
        if {where, where.parent} & stale:
            problems.append(f"its {source.role} {shown(where)} is stale itself")
    why = "; ".join(p for p in problems if p)
    if why:
        if not all(source.located(link.path).exists() for source in link.sources):
            # A command that reads what is not there would not mend it.
            return Entry(path, stage, STALE, f"{why}: put it back, or name where it lies now", "")
        return Entry(path, stage, STALE, why, link.command("--overwrite"))
    if not link.complete:
        more = ("--resume",) if link.kind == schema.FORMAT_RUN else ()
        return Entry(path, stage, PARTIAL, link.done, link.command(*more))
    return Entry(path, stage, DONE, "", _onward(link, links))


def _onward(link: Link, links: list[Link]) -> str:
    """What is usually made of an artifact, if nothing is made of it yet."""
    used = {s.located(other.path) for other in links for s in other.sources}
    own = link.path.absolute()
    if own in used or own / schema.PREDICTOR in used:
        return ""
    path = quoted(link.path)
    where = _data_of(link, links)
    if link.kind == schema.FORMAT_FEATURES:
        return f"c2l cluster {path} -o {_free(link, 'clusters.h5')} -k 3"
    if link.kind in (schema.FORMAT_RUN, schema.FORMAT_CLUSTERS):
        if not _has_masks(link, links):
            return f"c2l render {path} {where} -o {_free(link, 'pictures')}"
        return f"c2l eval {path} {where} -o {_free(link, 'eval.json')}"
    if link.kind == schema.FORMAT_EVAL and (predictor := link.named(PREDICTOR)):
        pictures = _free(link, "pictures")
        return f"c2l render {shlex.quote(predictor)} {where} -o {pictures} --scores {path}"
    return ""


def _free(link: Link, name: str) -> str:
    """An output beside an artifact: of that name, or of the artifact's too where it is taken."""
    output = link.path.with_name(name)
    return quoted(link.path.with_name(f"{link.path.stem}-{name}") if output.exists() else output)


def _has_masks(link: Link, links: list[Link]) -> bool:
    """Whether the data set that a link was made from can be scored; it may be gone."""
    data = _origin(link, links).source(DATA)
    try:
        found = open_dataset(data.located(link.path)).records if data else ()
    except BadInputError:
        return True
    return data is None or any(record.mask is not None for record in found)


def _data_of(link: Link, links: list[Link]) -> str:
    """The data set that a link was made from, as a command names it."""
    data = _origin(link, links).source(DATA)
    return quoted(data.located(link.path)) if data else "DATA"


def _origin(link: Link, links: list[Link]) -> Link:
    """The link that photos went into: of clusters, their features."""
    features = link.source(FEATURES)
    if features:
        origin = features.located(link.path)
        return next((other for other in links if other.path.absolute() == origin), link)
    return link
