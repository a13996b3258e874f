"""What ``auto`` stands for on a device with so much memory."""

from __future__ import annotations

import pytest

from c2l.options import FitOptions, fill_auto, fill_auto_from, has_auto

GIB = 1 << 30


@pytest.mark.parametrize(
    ("gpu", "gib", "size", "stride", "batch"),
    [
        (True, 80, 320, 1, 96),
        (True, 24, 320, 1, 36),
        (True, 1, 320, 1, 4),
        (False, 1000, 128, 2, 32),
        (False, 8, 128, 2, 32),
        (False, 4, 128, 2, 24),
        (False, 2, 128, 2, 4),
        (False, 0, 128, 2, 4),
    ],
)
def test_a_device_takes_the_sizes_that_it_can_hold(
    gpu: bool, gib: int, size: int, stride: int, batch: int
) -> None:
    options = fill_auto(FitOptions(), gpu=gpu, memory=gib * GIB)
    assert (options.image_size, options.attention_stride, options.batch_size) == (
        size,
        stride,
        batch,
    )
    assert not has_auto(options)
    options.check()


def test_what_is_given_stays_and_decides_the_batch() -> None:
    given = FitOptions(image_size=512, attention_stride=4)
    options = fill_auto(given, gpu=False, memory=16 * GIB)
    assert (options.image_size, options.attention_stride, options.batch_size) == (512, 4, 8)
    assert fill_auto(FitOptions(batch_size=7), gpu=True, memory=0).batch_size == 7


def test_the_numbers_of_a_run_are_taken_only_for_auto() -> None:
    run = fill_auto(FitOptions(epochs=9), gpu=True, memory=80 * GIB)
    resumed = fill_auto_from(FitOptions(image_size=64), run)
    assert (resumed.image_size, resumed.attention_stride, resumed.batch_size) == (64, 1, 96)
    assert resumed.epochs == FitOptions().epochs


def test_a_number_is_not_auto() -> None:
    assert has_auto(FitOptions())
    assert has_auto(FitOptions(image_size=64, batch_size=4))
    assert not has_auto(FitOptions(image_size=64, batch_size=4, attention_stride=2))
