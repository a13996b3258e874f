"""Options of ``eval``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from c2l.options.fields import option
from c2l.options.shared import (
    CommonOptions,
    FileOptions,
    LabelOptions,
    on_error_option,
    split_option,
)


def batch_size_option() -> Any:
    """The batch of stages that only predict: it changes memory and speed, nothing else."""
    return option(32, "Images per batch.", group="Data", minimum=1, flags=("-b",))


def seen_size_option() -> Any:
    """The size at which a trained network sees photos."""
    return option(
        0,
        "Side in pixels of the square as which the network sees photos; 0 takes that of its "
        "training.",
        group="Data",
        minimum=0,
        maximum=4096,
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


@dataclass(frozen=True, kw_only=True)
class EvalOptions(CommonOptions, FileOptions, LabelOptions):
    """Options of ``eval``."""

    split: str | None = split_option()
    merge: str | None = option(
        None,
        "Score the classes of this label merge: upper-lower, fine, person, or a TOML file.",
        group="Scores",
        metavar="NAME|FILE",
        reads="file",
        role="label merge",
    )
    match_split: str | None = option(
        None,
        "Also fit the matching on this split and apply it to the scored one.",
        group="Scores",
        metavar="NAME",
    )
    allow_unscored: bool = option(
        False,
        "Accept scores that leave out more than a small share of the pixels.",
        group="Scores",
    )
    baselines: bool = option(True, "Also score the trivial predictors.", group="Scores")
    bootstrap: int = option(
        1000,
        "Resamples of the images for the intervals; 0 leaves the intervals out.",
        group="Scores",
        minimum=0,
    )
    image_size: int = seen_size_option()
    batch_size: int = batch_size_option()
    on_error: str = on_error_option()
    weights: str | None = moved_weights_option()
