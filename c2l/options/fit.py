"""Options of ``fit``; the defaults are what finds people best, the presets published protocols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from c2l.errors import UsageError
from c2l.options.fields import AUTO, Options, changed, flag, option
from c2l.options.shared import (
    CheckpointOptions,
    CommonOptions,
    ImageOptions,
    KMeansOptions,
    NetworkOptions,
    batch_size_option,
    image_size_option,
    merge_threshold_option,
    preset_option,
)
from c2l.schema import PARTS

# Merges whose groups are the parts background, upper and lower; and those that look at figures.
NAMED_MERGES = ("border", "figure")
FIGURE_MERGES = ("figure", "ground")
# How many parts a merge to named parts or a mixture finds.
PART_COUNT = len(PARTS)


@dataclass(frozen=True, kw_only=True)
class ModuleOptions(Options):
    """The modules of C^2L and their losses."""

    part: str = option(
        "assigned",
        "Part contrastive module: how the vector of a part is read, or off.",
        group="Modules",
        choices=("off", "map", "pooled", "assigned", "global"),
    )
    part_weight: float = option(
        0.5, "Weight alpha of the contrastive loss (Eq. 8).", group="Modules", minimum=0.0
    )
    tau: float = option(0.1, "Temperature of InfoNCE (Eq. 1).", group="Modules", minimum=1e-3)
    pixel: str = option(
        "sparse",
        "Pixel consistent module: with the sparse code, with an ordinary FFN, or off.",
        group="Modules",
        choices=("off", "ffn", "sparse"),
    )
    pixel_weight: float = option(
        0.3, "Weight beta of the sparse code's loss (Eq. 8).", group="Modules", minimum=0.0
    )
    pixel_dim: int = option(
        64, "Atoms k of the sparse code, fewer than --fpn-dim.", group="Modules", minimum=1
    )
    sparsity: float = option(
        0.1, "Weight lambda of the l1 penalty (Eq. 2).", group="Modules", minimum=0.0
    )
    ista_steps: int = option(
        0, "ISTA steps that refine the encoder's code.", group="Modules", minimum=0
    )
    heads: int = option(2, "Attention heads.", group="Modules", minimum=1)
    attention_stride: int = option(
        AUTO,
        "Pool the feature map by this factor for attention; auto takes 1 on a GPU, 2 on a CPU.",
        group="Modules",
        minimum=1,
    )
    code_input: str = option(
        "detach",
        "Input of the sparse code: F as in the paper (raw), at unit length (normalise), or at unit "
        "length without a gradient (detach).",
        group="Modules",
        choices=("raw", "normalise", "detach"),
    )


@dataclass(frozen=True, kw_only=True)
class FitOptions(
    CommonOptions, ImageOptions, NetworkOptions, ModuleOptions, KMeansOptions, CheckpointOptions
):
    """Options of ``fit``."""

    stage: ClassVar[str] = "fit"
    image_size: int = image_size_option(
        AUTO,
        "Resize images to a square of this many pixels; auto takes 320 on a GPU, 128 on a CPU.",
    )
    batch_size: int = batch_size_option(
        AUTO,
        "Images per batch; auto takes as many as memory allows, up to 96 on a GPU and 32 on a CPU.",
    )
    cache_dir: str | None = option(
        None,
        "Folder for decoded images; the default is in the run folder, until the run ends.",
        group="Data",
        metavar="FOLDER",
        identity=False,
    )
    warmup: int = option(
        4, "Epochs of label-free warm-up on the photos' own figures.", group="Start", minimum=0
    )
    warmup_lr: float = option(1e-3, "Learning rate of the warm-up.", group="Start", minimum=0.0)
    checkpoint: str | None = option(
        None,
        "Start from the trained network of this run folder.",
        group="Start",
        metavar="RUN",
        reads="path",
        role="predictor",
    )
    init: str | None = option(
        None,
        "Start the first epoch from the centroids of this clusters file.",
        group="Start",
        metavar="FILE",
        reads="path",
        role="centroids",
    )
    features: str | None = option(
        None,
        "Train only the heads, on this feature store of a frozen backbone.",
        group="Start",
        metavar="FILE",
        reads="path",
        role="features",
    )
    preset: str | None = preset_option(stage)
    method: str = option(
        "c2l",
        "C2L, or its baseline PiCIE, which has neither module.",
        group="Method",
        choices=("c2l", "picie"),
        flags=("-m",),
    )
    batch_norm: str = option(
        "all",
        "On several ranks, normalise batches over all ranks, or on each rank over its part.",
        group="Running",
        choices=("all", "rank"),
        identity=False,
    )
    epochs: int = option(
        2, "Epochs of training after the warm-up.", group="Method", minimum=0, flags=("-e",)
    )
    max_steps: int = option(
        0, "Stop after this many optimiser steps; 0 sets no limit.", group="Method", minimum=0
    )
    lr: float = option(1e-4, "Learning rate of Adam.", group="Method", minimum=0.0)
    cross_view: bool = option(
        True,
        "Also train each view on the other view's labels and centroids, as PiCIE does.",
        group="Method",
    )
    class_weights: str = option(
        "frequency",
        "Weights of the clusters in the clustering loss: equal (none), by frequency, or by its "
        "inverse.",
        group="Method",
        choices=("none", "frequency", "inverse"),
    )
    clusters: int = option(
        16, "Number of clusters K.", group="Clusters", minimum=2, maximum=255, flags=("-k",)
    )
    merge_clusters: str = option(
        "figure",
        "Merge clusters into background, upper and lower without labels, by the image border or by "
        "each photo's own figure; ground merges only those outside the figures.",
        group="Clusters",
        choices=("none", "border", "figure", "ground"),
    )
    merge_threshold: float = merge_threshold_option()
    sharpen: bool = option(
        True, "Fit predictions to each photo's own colours and edges.", group="Clusters"
    )
    final_clusters: str = option(
        "kmeans",
        "Final classifier: k-means, or with -k 3 a Gaussian mixture that starts from the figures.",
        group="Clusters",
        choices=("kmeans", "mixture"),
    )
    mixture_iterations: int = option(
        1,
        "Iterations of expectation maximisation after the mixture's start.",
        group="Clusters",
        minimum=0,
    )

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: with the way out.
        """
        super().check()
        if self.features:
            self._check_features()
        if not self.checkpoint:
            self.check_weights()
        if self.method == "c2l" and self.pixel != "off":
            self._check_pixel_module()
        if self.final_clusters == "mixture":
            self._check_mixture()
        elif self.merge_clusters != "none" and self.clusters < PART_COUNT:
            raise UsageError(
                f"--merge-clusters {self.merge_clusters} needs {PART_COUNT} clusters or more, "
                f"not {self.clusters}",
                hint=f"add -k {PART_COUNT}, or --merge-clusters none --no-sharpen",
            )
        elif self.sharpen and self.merge_clusters != "figure":
            raise UsageError(
                "--sharpen needs --merge-clusters figure or --final-clusters mixture",
                hint="add one of them, or --no-sharpen",
            )

    def check_start(self) -> None:
        """Refuse a start that a new run makes nothing of; runs of before are still read.

        Raises:
            UsageError: with the way out.
        """
        if self.init and self.warmup:
            raise UsageError(
                f"--init {self.init}: its centroids are of features before the warm-up",
                hint="add --warmup 0, or cluster the features of a warmed-up run and start from "
                "both: --checkpoint RUN --warmup 0",
            )

    def without_effect(self) -> dict[str, list[str]]:
        """Flags of changed options that mean nothing under others, by the flags of these."""
        picie = "--method picie" if self.method == "picie" else ""
        merge, final = self.merge_clusters, self.final_clusters
        part, pixel = picie or f"--part {self.part}", picie or f"--pixel {self.pixel}"
        code = ("pixel_weight", "pixel_dim", "sparsity", "ista_steps", "code_input")
        causes = [
            (picie, ("part", "pixel")),
            (part if picie or self.part == "off" else "", ("part_weight", "tau")),
            (pixel if picie or self.pixel != "sparse" else "", code),
            (pixel if picie or self.pixel == "off" else "", ("heads", "attention_stride")),
            (f"--final-clusters {final}" if final != "mixture" else "", ("mixture_iterations",)),
            (f"--merge-clusters {merge}" if merge != "border" else "", ("merge_threshold",)),
        ]
        given = {name for name, value in changed(self).items() if value != "off"}
        found: dict[str, list[str]] = {}
        for cause, names in causes:
            if cause and (idle := [flag(name) for name in names if name in given]):
                found.setdefault(cause, []).extend(idle)
        return found

    def _check_features(self) -> None:
        if self.checkpoint:
            raise UsageError(
                "--features and --checkpoint both name the network to start from",
                hint="leave out one of them",
            )
        out = ["--warmup 0"] if self.warmup else []
        if self.final_clusters == "mixture":
            out.append("--final-clusters kmeans")
        if self.merge_clusters in FIGURE_MERGES:
            out.append("--merge-clusters none")
        if self.sharpen:
            out.append("--no-sharpen")
        if out:
            raise UsageError(
                "--features trains heads on stored features: no photo is read, no figure found, "
                "and the backbone stays as it is",
                hint=f"add {' '.join(out)}",
            )

    def _check_pixel_module(self) -> None:
        if self.pixel == "sparse" and self.pixel_dim >= self.fpn_dim:
            raise UsageError(
                f"--pixel-dim {self.pixel_dim}: expected fewer atoms than the {self.fpn_dim} "
                "channels of --fpn-dim (k < C)"
            )
        if self.fpn_dim % self.heads:
            raise UsageError(
                f"--heads {self.heads}: does not divide the {self.fpn_dim} channels of --fpn-dim"
            )

    def _check_mixture(self) -> None:
        out = [] if self.clusters == PART_COUNT else [f"-k {PART_COUNT}"]
        if self.merge_clusters != "none":
            out.append("--merge-clusters none")
        if out:
            raise UsageError(
                f"--final-clusters mixture finds {PART_COUNT} parts by itself, without a merge",
                hint=f"add {' '.join(out)}",
            )


def without_modules_if_picie(options: FitOptions) -> FitOptions:
    """The options with the modules off for the method that has none."""
    return replace(options, part="off", pixel="off") if options.method == "picie" else options


def names_parts(options: FitOptions) -> bool:
    """Whether what a run predicts is background, upper and lower."""
    return options.merge_clusters in NAMED_MERGES or options.final_clusters == "mixture"


def needs_figures(options: FitOptions) -> bool:
    """Whether a run looks at the photos' own figures."""
    merged = options.merge_clusters in FIGURE_MERGES
    return merged or options.final_clusters == "mixture" or options.warmup > 0
