"""Formats of artifacts by name, each in a module of its own that is imported when it is met."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import Format, Link, Preview
from c2l.artifacts.outputs import FORMAT_NAME, HDF5
from c2l.errors import BadInputError, ForeignError
from c2l.runtime.files import first_bytes
from c2l.runtime.json_files import read_json

# A safetensors file of no other format.
TENSORS = "tensors"


@dataclass(frozen=True)
class Row:
    """Where a format lives.

    Attributes:
        module: has the ``Format`` as ``FORMAT``.
        markers: the JSON file that names the format, of one that is a folder.
        traces: globs of what tells such a folder even where its marker is damaged.
    """

    module: str
    markers: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()


# In the order in which they are made.
FORMATS = {
    schema.FORMAT_FEATURES: Row("c2l.artifacts.features"),
    schema.FORMAT_CLUSTERS: Row("c2l.artifacts.clusters"),
    schema.FORMAT_RUN: Row(
        "c2l.artifacts.run_folder",
        markers=(schema.RUN_CONFIG,),
        traces=(schema.PREDICTOR, f"{schema.STEP_PREFIX}*"),
    ),
    schema.FORMAT_TARGETS: Row("c2l.artifacts.targets"),
    schema.FORMAT_PREDICTOR: Row("c2l.artifacts.predictor"),
    TENSORS: Row("c2l.artifacts.tensors"),
    schema.FORMAT_EVAL: Row("c2l.artifacts.scores"),
    schema.FORMAT_COMPARISON: Row("c2l.artifacts.comparisons"),
    schema.FORMAT_MASKS: Row(
        "c2l.artifacts.pictures",
        markers=(f"masks/{schema.LEGEND}", schema.LEGEND),
        traces=(f"masks/{schema.LEGEND}",),
    ),
    schema.FORMAT_NETWORK: Row("c2l.artifacts.networks"),
    schema.FORMAT_NAMES: Row("c2l.artifacts.given_names"),
}


def format_of(path: Path, *, unfinished: bool = False) -> Format:
    """The format of a file or folder, by what it says of itself.

    Args:
        path: the file or folder.
        unfinished: whether its writer was stopped.

    Raises:
        ForeignError: it is of no format that c2l writes.
        BadInputError: missing, or damaged.
    """
    name = _name_of(path, unfinished=unfinished)
    if name not in FORMATS:
        raise ForeignError(
            path,
            "expected an artifact of c2l, found "
            + (f"the format {name[:80]!a}" if name else "something else"),
            hint="name a .h5, .safetensors, .json, .onnx or .pt2 file of c2l, a run or a folder "
            "of pictures",
        )
    found: Format = import_module(FORMATS[name].module).FORMAT
    return found


def _name_of(path: Path, *, unfinished: bool) -> str:
    """The name of a format, perhaps of another program's; empty where there is none."""
    if path.is_dir():
        marker = marker_of(path)
        return _json_format(marker) if marker else ""
    if first_bytes(path) == HDF5:
        from c2l.artifacts.hdf5 import declared_format as declared

        return declared(path, unfinished=unfinished)
    if path.suffix == ".json":
        return _json_format(path)
    if path.suffix == ".safetensors":
        from c2l.artifacts.tensors import declared_format

        name = declared_format(path)
        return name if name in FORMATS else TENSORS
    if path.suffix in (".onnx", ".pt2"):
        from c2l.artifacts.networks import read_info

        return str(read_info(path).get("format", ""))
    if ".h5" in path.suffixes:
        raise BadInputError(path, "not an HDF5 file")
    return ""


def _json_format(path: Path) -> str:
    return str(read_json(path, what="a JSON artifact of c2l").get("format", ""))


def marker_of(folder: Path) -> Path | None:
    """The file that names the format of a folder, if it looks like an artifact's."""
    for row in FORMATS.values():
        for marker in (folder / name for name in row.markers):
            if marker.is_file() and (
                FORMAT_NAME in first_bytes(marker, 4096)
                or any(next(folder.glob(trace), None) for trace in row.traces)
            ):
                return marker
    return None


def read_link(path: Path) -> Link:
    """The link of the chain that an artifact is.

    Raises:
        BadInputError: missing, damaged, of no kind that c2l writes, or without inputs.
    """
    found = format_of(path)
    if found.link is None:
        problem = f"a {found.name} file names no inputs of its own"
        raise BadInputError(path, problem, hint="name the run, or the scores, that it belongs to")
    return found.link(path)


def read_leftover(leftover: Path, final: Path) -> Link:
    """The link that what a stopped writer left is on its way to.

    Raises:
        BadInputError: nothing of it can be read.
    """
    found = format_of(leftover, unfinished=True)
    if found.leftover is None:
        raise BadInputError(leftover, f"is not what a writer of {found.name} leaves")
    return found.leftover(leftover, final)


def preview(path: Path) -> Preview | None:
    """Maps of parts or clusters that an artifact holds; None where it holds none.

    Raises:
        BadInputError: see ``summarise``.
    """
    found = format_of(path)
    return found.preview(path) if found.preview else None


def summarise(path: Path) -> dict[str, Any]:
    """Kind, shapes, units, lineage and health of an artifact; torch is never imported.

    Raises:
        BadInputError: missing, damaged, or of no kind that c2l writes.
    """
    return format_of(path).summary(path)
