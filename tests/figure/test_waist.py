"""A figure is split where its colours change, near the expected row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from c2l.figure.colours import colour_codes
from c2l.figure.model import figure_parts, part_labels, sharpen_parts
from c2l.figure.place import Places
from c2l.figure.waist import mean_row_prior, predicted_prior, upper_rows

SIDE = 32


def clothed(change: int) -> tuple[Tensor, Tensor]:
    """A figure of rows 4 to 28 whose colour changes at row ``change``, and its colour codes."""
    image = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)
    image[:, 1] = 120
    image[0, :, 4:change, 12:20] = torch.tensor([200, 30, 30], dtype=torch.uint8)[:, None, None]
    image[0, :, change:28, 12:20] = torch.tensor([30, 30, 90], dtype=torch.uint8)[:, None, None]
    figure = torch.zeros(1, SIDE, SIDE)
    figure[:, 4:28, 12:20] = 1
    return figure, colour_codes(image, SIDE, SIDE)


@pytest.mark.parametrize("change", [12, 16, 21])
def test_the_waist_lies_where_the_colours_change(change: int) -> None:
    figure, codes = clothed(change)
    rows = upper_rows(figure, codes, mean_row_prior(figure))[0]
    assert int((rows > 0.5).sum()) == change
    assert (rows.diff() <= 1e-6).all()


def test_a_figure_of_one_colour_is_split_softly_at_its_mean_row() -> None:
    figure, _ = clothed(16)
    codes = torch.ones(1, SIDE * SIDE, 1)
    rows = upper_rows(figure, codes, mean_row_prior(figure))[0]
    # Rows 4 to 27 have their mean at the upper edge of row 16.
    assert float(rows[15] + rows[16]) / 2 == pytest.approx(0.5, abs=0.05)
    assert float(rows[12]) < 0.9
    assert float(rows[20]) > 0.1


def test_the_waist_follows_the_mutual_information_of_position_and_colour() -> None:
    """The mutual information is computed from the joint table, row by row."""
    generator = torch.Generator().manual_seed(1)
    figure = torch.rand(1, 6, 5, generator=generator)
    codes = torch.rand(1, 30, 4, generator=generator)
    codes = codes / codes.sum(2, True)
    flat = torch.zeros(1, 6)
    rows = upper_rows(figure, codes, flat)[0].numpy()
    weighted = (figure[0].reshape(-1, 1) * codes[0]).reshape(6, 5, 4).sum(1).double().numpy()
    waist = np.empty(6)
    for row in range(6):
        joint = np.stack([weighted[: row + 1].sum(0), weighted[row + 1 :].sum(0)])
        joint = joint / joint.sum()
        apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
        seen = joint > 0
        waist[row] = np.exp(30 * (joint[seen] * np.log(joint[seen] / apart[seen])).sum())
    waist /= waist.sum()
    edge, middle = (np.arange(6) + 1) / 6, (np.arange(6) + 0.5) / 6
    expected = waist @ (1 / (1 + np.exp(-(edge[:, None] - middle) / 0.02)))
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_a_prediction_moves_the_waist_to_its_own_row() -> None:
    figure, _ = clothed(16)
    upper = torch.full((1, SIDE, SIDE), 0.1)
    upper[:, :20] = 0.9
    log_prior = predicted_prior(figure, upper)[0]
    assert int(log_prior.argmax()) == 19


def test_a_prediction_without_a_figure_is_all_background_and_finite() -> None:
    black = torch.zeros(1, 3, 40, 40, dtype=torch.uint8)
    background = torch.zeros(1, 3, 10, 10)
    background[:, 0] = 1
    parts = sharpen_parts(black, background)
    assert torch.isfinite(parts).all()
    assert int(part_labels(parts[0], (40, 40)).max()) == 0
    assert torch.isfinite(
        upper_rows(torch.zeros(1, 8, 8), torch.ones(1, 64, 1), torch.zeros(1, 8))
    )[0].all()


def test_parts_of_a_photo_sum_to_one_and_split_its_clothes() -> None:
    image = torch.zeros(1, 3, 96, 64, dtype=torch.uint8)
    image[:, 1] = 110
    image[0, :, 16:56, 24:40] = torch.tensor([210, 40, 40], dtype=torch.uint8)[:, None, None]
    image[0, :, 56:86, 24:40] = torch.tensor([30, 30, 110], dtype=torch.uint8)[:, None, None]
    parts = figure_parts(image, Places.prior())
    torch.testing.assert_close(parts.sum(1), torch.ones(1, 96, 64))
    labels = part_labels(parts[0], (96, 64)).numpy()
    truth = np.zeros((96, 64), np.uint8)
    truth[16:56, 24:40], truth[56:86, 24:40] = 1, 2
    assert (labels == truth).mean() > 0.95
