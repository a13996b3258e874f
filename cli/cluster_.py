"""c2l cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ClusterOptions

from .shared import SETTINGS, as_json, common, dry_run, output, pick, set_voice, show, stage_options


@click.command("cluster", context_settings=SETTINGS)
@click.argument("features", type=click.Path(path_type=Path))
@output("The clusters file (HDF5) to write.")
@stage_options(ClusterOptions)
@dry_run
@as_json
@common
def command(
    features: Path,
    output: Path,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Cluster the pixels of a feature store.

    \b
    Example:
      c2l cluster features.h5 -o clusters.h5 -k 3
      c2l cluster layer4.h5 -o dff.h5 -k 3 --method nmf
    """
    from c2l.stages.cluster import cluster, plan

    set_voice(quiet, verbose)
    options = pick(ClusterOptions, values)
    if dry_run:
        show(plan(features, options), json_wanted=as_json)
        return
    path = cluster(features, output, options, overwrite=overwrite)
    show({"clusters": str(path)}, json_wanted=as_json)
