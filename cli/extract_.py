"""c2l extract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ExtractOptions

from .shared import PATH
from .stage import Call, stage


@stage("extract", writes="Feature store (HDF5) to write.")
@click.argument("data", type=PATH)
def command(call: Call[ExtractOptions], data: Path) -> dict[str, Any]:
    """Write dense features of every image in DATA.

    The same command resumes a stopped run.

    \b
    Examples:
      c2l extract photos/ -o features.h5
      c2l extract photos/ -o layer4.h5 --layer layer4
      c2l extract photos/ -o views.h5 --views --split train
    """
    from c2l.stages.extract import extract, plan

    if call.dry_run:
        return plan(data, call.options)
    path = extract(data, call.output, call.options, overwrite=call.overwrite)
    return {"features": str(path), **call.left_out(path)}
