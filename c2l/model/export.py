"""A run's predictor as a file that stands for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from c2l import schema
from c2l.artifacts.drawn import sum_file
from c2l.artifacts.predictor import read_predictor, write_predictor
from c2l.runtime.files import output_errors, replacing, sha256_file


def export_half(run: Path, file: Path) -> int:
    """Write a run's predictor by itself in half precision, with its hash beside it.

    Convolutions are halved; what has one value per channel stays as it is.

    Returns:
        Its size in bytes.
    """
    found = read_predictor(run / schema.PREDICTOR)
    small = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in found.network.items()
    }
    with output_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_predictor(file, replace(found, network=small))
    line = f"{sha256_file(file)}  {file.name}\n"
    with replacing(sum_file(file), needed=len(line)) as partial:
        partial.write_text(line, encoding="ascii")
    return file.stat().st_size
