"""c2l teach."""

from __future__ import annotations

from typing import Any

from c2l.options import TeachOptions

from .shared import switch
from .stage import Call, stage


@stage("teach", writes="Run folder to write.")
@switch("--resume", group="Checkpoints", text="Continue a stopped run.")
def command(call: Call[TeachOptions], resume: bool) -> dict[str, Any]:
    """Train the network on drawings of people and store the predictor in a run folder.

    People are drawn during training, with their labels; no photographs are read. The predictor
    names ATR's parts, and every command takes its run like one of fit.

    \b
    Examples:
      c2l teach -o run
      c2l teach -o run --resume
      c2l teach -o start --preset drawn-start
      c2l teach -o run --preset drawn --seed 1 && c2l export run -o predictor.safetensors
    """
    from c2l.stages.teach import plan, teach

    if call.dry_run:
        return plan(call.options)
    path = teach(call.output, call.options, resume=resume, overwrite=call.overwrite)
    return {"run": str(path)}
