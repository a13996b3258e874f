"""Labels stay with their pictures, and pictures change as a camera and a file change them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from c2l.nn.distort import affine, distort, jpeg, photograph, sample_distortion

SIDE = 64


def drawing(count: int) -> tuple[Tensor, Tensor]:
    """Pictures whose red is 40 times the label: blocks of four labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (count, 6, 6)).repeat(16, axis=1).repeat(16, axis=2)
    pictures = np.stack([40 * labels, np.full_like(labels, 128), 255 - 40 * labels], axis=1)
    return torch.from_numpy(pictures.astype(np.uint8)), torch.from_numpy(labels.astype(np.uint8))


def plain(count: int, seed: int = 0):  # type: ignore[no-untyped-def]
    """Distortions that move pictures and change no colour."""
    how = sample_distortion(np.random.default_rng(seed), count)
    zeros = np.zeros(count, np.int64)
    return replace(
        how,
        light=np.tile(np.array([1, 1, 1, 1, 0], np.float32), (count, 1)),
        gain=np.ones((count, 3), np.float32),
        order=np.tile(np.arange(3), (count, 1)),
        grey=zeros > 0,
        blur=zeros,
        coarse=zeros + 1,
        quality=zeros,
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_labels_stay_with_the_colours_that_encode_them(stride: int) -> None:
    pictures, labels = drawing(16)
    x, z = distort(pictures, labels, plain(16), SIDE, stride)
    assert x.shape == (16, 3, SIDE, SIDE)
    assert z.shape == (16, SIDE // stride, SIDE // stride)
    red = torch.nn.functional.avg_pool2d(x[:, :1], stride)[:, 0] * 255 / 40
    # At the edges of the blocks colours are mixed, seldom to that of another label.
    sure = (red - red.round()).abs() < 0.01
    same = red.round() == z
    assert sure.float().mean() > 0.5
    assert same[sure].float().mean() > 0.98
    # The same labels elsewhere would not fit: the drawings were moved.
    assert (red.roll(8, 2).round() == z)[sure].float().mean() < 0.6


def test_nothing_moved_is_the_picture_itself_and_a_flip_its_mirror_image() -> None:
    pictures, labels = drawing(2)
    one, zero = np.ones(2, np.float32), np.zeros(2, np.float32)
    flip = np.array([False, True])
    how = replace(plain(2), theta=affine(one, one, zero, np.zeros((2, 2), np.float32), flip))
    x, z = distort(pictures, labels, how, 96, 1)
    torch.testing.assert_close(x[0], pictures[0].float() / 255, atol=2e-4, rtol=0)
    torch.testing.assert_close(x[1], pictures[1].flip(2).float() / 255, atol=2e-4, rtol=0)
    assert torch.equal(z, torch.stack([labels[0], labels[1].flip(1)]).long())


def test_light_and_film_are_a_function_of_the_distortion_and_stay_in_range() -> None:
    pictures, _ = drawing(32)
    x, how = pictures.float() / 255, sample_distortion(np.random.default_rng(1), 32)
    found = photograph(x, how)
    assert torch.equal(found, photograph(x, how))
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert not torch.equal(found, photograph(x, replace(how, seed=how.seed + 1)))


def test_a_compressed_grey_picture_is_the_one_that_pillow_writes() -> None:
    rng = np.random.default_rng(0)
    grey = np.clip(np.cumsum(rng.normal(0, 9, (40, 48)), axis=1) + 120, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=30)
    expected = np.asarray(Image.open(file)).astype(np.float64)
    x = torch.from_numpy(grey).float().expand(1, 3, -1, -1) / 255
    found = 255 * jpeg(x, torch.tensor([30]))[0]
    assert np.abs(expected - grey).mean() > 3
    for channel in found:
        assert np.abs(channel.numpy() - expected).mean() < 0.6
