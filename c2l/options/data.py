"""Options of ``data synth`` and ``data check``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import Options, option
from c2l.options.shared import (
    FileOptions,
    LabelOptions,
    merge_option,
    seed_option,
    split_option,
    workers_option,
)


@dataclass(frozen=True, kw_only=True)
class SynthOptions(Options):
    """Options of ``data synth``."""

    count: int = option(200, "Number of images.", group="Data", minimum=1, flags=("-n",))
    image_size: int = option(
        160, "Width in pixels; the height is 1.5 times the width.", group="Data", minimum=48
    )
    val_share: float = option(
        0.25, "Share of the images in the split val.", group="Data", minimum=0.0, maximum=1.0
    )
    seed: int = seed_option()
    workers: int = option(0, "Worker processes; 0 takes one per core.", group="Running", minimum=0)


@dataclass(frozen=True, kw_only=True)
class CheckOptions(FileOptions, LabelOptions):
    """Options of ``data check``."""

    split: str | None = split_option()
    merge: str | None = merge_option("Also count", group="Data")
    workers: int = workers_option()
