"""Every pixel of a mask is scored, or counted with the reason; odd masks are named as such."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli, Outcome
from drawn import Array, indexed, mask, masks, photo, photos, save
from PIL import Image, ImageFilter

from c2l.data.audit import oddity, other_palettes
from c2l.data.check import check_dataset
from c2l.data.dataset import open_dataset
from c2l.data.labels import LabelSpace, load_merge
from c2l.data.masks import read_mask
from c2l.data.records import Choices
from c2l.data.unscored import Pixels

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture
def score(cli: Cli, trained: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Scores a folder into e.json."""

    def run(data: Path, *options: str) -> Outcome:
        out = tmp_path / "e.json"
        return cli("eval", trained, data, "-o", out, "--bootstrap", "0", "--overwrite", *options)

    return run


def make(root: Path, change: Callable[[Array], Array] = lambda ids: ids, names: str = "") -> Path:
    photos(root / "images")
    masks(root / "masks", change=change)
    if names:
        (root / "labels.txt").write_text(names)
    return root


def painted(*values: int) -> Callable[[Array], Array]:
    """The ids 0, 1, 2 as other values."""
    return lambda ids: np.array(values, np.uint8)[ids]


def ringed(ids: Array) -> Array:
    """A wide ring of 255 around everything, 29 % of the pixels."""
    ids[:8] = ids[-8:] = ids[:, :5] = ids[:, -5:] = 255
    return ids


# Pixels that drop out.


def test_each_pixel_is_counted_once_under_its_reason() -> None:
    space = LabelSpace("pets", ("ground", "cat", "dog", "tail", "toy"))
    merge = load_merge(None, space)
    pixels = Pixels.of(np.array([50, 20, 10, 0, 5]), {255: 7, 9: 3, 300: 5}, space, merge)
    assert pixels == Pixels(100, 85, 7, {"9": 3, "300": 5}, {}, {})
    assert pixels.said() == (
        "pixels not scored: 7.0 % ignored (255), 8.0 % outside the label space (ids 300, 9)"
    )
    assert pixels.excess().startswith("8.0 % of the pixels are of labels that are not known, at")
    assert pixels.dropped == {255: 7, 9: 3, 300: 5}
    assert Pixels.stored(json.loads(json.dumps(pixels.as_dict()))) == pixels


def test_what_a_merge_ignores_is_told_from_what_it_forgets(tmp_path: Path) -> None:
    space = LabelSpace("pets", ("ground", "cat", "dog", "tail"))
    path = tmp_path / "m.toml"
    path.write_text(
        'classes = ["no", "yes"]\nignore = ["tail"]\n[assign]\nno = [0]\nyes = ["cat"]\n'
    )
    pixels = Pixels.of(np.array([50, 40, 6, 4]), {}, space, load_merge(str(path), space))
    assert (pixels.merged_away, pixels.forgotten) == ({"tail": 4}, {"dog": 6})
    assert pixels.excess().endswith(", 6.0 % not named by the merge (dog)")
    path.write_text(path.read_text().replace('"tail"', '"tail", "dog"'))
    merge = load_merge(str(path), space)
    assert Pixels.of(np.array([50, 40, 6, 4]), {}, space, merge).excess() == ""
    many = Pixels.of(np.array([50, 40, 6, 4]), {255: 20}, space, merge)
    assert many.excess().startswith("16.7 % of the pixels would not be scored, at most 10 % may: ")


@pytest.mark.parametrize("values", [{}, {"all": 1}, {"all": -1}, [1], {"outside": {"x": 1}}])
def test_counts_of_any_origin_are_checked(values: object) -> None:
    whole = Pixels(1, 1, 0, {}, {}, {}).as_dict()
    if isinstance(values, dict) and values:
        values = {**whole, **values, **({} if "outside" in values or "all" in values else whole)}
    if values == {**whole, "all": 1}:
        values = {k: v for k, v in whole.items() if k != "ignore"}
    with pytest.raises(ValueError, match="expected"):
        Pixels.stored(values)


