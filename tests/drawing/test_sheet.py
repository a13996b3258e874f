"""Contact sheets show all panels, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFont

from c2l.drawing.sheet import contact_sheet, shorten
from c2l.errors import UsageError


def plain(height: int, width: int, rgb: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((height, width, 3), rgb, dtype=np.uint8)


def box_of(sheet: Image.Image, rgb: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of the area that has a colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == rgb).all(axis=2))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_panels_keep_their_proportions_at_one_width() -> None:
    sheet = contact_sheet(
        [("a", [plain(300, 200, (255, 0, 0)), plain(50, 100, (0, 255, 0))])], 1, 80
    )
    assert sheet.mode == "RGB"
    assert box_of(sheet, (255, 0, 0)) == (120, 80)
    assert box_of(sheet, (0, 255, 0)) == (40, 80)


def test_extreme_proportions_are_bounded() -> None:
    sheet = contact_sheet(
        [("a", [plain(4000, 20, (255, 0, 0))]), ("b", [plain(1, 900, (0, 255, 0))])], 2, 60
    )
    assert sheet.height < 200
    assert box_of(sheet, (255, 0, 0)) == (120, 1)
    assert box_of(sheet, (0, 255, 0)) == (1, 60)


def test_tiles_fill_rows_of_the_given_length() -> None:
    tiles = [(str(i), [plain(10, 10, (i * 20, 0, 255))]) for i in range(5)]
    sheet = contact_sheet(iter(tiles), 3, 40)
    pixels = np.asarray(sheet)
    tops = []
    for index in range(5):
        rows, columns = np.nonzero((pixels == (index * 20, 0, 255)).all(axis=2))
        tops.append((int(rows.min()), int(columns.min())))
    assert len({row for row, _ in tops[:3]}) == len({row for row, _ in tops[3:]}) == 1
    assert tops[0][0] < tops[3][0]
    assert [column for _, column in tops[:2]] == [column for _, column in tops[3:]]


def test_tiles_with_fewer_panels_keep_the_width_of_the_others() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    three = [plain(10, 10, colour) for colour in colours]
    sheet = contact_sheet([("a", three), ("b", three[:2])], 1, 30)
    assert box_of(contact_sheet([("a", three)], 1, 30), (0, 0, 255)) == (30, 30)
    assert sheet.width == contact_sheet([("a", three)], 1, 30).width


def test_the_legend_shows_each_colour_and_wraps() -> None:
    legend = [(f"a rather long name {i}", (i * 9, 255, 0)) for i in range(12)]
    tile = [("a", [plain(20, 20, (0, 0, 255))])]
    plain_sheet, sheet = contact_sheet(tile, 1, 200), contact_sheet(tile, 1, 200, legend=legend)
    assert sheet.width == plain_sheet.width
    assert sheet.height > plain_sheet.height + 12 * 14
    pixels = np.asarray(sheet)
    for _, rgb in legend:
        assert (pixels == rgb).all(axis=2).sum() > 100


def test_long_captions_lose_their_middle() -> None:
    font = ImageFont.load_default(13)
    name = "a/very/long/folder/name/and/then/the/file-0001.jpg"
    short = shorten(name, 120, font)
    assert font.getlength(short) <= 120
    assert short.startswith("a/very")
    assert short.endswith("0001.jpg")
    assert "..." in short
    assert shorten("a.jpg", 120, font) == "a.jpg"
    assert shorten("two\nlines", 120, font) == "two lines"
    assert shorten(name, 2, font) == ""


def test_no_tiles_or_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="found none"):
        contact_sheet([], 3, 40)
    with pytest.raises(UsageError, match="columns and a width"):
        contact_sheet([("a", [plain(2, 2, (0, 0, 0))])], 0, 40)
