"""export: a predictor as a file that other programs run, or that stands for its run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from c2l import __version__, schema
from c2l.artifacts.lineage import PREDICTOR, as_json, source
from c2l.artifacts.networks import ONNX, PT2
from c2l.artifacts.outputs import claim, inputs_of, refuse_existing
from c2l.errors import UsageError
from c2l.export.network import (
    check,
    program_of,
    require_extra,
    runner_of,
    writer_of,
)
from c2l.export.weights import write_half
from c2l.model.build import SAFE
from c2l.model.loading import load_predictor
from c2l.model.predictor import Predictor
from c2l.options import ExportOptions, recorded
from c2l.runtime.files import replacing
from c2l.runtime.progress import console
from c2l.runtime.threads import prepare_cpu

# What files of each suffix begin with; of safetensors it is the size of the header.
STARTS = {ONNX: b"\x08", PT2: b"PK", SAFE: b""}
# A message of protobuf, which an ONNX file is, has at most this size.
MOST_ONNX_BYTES = (1 << 31) - (1 << 24)


def plan(artifact: Path, output: Path, options: ExportOptions) -> dict[str, Any]:
    """What ``--dry-run`` says."""
    options.check()
    _require_suffix(output, options)
    predictor = load_predictor(artifact, torch.device("cpu"), options.weights, options.image_size)
    size = _bytes(predictor)
    return {
        "predictor": str(artifact),
        "names": list(predictor.names),
        "image_size": predictor.encoder.image_size,
        "disk_bytes": size // 2 if output.suffix == SAFE else size,
    }


def export(
    artifact: Path, output: Path, options: ExportOptions, *, overwrite: bool = False
) -> dict[str, Any]:
    """Write a predictor for other programs; the suffix of the output says which.

    Args:
        artifact: a run folder, a predictor's file, a clusters file, or ``drawn``.
        output: ``.onnx``, ``.pt2`` (torch.export), or ``.safetensors`` (c2l's own, in half
            precision, with its hash beside it).
        options: see ``ExportOptions``.
        overwrite: replace an existing file.

    Returns:
        The path, its bytes and names, and how far it is from our predictor.

    Raises:
        BadInputError: no finished predictor.
        UsageError: another suffix, an output that exists or is an input, a missing extra, or a
            network that cannot be exported so.
        ExportDiffersError: what was exported computes something else; nothing is written.
        OutputError: the file cannot be written.
    """
    options.check()
    inputs, starts = inputs_of(options, artifact), STARTS.get(output.suffix, b"")
    refuse_existing(output, overwrite=overwrite, starts=starts, inputs=inputs)
    _require_suffix(output, options)
    if output.suffix == ONNX:
        require_extra()
    prepare_cpu()
    with claim(output, overwrite=overwrite, starts=starts, inputs=inputs):
        if output.suffix == SAFE:
            write_half(artifact, output)
            return {"export": str(output), "bytes": output.stat().st_size}
        device = torch.device("cpu")
        predictor = load_predictor(artifact, device, options.weights, options.image_size)
        return _write_network(predictor, output, options)


def _write_network(predictor: Predictor, output: Path, options: ExportOptions) -> dict[str, Any]:
    """Trace, write in memory, run and compare, and only then give the file its name."""
    if output.suffix == ONNX and _bytes(predictor) > MOST_ONNX_BYTES:
        raise UsageError(
            f"{predictor.origin.path}: {_bytes(predictor):,} bytes, more than an ONNX file holds",
            hint="export it as .pt2",
        )
    info = _info(predictor, options)
    console.print("export: tracing the network")
    to_bytes = writer_of(program_of(predictor), output.suffix)
    agreement = check(*runner_of(to_bytes(info), output.suffix), predictor)
    data = to_bytes(info | {"checked": asdict(agreement)})
    with replacing(output, needed=len(data)) as partial:
        partial.write_bytes(data)
    return {
        "export": str(output),
        "bytes": len(data),
        "names": list(predictor.names),
        "scores": info["scores"],
        **asdict(agreement),
    }


def _require_suffix(output: Path, options: ExportOptions) -> None:
    if output.suffix not in STARTS:
        raise UsageError(
            f"{output}: expected {', '.join(STARTS)}, found the suffix {output.suffix!r}",
            hint="name the format by the suffix: -o model.onnx",
        )
    if output.suffix == SAFE and options.image_size:
        raise UsageError(
            f"--image-size: a {SAFE} file keeps the size of its training",
            hint="name the size where the predictor is used, or export it as .onnx or .pt2",
        )


def _bytes(predictor: Predictor) -> int:
    tensors = [*predictor.encoder.net.state_dict().values(), predictor.classifier.rows]
    return sum(t.numel() * t.element_size() for t in tensors)


def _info(predictor: Predictor, options: ExportOptions) -> dict[str, Any]:
    """What the file says of itself."""
    origin = predictor.origin
    shares = predictor.sharpen is not None or predictor.classifier.kind == "head"
    return {
        "format": schema.FORMAT_NETWORK,
        "format_version": schema.FORMAT_VERSION,
        "created_by": f"c2l {__version__}",
        "names": list(predictor.names),
        "scores": "probabilities" if shares else "similarities",
        "image_size": predictor.encoder.image_size,
        "sharpened": predictor.sharpen is not None,
        "method": origin.method,
        "options": recorded(options),
        "lineage": as_json([source(PREDICTOR, origin.file, origin.sha256)]),
    }
