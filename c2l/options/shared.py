"""Options that several stages take.

A function gives one option, which each stage puts where its help wants it; a class holds options
that are always taken together, most of them by code that knows the class and not the stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2l.errors import UsageError
from c2l.options.fields import Options, option
from c2l.options.presets import preset_names


def label_spaces() -> list[str]:
    """The published label spaces, found without a TOML parser, which takes long to import."""
    file = Path(__file__).parents[1] / "data" / "merges" / "spaces.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split(" = [")[0] for line in lines if " = [" in line]


def on_error_option() -> Any:
    """What becomes of broken images, in every stage that reads them."""
    return option(
        "fail",
        "Stop at a broken image, or skip it and list it.",
        group="Data",
        choices=("fail", "skip"),
        identity=False,
        recorded=True,
    )


def split_option() -> Any:
    """The split, in every stage that reads a data set."""
    return option(None, "Use only this split of the data set.", group="Data", metavar="NAME")


def seed_option() -> Any:
    """The seed, no larger than FAISS takes."""
    return option(0, "Seed of every random choice.", group="Running", minimum=0, maximum=2**31 - 1)


def workers_option(what: str = "Threads that decode images") -> Any:
    """How many threads or processes work beside the one that trains or predicts."""
    return option(
        0,
        f"{what}; 0 takes SLURM_CPUS_PER_TASK, or else all cores.",
        group="Running",
        minimum=0,
        identity=False,
    )


def preset_option(stage: str) -> Any:
    """The preset of a stage that has some."""
    return option(
        None,
        f"Take the options of a preset, {' or '.join(preset_names(stage))}, or of a TOML file; "
        "other options of the command line win.",
        group="Method",
        metavar="NAME|FILE",
        reads="file",
        identity=False,
        recorded=True,
        repeated=False,
    )


def image_size_option(default: int, text: str, *, minimum: int = 32) -> Any:
    """The side of the square that the network sees."""
    return option(default, text, group="Data", minimum=minimum, maximum=4096)


def seen_size_option() -> Any:
    """The size at which a trained network sees photos."""
    return option(
        0,
        "Resize photos to a square of this many pixels for the network; 0 takes that of its "
        "training.",
        group="Data",
        minimum=0,
        maximum=4096,
    )


def batch_size_option(default: int, text: str = "Images per batch.") -> Any:
    """The batch; it decides the result only where a stage trains."""
    return option(default, text, group="Data", minimum=1, flags=("-b",))


def weights_option(default: str) -> Any:
    """The weights that a backbone starts from."""
    return option(
        default,
        "Weights of the backbone: imagenet, none (random), drawn, or a .safetensors or .pth file.",
        group="Start",
        metavar="WHICH",
        reads="file",
        role="weights",
    )


def moved_weights_option() -> Any:
    """The weights of a clusters file's network, where they have moved."""
    return option(
        None,
        "Read the weights of a clusters file's network here, if they have moved.",
        group="Data",
        metavar="FILE",
        reads="path",
        role="weights",
    )


def merge_option(verb: str, *, group: str) -> Any:
    """The label merge whose classes a stage looks at."""
    return option(
        None,
        f"{verb} the classes of this label merge: upper-lower, fine, person, or a TOML file.",
        group=group,
        metavar="NAME|FILE",
        reads="file",
        role="label merge",
    )


