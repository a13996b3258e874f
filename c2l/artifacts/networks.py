"""Exported predictors, .onnx and .pt2: what they say of themselves, and whether they are whole."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import Format, Link
from c2l.artifacts.lineage import PREDICTOR, from_json
from c2l.artifacts.untrusted.types import NETWORK_KINDS, require_kinds
from c2l.errors import BadInputError
from c2l.options import ExportOptions
from c2l.runtime.json_files import strict_json

ONNX, PT2 = ".onnx", ".pt2"
# The key of an ONNX file's metadata, and the extra file of a .pt2, that hold what c2l says of it.
INFO = "c2l.json"
# No more of it is read.
_MOST_INFO = 1 << 20
_DAMAGED = "export it again: c2l export RUN -o {}"


def graph_digest(proto: Any) -> str:
    """Hex SHA-256 of an ONNX model without its metadata."""
    bare = type(proto)()
    bare.CopyFrom(proto)
    del bare.metadata_props[:]
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def read_info(path: Path) -> dict[str, Any]:
    """What c2l wrote of an exported predictor; empty where another program wrote the file.

    Raises:
        BadInputError: missing or damaged, or an .onnx file without the package onnx.
    """
    text = _onnx_text(path) if path.suffix == ONNX else _pt2_text(path)
    if text is None:
        return {}
    try:
        info = dict(strict_json(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    require_kinds(path, info, NETWORK_KINDS)
    return info


def _damaged(path: Path, reason: str) -> BadInputError:
    return BadInputError(path, f"damaged: {reason}", hint=_DAMAGED.format(path.name))


def _model(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        hint = 'install it: pip install "c2l[onnx]"'
        raise BadInputError(path, "cannot be read without the package onnx", hint=hint) from None
    try:
        return onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    except DecodeError:
        raise _damaged(path, "not a whole ONNX file") from None


def _onnx_text(path: Path) -> str | None:
    found = {entry.key: entry.value for entry in _model(path).metadata_props}
    return found.get(INFO)


def _pt2_text(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(f"/extra/{INFO}")]
            if not names:
                return None
            if archive.getinfo(names[0]).file_size > _MOST_INFO:
                raise _damaged(path, f"{INFO} is of more than {_MOST_INFO} bytes")
            return archive.read(names[0]).decode()
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from None


def _summary(path: Path) -> dict[str, Any]:
    info = read_info(path)
    known = {"path": str(path), "kind": schema.FORMAT_NETWORK, "bytes": path.stat().st_size}
    return known | {k: v for k, v in info.items() if k != "format"}


def _link(path: Path) -> Link:
    info = read_info(path)
    return Link(
        format=FORMAT,
        path=path,
        sources=tuple(from_json(info.get("lineage", []), path)),
        options=info.get("options", {}),
        takes=(PREDICTOR,),
    )


def _whole(path: Path) -> str | None:
    """The graph has the hash that was stored with it; the parts of an archive their checksums."""
    if path.suffix == ONNX:
        same = read_info(path).get("graph_sha256") == graph_digest(_model(path))
        return None if same else "its graph was changed since it was written"
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
    return f"{broken} was changed since it was written" if broken else None


FORMAT = Format(
    name=schema.FORMAT_NETWORK,
    summary=_summary,
    link=_link,
    checks=(("graph", _whole),),
    stage="export",
    options=ExportOptions,
)
