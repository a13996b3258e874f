"""Artifacts as links of a chain: how each was made, and what each format says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts import drawn
from c2l.artifacts.lineage import Source, as_written, command, quoted
from c2l.artifacts.untrusted.types import require_options
from c2l.options import changed, known, roles

# Given an artifact's path, returns what is wrong with its content, or None.
Check = Callable[[Path], str | None]


@dataclass(frozen=True)
class Preview:
    """Maps of parts or clusters.

    Attributes:
        maps: name of the photo, and (h, w) ids.
        names: of the ids.
    """

    maps: list[tuple[str, NDArray[Any]]]
    names: list[str]


# Photos in a preview.
MOST_PREVIEWED = 3


@dataclass(frozen=True)
class Format:
    """What the module of a format has for ``inspect``, ``status`` and ``verify``.

    Attributes:
        name: the ``format`` that its artifacts hold.
        summary: what is in an artifact, for ``inspect``.
        link: an artifact's place in the chain; None where it names no inputs of its own.
        leftover: the same for what a stopped writer left, at (its path, the final path).
        checks: what ``verify`` checks of the content, by name.
        stage: the command that makes it.
        options: the dataclass of that command's options.
        resume: words that are added to that command to continue an incomplete artifact.
        following: the command that usually comes next, given (the link, its data set as a
            word of a command line, whether that has masks).
        preview: some of its maps of parts or clusters, for ``inspect``.
    """

    name: str
    summary: Callable[[Path], dict[str, Any]]
    link: Callable[[Path], Link] | None = None
    leftover: Callable[[Path, Path], Link] | None = None
    checks: tuple[tuple[str, Check], ...] = ()
    stage: str = ""
    options: Any = None
    resume: tuple[str, ...] = ()
    following: Callable[[Link, str, Callable[[], bool]], str] = lambda *_: ""
    preview: Callable[[Path], Preview | None] | None = None


@dataclass(frozen=True)
class Link:
    """An artifact as it lies on the disk.

    Attributes:
        format: of the artifact.
        path: the file or folder under its final name.
        sources: its inputs.
        options: the resolved options it was made with; checked, since a file may hold any.
        takes: roles of the inputs that are arguments of its command, in their order.
        complete: whether it is whole.
        done: how far an incomplete one is, in words.
        images: number of photos it was made from, 0 where that is not recorded.
        split: of the data set.
        skipped: names of the broken photos that were left out.
        extra: further words of its command.
        names: of the photos it was made from, None for all of the data set.
        scored: whether the photos' masks are an input too.
    """

    format: Format
    path: Path
    sources: tuple[Source, ...]
    options: dict[str, Any]
    takes: tuple[str, ...]
    complete: bool = True
    done: str = ""
    images: int = 0
    split: str | None = None
    skipped: frozenset[str] = frozenset()
    extra: tuple[str, ...] = ()
    names: frozenset[str] | None = None
    scored: bool = False

    def __post_init__(self) -> None:
        if self.format.options:
            require_options(self.path, self.format.options, self.options)

    def source(self, role: str) -> Source | None:
        """The input of that role."""
        return next((s for s in self.sources if s.role == role), None)

    def command(self, *more: str) -> str:
        """The command that makes it again, as a shell takes it; ``more`` is appended."""
        kind = self.format.options
        given = changed(kind(**known(kind, self.options)))
        # A relative path leads elsewhere from another working folder.
        for name, role in roles(kind).items():
            if name in given:
                given[name] = self.named(role) or given[name]
        arguments = [self.named(role) or role.upper() for role in self.takes]
        line = command(self.format.stage, arguments, Path(as_written(self.path)), given)
        return " ".join([line, *self.extra, *more])

    def named(self, role: str) -> str | None:
        """The input of a role as a command names it: a run by its folder."""
        found = self.source(role)
        if found is None:
            return None
        where = found.located(self.path)
        if where == drawn.shipped():
            return drawn.NAME
        return as_written(where.parent if where.name == schema.PREDICTOR else where)

    def beside(self, name: str) -> str:
        """An output beside it, as a word of a command line, under a name that is free."""
        taken = self.path.with_name(name).exists()
        return quoted(self.path.with_name(f"{self.path.stem}-{name}" if taken else name))


def json_summary(path: Path, kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """What ``inspect`` says of a JSON artifact."""
    return {"path": str(path), "kind": kind, "bytes": path.stat().st_size, "values": values}


def score_or_draw(link: Link, data: str, has_masks: Callable[[], bool]) -> str:
    """What usually follows a predictor: its scores, or pictures where there are no masks."""
    path = quoted(link.path)
    if has_masks():
        return f"c2l eval {path} {data} -o {link.beside('eval.json')}"
    return f"c2l render {path} {data} -o {link.beside('pictures')}"
