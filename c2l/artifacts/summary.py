"""What is in an artifact, for a person or a script; torch is never imported."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from c2l import schema
from c2l.artifacts.hdf5 import SIGNATURE, config_of, open_artifact, reading
from c2l.artifacts.scores import ranked, read_scores
from c2l.artifacts.tensors import own_metadata
from c2l.artifacts.untrusted.headers import read_header
from c2l.errors import BadInputError
from c2l.runtime.files import first_bytes
from c2l.runtime.json_files import read_json, unseal

HDF5_KINDS = (schema.FORMAT_FEATURES, schema.FORMAT_CLUSTERS, schema.FORMAT_TARGETS)
# Rows that health is computed from; a store may be larger than memory.
HEALTH_ROWS = 64


def summarise(path: Path) -> dict[str, Any]:
    """Kind, shapes, units, lineage and health of an artifact.

    Args:
        path: a file, or a run folder.

    Raises:
        BadInputError: missing, damaged, or of no kind that c2l writes.
    """
    if path.is_dir():
        legend = next((p for p in _legends(path) if p.is_file()), None)
        return _json(legend) if legend else _run(path)
    if first_bytes(path) == SIGNATURE:
        return _hdf5(path)
    if path.suffix == ".json":
        return _json(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    raise BadInputError(
        path, "of no kind that c2l writes", hint="inspect takes .h5, .safetensors, .json or a run"
    )


def _legends(folder: Path) -> tuple[Path, Path]:
    """Where the legend of a folder of pictures, or of its masks, would lie."""
    return folder / "masks" / schema.LEGEND, folder / schema.LEGEND


def _hdf5(path: Path) -> dict[str, Any]:
    with open_artifact(path, *HDF5_KINDS) as file, reading(path):
        kind = str(file.attrs[schema.ATTR_FORMAT])
        arrays = {
            name: {
                "shape": list(data.shape),
                "dtype": "text" if data.dtype.kind == "O" else str(data.dtype),
                **({"units": str(data.attrs["units"])} if "units" in data.attrs else {}),
            }
            for name, data in file.items()
        }
        text = {k: v for k, v in file.attrs.items() if isinstance(v, str)}
        summary = {
            "path": str(path),
            "kind": kind,
            "bytes": path.stat().st_size,
            "arrays": arrays,
            "lineage": {k: v for k, v in text.items() if not k.endswith("_json")},
            "config": config_of(path, file),
            "health": _health(file),
        }
        if schema.SKIPPED in file:
            summary["skipped"] = list(file[schema.SKIPPED].asstr()[:])
        return summary


def _health(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if schema.FEATURES in file:
        data = file[schema.FEATURES]
        rows = np.unique(np.linspace(0, len(data) - 1, HEALTH_ROWS).astype(int))
        values = [data[int(i)].astype(np.float32) for i in rows]
        norms = [float(np.linalg.norm(v.reshape(-1, v.shape[-1]), axis=1).mean()) for v in values]
        found["finite"] = all(bool(np.isfinite(v).all()) for v in values)
        found["mean_norm"] = round(float(np.mean(norms)), 4)
        found["constant_channels"] = int(
            (np.concatenate([v.reshape(-1, v.shape[-1]) for v in values]).std(0) == 0).sum()
        )
    for name in (schema.COUNTS, schema.COUNTS_VIEW1, schema.COUNTS_VIEW2):
        if name in file:
            counts = file[name][:]
            shares = counts / max(int(counts.sum()), 1)
            found[f"{name}_shares"] = [round(float(s), 4) for s in shares]
            found[f"{name}_empty"] = [int(k) for k in np.flatnonzero(counts == 0)]
    if schema.OBJECTIVE in file:
        trace = file[schema.OBJECTIVE][:]
    if schema.OBJECTIVE in file and trace.size:
        found["objective"] = {"first": float(trace[0]), "last": float(trace[-1])}
    if schema.GROUPS in file:
        found["groups"] = [int(g) for g in file[schema.GROUPS][:]]
    return found


def _json(path: Path) -> dict[str, Any]:
    value = read_json(path, what="a JSON artifact of c2l")
    kind = value.get("format")
    if kind == schema.FORMAT_EVAL:
        value = read_scores(path)
    elif kind == schema.FORMAT_RUN:
        unseal(path, value)
    if kind not in (schema.FORMAT_EVAL, schema.FORMAT_MASKS, schema.FORMAT_RUN):
        raise BadInputError(path, f"of no kind that c2l writes (format {kind!r})")
    wide = ("confusion_raw", "baseline_confusions_raw", "per_image")
    values = {k: v for k, v in value.items() if k not in wide}
    if kind == schema.FORMAT_EVAL:
        values["worst"] = [f"{name} {miou:.3f}" for name, miou in ranked(value)[:-4:-1]]
    return {"path": str(path), "kind": kind, "bytes": path.stat().st_size, "values": values}


def _safetensors(path: Path) -> dict[str, Any]:
    """Names and shapes from the header alone, which is JSON behind its length in 8 bytes."""
    header, raw = read_header(path)
    metadata = own_metadata(raw)
    arrays = {n: {"shape": v["shape"], "dtype": v["dtype"]} for n, v in header.items()}
    parameters = sum(prod(a["shape"]) for a in arrays.values())
    return {
        "path": str(path),
        "kind": metadata.get("format", metadata.get("kind", "tensors")),
        "bytes": path.stat().st_size,
        "values_stored": parameters,
        "arrays": arrays,
        "lineage": {k: v for k, v in metadata.items() if k != "config"},
    }


def _run(path: Path) -> dict[str, Any]:
    from c2l.artifacts.runs import Run

    run = Run.open(path)
    predictor = _safetensors(run.predictor) if run.predictor.is_file() else None
    metrics = run.read_metrics()
    epochs = [m for m in metrics if m.get("kind") == "epoch"]
    taken = [m for m in metrics if m.get("kind") == "step"]
    return {
        "path": str(path),
        "kind": schema.FORMAT_RUN,
        "finished": predictor is not None,
        "predictor": {k: predictor[k] for k in ("bytes", "values_stored")} if predictor else None,
        "checkpoints": run.steps(),
        "last_step": taken[-1] if taken else None,
        "health": epochs[-1] if epochs else None,
        "config": run.config,
    }
