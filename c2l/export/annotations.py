"""Masks in the formats of annotation tools and data sets, photo by photo."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from c2l import __version__
from c2l.data.masks import read_mask
from c2l.data.shapes import run_lengths
from c2l.drawing.masks import Legend, write_indexed_png
from c2l.drawing.palette import pascal_palette
from c2l.export.brush import brush_bytes
from c2l.export.outlines import Points, polygons
from c2l.runtime.files import output_errors
from c2l.runtime.pool import ordered_map
from c2l.runtime.progress import progress
from c2l.schema import IGNORE, PARTS

Mask = NDArray[np.uint8]
Entry = Any
Colours = NDArray[np.uint8]
# What Pascal VOC calls 255.
VOID = "ignored"
# Decimals of a pixel, or of a percent of Label Studio.
DECIMALS, PERCENT_DECIMALS = 2, 6


class Exchange(ABC):
    """A format of masks, written photo by photo; nothing of earlier photos is held.

    The background has no shapes: where there are none, it is. Ids that no part has are left out.

    Args:
        folder: to write to.
        names: of the ids.
        colours: (n, 3) uint8 of the names.
        shapes: ``rle`` for the exact pixels, ``polygon`` for outlines.
        tolerance: of outlines, in pixels.
    """

    def __init__(
        self, folder: Path, names: tuple[str, ...], colours: Colours, shapes: str, tolerance: float
    ) -> None:
        self.folder, self.names, self.colours = folder, names, colours
        self.polygon, self.tolerance = shapes == "polygon", tolerance
        # Clusters have no background.
        self.first = 1 if names[0] == PARTS[0] else 0
        self.open()

    @abstractmethod
    def open(self) -> None:
        """Begin the files."""

    @abstractmethod
    def entry(self, name: str, mask: Mask) -> Entry:
        """What a photo adds; safe to call from many threads.

        Args:
            name: path of the photo below the folder of photos.
            mask: (H, W) ids at the photo's own size.
        """

    @abstractmethod
    def append(self, entry: Entry) -> None:
        """Add a photo."""

    @abstractmethod
    def close(self) -> None:
        """Finish the files."""

    def parts(self, mask: Mask) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Each id that a mask shows, background and 255 apart, with its pixels."""
        for index in np.unique(mask).tolist():
            if self.first <= index < min(len(self.names), IGNORE):
                yield index, mask == index

    def outlines(self, pixels: NDArray[np.bool_]) -> list[Points]:
        """Polygons of a part."""
        return polygons(pixels, self.tolerance)


class Coco(Exchange):
    """COCO's instances: an annotation per part and photo; ids of categories are those of masks.

    Clusters count from 1, since a category 0 is a background to some readers.
    """

    def open(self) -> None:
        self._file = (self.folder / "coco.json").open("w", encoding="utf-8")
        self._annotations = (self.folder / ".annotations").open("w+", encoding="utf-8")
        self._images = self._shapes = 0
        about = {"description": f"parts found by c2l {__version__}"}
        shown = range(self.first, len(self.names))
        kinds = [
            {"id": i + 1 - self.first, "name": self.names[i], "supercategory": "part"}
            for i in shown
        ]
        self._file.write(f'{{"info": {json.dumps(about)}, "licenses": [],\n')
        self._file.write(f'"categories": {json.dumps(kinds)},\n"images": [')

    def entry(self, name: str, mask: Mask) -> Entry:
        height, width = mask.shape
        shapes = []
        for index, pixels in self.parts(mask):
            rows, columns = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0))
            box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
            outline: Any = {"size": [height, width], "counts": run_lengths(pixels.T.ravel())}
            if self.polygon:
                outline = [np.round(p, DECIMALS).ravel().tolist() for p in self.outlines(pixels)]
            shapes.append(
                {
                    "category_id": index + 1 - self.first,
                    "bbox": [int(n) for n in box],
                    "area": int(pixels.sum()),
                    "iscrowd": 0,
                    "segmentation": outline,
                }
            )
        return {"file_name": name, "width": width, "height": height}, shapes

    def append(self, entry: Entry) -> None:
        photo, shapes = entry
        self._images += 1
        _row(self._file, {"id": self._images, **photo}, first=self._images == 1)
        for shape in shapes:
            self._shapes += 1
            own = {"id": self._shapes, "image_id": self._images}
            _row(self._annotations, own | shape, first=self._shapes == 1)

    def close(self) -> None:
        self._annotations.seek(0)
        self._file.write('\n],\n"annotations": [')
        shutil.copyfileobj(self._annotations, self._file)
        self._file.write("\n]}\n")
        self._file.close()
        self._annotations.close()
        (self.folder / ".annotations").unlink()


