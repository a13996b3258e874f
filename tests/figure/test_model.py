"""Colours sharpen a prior of the figure, photo by photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from c2l.figure.colours import colour_codes, sharpen
from c2l.figure.place import place_prior

PERSON = (slice(12, 56), slice(24, 40))


def photo(background: tuple[int, int, int], person: tuple[int, int, int]) -> Tensor:
    """(1, 3, 64, 64) uint8 with a rectangular person in the middle."""
    image = torch.tensor(background, dtype=torch.uint8).view(1, 3, 1, 1).repeat(1, 1, 64, 64)
    image[:, :, PERSON[0], PERSON[1]] = torch.tensor(person, dtype=torch.uint8).view(1, 3, 1, 1)
    return image


def mask_of_person() -> Tensor:
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[PERSON] = True
    return mask


def test_codes_are_trilinear_weights_in_a_yuv_histogram() -> None:
    image = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (2, 3, 8, 6), dtype=np.uint8)
    )
    codes = colour_codes(image, 8, 6)
    assert codes.shape == (2, 48, 512)
    np.testing.assert_allclose(codes.sum(-1), 1, atol=1e-5)
    cube = codes.view(2, 48, 8, 8, 8).numpy()
    for b in range(2):
        for place in range(48):
            r, g, blue = (image[b, :, place // 6, place % 6].double() / 255).tolist()
            luma = 0.299 * r + 0.587 * g + 0.114 * blue
            found = (cube[b, place].sum((1, 2)) * np.arange(8)).sum() / 7
            assert found == pytest.approx(luma, abs=1e-5)
            chroma = min(max(2 * (-0.169 * r - 0.331 * g + 0.5 * blue) + 0.5, 0), 1)
            found = (cube[b, place].sum((0, 2)) * np.arange(8)).sum() / 7
            assert found == pytest.approx(chroma, abs=1e-5)
    assert int((codes > 0).sum(-1).max()) <= 8


def test_codes_on_a_coarser_grid_are_those_of_the_averaged_photo() -> None:
    image = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    image[:, :, :, ::2] = 200
    average = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)
    torch.testing.assert_close(colour_codes(image, 2, 2), colour_codes(average, 2, 2))


def middle(size: int) -> Tensor:
    """(1, size, size) prior of a person in the middle."""
    return place_prior(torch.tensor([0.5]), torch.tensor([0.16]), size, size)


def figure_of(image: Tensor, size: int = 64) -> Tensor:
    return sharpen(colour_codes(image, size, size), middle(size))[0]


def test_a_person_in_other_colours_than_the_background_is_found() -> None:
    figure, person = figure_of(photo((40, 120, 60), (200, 40, 60))), mask_of_person()
    assert float(figure.min()) >= 0
    assert float(figure.max()) <= 1
    overlap = ((figure > 0.5) & person).sum() / ((figure > 0.5) | person).sum()
    assert float(overlap) > 0.9


def test_a_photo_of_one_colour_follows_the_prior() -> None:
    figure = figure_of(photo((90, 90, 90), (90, 90, 90)))
    assert float(figure[32, 32]) > float(figure[32, 4])
    torch.testing.assert_close(figure, figure.flip(1), atol=1e-4, rtol=0)


def test_photos_of_a_batch_are_independent() -> None:
    images = torch.cat([photo((40, 120, 60), (200, 40, 60)), photo((200, 200, 220), (20, 20, 30))])
    together = sharpen(colour_codes(images, 64, 64), middle(64).expand(2, -1, -1))
    for index in range(2):
        torch.testing.assert_close(
            together[index], figure_of(images[index : index + 1]), atol=1e-5, rtol=0
        )


def test_hypotheses_for_a_photo_are_independent() -> None:
    images = torch.cat([photo((40, 120, 60), (200, 40, 60)), photo((200, 200, 220), (20, 20, 30))])
    codes = colour_codes(images, 32, 32)
    priors = place_prior(torch.tensor([0.2, 0.5, 0.8]), torch.tensor([0.1, 0.16, 0.3]), 32, 32)
    together = sharpen(codes, priors[:, None].expand(-1, 2, -1, -1))
    assert together.shape == (3, 2, 32, 32)
    for hypothesis, prior in zip(together, priors, strict=True):
        single = sharpen(codes, prior.expand(2, -1, -1))
        torch.testing.assert_close(hypothesis, single, atol=1e-5, rtol=0)


def test_a_round_is_expectation_maximisation_with_a_background_ring() -> None:
    """A plain implementation, with a prior that expects the figure in part of the ring."""
    generator = torch.Generator().manual_seed(4)
    codes = torch.rand(1, 16 * 24, 5, generator=generator)
    codes = codes / codes.sum(2, True)
    prior = place_prior(torch.tensor([0.1]), torch.tensor([0.16]), 16, 24)
    found = sharpen(codes, prior, rounds=1)[0].numpy()
    before, colours = prior[0].double().numpy(), codes[0].double().numpy()
    weights = before.copy()
    for row in range(16):
        for column in range(24):
            border = row < 1 or column < 2 or column >= 22
            if border and before[row, column] < 0.2:
                weights[row, column] = 0.02
    assert 0 < ((weights != before).sum()) < 16 * 24 - 14 * 20
    inside = weights.ravel() @ colours + 0.5
    outside = (1 - weights.ravel()) @ colours + 0.5
    fit = np.log(colours @ (inside / inside.sum())) - np.log(colours @ (outside / outside.sum()))
    odds = np.log(before / (1 - before)) + 1.4 * fit.reshape(16, 24)
    figure = 1 / (1 + np.exp(-odds))
    for row in range(16):
        for column in range(24):
            near = figure[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            assert found[row, column] == pytest.approx(near.mean(), abs=1e-4)
