"""Digests that an artifact carries of its own content, so that no changed bit is believed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import h5py
import numpy as np

from c2l import schema


def content_digest(file: h5py.File) -> str:
    """Hex SHA-256 of an HDF5 artifact's attributes, and of its datasets' shapes and values.

    Datasets of one row per image enter by the checksums of their rows (see ``rows``), so that
    opening stays cheap however large the file is.
    """
    digest = hashlib.sha256()
    _put_attributes(digest, file)
    for name in sorted(file):
        data = file[name]
        described = [name, str(data.dtype), list(data.shape), data.chunks, bool(data.fletcher32)]
        _put(digest, json.dumps(described).encode())
        _put_attributes(digest, data)
        if name + schema.ROW_SUMS not in file:
            _put(digest, _bytes(data[()]))
    return digest.hexdigest()


def _put_attributes(digest: Any, owner: Any) -> None:
    for name in sorted(owner.attrs):
        if name != schema.ATTR_CONTENT:
            _put(digest, name.encode("utf-8", "surrogateescape"))
            _put(digest, _bytes(owner.attrs[name]))


def _put(digest: Any, part: bytes) -> None:
    # With its length, so that no two lists of parts give the same bytes.
    digest.update(len(part).to_bytes(8, "little") + part)


def _bytes(value: Any) -> bytes:
    """A value as bytes that also tell its type and shape."""
    array = np.asarray(value)
    if array.dtype.kind in "OU":
        texts = [v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist()]
        sizes = [len(text) for text in texts]
        return json.dumps([list(array.shape), sizes]).encode() + b"".join(texts)
    return f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()
