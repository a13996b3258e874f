"""Options of ``eval``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import option
from c2l.options.shared import (
    CommonOptions,
    FileOptions,
    LabelOptions,
    batch_size_option,
    merge_option,
    moved_weights_option,
    on_error_option,
    seen_size_option,
    split_option,
)


@dataclass(frozen=True, kw_only=True)
class EvalOptions(CommonOptions, FileOptions, LabelOptions):
    """Options of ``eval``."""

    split: str | None = split_option()
    merge: str | None = merge_option("Score", group="Scores")
    match_split: str | None = option(
        None,
        "Also fit the matching on this split and apply it to the scored one.",
        group="Scores",
        metavar="NAME",
    )
    allow_unscored: bool = option(
        False,
        "Accept scores that leave out more than 1 % of the pixels as unknown, or 10 % in all.",
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
    batch_size: int = batch_size_option(32)
    on_error: str = on_error_option()
    weights: str | None = moved_weights_option()