class Cvat(Exchange):
    """CVAT for images 1.1, with the task's labels as CVAT's constructor of labels takes them."""

    def open(self) -> None:
        shown = range(self.first, len(self.names))
        labels = [
            {"name": self.names[i], "color": _hex(self.colours[i]), "type": "any", "attributes": []}
            for i in shown
        ]
        text = json.dumps(labels, indent=1) + "\n"
        (self.folder / "cvat_labels.json").write_text(text, encoding="utf-8")
        self._file = (self.folder / "cvat.xml").open("w", encoding="utf-8")
        self._images = 0
        self._file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        self._file.write("<version>1.1</version>\n<meta><task><labels>\n")
        for one in labels:
            name, colour = escape(str(one["name"])), one["color"]
            kind = "<type>any</type><attributes></attributes>"
            self._file.write(f"<label><name>{name}</name><color>{colour}</color>{kind}</label>\n")
        self._file.write("</labels></task></meta>\n")

    def entry(self, name: str, mask: Mask) -> Entry:
        height, width = mask.shape
        lines = []
        for index, pixels in self.parts(mask):
            about = f'label={quoteattr(self.names[index])} source="auto" occluded="0"'
            if self.polygon:
                for outline in self.outlines(pixels):
                    points = ";".join(f"{x:.{DECIMALS}f},{y:.{DECIMALS}f}" for x, y in outline)
                    lines.append(f'<polygon {about} points="{points}" z_order="0"></polygon>\n')
                continue
            rows, columns = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0))
            top, left = int(rows[0]), int(columns[0])
            cut = pixels[top : rows[-1] + 1, left : columns[-1] + 1]
            runs = ", ".join(map(str, run_lengths(cut.ravel())))
            place = f'left="{left}" top="{top}" width="{cut.shape[1]}" height="{cut.shape[0]}"'
            lines.append(f'<mask {about} rle="{runs}" {place} z_order="0"></mask>\n')
        head = f'name={quoteattr(name)} width="{width}" height="{height}"'
        return head, "".join(lines)

    def append(self, entry: Entry) -> None:
        head, lines = entry
        self._file.write(f'<image id="{self._images}" {head}>\n{lines}</image>\n')
        self._images += 1

    def close(self) -> None:
        self._file.write("</annotations>\n")
        self._file.close()


class LabelStudio(Exchange):
    """Label Studio's tasks with predictions, and the labelling interface that shows them.

    Photos are named as its local storage serves them, below its document root.
    """

    def open(self) -> None:
        kind = "PolygonLabels" if self.polygon else "BrushLabels"
        shown = range(self.first, len(self.names))
        labels = "".join(
            f"    <Label value={quoteattr(self.names[i])} background={_quoted(self.colours[i])}/>\n"
            for i in shown
        )
        (self.folder / "labelstudio.xml").write_text(
            f'<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <{kind} name="label" toName="image">\n{labels}  </{kind}>\n</View>\n',
            encoding="utf-8",
        )
        self._file = (self.folder / "labelstudio.json").open("w", encoding="utf-8")
        self._file.write("[")
        self._first = True

    def entry(self, name: str, mask: Mask) -> Entry:
        height, width = mask.shape
        results = []
        for index, pixels in self.parts(mask):
            kind = "polygonlabels" if self.polygon else "brushlabels"
            values: list[dict[str, Any]]
            if self.polygon:
                scale = np.array([100 / width, 100 / height])
                values = [
                    {"points": np.round(p * scale, PERCENT_DECIMALS).tolist(), "closed": True}
                    for p in self.outlines(pixels)
                ]
            else:
                values = [{"format": "rle", "rle": brush_bytes(pixels)}]
            results += [
                {
                    "id": f"{index}-{number}",
                    "type": kind,
                    "from_name": "label",
                    "to_name": "image",
                    "original_width": width,
                    "original_height": height,
                    "image_rotation": 0,
                    "value": value | {kind: [self.names[index]]},
                }
                for number, value in enumerate(values)
            ]
        found = {"model_version": f"c2l {__version__}", "result": results}
        place = f"/data/local-files/?d={quote(name)}"
        return {"data": {"image": place}, "predictions": [found]}

    def append(self, entry: Entry) -> None:
        _row(self._file, entry, first=self._first)
        self._first = False

    def close(self) -> None:
        self._file.write("\n]\n")
        self._file.close()


