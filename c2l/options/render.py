"""Options of ``render`` and ``parse``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import option
from c2l.options.shared import (
    CommonOptions,
    FileOptions,
    LabelOptions,
    batch_size_option,
    moved_weights_option,
    on_error_option,
    seen_size_option,
    split_option,
)


@dataclass(frozen=True, kw_only=True)
class ParseOptions(CommonOptions, FileOptions):
    """Options of ``parse``."""

    split: str | None = split_option()
    limit: int = option(
        0, "Draw this many images, evenly spread; 0 draws all.", group="Data", minimum=0
    )
    image_size: int = seen_size_option()
    batch_size: int = batch_size_option(32)
    on_error: str = on_error_option()
    format: str = option(
        "png",
        "Also write the masks for other programs: Pascal VOC, COCO, CVAT or Label Studio.",
        group="Pictures",
        choices=("png", "voc", "coco", "cvat", "labelstudio"),
    )
    shapes: str = option(
        "rle",
        "For coco, cvat and labelstudio: the exact pixels as run lengths, or polygons.",
        group="Pictures",
        choices=("rle", "polygon"),
    )
    tolerance: float = option(
        1.0,
        "Pixels by which polygons may leave the parts' borders; 0 keeps every corner.",
        group="Pictures",
        minimum=0.0,
    )
    opacity: float = option(
        0.55, "Opacity of the overlays.", group="Pictures", minimum=0.0, maximum=1.0
    )
    sheet: int = option(
        24,
        "Images on the contact sheets, 48 each, and in the report, which shows at most 200 evenly "
        "spread ones; 0 shows all.",
        group="Pictures",
        minimum=0,
    )


@dataclass(frozen=True, kw_only=True)
class RenderOptions(ParseOptions, LabelOptions):
    """Options of ``render``."""

    weights: str | None = moved_weights_option()
    scores: str | None = option(
        None,
        "Name the clusters by this eval.json, and show its scores in the report.",
        group="Pictures",
        metavar="FILE",
        reads="path",
        role="scores",
    )
