"""c2l cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from c2l.options import ClusterOptions

from .shared import PATH
from .stage import Call, stage


@stage("cluster", writes="Clusters file (HDF5) to write.")
@click.argument("features", type=PATH)
def command(call: Call[ClusterOptions], features: Path) -> dict[str, Any]:
    """Cluster the pixels of a feature store.

    \b
    Examples:
      c2l cluster features.h5 -o clusters.h5 -k 3
      c2l cluster features.h5 -o parts.h5 -k 16 --merge-clusters border
      c2l cluster layer4.h5 -o dff.h5 -k 3 --method nmf
    """
    from c2l.stages.cluster import cluster, plan

    if call.dry_run:
        return plan(features, call.options)
    path = cluster(features, call.output, call.options, overwrite=call.overwrite)
    return {"clusters": str(path)}