@pytest.mark.parametrize(
    ("change", "names", "words"),
    [
        (painted(0, 1, 2), "upper\nlower\n", "outside the label space (ids 2)"),
        (painted(0, 1, 9), "ground\nupper\nlower\n", "outside the label space (ids 9)"),
        (ringed, "ground\nupper\nlower\n", "ignored (255)"),
        (painted(255, 1, 2), "ground\nupper\nlower\n", "ignored (255)"),
        (painted(1, 2, 3), "upper\nlower\nshoes\n", "outside the label space (ids 3)"),
        (lambda m: painted(0, 1, 2)(m).astype(np.uint16) * 300, "a\nb\nc\n", "(ids 300, 600)"),
    ],
)
def test_a_score_over_part_of_the_pixels_has_to_be_allowed(
    score: Callable[..., Outcome], tmp_path: Path, change: Callable, names: str, words: str
) -> None:
    data = make(tmp_path / "d", change, names)
    refused = score(data)
    assert refused.code == 3
    assert (
        "of the pixels would not be scored, at most 10 % may: " in refused.err
        or "of the pixels are of labels that are not known, at most 1 % may: " in refused.err
        or "a score needs two classes" in refused.err
    )
    assert words in refused.err
    assert not (tmp_path / "e.json").exists()
    report = check_dataset(data)
    assert any(words in p.problem for p in report.problems)
    if "a score needs two classes" in refused.err:  # one class only: no score at all
        return
    allowed = score(data, "--allow-unscored")
    assert allowed.code == 0
    assert words in allowed.out
    stored = json.loads((tmp_path / "e.json").read_text())["pixels"]
    dropped = stored["ignore"] + sum(stored["outside"].values())
    assert stored["scored"] + dropped == stored["all"] == 6 * 96 * 64


def test_a_small_share_is_said_in_the_table_and_kept(
    score: Callable[..., Outcome], tmp_path: Path
) -> None:
    def corner(ids: Array) -> Array:
        ids[:2, :10] = 255
        ids[2:4, :10] = 7
        return ids

    done = score(make(tmp_path / "d", corner, "ground\nupper\nlower\n"))
    assert done.code == 0
    assert (
        "pixels not scored: 0.3 % ignored (255), 0.3 % outside the label space (ids 7)" in done.out
    )
    again = tmp_path / "again.json"
    merge = tmp_path / "m.toml"
    merge.write_text(
        'classes = ["ground", "person"]\nrest = "person"\n[assign]\nground = ["ground"]\n'
    )
    stored = json.loads((tmp_path / "e.json").read_text())["pixels"]
    from conftest import Cli as Command

    rescored = Command().ok("eval", tmp_path / "e.json", "-o", again, "--merge", merge, "--json")
    assert rescored.values["pixels"] == stored


def test_rescoring_under_a_merge_that_forgets_labels_has_to_be_allowed(
    cli: Cli, score: Callable[..., Outcome], tmp_path: Path
) -> None:
    assert score(make(tmp_path / "d", names="ground\nupper\nlower\n")).code == 0
    merge = tmp_path / "m.toml"
    merge.write_text('classes = ["a", "b"]\n[assign]\na = ["ground"]\nb = ["upper"]\n')
    command = ("eval", tmp_path / "e.json", "-o", tmp_path / "f.json", "--merge", merge)
    refused = cli(*command)
    assert refused.code == 3
    assert "not named by the merge (lower)" in refused.err
    cli.ok(*command, "--allow-unscored")


# Masks of 0 and 255; scores over one class.


def test_masks_of_0_and_255_are_refused_with_the_cure_or_read_as_person(
    score: Callable[..., Outcome], tmp_path: Path
) -> None:
    data = make(tmp_path / "d", painted(0, 255, 255))
    refused = score(data)
    assert refused.code == 3
    assert "255 is ignored: nothing to score" in refused.err
    assert "--labels person-background" in refused.err
    hints = [str(problem.hint) for problem in check_dataset(data).problems]
    assert any("--labels person-background" in hint for hint in hints)
    read = score(data, "--labels", "person-background", "--json")
    assert read.code == 0
    person = sum(int((mask(i) > 0).sum()) for i in range(6))
    assert np.array(read.values["confusion_raw"]).sum(0).tolist() == [6 * 96 * 64 - person, person]
    (data / "labels.txt").write_text("background\nperson\n")
    report = check_dataset(data)
    assert report.problems == []
    assert report.labels == {"background": 6 * 96 * 64 - person, "person": person}
    assert score(data).code == 0


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P"])
def test_masks_of_0_and_255_are_read_in_any_mode(tmp_path: Path, mode: str) -> None:
    photos(tmp_path / "images", count=2)
    (tmp_path / "masks").mkdir()
    for number in range(2):
        ids = (mask(number) > 0).astype(np.uint8) * 255
        image = Image.fromarray(ids.astype(np.uint16) if mode == "I;16" else ids)
        (image if mode == "I;16" else image.convert(mode)).save(
            tmp_path / "masks" / f"p{number}.png"
        )
    report = check_dataset(tmp_path, choices=Choices(labels="person-background"))
    person = sum(int((mask(i) > 0).sum()) for i in range(2))
    assert report.labels == {"background": 2 * 96 * 64 - person, "person": person}