def merge_threshold_option() -> Any:
    """How ``--merge-clusters border`` decides."""
    return option(
        0.5,
        "With border, a cluster is background if its share of the border is at least this many "
        "times its share of all pixels.",
        group="Clusters",
        minimum=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """Which files of a data set are photos and masks, where names and contents do not tell."""

    images: str | None = option(
        None,
        "Take the photos from this folder, in the data set or anywhere.",
        group="Data",
        metavar="DIR",
        reads="folder",
    )
    masks: str | None = option(
        None,
        "Take the masks from this folder, or from this file of COCO, CVAT or Label Studio.",
        group="Data",
        metavar="DIR",
        reads="folder",
    )
    exif: str = option(
        "apply",
        "Turn photos by their EXIF orientation, or read them as stored.",
        group="Data",
        choices=("apply", "ignore"),
    )


@dataclass(frozen=True, kw_only=True)
class LabelOptions(Options):
    """What the ids in masks mean, and which masks fit their photos."""

    labels: str | None = option(
        None,
        f"What the ids in masks mean: {', '.join(label_spaces())}, or a file of names.",
        group="Data",
        metavar="NAME|FILE",
        reads="file",
        role="label names",
    )
    mask_size: str = option(
        "exact",
        "Refuse masks of another size, or resize those of the same shape as their photo.",
        group="Data",
        choices=("exact", "nearest"),
    )


@dataclass(frozen=True, kw_only=True)
class CommonOptions(Options):
    """What every stage takes."""

    seed: int = seed_option()
    device: str = option(
        "auto",
        "Device: auto, cpu, cuda or cuda:N.",
        group="Running",
        metavar="DEVICE",
        identity=False,
    )
    workers: int = workers_option()


@dataclass(frozen=True, kw_only=True)
class ImageOptions(FileOptions):
    """Which images are read, and how."""

    split: str | None = split_option()
    image_size: int = image_size_option(320, "Resize images to a square of this many pixels.")
    batch_size: int = batch_size_option(96)
    on_error: str = on_error_option()


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """The network that turns an image into dense features (section 4.2)."""

    weights: str = weights_option("imagenet")
    backbone: str = option(
        "resnet18",
        "Backbone: a CNN or Swin of torchvision, or timm:NAME with the extra c2l[timm]; "
        "'list' prints their names.",
        group="Start",
        metavar="NAME",
    )
    fpn_dim: int = option(128, "Channels of the feature pyramid.", group="Start", minimum=8)
    gradients_input: bool = option(
        False,
        "Add image gradients as two input channels, for --weights none.",
        group="Start",
    )
    amp: str = option(
        "auto",
        "Mixed precision: auto takes bf16 where the device has it, and fp32 elsewhere.",
        group="Running",
        choices=("auto", "bf16", "off"),
    )

    def check_weights(self) -> None:
        """Refuse weights that the backbone cannot take; a trained network's need no check.

        Raises:
            UsageError: with the way out.
        """
        if self.gradients_input and self.weights != "none":
            raise UsageError(
                f"--gradients-input works with random weights, not with --weights {self.weights}",
                hint="add --weights none, or leave out --gradients-input",
            )
        if ":" in self.backbone and self.weights == "imagenet":
            raise UsageError(
                f"--backbone {self.backbone} takes --weights none or a file",
                hint="download its weights once, then name the file: --weights FILE",
            )


@dataclass(frozen=True, kw_only=True)
class KMeansOptions(Options):
    """Mini-batch k-means as PiCIE runs it."""

    kmeans_batch: int = option(192, "Images per mini-batch of k-means.", group="K-means", minimum=1)
    kmeans_init_batches: int = option(
        20, "Mini-batches from which the initial k-means draws.", group="K-means", minimum=1
    )
    kmeans_iterations: int = option(
        20, "Iterations of the initial k-means.", group="K-means", minimum=1
    )
    kmeans_pixels: int = option(
        256,
        "Random pixels per image in the initial k-means, at most.",
        group="K-means",
        minimum=1,
    )
    kmeans_points: int = option(
        131072,
        "Random pixels of all images in the initial k-means, at most.",
        group="K-means",
        minimum=1,
    )


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions(Options):
    """When a stage that trains saves its state, and how exactly a run is resumed."""

    fixed_order: bool = option(
        False,
        "Let a GPU add in a fixed order, so that a resumed run ends as an unbroken one, bit for "
        "bit; slower. A CPU always does.",
        group="Checkpoints",
        identity=False,
    )
    save_minutes: float = option(
        10.0,
        "Minutes between checkpoints within an epoch.",
        group="Checkpoints",
        minimum=0.0,
        identity=False,
    )
    save_steps: int = option(
        0,
        "Steps between checkpoints within an epoch; 0 leaves it to --save-minutes.",
        group="Checkpoints",
        minimum=0,
        identity=False,
    )
    keep: int = option(
        2, "Number of checkpoints to keep.", group="Checkpoints", minimum=2, identity=False
    )
    tensorboard: str | None = option(
        None,
        "Also write the metrics for TensorBoard, to a folder of the run's name in this one; needs "
        "the extra c2l[tensorboard].",
        group="Running",
        metavar="FOLDER",
        identity=False,
    )
