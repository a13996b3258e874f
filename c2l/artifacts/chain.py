"""Artifacts as links of a chain: what each is, whether it is complete, what it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.hdf5 import SIGNATURE, config_of, reading
from c2l.artifacts.lineage import (
    CENTROIDS,
    DATA,
    FEATURES,
    MERGE,
    PREDICTOR,
    SCORES,
    WEIGHTS,
    Source,
    command,
    from_json,
    shown,
)
from c2l.artifacts.runs import Run
from c2l.artifacts.untrusted.guard import require_safe
from c2l.errors import BadInputError
from c2l.options import (
    ClusterOptions,
    EvalOptions,
    ExtractOptions,
    FitOptions,
    RenderOptions,
    changed,
)
from c2l.runtime.files import first_bytes
from c2l.runtime.json_files import read_json


@dataclass(frozen=True)
class Kind:
    """How artifacts of a format are made.

    Attributes:
        stage: the command.
        options: of the command.
        takes: roles of the inputs that are its arguments, in their order.
    """

    stage: str
    options: type[Any]
    takes: tuple[str, ...]


KINDS = {
    schema.FORMAT_FEATURES: Kind("extract", ExtractOptions, (DATA,)),
    schema.FORMAT_CLUSTERS: Kind("cluster", ClusterOptions, (FEATURES,)),
    schema.FORMAT_RUN: Kind("fit", FitOptions, (DATA,)),
    schema.FORMAT_EVAL: Kind("eval", EvalOptions, (PREDICTOR, DATA)),
    schema.FORMAT_MASKS: Kind("render", RenderOptions, (PREDICTOR, DATA)),
}


# Options that name an input, and what it is to the artifact.
NAMING = {
    "weights": WEIGHTS,
    "checkpoint": PREDICTOR,
    "init": CENTROIDS,
    "features": FEATURES,
    "scores": SCORES,
    "merge": MERGE,
}


@dataclass(frozen=True)
class Link:
    """An artifact as it lies on the disk.

    Attributes:
        path: the file or folder under its final name.
        kind: its ``format``.
        sources: its inputs.
        options: the resolved options it was made with.
        complete: whether it is whole.
        done: how far an incomplete one is, in words.
        images: number of photos it was made from, 0 where that is not recorded.
        split: of the data set.
        skipped: names of the broken photos that were left out.
        extra: further words of its command.
        names: of the photos it was made from, None for all of the data set.
    """

    path: Path
    kind: str
    sources: tuple[Source, ...]
    options: dict[str, Any]
    complete: bool = True
    done: str = ""
    images: int = 0
    split: str | None = None
    skipped: frozenset[str] = frozenset()
    extra: tuple[str, ...] = field(default=())
    names: frozenset[str] | None = None

    def source(self, role: str) -> Source | None:
        """The input of that role."""
        return next((s for s in self.sources if s.role == role), None)

    def command(self, *more: str) -> str:
        """The command that makes it again, as a shell takes it; ``more`` is appended."""
        made = KINDS[self.kind]
        known = {f.name for f in fields(made.options)}
        options = made.options(**{k: v for k, v in self.options.items() if k in known})
        roles = (SCORES,) if self.source(SCORES) and made.stage == "eval" else made.takes
        arguments = [self.named(role) or role.upper() for role in roles]
        given = changed(options)
        # A path that was relative then leads elsewhere from the folder of now.
        for name in NAMING.keys() & given.keys():
            given[name] = self.named(NAMING[name]) or given[name]
        line = command(made.stage, arguments, Path(shown(self.path)), given)
        return " ".join([line, *self.extra, *more])

    def named(self, role: str) -> str | None:
        """The input of a role as a command names it: a run by its folder."""
        found = self.source(role)
        if found is None:
            return None
        where = found.located(self.path)
        return shown(where.parent if where.name == schema.PREDICTOR else where)


def read_link(path: Path) -> Link:
    """The link that an artifact is.

    Raises:
        BadInputError: missing, damaged, or of no kind that c2l writes.
    """
    if path.is_dir():
        return _pictures(path) if (path / "masks" / schema.LEGEND).is_file() else _run(path)
    if first_bytes(path) == SIGNATURE:
        return _hdf5(path, path)
    if path.suffix == ".json":
        return _scores(path)
    raise BadInputError(path, "of no kind that c2l writes")


def read_partial(partial: Path, final: Path) -> Link:
    """The link that a stopped feature store is on its way to.

    Raises:
        BadInputError: nothing of it can be read.
    """
    return _hdf5(partial, final)


def _hdf5(path: Path, final: Path) -> Link:
    import h5py
    import numpy as np

    require_safe(path, unfinished=path != final)
    with reading(path), h5py.File(path, "r", swmr=path != final) as file:
        kind = str(file.attrs.get(schema.ATTR_FORMAT, ""))
        if kind not in KINDS:
            raise BadInputError(path, f"an HDF5 file of another program (format {kind!r})")
        config = config_of(path, file)
        sources = from_json(file.attrs.get(schema.ATTR_LINEAGE, "[]"), path)
        if not sources and kind == schema.FORMAT_FEATURES:
            sources = [Source(DATA, str(config.get("data", "DATA")), "")]
        lines = file[schema.SKIPPED].asstr()[:] if schema.SKIPPED in file else ()
        skipped = [str(line).split("\t", 1)[0] for line in lines]
        done = ""
        if schema.DONE in file:
            written = file[schema.DONE][:]
            done = f"{int(np.count_nonzero(written))} of {len(written)} images"
        return Link(
            path=final,
            kind=kind,
            sources=tuple(sources),
            options=config,
            complete=bool(file.attrs.get(schema.ATTR_COMPLETE)),
            done=done,
            images=len(file[schema.NAMES]) + len(skipped) if kind == schema.FORMAT_FEATURES else 0,
            split=config.get("split"),
            skipped=frozenset(skipped),
        )


def _run(path: Path) -> Link:
    run = Run.open(path)
    inputs: dict[str, Any] = {}
    if (path / schema.RUN_INPUTS).is_file():
        inputs = read_json(path / schema.RUN_INPUTS, what="a run's inputs")
    digest = str(inputs.get("inputs_sha256", ""))
    sources = [
        Source(s.role, s.path, digest if s.role == DATA else s.sha256)
        for s in from_json(run.config.get("lineage", []), path)
    ]
    data = run.config.get("data", {})
    if not sources:
        sources = [Source(DATA, str(data.get("root", "DATA")), digest)]
    steps = run.steps()
    return Link(
        path=path,
        kind=schema.FORMAT_RUN,
        sources=tuple(sources),
        options=run.config.get("options", {}),
        # What is killed between the two is told by --resume that it is finished already.
        complete=run.predictor.is_file() and run.ended_with() is not None,
        done=f"saved at step {steps[-1]}" if steps else "nothing saved yet",
        images=int(data.get("images", 0)),
        split=data.get("split"),
        skipped=frozenset(inputs.get("skipped", {})),
    )


def _scores(path: Path) -> Link:
    value = read_json(path, what="an eval.json")
    if value.get("format") != schema.FORMAT_EVAL:
        raise BadInputError(path, f"of no kind that c2l writes (format {value.get('format')!r})")
    lineage = value.get("lineage", {})
    return Link(
        path=path,
        kind=schema.FORMAT_EVAL,
        sources=tuple(from_json(lineage.get("sources", []), path)),
        options=lineage.get("options", {}),
        images=int(value.get("images", 0)),
        split=value.get("split"),
    )


def _pictures(path: Path) -> Link:
    legend = read_json(path / "masks" / schema.LEGEND, what="a legend of masks")
    rivals: Sequence[str] = legend.get("rivals", [])
    return Link(
        path=path,
        kind=schema.FORMAT_MASKS,
        sources=tuple(from_json(legend.get("lineage", []), path)),
        options=legend.get("options", {}),
        split=legend.get("options", {}).get("split"),
        skipped=frozenset(legend.get("skipped", {})),
        extra=tuple(rivals),
        names=frozenset(legend["photos"]) if "photos" in legend else None,
    )
