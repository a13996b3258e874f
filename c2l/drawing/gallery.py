"""The photos of a report as its page shows them, and crops of each part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from c2l.drawing.content import ReportContent, Tile
from c2l.drawing.thumbnails import crop_uri, layer_uri, photo_uri

# Most crops of a part, and most parts with crops.
CROPS = 8
MOST_SHEETS = 32
# A part is in a photo from this share of its pixels on.
PRESENT = 0.002


@dataclass(frozen=True)
class Picture:
    """A photo on the page.

    Attributes:
        tile: the photo.
        photo, parts, labels: data URIs.
        shares: share of the photo's pixels of each part of the legend.
    """

    tile: Tile
    photo: str
    parts: str
    labels: str | None
    shares: list[float]


@dataclass(frozen=True)
class Sheet:
    """Crops of a part, those of its largest shares of a photo first.

    Attributes:
        index: of the part in the legend.
        name: of the part.
        photos: photos of the page in which it is.
        crops: name of the photo, and data URI.
    """

    index: int
    name: str
    photos: int
    crops: list[tuple[str, str]]


class Gallery:
    """Reads the tiles once, one at a time; the sheets are whole when it has been read."""

    def __init__(self, content: ReportContent) -> None:
        self._content = content
        self._colours = [colour for _, colour in content.legend]
        self._crops: dict[int, list[tuple[float, str, str]]] = {}
        self._photos: dict[int, int] = {}

    def __iter__(self) -> Iterator[Picture]:
        for tile in self._content.tiles:
            counts = np.bincount(tile.parts.ravel(), minlength=256)[: len(self._colours)]
            shares = (counts / tile.parts.size).tolist()
            self._keep_crops(tile, shares)
            yield Picture(
                tile,
                photo_uri(tile.photo),
                self._layer(tile.parts),
                None if tile.labels is None else self._layer(tile.labels),
                [round(share, 4) for share in shares],
            )

    def _layer(self, mask: NDArray[np.uint8]) -> str:
        content = self._content
        return layer_uri(mask, self._colours, content.opacity, background=content.background)

    def _keep_crops(self, tile: Tile, shares: list[float]) -> None:
        for part, share in enumerate(shares):
            if share < PRESENT or (part == 0 and self._content.background):
                continue
            self._photos[part] = self._photos.get(part, 0) + 1
            kept = self._crops.setdefault(part, [])
            if len(kept) == CROPS and kept[-1][0] >= share:
                continue
            kept.append((share, tile.name, crop_uri(tile.photo, tile.parts == part)))
            kept.sort(key=lambda crop: -crop[0])
            del kept[CROPS:]

    def sheets(self) -> list[Sheet]:
        """Crops of each part that was seen, in the order of the legend."""
        parts = sorted(self._crops)[:MOST_SHEETS]
        return [
            Sheet(
                part,
                self._content.legend[part][0],
                self._photos[part],
                [(name, uri) for _, name, uri in self._crops[part]],
            )
            for part in parts
        ]
