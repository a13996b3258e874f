"""The network that ships with c2l: whole, of the documented recipe, and able to find people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import c2l
from c2l.artifacts.drawn import located, shipped
from c2l.artifacts.predictor import read_predictor
from c2l.options import TeachOptions, stored
from c2l.options.presets import preset
from c2l.synth.scene import draw


def test_it_is_whole_and_small_and_of_the_preset() -> None:
    file = located(Path("drawn"))
    assert file == shipped()
    assert file.stat().st_size <= 24_000_000
    own = stored(TeachOptions, read_predictor(file).config)
    assert replace(own, preset="drawn") == preset(TeachOptions, "drawn", seed=1)


def test_it_finds_people_in_drawings_of_another_seed() -> None:
    parser = c2l.load("drawn", device="cpu")
    assert parser.names[0] == "background"
    both = either = 0
    for index in range(12):
        picture, labels = draw(77, index, 160, 240)
        found = parser.parse(picture).labels > 0
        both += int(np.sum(found & (labels > 0)))
        either += int(np.sum(found | (labels > 0)))
    assert both / either > 0.6
