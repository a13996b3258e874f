"""c2l eval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import EvalOptions

from .shared import PATH
from .stage import Call, rivals, stage


@stage("eval", writes="JSON file to write.")
@click.argument("artifact", type=PATH)
@click.argument("data", type=PATH, required=False)
@rivals
def command(
    call: Call[EvalOptions], artifact: Path, data: Path | None, rivals: list[tuple[str, Path]]
) -> dict[str, Any] | None:
    """Score ARTIFACT (a run folder or a clusters file) against the masks of DATA.

    An eval.json as ARTIFACT is scored again under another --merge, without DATA.

    \b
    Examples:
      c2l eval run photos/ -o eval.json --split val
      c2l eval run photos/ -o eval.json --rival PiCIE=picie.json
      c2l eval eval.json -o fine.json --merge fine
    """
    from c2l.artifacts.scores import ALIKE, read_scores, require_alike
    from c2l.stages.evaluate import evaluate, plan

    from .tables import print_scores

    if call.dry_run:
        return plan(artifact, data, call.options)
    others = [(other, read_scores(other)) for _, other in rivals]
    path = evaluate(artifact, data, call.output, call.options, overwrite=call.overwrite)
    hint = f"{ALIKE}; the scores of {artifact} are in {path}"
    require_alike([(path, read_scores(path)), *others], hint=hint)
    print_scores(path, rivals, json_wanted=call.json)
    return None
