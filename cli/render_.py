"""c2l render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import RenderOptions

from .shared import PATH
from .stage import Call, rivals, stage


@stage("render", writes="Folder to write.")
@click.argument("artifact", type=PATH)
@click.argument("data", metavar="IMAGES", type=PATH)
@rivals
def command(
    call: Call[RenderOptions], artifact: Path, data: Path, rivals: list[tuple[str, Path]]
) -> dict[str, Any]:
    """Draw what ARTIFACT (a run folder or a clusters file) finds in IMAGES.

    Writes masks at each photo's own size, overlays, a contact sheet and an HTML report.

    \b
    Examples:
      c2l render run photos/ -o pictures
      c2l render run photos/ -o pictures --scores eval.json --limit 50
    """
    from c2l.stages.render import plan, render

    if call.dry_run:
        return plan(artifact, data, call.options)
    path = render(artifact, data, call.output, call.options, rivals, overwrite=call.overwrite)
    return {"pictures": str(path), "report": str(path / "report.html"), **call.left_out(path)}
