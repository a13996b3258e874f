"""Options of ``teach``; the defaults are the recipe that was measured, for a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from c2l.errors import UsageError
from c2l.options.fields import option
from c2l.options.shared import (
    CheckpointOptions,
    CommonOptions,
    NetworkOptions,
    batch_size_option,
    image_size_option,
    preset_option,
    weights_option,
    workers_option,
)


@dataclass(frozen=True, kw_only=True)
class TeachOptions(CommonOptions, NetworkOptions, CheckpointOptions):
    """Options of ``teach``."""

    stage: ClassVar[str] = "teach"
    workers: int = workers_option("Processes that draw ahead")
    image_size: int = image_size_option(
        128, "Side in pixels of the square that the network sees.", minimum=64
    )
    start_size: int = option(
        0,
        "Side in the first steps, from which it grows to --image-size over three quarters of the "
        "steps; 0 keeps it the same.",
        group="Data",
        minimum=0,
        maximum=4096,
    )
    test_size: int = option(
        0,
        "Image size of the predictor; 0 takes --image-size.",
        group="Data",
        minimum=0,
        maximum=4096,
    )
    batch_size: int = batch_size_option(32, "Drawings per batch.")
    draw_size: int = option(
        192,
        "Draw pictures of about this many pixels squared, and store them as squares of this side.",
        group="Data",
        minimum=48,
        maximum=2048,
    )
    pool: int = option(
        4096,
        "Drawings in the pool that batches are taken from; new ones replace the oldest.",
        group="Data",
        minimum=1,
    )
    reuse: float = option(
        8.0,
        "How often a drawing is used, on average, before it leaves the pool.",
        group="Data",
        minimum=1.0,
    )
    left_right: bool = option(
        False,
        "Tell the left and the right of arms, legs and shoes apart.",
        group="Data",
        formerly="sides",
    )
    weights: str = weights_option("none")
    preset: str | None = preset_option(stage)
    steps: int = option(6000, "Optimiser steps.", group="Method", minimum=1)
    lr: float = option(1e-3, "Highest learning rate of AdamW.", group="Method", minimum=0.0)
    warmup_steps: int = option(
        200,
        "Steps in which the learning rate rises; after them it falls as a cosine.",
        group="Method",
        minimum=0,
    )
    weight_decay: float = option(0.01, "Weight decay of AdamW.", group="Method", minimum=0.0)
    average: float = option(
        0.999,
        "Decay of the moving average of the weights, which becomes the predictor; 0 takes the "
        "last weights.",
        group="Method",
        minimum=0.0,
        maximum=1.0,
    )
    loss_stride: int = option(
        2,
        "Side in pixels of the squares on which the loss is computed.",
        group="Method",
        minimum=1,
        maximum=8,
    )
    class_weights: str = option(
        "none",
        "Weights of the labels in the loss: equal (none), or the square root of the inverse "
        "frequency (root).",
        group="Method",
        choices=("none", "root"),
    )

    align: bool = option(
        True, "Align predictions with the edges of each photo (guided filter).", group="Method"
    )

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: with the way out.
        """
        super().check()
        self.check_weights()
        if self.start_size and not 64 <= self.start_size <= self.image_size:
            raise UsageError(
                f"--start-size {self.start_size}: 0, or from 64 to the --image-size of "
                f"{self.image_size}"
            )
        if self.pool < self.batch_size:
            raise UsageError(
                f"--pool {self.pool}: a batch takes {self.batch_size} different drawings",
                hint=f"use --pool {self.batch_size} or more, or a smaller --batch-size",
            )
