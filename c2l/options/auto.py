"""The numbers that ``auto`` stands for, as a function of the device and of its memory."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from c2l.options.fields import Auto
from c2l.options.fit import FitOptions

# Image size, attention stride and largest batch. The paper's on a GPU; on a CPU those of
# docs/results.md, since attention at stride 1 is the larger part of a step there.
ON_GPU: Final = (320, 1, 96)
ON_CPU: Final = (128, 2, 32)
SMALLEST_BATCH: Final = 4
# Memory of a ResNet-18 run (docs/performance.md): a fixed part, and bytes per pixel and photo,
# twice the bf16 measurement, for devices without bf16.
OWN_BYTES: Final = 800 << 20
BYTES_PER_PIXEL: Final = 3200


def has_auto(options: FitOptions) -> bool:
    """Whether a number is still ``auto``."""
    return any(isinstance(value, Auto) for value in vars(options).values())


def fill_auto(options: FitOptions, *, gpu: bool, memory: int) -> FitOptions:
    """The options with a number in the place of each ``auto``.

    A GPU takes 320 pixels, attention at stride 1 and up to 96 photos per batch; a CPU 128 pixels,
    stride 2 and up to 32. The batch is the largest multiple of four that takes half of the memory
    at most, but no smaller than four.

    Args:
        options: as the user gave them.
        gpu: whether the run computes on one.
        memory: bytes of the GPU, or those that the machine grants to this process.
    """
    image_size, attention_stride, largest = ON_GPU if gpu else ON_CPU
    if not isinstance(options.image_size, Auto):
        image_size = options.image_size
    photos = (memory // 2 - OWN_BYTES) // (BYTES_PER_PIXEL * image_size**2)
    batch_size = max(SMALLEST_BATCH, min(largest, photos // 4 * 4))
    return _filled(
        options,
        {
            "image_size": image_size,
            "attention_stride": attention_stride,
            "batch_size": batch_size,
        },
    )


def fill_auto_from(options: FitOptions, run: FitOptions) -> FitOptions:
    """The options with the number of another run in the place of each ``auto``."""
    return _filled(options, vars(run))


def _filled(options: FitOptions, numbers: dict[str, Any]) -> FitOptions:
    missing = [f.name for f in fields(options) if isinstance(getattr(options, f.name), Auto)]
    return replace(options, **{name: numbers[name] for name in missing})
