"""Options of ``cluster``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.errors import UsageError
from c2l.options.fields import option
from c2l.options.shared import CommonOptions, KMeansOptions, merge_threshold_option
from c2l.schema import PARTS


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(CommonOptions, KMeansOptions):
    """Options of ``cluster``."""

    method: str = option(
        "kmeans",
        "Clustering method: k-means (FAISS), or NMF as in DFF.",
        group="Method",
        choices=("kmeans", "nmf"),
    )
    nmf_iterations: int = option(200, "Iterations of NMF, at most.", group="Method", minimum=1)
    nmf_tolerance: float = option(
        1e-4,
        "Stop NMF when the error falls by less than this share of its first value.",
        group="Method",
        minimum=0.0,
    )
    clusters: int = option(
        3, "Number of clusters K.", group="Clusters", minimum=1, maximum=65535, flags=("-k",)
    )
    merge_clusters: str = option(
        "none",
        "Merge clusters into background, upper and lower by the image border, without labels.",
        group="Clusters",
        choices=("none", "border"),
    )
    merge_threshold: float = merge_threshold_option()

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: with the way out.
        """
        super().check()
        if self.merge_clusters != "none" and self.clusters < len(PARTS):
            raise UsageError(
                f"--merge-clusters {self.merge_clusters} needs {len(PARTS)} clusters or more, "
                f"not {self.clusters}",
                hint=f"add -k {len(PARTS)}, or leave out --merge-clusters",
            )
