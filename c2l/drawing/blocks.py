"""Maps of parts in a terminal: half-blocks in its colours, letters where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from c2l.drawing.palette import part_colours

# Most characters per row of a map, and most rows.
COLUMNS, ROWS = 48, 30
# A character is about twice as high as it is wide.
_ASPECT = 2
_LETTERS = ".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UPPER_HALF = "\N{UPPER HALF BLOCK}"


def draw(
    maps: Sequence[tuple[str, NDArray[np.integer]]], names: Sequence[str], file: TextIO
) -> None:
    """Draw maps of parts with their legend.

    In true colour, 256 or 16 colours, as the terminal says; ``NO_COLOR``, no terminal, and an
    encoding without half-blocks give letters.

    Args:
        maps: name and (h, w) ids of each.
        names: of the ids.
        file: the terminal.
    """
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    coloured = bool(console.color_system) and not console.no_color
    coloured &= console.encoding.startswith("utf")
    colours = [tuple(map(int, rgb)) for rgb in part_colours(max(1, min(len(names), 255)))]
    seen = sorted({int(i) for _, ids in maps for i in np.unique(ids) if i < len(colours)})
    for title, ids in maps:
        console.print(Text(title))
        for line in _lines(ids, min(COLUMNS, console.width), colours, coloured):
            console.print(line, no_wrap=True, overflow="crop")
    legend = Text()
    for i in seen:
        mark = Text("\N{FULL BLOCK}\N{FULL BLOCK}", _rgb(colours[i])) if coloured else _letter(i)
        legend.append_text(Text.assemble(mark, f" {names[i]}  "))
    console.print(legend)


def _lines(
    ids: NDArray[np.integer],
    columns: int,
    colours: Sequence[tuple[int, ...]],
    coloured: bool,
) -> list[Text]:
    """A line per row of characters; a half-block is one pixel over another."""
    height, width = ids.shape
    columns = max(1, min(columns, width, ROWS * _ASPECT * width // height))
    rows = max(1, round(height * columns / width / _ASPECT))
    small = ids[_places(height, rows * 2)][:, _places(width, columns)]
    if not coloured:
        return [Text("".join(map(_letter, row))) for row in small[::2].tolist()]
    lines = []
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        line = Text()
        for a, b in zip(upper, lower, strict=True):
            above, below = (_rgb(colours[i]) if i < len(colours) else "default" for i in (a, b))
            line.append(_UPPER_HALF, f"{above} on {below}")
        lines.append(line)
    return lines


def _places(length: int, count: int) -> NDArray[np.int64]:
    """The middles of ``count`` equal pieces."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)


def _rgb(colour: Sequence[int]) -> str:
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"


def _letter(part: int) -> str:
    return _LETTERS[part] if part < len(_LETTERS) else "?"
