"""Opens HDF5 artifacts as data and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py

from c2l import schema
from c2l.artifacts.in_use import locked_input
from c2l.artifacts.lineage import Source, from_json
from c2l.artifacts.outputs import HDF5
from c2l.artifacts.seal import content_digest
from c2l.artifacts.untrusted.guard import require_safe
from c2l.artifacts.untrusted.structure import check_structure
from c2l.errors import BadInputError, OutputError
from c2l.runtime.files import first_bytes
from c2l.runtime.json_files import strict_json
from c2l.runtime.memory import is_short, out_of_memory

# What HDF5 and h5py raise over a damaged file.
_DAMAGE = (
    *(OSError, LookupError, RuntimeError, ValueError),
    *(TypeError, OverflowError, AttributeError, MemoryError),
)


@contextmanager
def reading(path: Path, *, hint: str | None = None) -> Iterator[None]:
    """Turn what HDF5 raises over a damaged file into an error that names it."""
    try:
        yield
    except (BadInputError, OutputError):
        raise
    except BlockingIOError:
        raise locked_input(path) from None
    except _DAMAGE as error:
        if is_short():
            raise out_of_memory(str(error)) from None
        if isinstance(error, OSError) and error.errno:
            problem = f"cannot be read: {os.strerror(error.errno)}"
            raise BadInputError(path, problem) from None
        raise BadInputError(path, f"damaged: {error}", hint=hint) from None


@contextmanager
def tried_out(path: Path, *, unfinished: bool = False) -> Iterator[h5py.File]:
    """Open a file of any format, complete or not, for its attributes and names.

    Raises:
        BadInputError: it is damaged, or its trial in a child process failed.
    """
    require_safe(path, unfinished=unfinished)
    with reading(path), h5py.File(path, "r", swmr=unfinished) as file:
        yield file


def declared_format(path: Path, *, unfinished: bool = False) -> str:
    """The name of its format, perhaps of another program's; empty where there is none.

    Raises:
        BadInputError: see ``tried_out``.
    """
    with tried_out(path, unfinished=unfinished) as file:
        return str(file.attrs.get(schema.ATTR_FORMAT, ""))


@contextmanager
def open_artifact(path: Path, kind: str, *, hint: str | None = None) -> Iterator[h5py.File]:
    """Open a complete artifact for reading; what is read from it goes in ``reading``.

    Args:
        path: the file.
        kind: its ``format``.
        hint: the command that makes such a file.

    Raises:
        BadInputError: missing, truncated, not HDF5, of another kind or version, incomplete,
            damaged, holding links, virtual or external data, or crashing the library; marked as
            open for writing.
        LockedInputError: another program has it open for writing.
    """
    try:
        if first_bytes(path) != HDF5:
            raise BadInputError(path, "not an HDF5 file")
    except BadInputError as error:
        raise BadInputError(path, f"{error.problem}; expected a {kind} file", hint=hint) from None
    require_safe(path, hint=hint)
    with ExitStack() as stack:
        with reading(path, hint=hint):
            file = stack.enter_context(h5py.File(path, "r"))
            if problem := _problem(path, file, kind):
                raise BadInputError(path, problem, hint=hint)
        yield file


def _problem(path: Path, file: h5py.File, kind: str) -> str | None:
    """Why an open file is not a complete, sound artifact of a kind."""
    found, version = file.attrs.get(schema.ATTR_FORMAT), file.attrs.get(schema.ATTR_VERSION)
    if found != kind:
        ours = isinstance(found, str) and found.startswith("c2l-") and found.isprintable()
        text = f"a {found} file" if ours else "an HDF5 file of another program"
        return f"expected a {kind} file, found {text}"
    if version != schema.FORMAT_VERSION:
        return f"format version {version}; this c2l reads {schema.FORMAT_VERSION}"
    if not bool(file.attrs.get(schema.ATTR_COMPLETE)):
        return "incomplete: its writer was stopped"
    check_structure(path, file)
    if file.attrs.get(schema.ATTR_CONTENT) != content_digest(file):
        return f"damaged: its content does not match its {schema.ATTR_CONTENT}"
    return None


def config_of(path: Path, file: h5py.File) -> dict[str, Any]:
    """The resolved options an artifact was made with."""
    try:
        config = strict_json(file.attrs[schema.ATTR_CONFIG])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise BadInputError(path, f"its {schema.ATTR_CONFIG} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise BadInputError(path, f"its {schema.ATTR_CONFIG} is not an object")
    return config


def sources_of(path: Path, file: h5py.File) -> tuple[Source, ...]:
    """The inputs it was made from.

    Raises:
        BadInputError: they cannot be read.
    """
    return tuple(from_json(file.attrs.get(schema.ATTR_LINEAGE, "[]"), path))


def summary_of(
    path: Path, kind: str, hint: str, health: Callable[[h5py.File], dict[str, Any]]
) -> dict[str, Any]:
    """What ``inspect`` says of an artifact; see ``open_artifact``."""
    with open_artifact(path, kind, hint=hint) as file, reading(path, hint=hint):
        arrays = {
            name: {
                "shape": list(data.shape),
                "dtype": "text" if data.dtype.kind == "O" else str(data.dtype),
                **({"units": str(data.attrs["units"])} if "units" in data.attrs else {}),
            }
            for name, data in file.items()
        }
        text = {k: v for k, v in file.attrs.items() if isinstance(v, str)}
        return {
            "path": str(path),
            "kind": kind,
            "bytes": path.stat().st_size,
            "arrays": arrays,
            "lineage": {k: v for k, v in text.items() if not k.endswith("_json")},
            "config": config_of(path, file),
            "health": health(file),
            **(
                {"skipped": list(file[schema.SKIPPED].asstr()[:])} if schema.SKIPPED in file else {}
            ),
        }


def size_health(file: h5py.File, *names: str) -> dict[str, Any]:
    """Of each data set of clusters' sizes: the shares of all pixels, and the empty clusters."""
    found: dict[str, Any] = {}
    for name in names:
        counts = file[name][:]
        shares = counts / max(int(counts.sum()), 1)
        found[f"{name}_shares"] = [round(float(s), 4) for s in shares]
        found[f"{name}_empty"] = [k for k, count in enumerate(counts) if count == 0]
    return found
