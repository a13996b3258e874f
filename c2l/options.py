"""Every option of every stage with its default, written once; the command line reads them here."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


# Merges whose groups are the parts background, upper and lower; and those that look at figures.
NAMED_MERGES = ("border", "figure")
FIGURE_MERGES = ("figure", "ground")


def option(default: Any, text: str, *, choices: tuple[str, ...] = (), **extra: Any) -> Any:
    """A dataclass field that also carries its help text and allowed values.

    Args:
        default: the default value.
        text: one sentence of help, shown by ``--help``.
        choices: the allowed values of a string option.
        extra: ``flags`` (short names), ``minimum``/``maximum`` (inclusive bounds),
            ``identity`` (False: changing it does not change the result, so a run may be
            resumed with another value), ``recorded`` (True: still part of the configuration
            that artifacts hold).
    """
    return field(default=default, metadata={"help": text, "choices": choices, **extra})


def on_error_option() -> Any:
    """What becomes of broken images, in every stage that reads them."""
    return option(
        "fail",
        "A broken image: stop, or leave it out and list it.",
        choices=("fail", "skip"),
        identity=False,
        recorded=True,
    )


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """What every stage takes."""

    seed: int = option(0, "Seed of every random choice.", minimum=0)
    device: str = option("auto", "auto, cpu, cuda or cuda:N.", identity=False)
    workers: int = option(
        0,
        "Image decoding threads; 0 takes SLURM_CPUS_PER_TASK or the number of cores.",
        minimum=0,
        identity=False,
    )


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Which images are read, and how."""

    split: str | None = option(None, "Split of the data set; without it everything is used.")
    image_size: int = option(
        320, "Images are resized to this many pixels, square.", minimum=32, maximum=4096
    )
    batch_size: int = option(96, "Images a batch.", minimum=1, flags=("-b",))
    on_error: str = on_error_option()


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network that turns an image into dense features (section 4.2)."""

    backbone: str = option(
        "resnet18",
        "A CNN or Swin of torchvision, or timm:NAME with the extra c2l[timm]; "
        "c2l fit --backbone list names them all.",
        metavar="NAME",
    )
    weights: str = option(
        "imagenet",
        "imagenet, none (random), or a .safetensors or .pth file; timm: none or a file.",
        metavar="WHICH",
    )
    fpn_dim: int = option(128, "Channels of the feature pyramid.", minimum=8)
    gradients_input: bool = option(
        False, "Feed image gradients as two more input channels (for random weights)."
    )
    amp: str = option(
        "auto",
        "Mixed precision: bf16 where the device has it, else fp32.",
        choices=("auto", "bf16", "off"),
    )


THRESHOLD = (
    "border: a cluster is background from this ratio of its share of the border to its share "
    "of all pixels."
)
LAYERS = ("fpn", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True, kw_only=True)
class ExtractOptions(CommonOptions, ImageOptions, NetworkOptions):
    """Options of ``extract``."""

    checkpoint: str | None = option(None, "A run folder: features of its trained network.")
    layer: str = option(
        "fpn",
        "Where the features are read: fpn is stride 4; layer1 to layer4 are the backbone's last "
        "maps at strides 4, 8, 16, 32; a vision transformer has layer4 alone, its last.",
        choices=LAYERS,
    )
    views: bool = option(False, "Also store the two augmented views of epoch 0.")
    stride: int = option(1, "Keep every n-th row and column of the feature map.", minimum=1)
    pixels_per_image: int = option(
        0, "Keep this many random pixels an image; 0 keeps all.", minimum=0
    )
    pca: int = option(0, "Project to this many principal components; 0 keeps all.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class KMeansOptions:
    """Mini-batch k-means as PiCIE runs it."""

    kmeans_batch: int = option(192, "Images a mini-batch of k-means.", minimum=1)
    kmeans_init_batches: int = option(
        20, "Mini-batches that are buffered for the initial full k-means.", minimum=1
    )
    kmeans_iterations: int = option(20, "Iterations of the initial full k-means.", minimum=1)
    kmeans_pixels: int = option(
        256, "Random pixels an image in the initial k-means, at most.", minimum=1
    )
    kmeans_points: int = option(
        131072, "Random pixels of all images in the initial k-means, at most.", minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(CommonOptions, KMeansOptions):
    """Options of ``cluster``."""

    method: str = option("kmeans", "FAISS k-means, or NMF (DFF).", choices=("kmeans", "nmf"))
    clusters: int = option(3, "Number of clusters K.", minimum=1, maximum=65535, flags=("-k",))
    merge_clusters: str = option(
        "none",
        "Join clusters to background, upper and lower without labels, by the image border.",
        choices=("none", "border"),
    )
    merge_threshold: float = option(0.5, THRESHOLD, minimum=0.0)
    nmf_iterations: int = option(200, "Most iterations of NMF.", minimum=1)
    nmf_tolerance: float = option(
        1e-4, "NMF stops when the error falls by less than this share of its first value."
    )


@dataclass(frozen=True, kw_only=True)
class ModuleOptions:
    """The modules of C^2L and their losses, a switch each."""

    part: str = option(
        "assigned",
        "Part contrastive module: how a part's vector is read (off: no module).",
        choices=("off", "map", "pooled", "assigned", "global"),
    )
    part_weight: float = option(0.5, "Weight alpha of the contrastive loss (Eq. 8).", minimum=0.0)
    tau: float = option(0.1, "Temperature of InfoNCE (Eq. 1).", minimum=1e-3)
    pixel: str = option(
        "sparse",
        "Pixel consistent module: sparse code, an ordinary FFN, or no module.",
        choices=("off", "ffn", "sparse"),
    )
    pixel_weight: float = option(0.3, "Weight beta of the sparse code's loss (Eq. 8).", minimum=0.0)
    pixel_dim: int = option(64, "Atoms k of the sparse code (k < channels).", minimum=1)
    sparsity: float = option(0.1, "Weight lambda of the l1 penalty (Eq. 2).", minimum=0.0)
    ista_steps: int = option(0, "ISTA steps after the amortised code.", minimum=0)
    heads: int = option(2, "Attention heads.", minimum=1)
    attention_stride: int = option(
        1, "Attention on the feature map pooled by this factor.", minimum=1
    )
    code_input: str = option(
        "detach",
        "What the sparse code sees: F as the paper has it, F of unit length, or that detached.",
        choices=("raw", "normalise", "detach"),
    )


@dataclass(frozen=True, kw_only=True)
class FitOptions(CommonOptions, ImageOptions, NetworkOptions, ModuleOptions, KMeansOptions):
    """Options of ``fit``."""

    method: str = option(
        "c2l", "The whole method, or its baseline.", choices=("c2l", "picie"), flags=("-m",)
    )
    clusters: int = option(3, "Number of clusters K.", minimum=2, maximum=255, flags=("-k",))
    epochs: int = option(10, "Epochs.", minimum=0, flags=("-e",))
    max_steps: int = option(0, "Stop after this many optimiser steps; 0 for no limit.", minimum=0)
    lr: float = option(1e-4, "Learning rate of Adam.", minimum=0.0)
    cross_view: bool = option(
        True, "Also train each view on the other's labels and centroids (PiCIE)."
    )
    class_weights: str = option(
        "frequency",
        "Weights of the clustering loss.",
        choices=("none", "frequency", "inverse"),
    )
    merge_clusters: str = option(
        "none",
        "Join clusters without labels: to background, upper and lower by the image border or by "
        "each photo's own figure; ground joins those outside the figures alone.",
        choices=("none", "border", "figure", "ground"),
    )
    merge_threshold: float = option(0.5, THRESHOLD, minimum=0.0)
    final_clusters: str = option(
        "kmeans",
        "What predicts: k-means, or with K = 3 a Gaussian mixture with one covariance that starts "
        "from each photo's own figure.",
        choices=("kmeans", "mixture"),
    )
    mixture_iterations: int = option(
        1, "Iterations of the mixture after its fit to the figures.", minimum=0
    )
    sharpen: bool = option(
        False,
        "Fit predictions to each photo's own colours (with --merge-clusters figure or "
        "--final-clusters mixture).",
    )
    warmup: int = option(
        0, "Epochs of label-free warm-up on the photos' own figures first.", minimum=0
    )
    warmup_lr: float = option(1e-3, "Learning rate of the warm-up.", minimum=0.0)
    checkpoint: str | None = option(
        None, "A run folder whose network this run starts from.", metavar="RUN"
    )
    init: str | None = option(None, "A clusters file: its centroids start the first epoch.")
    features: str | None = option(
        None, "A feature store: train the heads alone on stored features."
    )
    save_minutes: float = option(
        10.0, "Minutes between checkpoints inside an epoch.", minimum=0.0, identity=False
    )
    save_steps: int = option(
        0,
        "Steps between checkpoints inside an epoch; 0 leaves it to the minutes.",
        minimum=0,
        identity=False,
    )
    keep: int = option(2, "Checkpoints that are kept.", minimum=2, identity=False)
    cache_dir: str | None = option(
        None, "Where decoded images are cached; the run folder without it.", identity=False
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(CommonOptions):
    """Options of ``eval``."""

    split: str | None = option(None, "Split that is scored; without it everything labelled is.")
    batch_size: int = option(32, "Images a batch.", minimum=1, flags=("-b",))
    merge: str | None = option(
        None, "Labels that are scored: upper-lower, fine, or a file.", metavar="NAME|FILE"
    )
    match_split: str | None = option(
        None, "Also fit the matching on this split and apply it to the scored one."
    )
    baselines: bool = option(True, "Score the trivial predictors beside.")
    on_error: str = on_error_option()
    bootstrap: int = option(1000, "Bootstrap resamples of images for the intervals.", minimum=0)
    weights: str | None = option(
        None, "Where the weights file lies now, if it moved since.", metavar="FILE"
    )


@dataclass(frozen=True, kw_only=True)
class RenderOptions(CommonOptions):
    """Options of ``render``."""

    split: str | None = option(None, "Split that is drawn; without it every image is.")
    batch_size: int = option(32, "Images a batch.", minimum=1, flags=("-b",))
    on_error: str = on_error_option()
    limit: int = option(0, "Draw this many images, evenly spread; 0 draws all.", minimum=0)
    scores: str | None = option(
        None, "An eval.json: its matching names the clusters, its scores enter the report."
    )
    opacity: float = option(0.55, "Opacity of the overlay.", minimum=0.0, maximum=1.0)
    sheet: int = option(24, "Images on the contact sheet and in the report.", minimum=1)
    weights: str | None = option(
        None, "Where the weights file lies now, if it moved since.", metavar="FILE"
    )


@dataclass(frozen=True, kw_only=True)
class SynthOptions:
    """Options of ``data synth``."""

    count: int = option(200, "Number of images.", minimum=1, flags=("-n",))
    image_size: int = option(160, "Width in pixels; the height is 1.5 times it.", minimum=48)
    val_share: float = option(
        0.25, "Share of the images in the val split.", minimum=0.0, maximum=1.0
    )
    seed: int = option(0, "Seed of every random choice.", minimum=0)
    workers: int = option(0, "Worker processes; 0 takes the number of cores.", minimum=0)


def method_name(method: str, made_with: Any) -> str:
    """What tables call a predictor: a run in which its method trained nothing is not that method.

    Args:
        method: as artifacts have it.
        made_with: the options of the run, where it is one.
    """
    names = {"c2l": "C2L", "picie": "PiCIE", "kmeans": "k-means", "nmf": "DFF (NMF)"}
    if method in ("c2l", "picie") and isinstance(made_with, dict) and made_with.get("epochs") == 0:
        if made_with.get("warmup"):
            return "warm-up alone"
        return "another run, clustered anew" if made_with.get("checkpoint") else "no training"
    return names.get(method, method)


def names_parts(options: FitOptions) -> bool:
    """Whether what a run predicts is background, upper and lower."""
    return options.merge_clusters in NAMED_MERGES or options.final_clusters == "mixture"


def needs_figures(options: FitOptions) -> bool:
    """Whether a run looks at the photos' own figures."""
    merged = options.merge_clusters in FIGURE_MERGES
    return merged or options.final_clusters == "mixture" or options.warmup > 0