class Voc(Exchange):
    """Pascal VOC's class masks, with the labels' colours and a list of the photos."""

    def open(self) -> None:
        root = self.folder / "voc"
        (root / "ImageSets" / "Segmentation").mkdir(parents=True)
        self._palette = pascal_palette()
        lines = ["# label:color_rgb:parts:actions\n"]
        for index, name in enumerate(self.names):
            colour = ",".join(map(str, self._palette[3 * index : 3 * index + 3]))
            lines.append(f"{name}:{colour}::\n")
        (root / "labelmap.txt").write_text("".join(lines), encoding="utf-8")
        self._ignored = False
        listed = root / "ImageSets" / "Segmentation" / "default.txt"
        self._list = listed.open("w", encoding="utf-8")

    def entry(self, name: str, mask: Mask) -> Entry:
        stem = Path(name).with_suffix("").as_posix()
        path = self.folder / "voc" / "SegmentationClass" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_indexed_png(path, mask, self._palette)
        return stem, bool((mask == IGNORE).any())

    def append(self, entry: Entry) -> None:
        stem, ignored = entry
        self._list.write(f"{stem}\n")
        self._ignored |= ignored

    def close(self) -> None:
        self._list.close()
        if self._ignored:
            colour = ",".join(map(str, self._palette[3 * IGNORE :]))
            with (self.folder / "voc" / "labelmap.txt").open("a", encoding="utf-8") as labels:
                labels.write(f"{VOID}:{colour}::\n")


EXCHANGES: dict[str, type[Exchange]] = {
    "voc": Voc,
    "coco": Coco,
    "cvat": Cvat,
    "labelstudio": LabelStudio,
}


def _row(file: TextIO, value: dict[str, Any], *, first: bool) -> None:
    file.write(f"{'' if first else ','}\n{json.dumps(value)}")


def _hex(colour: NDArray[np.uint8]) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in colour)


def _quoted(colour: NDArray[np.uint8]) -> str:
    return quoteattr(_hex(colour))


def write_exchange(
    kind: str,
    folder: Path,
    photos: Sequence[tuple[str, Path]],
    legend: Legend,
    shapes: str,
    tolerance: float,
    workers: int,
) -> None:
    """Write masks in a format beside themselves.

    Args:
        kind: a key of ``EXCHANGES``.
        folder: to write to.
        photos: name of each photo and its mask.
        legend: names and colours of the ids.
        shapes, tolerance: see ``Exchange``.
        workers: threads; 0 takes all cores.

    Raises:
        OutputError: the files cannot be written.
    """
    with output_errors(folder):
        exchange = EXCHANGES[kind](folder, legend.names, legend.colours, shapes, tolerance)

        def entry(photo: tuple[str, Path]) -> Entry:
            return exchange.entry(photo[0], np.asarray(read_mask(photo[1]), np.uint8))

        with progress(kind, len(photos)) as bar:
            for one in ordered_map(entry, photos, workers=workers):
                exchange.append(one)
                bar.advance()
        exchange.close()