def test_masks_of_0_and_1_beside_masks_of_0_and_255_are_refused(
    score: Callable[..., Outcome], tmp_path: Path
) -> None:
    data = make(tmp_path / "d", painted(0, 1, 1), "background\nperson\n")
    save(data / "masks" / "p3.png", painted(0, 255, 255)(mask(3)))
    refused = score(data)
    assert refused.code == 3
    assert "1 masks are of 0 and 255, 5 have id 1" in refused.err
    assert any("255 cannot be a label in some" in p.problem for p in check_dataset(data).problems)


def test_ids_0_1_and_255_in_one_mask_leave_255_ignored(tmp_path: Path) -> None:
    data = make(tmp_path / "d", painted(0, 1, 255), "background\nperson\n")
    report = check_dataset(data)
    assert set(report.labels) == {"background", "person"}
    assert report.pixels is not None
    assert report.pixels.ignore == sum(int((mask(i) == 2).sum()) for i in range(6))


@pytest.mark.parametrize("names", ["", "ground\nupper\nlower\n", "background\nperson\n"])
def test_a_score_over_one_class_is_no_score(
    score: Callable[..., Outcome], tmp_path: Path, names: str
) -> None:
    data = make(tmp_path / "d", painted(0, 0, 0), names)
    refused = score(data, "--allow-unscored")
    assert refused.code == 3
    assert "a score needs two classes" in refused.err
    assert any("needs two classes" in p.problem for p in check_dataset(data).problems)


# Odd masks.


def as_jpeg(ids: Array, quality: int = 90) -> Array:
    file = io.BytesIO()
    Image.fromarray(ids).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(ids: Array, resample: Image.Resampling) -> Array:
    half = Image.fromarray(ids).resize(
        (ids.shape[1] // 2, ids.shape[0] // 2), Image.Resampling.NEAREST
    )
    return np.asarray(half.resize((ids.shape[1], ids.shape[0]), resample))


def slanted(number: int) -> Array:
    """A mask whose borders run aslant, as those of people do."""
    ids = np.asarray(Image.fromarray(mask(number, 300, 200)).rotate(17 + number))
    return np.ascontiguousarray(ids)


ODD: list[tuple[Callable[[Array], Array], str]] = [
    (lambda m: resized(m * 5, Image.Resampling.BILINEAR), "blended"),
    (lambda m: resized(m * 100, Image.Resampling.BICUBIC), "blended"),
    (lambda m: resized(m * 9, Image.Resampling.LANCZOS), "blended"),
    (lambda m: np.asarray(Image.fromarray(m * 100).filter(ImageFilter.GaussianBlur(2))), "blended"),
    (
        lambda m: np.asarray(
            Image.fromarray((m > 0) * np.uint8(255)).filter(ImageFilter.BoxBlur(1))
        ),
        "blended",
    ),
    (lambda m: as_jpeg(m * 100), "noisy|blended"),
    (lambda m: as_jpeg(m * 10, 75), "noisy|blended"),
    (lambda m: as_jpeg((m > 0) * np.uint8(255), 60), "noisy|blended"),
]


@pytest.mark.parametrize(("change", "words"), ODD)
def test_blended_and_noisy_masks_are_named_as_such(
    change: Callable[[Array], Array], words: str
) -> None:
    for number in range(4):
        found = oddity(change(slanted(number)))
        assert found is not None
        assert any(word in found for word in words.split("|"))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m,
        lambda m: m * 100,
        lambda m: resized(m * 7, Image.Resampling.NEAREST),
        lambda m: np.where(m == 0, 255, m).astype(np.uint8),
        lambda m: np.kron(m, np.ones((3, 3), np.uint8)),
        lambda m: np.ascontiguousarray(m[::3, ::3]),
    ],
)
def test_sound_masks_are_not_odd(change: Callable[[Array], Array]) -> None:
    assert [oddity(change(slanted(number))) for number in range(4)] == [None] * 4