def identity(options: Any) -> dict[str, Any]:
    """The options that decide a stage's result, by name."""
    return {
        f.name: getattr(options, f.name)
        for f in fields(options)
        if f.metadata.get("identity", True)
    }


def recorded(options: Any) -> dict[str, Any]:
    """The options that an artifact holds: those that decide its result, or what was let in."""
    return {
        f.name: getattr(options, f.name)
        for f in fields(options)
        if f.metadata.get("identity", True) or f.metadata.get("recorded")
    }


def changed(options: Any) -> dict[str, Any]:
    """The recorded options that are not the defaults, by name."""
    defaults = type(options)()
    return {k: v for k, v in recorded(options).items() if v != getattr(defaults, k)}


def resolved(options: Any) -> dict[str, Any]:
    """All options of a stage, by name."""
    return {f.name: getattr(options, f.name) for f in fields(options)}


def stored(kind: type[T], values: dict[str, Any]) -> T:
    """Options that were stored with an artifact, each checked; unknown ones are left out.

    Raises:
        ValueError: names the option that cannot be.
    """
    hints = typing.get_type_hints(kind)
    found = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name in values:
            found[item.name] = _possible(item.name, values[item.name], hints[item.name], item)
    return kind(**found)


def _possible(name: str, value: Any, hint: Any, item: Any) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in kinds and type(value) is int:
        value = float(value)
    wrong = type(value) not in kinds
    if not wrong and isinstance(value, int | float):
        low, high = item.metadata.get("minimum"), item.metadata.get("maximum")
        wrong = (low is not None and value < low) or (high is not None and value > high)
    choices = item.metadata.get("choices")
    if wrong or (choices and value not in choices):
        raise ValueError(f"{name}: {ascii(value)[:100]}")
    return value
