"""Drawings: pure functions of their arguments, every label often enough, labels that fit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from c2l.synth import labels
from c2l.synth.scene import Layers, draw, draw_layers

# Least share of 300 drawings in which a label has five pixels or more at 80 x 120.
OFTEN = {
    labels.BACKGROUND: 0.99, labels.HAT: 0.18, labels.HAIR: 0.75, labels.SUNGLASSES: 0.10,
    labels.UPPER: 0.75, labels.SKIRT: 0.10, labels.PANTS: 0.40, labels.DRESS: 0.10,
    labels.BELT: 0.18, labels.LEFT_SHOE: 0.22, labels.RIGHT_SHOE: 0.22, labels.FACE: 0.85,
    labels.LEFT_LEG: 0.22, labels.RIGHT_LEG: 0.22, labels.LEFT_ARM: 0.5, labels.RIGHT_ARM: 0.5,
    labels.BAG: 0.20, labels.SCARF: 0.10,
}  # fmt: skip
DIGEST = """
import hashlib
from c2l.synth.scene import draw
for index in (7, 3):
    picture, labels = draw(5, index, 64, 80)
print(hashlib.sha256(picture.tobytes() + labels.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def drawn() -> list[Layers]:
    return [draw_layers(0, index, 80, 120) for index in range(200)]


def test_a_drawing_depends_only_on_its_arguments() -> None:
    first = draw(3, 5, 64, 96)
    draw(3, 6, 64, 96)
    again = draw(3, 5, 64, 96)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


@pytest.mark.parametrize("threads", ["1", "3"])
def test_every_process_draws_the_same(threads: str) -> None:
    picture, found = draw(5, 3, 64, 80)
    own = hashlib.sha256(picture.tobytes() + found.tobytes()).hexdigest()
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
    other = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == own


def test_drawings_of_other_seeds_and_indices_differ() -> None:
    pictures = [draw(s, i, 48, 72)[0].tobytes() for s, i in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len(set(pictures)) == 4


@pytest.mark.parametrize(
    ("width", "height"), [(48, 48), (50, 77), (48, 160), (200, 48), (512, 512)]
)
def test_pictures_and_labels_have_the_size_asked_for(width: int, height: int) -> None:
    picture, found = draw(1, 2, width, height)
    assert (picture.shape, picture.dtype) == ((height, width, 3), np.dtype(np.uint8))
    assert (found.shape, found.dtype) == ((height, width), np.dtype(np.uint8))


def test_seeds_of_any_size_are_taken() -> None:
    assert not np.array_equal(draw(2**64 - 1, 0, 48, 48)[0], draw(2**63, 0, 48, 48)[0])


def test_every_label_occurs_often_enough_to_be_learned(drawn: list[Layers]) -> None:
    counts = np.stack([np.bincount(d.shot.labels.ravel(), minlength=256) for d in drawn])
    assert counts[:, labels.COUNT :].sum() == 0
    share = (counts >= 5).mean(axis=0)
    few = {label: share[label] for label, least in OFTEN.items() if share[label] < least}
    assert few == {}


def test_people_are_in_nearly_every_drawing_and_of_every_size(drawn: list[Layers]) -> None:
    share = np.array([(d.shot.labels > 0).mean() for d in drawn])
    assert 0.0 < (share < 0.005).mean() < 0.05  # some without people, few by accident
    low, middle, high = np.percentile(share, [10, 50, 90])
    assert low < 0.15 < middle < 0.55 < high


def test_every_framing_and_most_places_occur(drawn: list[Layers]) -> None:
    assert len({d.framing for d in drawn}) == 11
    assert len({d.place for d in drawn}) >= 15


def test_a_labelled_pixel_is_covered_by_what_it_is_labelled_as(drawn: list[Layers]) -> None:
    for d in drawn:
        assert not (d.shot.labels[~d.shot.shown] > 0).any()
        assert (d.shot.cover[d.shot.shown] >= 0.25 - 1e-6).all()
        assert (d.shot.cover[~d.shot.shown] <= 0.75 + 1e-6).all()


def test_people_take_the_colours_of_places(drawn: list[Layers]) -> None:
    means = np.array([
        [d.picture[part].mean(axis=0) for part in (d.shot.labels > 0, d.shot.labels == 0)]
        for d in drawn
        if 0.02 < (d.shot.labels > 0).mean() < 0.98
    ])  # fmt: skip
    gap = np.abs(means[:, 0].mean(axis=0) - means[:, 1].mean(axis=0))
    assert (gap < 0.8 * means.std(axis=0).mean(axis=0)).all()


def test_pictures_are_as_bright_and_as_varied_as_photographs(drawn: list[Layers]) -> None:
    bright = np.array([d.picture.mean() for d in drawn])
    assert 95 < bright.mean() < 140
    assert bright.std() > 20
    grey = np.array([np.ptp(d.picture.astype(int), axis=2).mean() < 6 for d in drawn])
    assert 0.04 < grey.mean() < 0.25
