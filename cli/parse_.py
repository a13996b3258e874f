"""c2l parse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ParseOptions

from .shared import PATH
from .stage import Call, stage


@stage("parse", writes="Folder to write.")
@click.argument("photos", type=PATH)
def command(call: Call[ParseOptions], photos: Path) -> dict[str, Any]:
    """Find named parts in PHOTOS, a folder or one photo, with the network that ships with c2l.

    Writes masks at each photo's own size, overlays, a contact sheet and an HTML report. The
    network was trained on drawings of people, not on labelled photographs.

    \b
    Examples:
      c2l parse photos/ -o parts
      c2l parse photo.jpg -o parts
    """
    from c2l.artifacts.drawn import NAME
    from c2l.options import RenderOptions
    from c2l.stages.render import plan, render

    artifact, options = Path(NAME), RenderOptions(**vars(call.options))
    if call.dry_run:
        return plan(artifact, photos, options)
    path = render(artifact, photos, call.output, options, overwrite=call.overwrite)
    return {"masks": str(path / "masks"), "report": str(path / "report.html")} | call.left_out(path)
