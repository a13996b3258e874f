"""Label spaces, the built-in merges against the published lists, and users' merge files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from c2l.data.labels import (
    LabelSpace,
    Merge,
    folder_space,
    load_merge,
    merge_names,
    published_names,
    published_space,
)
from c2l.errors import BadInputError
from c2l.options.shared import label_spaces

ATR = published_space("atr")
CCP = published_space("ccp")
LIP = published_space("lip")
PETS = LabelSpace("pets", ("nothing", "cat", "dog", "tail"))


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def ids_of(merge: Merge, name: str) -> list[int]:
    index = merge.classes.index(name)
    return [i for i, value in enumerate(merge.table) if value == index]


@pytest.mark.parametrize("name", published_names())
def test_a_published_space_has_distinct_labels_and_the_usual_merges(name: str) -> None:
    space = published_space(name)
    assert len(set(space.names)) == len(space.names)
    merges = merge_names(space)
    assert {"person", *(("upper-lower", "fine") if len(space.names) > 2 else ())} <= {*merges}
    for which in merges:
        assert load_merge(which, space).forgotten == ()


def test_the_help_names_the_published_spaces() -> None:
    assert label_spaces() == list(published_names())


def test_the_published_spaces_have_their_published_sizes_and_names() -> None:
    assert [len(space.names) for space in (ATR, CCP, LIP)] == [18, 59, 20]
    assert (ATR.names[0], ATR.names[4], ATR.names[17]) == ("background", "upper-clothes", "scarf")
    assert (CCP.names[0], CCP.names[41], CCP.names[58]) == ("null", "skin", "wedges")
    assert (LIP.names[7], LIP.names[19]) == ("coat", "right-shoe")


def test_atr_upper_lower_is_the_published_mapping() -> None:
    merge = load_merge("upper-lower", ATR)
    assert merge.classes == ("background", "upper", "lower")
    assert ids_of(merge, "background") == [0]
    assert ids_of(merge, "upper") == [1, 2, 3, 4, 11, 14, 15, 16, 17]
    assert ids_of(merge, "lower") == [5, 6, 7, 8, 9, 10, 12, 13]
    assert merge.table[18:] == (255,) * 238


def test_lip_upper_lower_is_the_published_mapping() -> None:
    merge = load_merge("upper-lower", LIP)
    assert ids_of(merge, "upper") == [1, 2, 3, 4, 5, 6, 7, 11, 13, 14, 15]
    assert ids_of(merge, "lower") == [8, 9, 10, 12, 16, 17, 18, 19]


@pytest.mark.parametrize("space", [ATR, LIP])
def test_fine_keeps_every_label_of_atr_and_lip(space: LabelSpace) -> None:
    merge = load_merge("fine", space)
    assert merge.classes == space.names
    assert merge.table[: len(space.names)] == tuple(range(len(space.names)))


def test_ccp_upper_lower_ignores_skin_and_small_accessories() -> None:
    merge = load_merge("upper-lower", CCP)
    ignored = {name for i, name in enumerate(CCP.names) if merge.table[i] == 255}
    assert ignored == {"skin", "accessories", "belt", "bracelet", "gloves", "ring", "watch"}
    background = {CCP.names[i] for i in ids_of(merge, "background")}
    assert background == {"null", "bag", "purse", "wallet"}
    assert len(ids_of(merge, "upper")) == 29
    assert len(ids_of(merge, "lower")) == 19


def test_ccp_fine_has_thirteen_classes() -> None:
    merge = load_merge("fine", CCP)
    assert merge.classes == (
        *("background", "hat", "hair", "glasses", "upper-clothes", "skirt", "pants"),
        *("dress", "belt", "shoes", "skin", "bag", "scarf"),
    )
    assert {CCP.names[i] for i in ids_of(merge, "dress")} == {"dress", "romper", "swimwear"}
    assert {CCP.names[i] for i in ids_of(merge, "pants")} == {
        *("jeans", "leggings", "pants", "shorts", "panties", "stockings", "tights", "socks")
    }
    ignored = {name for i, name in enumerate(CCP.names) if merge.table[i] == 255}
    assert ignored == {
        *("accessories", "bracelet", "earrings", "gloves", "necklace", "ring", "watch")
    }


def test_apply_maps_ids_and_ignores_what_is_no_label() -> None:
    merge = load_merge("upper-lower", ATR)
    mask = np.array([[0, 1, 5], [17, 18, 255]], np.uint8)
    expected = np.array([[0, 1, 2], [1, 255, 255]], np.uint8)
    assert np.array_equal(merge.apply(mask), expected)
    assert merge.apply(mask).dtype == np.uint8
    wide = np.array([[0, 1, 5], [17, 256, 65535]], np.uint16)
    assert np.array_equal(merge.apply(wide), expected)
    signed = np.array([[0, 1, 5], [17, -1, 255]], np.int32)
    assert np.array_equal(merge.apply(signed), expected)


def test_without_a_name_a_space_gets_upper_lower_or_else_the_identity() -> None:
    assert load_merge(None, CCP).name == "upper-lower"
    merge = load_merge(None, PETS)
    assert (merge.name, merge.classes) == ("identity", PETS.names)
    assert merge.table[:5] == (0, 1, 2, 3, 255)
    assert merge_names(CCP) == ("fine", "person", "upper-lower", "identity")
    assert merge_names(PETS) == ("identity",)


def test_folder_space_names_labels_up_to_the_highest_id_found() -> None:
    assert folder_space([3, 0, 255, 700]).names == ("label-0", "label-1", "label-2", "label-3")
    assert len(folder_space([254]).names) == 255
    assert load_merge(None, folder_space([254])).table[254] == 254
    assert folder_space([]).names == ("label-0",)


def test_a_users_file_takes_names_and_ids_and_ignores_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, 'classes = ["bg", "animal"]\n[assign]\nanimal = ["cat", 2]\nbg = [0]\n')
    merge = load_merge(path, PETS)
    assert (merge.name, merge.label_space, merge.classes) == ("mine", "pets", ("bg", "animal"))
    assert merge.table[:5] == (0, 1, 1, 255, 255)


def test_rest_takes_what_no_list_names_but_not_what_is_ignored(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'label_space = "pets"\nclasses = ["bg", "cat"]\nrest = "bg"\nignore = ["tail"]\n'
        '[assign]\ncat = ["cat"]\n',
    )
    assert load_merge(path, PETS).table == (0, 1, 0, 255, *[255] * 252)


def test_a_users_file_may_list_its_own_labels(tmp_path: Path) -> None:
    path = write(tmp_path, 'labels = ["a", "b"]\nclasses = ["x"]\n[assign]\nx = ["b"]\n')
    merge = load_merge(path, folder_space([0, 1]))
    assert (merge.label_space, merge.table[:3]) == ("own", (255, 0, 255))


def test_a_plain_folders_ids_may_lie_above_those_found(tmp_path: Path) -> None:
    path = write(tmp_path, 'classes = ["bg", "x"]\nrest = "bg"\n[assign]\nx = [200, "label-1"]\n')
    table = load_merge(path, folder_space([0, 1])).table
    assert (table[0], table[1], table[199], table[200], table[255]) == (0, 1, 0, 1, 255)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("classes = [", "syntax"),
        ('classes = ["a"]\ncolour = 1', "'colour'"),
        ("[assign]\na = [1]", "'classes' is missing"),
        ('classes = "a"', "'classes'"),
        ("classes = []", "'classes'"),
        ("classes = [1]", "'classes'"),
        ('classes = ["a", "a"]', "'a' is there twice"),
        (f"classes = {[str(i) for i in range(255)]}", "at most 254 classes, found 255"),
        ('classes = ["a"]\nassign = [1]', "'assign'"),
        ('classes = ["a"]\n[assign]\nb = [1]', "'assign.b': no class 'b'"),
        ('classes = ["a"]\n[assign]\na = 1', "'assign.a': expected a list"),
        ('classes = ["a"]\n[assign]\na = ["cow"]', "'assign.a': no label 'cow'"),
        ('classes = ["a"]\n[assign]\na = [4]', "'assign.a': label ids are 0 to 3, found 4"),
        ('classes = ["a"]\n[assign]\na = [-1]', "found -1"),
        ('classes = ["a"]\n[assign]\na = [true]', "found True"),
        ('classes = ["a"]\n[assign]\na = [1.0]', "found 1.0"),
        ('classes = ["a", "b"]\n[assign]\na = ["cat"]\nb = [1]', "is in 'assign.a' already"),
        ('classes = ["a"]\nignore = [1]\n[assign]\na = [1]', "is in 'assign.a' already"),
        ('classes = ["a"]\nignore = "cat"', "'ignore'"),
        ('classes = ["a"]\nrest = "b"', "'rest': no class 'b'"),
        ('classes = ["a"]\nrest = ["a"]', "'rest'"),
        ('classes = ["a"]\nlabel_space = "atr"', "'label_space': this merge is for 'atr'"),
        ('classes = ["a"]\nlabel_space = "pets"\nlabels = ["x"]', "exclude each other"),
        ('classes = ["a"]\nlabels = "x"', "'labels'"),
    ],
)
def test_a_mistake_in_a_users_file_names_the_file_and_the_key(
    tmp_path: Path, text: str, key: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInputError) as caught:
        load_merge(path, PETS)
    assert caught.value.path == path
    assert key in str(caught.value)


def test_254_classes_are_allowed(tmp_path: Path) -> None:
    path = write(tmp_path, f"classes = {[str(i) for i in range(254)]}\n[assign]\n253 = [3]")
    assert load_merge(path, PETS).table[3] == 253


def test_a_name_that_is_no_merge_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="fine, parts, person, upper-lower, identity"):
        load_merge("uper-lower", ATR)
    with pytest.raises(BadInputError, match="No such file"):
        load_merge(str(tmp_path / "none.toml"), ATR)
    (tmp_path / "latin.toml").write_bytes(b'classes = ["\xe9"]')
    with pytest.raises(BadInputError, match="UTF-8"):
        load_merge(str(tmp_path / "latin.toml"), ATR)