def test_a_thin_label_between_two_others_is_no_blended_border() -> None:
    ids = np.zeros((96, 64), np.uint8)
    ids[10:80, 6:58] = 4
    ids[40, 6:58], ids[41:80, 6:58] = 8, 9  # a belt of one row
    assert oddity(ids) is None
    assert oddity(np.ascontiguousarray(ids.T)) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "ccp/annotations/pixel-level/*.mat",
        "lip/val_segmentations/*",
        "viton/masks/*",
        "humanseg/masks/*",
    ],
)
def test_masks_of_real_photos_are_not_odd(pattern: str) -> None:
    files = sorted(SHARED.glob(pattern))[::5]
    if not files:
        pytest.skip(f"no photos at ../shared/{pattern}")
    assert [path.name for path in files if oddity(read_mask(path))] == []


def test_odd_masks_are_listed_and_not_scored(score: Callable[..., Outcome], tmp_path: Path) -> None:
    data = tmp_path / "d"
    for number in range(4):
        save(data / "images" / f"p{number}.jpg", photo(number, 300, 200))
        ids = slanted(number)
        save(data / "masks" / f"p{number}.png", ODD[0][0](ids) if number == 2 else ids * 5)
    (data / "labels.txt").write_text("".join(f"label {i}\n" for i in range(11)))
    (problem,) = check_dataset(data).problems
    assert (problem.file, "blended" in problem.problem) == ("masks/p2.png", True)
    refused = score(data)
    assert refused.code == 3
    assert "masks/p2.png: its borders are blended" in refused.err
    assert "nearest neighbour only" in refused.err
    assert score(data, "--on-error", "skip", "--json").values["images"] == 3


