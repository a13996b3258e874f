"""Named parts count as the classes that the merge files say, and no label chooses any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2l.data.labels import (
    LabelSpace,
    folder_space,
    load_merge,
    published_names,
    published_space,
)
from c2l.data.parts_by_name import classes_by_name
from c2l.errors import BadInputError
from c2l.schema import PARTS
from c2l.scoring.confusion import confusion_matrix
from c2l.scoring.metrics import score

ATR = published_space("atr")
TAUGHT = load_merge("parts", ATR).classes


def by_name(names: tuple[str, ...], merge: str | None, space: LabelSpace) -> dict[str, str]:
    """The class of each name that has one."""
    which = load_merge(merge, space)
    found = classes_by_name(names, which)
    assert found is not None
    return {n: which.classes[c] for n, c in zip(names, found, strict=True) if c >= 0}


@pytest.mark.parametrize("space", [s for s in published_names() if s != "person-background"])
@pytest.mark.parametrize("names", [TAUGHT, ATR.names], ids=["joined", "sides"])
def test_upper_and_lower_are_those_of_atr_but_for_bags_and_dresses(
    space: str, names: tuple[str, ...]
) -> None:
    found = by_name(names, "upper-lower", published_space(space))
    expected = {
        **dict.fromkeys(names, "upper"),
        **{n: "lower" for n in names if n in ("skirt", "pants", "dress", "belt")},
        **{n: "lower" for n in names if "leg" in n or "shoe" in n},
        "background": "background",
    }
    if space != "atr":
        expected |= {"bag": "background", "dress": "upper"}  # ATR has dresses below
    assert found == expected


def test_the_fine_classes_of_ccp_take_skin_shoes_and_glasses_from_atr() -> None:
    found = by_name(TAUGHT, "fine", published_space("ccp"))
    assert found.keys() == set(TAUGHT)
    changed = {name: own for name, own in found.items() if name != own}
    skin = dict.fromkeys(("face", "legs", "arms"), "skin")
    assert changed == {"sunglasses": "glasses", **skin}


def test_what_has_no_counterpart_in_the_classes_has_none() -> None:
    lip = by_name(TAUGHT, "fine", published_space("lip"))
    assert {*TAUGHT} - lip.keys() == {"belt", "shoes", "legs", "arms"}
    assert by_name(ATR.names, "fine", published_space("lip"))["left-arm"] == "left-arm"
    assert by_name(TAUGHT, "fine", ATR).keys() == {*TAUGHT} - {"shoes", "legs", "arms"}
    assert by_name(TAUGHT, "parts", ATR) == {name: name for name in TAUGHT}


@pytest.mark.parametrize("names", [TAUGHT, ATR.names, PARTS], ids=["joined", "sides", "three"])
@pytest.mark.parametrize(
    ("merge", "space"),
    [
        *(("person", published_space(name)) for name in ("atr", "ccp", "lip", "person-background")),
        (None, published_space("person-background")),
        (None, folder_space([0, 1])),
    ],
)
def test_every_part_counts_as_person(
    names: tuple[str, ...], merge: str | None, space: LabelSpace
) -> None:
    found = by_name(names, merge, space)
    person = load_merge(merge, space).classes[1]
    # ATR's merge says that its bags are of the person; other labels do not know any.
    bag = {"bag"} if space.name != "atr" else set()
    assert {n for n, own in found.items() if own == person} == {*names} - {"background"} - bag


def test_a_merge_file_of_person_and_background_needs_no_word_on_parts(tmp_path: Path) -> None:
    path = tmp_path / "person.toml"
    text = 'classes = ["background", "person"]\n[assign]\n'
    text += 'background = ["background"]\nperson = ["person"]\n'
    path.write_text(text)
    space = LabelSpace("own", ("background", "person"))
    found = by_name(TAUGHT, str(path), space)
    assert {n for n, own in found.items() if own == "background"} == {"background", "bag"}
    assert found.keys() == {*TAUGHT}
    assert by_name(PARTS, str(path), space) == {
        "background": "background",
        "upper": "person",
        "lower": "person",
    }
    path.write_text(text + '[from_atr]\nperson = ["bag"]\n')
    assert by_name(TAUGHT, str(path), space)["bag"] == "person"


def test_other_names_and_other_classes_are_not_matched() -> None:
    fine = load_merge("fine", published_space("ccp"))
    assert classes_by_name(("cluster 0", "cluster 1"), fine) is None
    assert classes_by_name(PARTS, fine) is None
    many = load_merge(None, folder_space([0, 1, 2, 3]))
    assert classes_by_name(TAUGHT, many) is None
    hats = LabelSpace("own", ("background", "hat"))
    assert by_name(TAUGHT, "identity", hats) == {"background": "background", "hat": "hat"}


def test_a_merge_file_of_ones_own_says_what_atrs_labels_are(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    text = 'labels = ["none", "head", "rest"]\nclasses = ["none", "head", "rest"]\n'
    path.write_text(text + '[from_atr]\nnone = ["background"]\nhead = ["hat", "hair", "face"]\n')
    found = by_name(TAUGHT, str(path), folder_space([0, 1, 2]))
    assert found == {"background": "none", "hat": "head", "hair": "head", "face": "head"}
    path.write_text(text + '[from_atr]\nhead = ["hut"]\n')
    with pytest.raises(BadInputError, match=r"key 'from_atr.head': no label 'hut'"):
        load_merge(str(path), folder_space([0, 1, 2]))


def test_a_hand_made_mask_scores_as_counted() -> None:
    """Six pixels: hair right, a bag on background right, a belt on upper-clothes wrong."""
    space, merge = published_space("lip"), load_merge("upper-lower", published_space("lip"))
    truth = [space.names.index(n) for n in ("background", "hair", "background", "upper-clothes")]
    found = [TAUGHT.index(n) for n in ("background", "hair", "bag", "belt")]
    of = classes_by_name(TAUGHT, merge)
    labels = merge.apply(np.array([truth], np.uint8))
    confusion = confusion_matrix(np.array([found], np.uint8), labels, 15, 3, source="x")
    scores = score(confusion, np.array(of), merge.classes)
    assert scores.pixel_accuracy == 3 / 4
    assert scores.iou == {"background": 1.0, "upper": 1 / 2, "lower": None}
