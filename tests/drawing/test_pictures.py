"""Palettes, masks and overlays have the documented values."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from c2l.drawing.masks import write_indexed_png, write_legend
from c2l.drawing.overlay import overlay
from c2l.drawing.palette import part_colours, pascal_palette
from c2l.errors import OutputError, UsageError

COLOURS = np.array([[100, 100, 100], [200, 0, 0], [0, 0, 200]], dtype=np.uint8)


def grey(height: int, width: int, value: int = 100) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_the_pascal_palette_has_its_published_colours() -> None:
    colours = np.array(pascal_palette()).reshape(256, 3).tolist()
    # Background, aeroplane, bicycle, person, tv monitor and void of Pascal VOC.
    assert colours[0] == [0, 0, 0]
    assert colours[1] == [128, 0, 0]
    assert colours[2] == [0, 128, 0]
    assert colours[15] == [192, 128, 128]
    assert colours[20] == [0, 64, 128]
    assert colours[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in colours}) == 256


@pytest.mark.parametrize("count", [0, 1, 3, 13, 60])
def test_part_colours_are_all_different(count: int) -> None:
    colours = part_colours(count)
    assert colours.shape == (count, 3)
    assert colours.dtype == np.uint8
    assert len({tuple(colour) for colour in colours.tolist()}) == count
    np.testing.assert_array_equal(part_colours(61)[:count], colours)


def test_the_first_parts_differ_in_lightness_too() -> None:
    # Lightness distinguishes them without hue.
    luma = part_colours(4).astype(float) @ [0.299, 0.587, 0.114]
    assert abs(luma[1] - luma[2]) > 30


def test_a_mask_reads_back_with_its_ids_and_colours(tmp_path: Path) -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(8, 32)
    path = tmp_path / "deep" / "down" / "a.png"

    write_indexed_png(path, mask, pascal_palette())

    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), mask)
        assert image.getpalette() == pascal_palette()
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_a_mask_of_few_ids_keeps_255_as_ignore(tmp_path: Path) -> None:
    mask = np.array([[0, 1], [255, 2]], dtype=np.uint8)
    write_indexed_png(tmp_path / "a.png", mask.T, pascal_palette())
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), mask.T)


def test_the_same_mask_gives_the_same_bytes(tmp_path: Path) -> None:
    mask = np.eye(9, dtype=np.uint8)
    for name in ("a.png", "b.png"):
        write_indexed_png(tmp_path / name, mask, pascal_palette())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("mask", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_arrays_that_are_not_masks_are_refused(tmp_path: Path, mask: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError, match="uint8 mask"):
        write_indexed_png(tmp_path / "a.png", mask, pascal_palette())
    assert not list(tmp_path.iterdir())


def test_the_longest_file_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".png")
    write_indexed_png(path, np.zeros((2, 2), np.uint8), pascal_palette())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failed_write_keeps_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.png: cannot be written: No space left") as caught:
        write_indexed_png(path, np.zeros((2, 2), np.uint8), pascal_palette())
    assert caught.value.exit_code == 74
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.png", b"old")]


def test_an_output_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_legend(tmp_path / "file" / "legend.json", [])


def test_the_legend_names_every_id(tmp_path: Path) -> None:
    entries = [(0, "background", [0, 0, 0]), (1, "o\N{EURO SIGN}", COLOURS[1].tolist())]
    write_legend(tmp_path / "legend.json", entries)
    assert json.loads((tmp_path / "legend.json").read_text(encoding="utf-8")) == {
        "format": "c2l-masks",
        "format_version": 1,
        "ignore": 255,
        "labels": [
            {"id": 0, "name": "background", "rgb": [0, 0, 0]},
            {"id": 1, "name": "o\N{EURO SIGN}", "rgb": [200, 0, 0]},
        ],
    }


# Columns of three pixels of each id; the middle one is not part of the contour.
STRIPES = np.repeat(np.array([[0, 1, 2, 255]], dtype=np.uint8), 3, axis=1)


def test_parts_are_blended_and_the_background_is_dimmed() -> None:
    found = overlay(grey(1, 12), STRIPES, COLOURS, 0.25)
    middle = found[0, 1::3].tolist()
    assert middle == [[82, 82, 82], [125, 75, 75], [75, 75, 125], [100, 100, 100]]


def test_without_a_background_every_part_is_tinted() -> None:
    found = overlay(grey(1, 12, 0), STRIPES, COLOURS, 0.5, background=False)
    assert found[0, 1::3].tolist() == [[50, 50, 50], [100, 0, 0], [0, 0, 100], [0, 0, 0]]


def test_zero_opacity_leaves_the_parts_unchanged() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    mask = np.ones((4, 4), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(image, mask, COLOURS, 0.0), image)


def test_contours_lie_inside_tinted_parts() -> None:
    mask = np.zeros((9, 9), dtype=np.uint8)
    mask[2:7, 2:7] = 1
    found = overlay(grey(9, 9), mask, COLOURS, 0.5)
    full = (found == COLOURS[1]).all(axis=2)
    expected = mask == 1
    expected[3:6, 3:6] = False
    np.testing.assert_array_equal(full, expected)


def test_contours_scale_with_the_image() -> None:
    mask = np.zeros((960, 960), dtype=np.uint8)
    mask[:, 480:] = 2
    found = overlay(grey(960, 960), mask, COLOURS, 0.5)
    assert (found[5] == COLOURS[2]).all(axis=1).sum() == 4


def test_the_arguments_of_an_overlay_are_not_modified() -> None:
    image, mask = grey(5, 5), np.eye(5, dtype=np.uint8)
    overlay(image, mask, COLOURS, 0.5)
    np.testing.assert_array_equal(image, grey(5, 5))
    np.testing.assert_array_equal(mask, np.eye(5, dtype=np.uint8))


def test_wrong_shapes_and_opacities_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(4, 5, 3\), \(5, 4\)"):
        overlay(grey(4, 5), np.zeros((5, 4), np.uint8), COLOURS, 0.5)
    with pytest.raises(UsageError, match=r"opacity from 0 to 1, found 1\.5"):
        overlay(grey(4, 4), np.zeros((4, 4), np.uint8), COLOURS, 1.5)