def test_odd_masks_are_not_scored_because_they_are_resized(
    score: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Nearest neighbours of a blended mask may look sound."""
    data = tmp_path / "d"
    for number in range(2):
        save(data / "images" / f"p{number}.jpg", photo(number, 600, 400))
        ids = np.asarray(
            Image.fromarray(slanted(number) * 5).resize((40, 60), Image.Resampling.BILINEAR)
        )
        save(data / "masks" / f"p{number}.png", ids)
    (data / "labels.txt").write_text("".join(f"label {i}\n" for i in range(11)))
    nearest = Choices(mask_size="nearest")
    for record in open_dataset(data, choices=nearest).records:
        assert oddity(record.stored_labels()) is not None
        assert oddity(record.labels()) is None
    assert len(check_dataset(data, choices=nearest).problems) == 2
    refused = score(data, "--mask-size", "nearest")
    assert refused.code == 3
    assert "p0.png: its borders are blended" in refused.err


def test_palettes_in_another_order_are_named(score: Callable[..., Outcome], tmp_path: Path) -> None:
    data = tmp_path / "d"
    photos(data / "images")
    red_first = [0, 0, 0, 200, 0, 0, 0, 0, 200]
    blue_first = [0, 0, 0, 0, 0, 200, 200, 0, 0]
    for number in range(6):
        swapped = number == 4
        ids = painted(0, 2, 1)(mask(number)) if swapped else mask(number)
        indexed(data / "masks" / f"p{number}.png", ids, blue_first if swapped else red_first)
    (problem,) = check_dataset(data).problems
    assert problem.file == "masks/p4.png"
    assert "its palette is in another order" in problem.problem
    refused = score(data)
    assert refused.code == 3
    assert "p4.png: its palette is in another order" in refused.err
    assert score(data, "--on-error", "skip", "--json").values["images"] == 5


@pytest.mark.parametrize(
    "palettes",
    [
        ([0, 0, 0, 9, 9, 9, 8, 8, 8], [0, 0, 0, 9, 9, 9, 8, 8, 8]),
        ([0] * 9, [0, 0, 0, 9, 9, 9, 0, 0, 0]),  # colours that tell nothing
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], [5, 5, 5, 6, 6, 6, 7, 7, 7]),  # other colours altogether
        ([0, 0, 0, 9, 9, 9, 8, 8, 8], [0, 0, 0, 9, 9, 9, 8, 8, 8, 9, 9, 9]),  # an unused entry
    ],
)
def test_palettes_that_agree_or_tell_nothing_are_no_fault(
    tmp_path: Path, palettes: tuple[list[int], list[int]]
) -> None:
    paths = [indexed(tmp_path / f"{i}.png", mask(i), p) for i, p in enumerate(palettes)]
    assert other_palettes(paths) == {}


# Turned photos, and masks of other sizes.


def turned(path: Path, number: int, orientation: int, size: tuple[int, int] = (96, 64)) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    save(path, photo(number, *size), exif=exif)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_mask_that_fits_a_turned_photo_either_way_is_told(
    score: Callable[..., Outcome], tmp_path: Path, orientation: int
) -> None:
    data = make(tmp_path / "d")
    for number in range(3):
        turned(data / "images" / f"p{number}.jpg", number, orientation)
    report = check_dataset(data)
    (note,) = report.notes
    assert "3 masks are of the size of a photo that EXIF orientation turns" in note.problem
    assert "--exif ignore" in str(note.hint)
    assert "3 photos are turned by EXIF" in score(data).err
    stored = check_dataset(data, choices=Choices(exif="ignore"))
    assert len(stored.notes) == 1


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_that_fits_only_the_stored_photo_is_told(
    score: Callable[..., Outcome], tmp_path: Path, orientation: int
) -> None:
    data = make(tmp_path / "d")
    for number in range(6):
        turned(data / "images" / f"p{number}.jpg", number, orientation)
    (problem,) = check_dataset(data).problems  # one line for all six
    assert problem.problem.startswith("6 masks fit their images only without")
    assert "EXIF orientation" in problem.problem
    refused = score(data)
    assert refused.code == 3
    assert "--exif ignore" in refused.err
    assert check_dataset(data, choices=Choices(exif="ignore")).problems == []
    assert score(data, "--exif", "ignore").code == 0


def test_square_photos_turned_sideways_are_told_too(tmp_path: Path) -> None:
    for number in range(2):
        turned(tmp_path / "images" / f"p{number}.jpg", number, 6, (80, 80))
        save(tmp_path / "masks" / f"p{number}.png", mask(number, 80, 80))
    assert "EXIF" in check_dataset(tmp_path).notes[0].problem


def test_photos_are_read_as_stored_by_every_stage(cli: Cli, tmp_path: Path) -> None:
    data, plain = tmp_path / "d", tmp_path / "plain"
    for number in range(4):
        turned(data / f"p{number}.jpg", number, 6)
        save(plain / f"p{number}.jpg", photo(number))
    import h5py
    from conftest import NETWORK, PHOTOS

    options = (*PHOTOS, *NETWORK)
    cli.ok("extract", data, "-o", tmp_path / "a.h5", *options, "--exif", "ignore")
    cli.ok("extract", plain, "-o", tmp_path / "b.h5", *options)
    with h5py.File(tmp_path / "a.h5") as one, h5py.File(tmp_path / "b.h5") as two:
        np.testing.assert_array_equal(one["features"][:], two["features"][:])
        np.testing.assert_array_equal(one["orig_size"][:], two["orig_size"][:])


@pytest.mark.parametrize("scale", [0.5, 2, 3])
def test_masks_of_another_size_but_the_same_shape_are_accepted_by_request(
    score: Callable[..., Outcome], tmp_path: Path, scale: float
) -> None:
    def scaled(ids: Array) -> Array:
        size = (round(ids.shape[1] * scale), round(ids.shape[0] * scale))
        return np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))

    data = make(tmp_path / "d", scaled, "ground\nupper\nlower\n")
    (problem,) = check_dataset(data).problems  # one line for all six
    assert problem.problem.startswith("6 masks are of another size but the same shape")
    assert "--mask-size nearest" in str(problem.hint)
    refused = score(data)
    assert refused.code == 3
    assert "--mask-size nearest" in refused.err
    report = check_dataset(data, choices=Choices(mask_size="nearest"))
    assert report.problems == []
    assert [n.problem for n in report.notes] == ["6 masks are resized, nearest neighbour"]
    read = score(data, "--mask-size", "nearest", "--json").values
    assert read["pixels"]["all"] == 6 * 96 * 64
    if scale > 1:
        expected = [sum(int((mask(i) == k).sum()) for i in range(6)) for k in range(3)]
        assert np.array(read["confusion_raw"]).sum(0).tolist() == expected
