"""A trained predictor as a file of c2l's own that stands for itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from c2l.artifacts.drawn import sum_file
from c2l.artifacts.predictor import write_predictor
from c2l.errors import BadInputError, UsageError
from c2l.model.build import SAFE
from c2l.model.loading import read_finished
from c2l.runtime.files import replacing, sha256_file


def write_half(artifact: Path, file: Path) -> None:
    """Write a predictor by itself in half precision, with its hash beside it.

    Convolutions are halved; what has one value per channel stays as it is.

    Args:
        artifact: a run folder, or a predictor's file.
        file: the output.

    Raises:
        BadInputError: missing, unfinished, damaged, or heads on stored features.
        UsageError: a clusters file, which does not hold its network.
    """
    ways = "export it as .onnx or .pt2"
    if not (artifact.is_dir() or artifact.suffix == SAFE):
        raise UsageError(f"{artifact}: {SAFE} holds the predictor of a run", hint=ways)
    found = read_finished(artifact)
    if found.config.get("frozen_layer"):
        problem = "heads on stored features need the configuration of their run"
        raise BadInputError(artifact, problem, hint=ways)
    small = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in found.content.network.items()
    }
    write_predictor(file, replace(found.content, network=small))
    line = f"{sha256_file(file)}  {file.name}\n"
    with replacing(sum_file(file), needed=len(line)) as partial:
        partial.write_text(line, encoding="ascii")
