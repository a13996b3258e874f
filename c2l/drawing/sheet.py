"""Contact sheets: many photos with their predictions in one image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from c2l.errors import UsageError

_PAPER = (250, 250, 248)
_INK = (44, 46, 52)
_GAP = 14
_PANEL_GAP = 3
_FONT_SIZE = 13
_CAPTION = 20
_SWATCH = 14
# Largest ratio of height to width of a panel; taller photos are made narrower.
_MAX_ASPECT = 2.0


def contact_sheet(
    tiles: Iterable[tuple[str, list[NDArray[np.uint8]]]],
    columns: int,
    tile_width: int,
    *,
    legend: Sequence[tuple[str, Sequence[int]]] = (),
) -> Image.Image:
    """Tiles of panels side by side, with captions and a legend at the bottom.

    Panels are resized to one width as they are read, so memory holds only the resized ones.

    Args:
        tiles: caption and panels (photo, overlay, ground truth), (H, W, 3) uint8 RGB of any size.
        columns: tiles per row.
        tile_width: width of a panel in pixels.
        legend: name and RGB of each part.

    Returns:
        An RGB image.

    Raises:
        UsageError: there are no tiles, or a size is below 1.
    """
    if columns < 1 or tile_width < 1:
        raise UsageError(f"expected columns and a width, found {columns} and {tile_width}")
    fitted = [(caption, [_fit(panel, tile_width) for panel in panels]) for caption, panels in tiles]
    if not fitted:
        raise UsageError("expected tiles for a contact sheet, found none")
    font = ImageFont.load_default(_FONT_SIZE)
    panels_each = max(len(panels) for _, panels in fitted)
    tile = panels_each * tile_width + (panels_each - 1) * _PANEL_GAP
    rows = [fitted[i : i + columns] for i in range(0, len(fitted), columns)]
    heights = [max((p.height for _, panels in row for p in panels), default=0) for row in rows]
    across = min(columns, len(fitted))
    width = across * tile + (across + 1) * _GAP
    legend_rows = _legend_rows(legend, width, font)
    foot = _GAP + len(legend_rows) * (_SWATCH + _GAP) if legend_rows else 0
    height = _GAP + sum(height + _CAPTION + _GAP for height in heights) + foot
    sheet = Image.new("RGB", (width, height), _PAPER)
    top = _GAP
    for row, row_height in zip(rows, heights, strict=True):
        for index, (caption, panels) in enumerate(row):
            left = _GAP + index * (tile + _GAP)
            _draw_tile(sheet, (left, top), (tile_width, row_height), caption, panels, font)
        top += row_height + _CAPTION + _GAP
    _draw_legend(sheet, top, legend_rows, font)
    return sheet


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _fit(panel: NDArray[np.uint8], width: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(panel))
    scale = min(width / image.width, _MAX_ASPECT * width / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    panel_box: tuple[int, int],
    caption: str,
    panels: list[Image.Image],
    font: Font,
) -> None:
    left, top = corner
    width, height = panel_box
    for index, panel in enumerate(panels):
        x = left + index * (width + _PANEL_GAP) + (width - panel.width) // 2
        sheet.paste(panel, (x, top + height - panel.height))
    room = len(panels) * width + max(0, len(panels) - 1) * _PANEL_GAP
    text = shorten(caption, room, font)
    ImageDraw.Draw(sheet).text((left, top + height + 3), text, fill=_INK, font=font)


def shorten(text: str, room: float, font: Font) -> str:
    """The text, with dots in place of its middle if it is wider than ``room`` pixels."""
    text = " ".join(text.split())
    if font.getlength(text) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: kept // 2] + "..." + text[len(text) - (kept - kept // 2) :]
        if font.getlength(short) <= room:
            return short
    return ""


Entry = tuple[str, tuple[int, int, int], int]


def _legend_rows(
    legend: Sequence[tuple[str, Sequence[int]]], width: int, font: Font
) -> list[list[Entry]]:
    """Name, colour and left edge of each entry, wrapped to the width of the sheet."""
    rows: list[list[Entry]] = []
    left = width
    for name, rgb in legend:
        label = shorten(name, width - 2 * _GAP - 2 * _SWATCH, font)
        room = _SWATCH + 6 + round(font.getlength(label)) + _GAP
        if left + room > width:
            rows.append([])
            left = _GAP
        rows[-1].append((label, (int(rgb[0]), int(rgb[1]), int(rgb[2])), left))
        left += room
    return rows


def _draw_legend(sheet: Image.Image, top: int, rows: list[list[Entry]], font: Font) -> None:
    draw = ImageDraw.Draw(sheet)
    for row in rows:
        for label, rgb, left in row:
            box = (left, top, left + _SWATCH - 1, top + _SWATCH - 1)
            draw.rounded_rectangle(box, 3, fill=rgb)
            draw.text((left + _SWATCH + 6, top - 1), label, fill=_INK, font=font)
        top += _SWATCH + _GAP
