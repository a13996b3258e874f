"""c2l report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ReportOptions

from .shared import named_files
from .stage import Call, stage


@stage("report", writes="HTML file to write.", plans=False)
@click.argument("runs", nargs=-1, required=True, callback=named_files, metavar="[NAME=]RUN...")
def command(call: Call[ReportOptions], runs: list[tuple[str, Path]]) -> dict[str, Any]:
    """Put RUNs side by side on one HTML page: scores, classes, curves, options that differ.

    A RUN is a run folder, with its scores where it holds an eval.json, or an eval.json. Scores
    make one row per method as in compare; each run folder has its own line in the curves.

    \b
    Examples:
      c2l report run-a run-b -o compare.html
      c2l report before=run-a/eval.json after=run-b -o compare.html --against before
    """
    from c2l.stages.compare import compare
    from c2l.stages.report import report, scores_of_runs

    options = call.options
    options.check()
    comparison = None
    if scored := scores_of_runs(runs):
        comparison = compare(scored, against=options.against or "", mixed=options.mixed)
    shown = {"agreement": options.agreement, "overwrite": call.overwrite}
    return {"report": str(report(runs, comparison, call.output, **shown))}
