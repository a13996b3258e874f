"""Masks as indexed PNGs in the Pascal VOC colours, and their legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c2l.drawing.palette import pascal_palette
from c2l.errors import UsageError
from c2l.runtime.files import replacing
from c2l.runtime.json_files import write_json
from c2l.schema import FORMAT_MASKS, FORMAT_VERSION, IGNORE


def write_indexed_png(path: Path, mask: NDArray[np.uint8], palette: Sequence[int]) -> None:
    """Write a mask as an indexed PNG whose pixel values are the label ids.

    Args:
        path: the output.
        mask: (H, W) uint8 label ids; 255 means ignore.
        palette: red, green and blue of each id, up to 768 integers in 0..255.

    Raises:
        UsageError: the mask is not (H, W) uint8.
        OutputError: the file cannot be written.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
        raise UsageError(f"expected a (H, W) uint8 mask, found {mask.dtype} {mask.shape}")
    image = Image.fromarray(np.ascontiguousarray(mask))
    image.putpalette(list(palette))
    with replacing(path) as partial:
        image.save(partial, format="PNG")


def write_legend(
    path: Path,
    entries: Sequence[tuple[int, str, Sequence[int]]],
    made_from: Mapping[str, Any] | None = None,
) -> None:
    """Write the legend of the ids in a folder of masks as JSON.

    Args:
        path: the output.
        entries: id, name and RGB of each label, sorted by id.
        made_from: more keys, on the origin of the masks.

    Raises:
        OutputError: the file cannot be written.
    """
    legend = {
        "format": FORMAT_MASKS,
        "format_version": FORMAT_VERSION,
        "ignore": IGNORE,
        "labels": [
            {"id": int(label), "name": name, "rgb": [int(value) for value in rgb]}
            for label, name, rgb in entries
        ],
        **(made_from or {}),
    }
    write_json(path, legend)


@dataclass(frozen=True)
class Legend:
    """What the ids in the written masks mean.

    Attributes:
        table: (256,) uint8 from cluster to id.
        names: of the ids.
        colours: (n, 3) uint8.
        named_by: what gave the clusters their names.
    """

    table: NDArray[np.uint8]
    names: tuple[str, ...]
    colours: NDArray[np.uint8]
    named_by: str

    @property
    def entries(self) -> list[tuple[int, str, list[int]]]:
        """Id, name and colour in the masks, which is the field's: Pascal VOC's."""
        palette = pascal_palette()
        return [(i, n, palette[3 * i : 3 * i + 3]) for i, n in enumerate(self.names)]

    @property
    def overlay(self) -> list[tuple[str, Sequence[int]]]:
        """Name and colour of each id."""
        return [(n, tuple(map(int, c))) for n, c in zip(self.names, self.colours, strict=True)]
