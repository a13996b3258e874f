"""Where people stand is learned from the photos, without labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from c2l.figure.colours import colour_codes, figure_information
from c2l.figure.model import figure_evidence, figure_parts
from c2l.figure.place import COLUMNS, SPREADS, Places, place_evidence, place_prior

SIDE = 64
HALF = 7


def standing(columns: list[int], seed: int = 0) -> Tensor:
    """(B, 3, 64, 64) uint8: a noisy background, and a person of two garments around each column."""
    generator = torch.Generator().manual_seed(seed)
    background = torch.tensor([90, 130, 100]).view(1, 3, 1, 1)
    images = background + torch.randint(-40, 41, (len(columns), 3, SIDE, SIDE), generator=generator)
    for image, column in zip(images, columns, strict=True):
        inside = slice(column - HALF, column + HALF)
        image[:, 8:34, inside] = torch.tensor([200, 60, 60]).view(3, 1, 1)
        image[:, 34:58, inside] = torch.tensor([40, 40, 160]).view(3, 1, 1)
    return images.clamp(0, 255).to(torch.uint8)


def centres(found: tuple[Tensor, Tensor]) -> list[float]:
    return found[0].tolist()


def test_place_prior_is_a_gaussian_over_the_columns() -> None:
    prior = place_prior(torch.tensor([0.5, 0.25]), torch.tensor([0.16, 0.08]), 50, 1000)
    torch.testing.assert_close(prior[0], prior[0].flip(1))
    assert float(prior.min()) >= 0.02 - 1e-6
    assert float(prior.max()) <= 0.87 + 1e-6
    for one, middle, sigma in zip(prior[:, 25], (0.5, 0.25), (0.16, 0.08), strict=True):
        assert (float(one.argmax()) + 0.5) / 1000 == pytest.approx(middle, abs=0.001)
        # One sigma from the middle it has fallen by exp(-1 / 2).
        beside = one[round((middle + sigma) * 1000)]
        assert float(beside - 0.02) / float(one.max() - 0.02) == pytest.approx(
            np.exp(-0.5), abs=0.01
        )
    # It fades towards the top.
    assert float(prior[0, 0, 500]) < float(prior[0, 25, 500])


def test_information_equals_that_of_the_joint_table() -> None:
    generator = torch.Generator().manual_seed(1)
    codes = torch.rand(2, 30, 4, generator=generator)
    codes = codes / codes.sum(2, True)
    figures = torch.rand(3, 2, 6, 5, generator=generator)
    found = figure_information(codes, figures)
    assert found.shape == (2, 3)
    for photo in range(2):
        for hypothesis in range(3):
            figure = figures[hypothesis, photo].reshape(-1).double().numpy()
            colours = codes[photo].double().numpy()
            joint = np.stack([figure @ colours, (1 - figure) @ colours])
            joint /= joint.sum()
            apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            expected = (joint * np.log(joint / apart)).sum()
            assert float(found[photo, hypothesis]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("column", [14, 32, 47])
def test_the_evidence_is_largest_where_the_person_stands(column: int) -> None:
    images = standing([column])
    evidence = figure_evidence(images)
    assert evidence.shape == (1, len(SPREADS), len(COLUMNS))
    best = COLUMNS[int(evidence[0].amax(0).argmax())]
    assert best == pytest.approx(column / SIDE, abs=0.051)
    codes = colour_codes(images, 32, 32)
    torch.testing.assert_close(evidence, place_evidence(codes, 32, 32))


def test_without_photos_people_are_expected_in_the_middle() -> None:
    places = Places.prior()
    nothing = torch.zeros(1, len(SPREADS), len(COLUMNS))
    centre, spread = places.find(nothing)
    assert centre.tolist() == pytest.approx([0.5])
    assert 0.1 < float(spread) < 0.2
    assert places.columns.sum().item() == pytest.approx(1)
    # Five columns are within 0.11 of the middle one.
    assert places.agreement() == pytest.approx(float(places.columns[6:11].sum()))
    # One photo without evidence does not change that.
    learned = Places.learn(nothing)
    assert centres(learned.find(nothing)) == pytest.approx([0.5])


def test_the_set_corrects_the_mistake_of_one_photo() -> None:
    """In one photo a door has a little more evidence than the person."""
    evidence = torch.zeros(41, len(SPREADS), len(COLUMNS))
    evidence[:, 2, 2] = 0.30  # a person at a fifth of the width
    evidence[40, 2, 14] = 0.31  # a door at four fifths
    alone = Places.learn(evidence[40:])
    assert centres(alone.find(evidence[40:])) == pytest.approx([COLUMNS[14]], abs=0.06)
    together = Places.learn(evidence)
    assert centres(together.find(evidence)) == pytest.approx([COLUMNS[2]] * 41, abs=0.06)
    assert float(together.columns[:5].sum()) > 0.5


def test_learning_is_expectation_maximisation() -> None:
    """One more iteration in plain numpy does not change the result."""
    generator = torch.Generator().manual_seed(2)
    evidence = torch.rand(60, len(SPREADS), len(COLUMNS), generator=generator) / 10
    learned, prior = Places.learn(evidence), Places.prior()
    columns = np.zeros(len(COLUMNS))
    spreads = np.zeros(len(SPREADS))
    for photo in evidence.double().numpy():
        odds = np.exp(60 * photo) * learned.columns.numpy() * learned.spreads.numpy()[:, None]
        odds /= odds.sum()
        columns += odds.sum(0)
        spreads += odds.sum(1)
    wide = np.concatenate([columns[:1], columns, columns[-1:]])
    columns = 0.25 * wide[:-2] + 0.5 * wide[1:-1] + 0.25 * wide[2:] + 20 * prior.columns.numpy()
    spreads += 20 * prior.spreads.numpy()
    np.testing.assert_allclose(learned.columns, columns / columns.sum(), atol=1e-3)
    np.testing.assert_allclose(learned.spreads, spreads / spreads.sum(), atol=1e-3)


def test_a_photo_counts_more_if_the_set_agrees_less() -> None:
    evidence = torch.zeros(1, len(SPREADS), len(COLUMNS))
    evidence[0, 2, 2], evidence[0, 2, 14] = 0.10, 0.14
    spreads = Places.prior().spreads
    one = torch.full((len(COLUMNS),), 0.2 / 16, dtype=torch.float64)
    one[2] = 0.8  # most stand at a fifth of the width: a weight of 10 / 0.825 is too small
    assert centres(Places(one, spreads).find(evidence)) == pytest.approx([COLUMNS[2]], abs=0.06)
    two = torch.full((len(COLUMNS),), 0.2 / 15, dtype=torch.float64)
    two[2], two[14] = 0.42, 0.38
    assert centres(Places(two, spreads).find(evidence)) == pytest.approx([COLUMNS[14]], abs=0.06)


def test_people_away_from_the_middle_are_found_from_the_set() -> None:
    """Four photos show dull clothes and a bright door at varying places."""
    columns = [13, 11, 15, 12, 14, 13, 16, 10, 12, 14, 13, 15] * 3
    images = standing(columns)
    generator = np.random.default_rng(3)
    for image in images[:4]:
        image[:, 8:34, :] = torch.where(
            image[:, 8:34, :] == torch.tensor([200, 60, 60]).view(3, 1, 1), 110, image[:, 8:34, :]
        ).to(torch.uint8)
        door = int(generator.integers(38, 50))
        image[:, 4:60, door : door + 9] = torch.tensor([250, 240, 60]).view(3, 1, 1)
    evidence = figure_evidence(images)
    alone = centres(Places.prior().find(evidence[:4]))
    together = centres(Places.learn(evidence).find(evidence[:4]))
    assert min(alone) > 0.5
    assert max(together) < 0.35
    parts = figure_parts(images[4:8], Places.learn(evidence))
    for part, column in zip(parts, columns[4:8], strict=True):
        truth = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        truth[8:58, column - HALF : column + HALF] = True
        figure = part[0] < 0.5
        assert float((figure & truth).sum() / (figure | truth).sum()) > 0.8
