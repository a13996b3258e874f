"""c2l export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ExportOptions

from .shared import PATH
from .stage import Call, stage


@stage("export", writes="File to write: .onnx, .pt2 or .safetensors.")
@click.argument("artifact", type=PATH)
def command(call: Call[ExportOptions], artifact: Path) -> dict[str, Any]:
    """Write the predictor of ARTIFACT (a run, a clusters file, or drawn) for other programs.

    The suffix of the output names the format. An .onnx or .pt2 file (torch.export) takes a photo of
    any size and returns a score map per part and the labels; resizing and sharpening are inside.
    It is run and compared with the predictor before it gets its name. A .safetensors file is c2l's
    own, in half precision, and stands wherever a run does.

    \b
    Examples:
      c2l export drawn -o model.onnx
      c2l export run -o model.pt2 --image-size 320
      c2l export run -o predictor.safetensors
    """
    from c2l.stages.export import export, plan

    if call.dry_run:
        return plan(artifact, call.output, call.options)
    return export(artifact, call.output, call.options, overwrite=call.overwrite)
