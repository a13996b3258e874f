"""c2l verify."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from c2l.errors import ExitCode
from c2l.runtime.text import printable

from .shared import as_json, common, grouped, set_verbosity


@grouped("verify")
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@as_json
@common
def command(artifacts: tuple[Path, ...], as_json: bool, quiet: bool, verbose: bool) -> int:
    """Check each ARTIFACT, and through its lineage all that it was made from.

    Checksums, hashes and sizes are recomputed from the files, photos included. The exit code is
    3 when something is wrong.

    \b
    Example:
      c2l verify run eval.json
    """
    from c2l.stages.verify import verify

    set_verbosity(quiet, verbose)
    findings = []
    for finding in verify(list(artifacts)):
        findings.append(finding)
        if not as_json:
            mark = "ok   " if finding.problem is None else "WRONG"
            line = f"{mark}  {finding.path}: {finding.what}"
            line += "" if finding.problem is None else f": {finding.problem}"
            click.echo(printable(line, lines=False))
    wrong = [f for f in findings if f.problem is not None]
    if as_json:
        click.echo(json.dumps({"sound": not wrong, "findings": [asdict(f) for f in findings]}))
    return int(ExitCode.BAD_INPUT if wrong else ExitCode.OK)
