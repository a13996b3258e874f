"""Writes a set of synthetic people to disk in the layout of ATR."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from c2l.errors import OutputError
from c2l.options import SynthOptions
from c2l.runtime.files import output_errors, replacing_folder, sync
from c2l.schema import FORMAT_SYNTH, FORMAT_VERSION, SYNTH_MARKER
from c2l.synth.chance import Part, stream
from c2l.synth.scene import draw
from c2l.synth.stream import ahead

JPEG_QUALITY = 92


def write_synthetic_set(
    out: Path,
    options: SynthOptions,
    *,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `JPEGImages/`, `SegmentationClassAug/` and `ImageSets/Segmentation/` of a new set.

    The same options give the same bytes whatever the number of workers. `out` appears, or is
    replaced, only once everything in it is written.

    Args:
        out: folder to make.
        options: how many images, how large, which seed, how many worker processes.
        replace: whether `out` may exist.
        progress: called with (images done, images in all).

    Returns:
        `out`.

    Raises:
        OutputError: the folder cannot be written (exists, not permitted, disk full).
        UsageError: options that cannot be.
    """
    options.check()
    if out.exists() and not replace:
        raise OutputError(f"{out}: exists already", hint="choose another folder")
    with replacing_folder(out) as partial, output_errors(out):
        _fill(partial, options, progress)
    return out


def _fill(folder: Path, options: SynthOptions, progress: Callable[[int, int], None] | None) -> None:
    images, masks = folder / "JPEGImages", folder / "SegmentationClassAug"
    splits = folder / "ImageSets" / "Segmentation"
    for part in (images, masks, splits):
        part.mkdir(parents=True)
    for done, (picture, labels) in enumerate(_encoded(options), start=1):
        name = scene_name(done - 1, options.count)
        _write(images / f"{name}.jpg", picture)
        _write(masks / f"{name}.png", labels)
        if progress is not None:
            progress(done, options.count)
    marker = {"format": FORMAT_SYNTH, "format_version": FORMAT_VERSION, "seed": options.seed}
    _write(folder / SYNTH_MARKER, (json.dumps(marker) + "\n").encode())
    for split, names in split_names(options).items():
        _write(splits / f"{split}.txt", "".join(f"{name}\n" for name in names).encode())


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    sync(path)


def _encoded(options: SynthOptions) -> Iterator[tuple[bytes, bytes]]:
    """Every scene as JPEG and PNG bytes, in order."""
    workers = min(options.workers or os.cpu_count() or 1, options.count)
    encode = partial(encode_scene, options.seed, options.image_size)
    return ahead(encode, range(options.count), workers=0 if workers == 1 else workers)


def encode_scene(seed: int, width: int, index: int) -> tuple[bytes, bytes]:
    """One scene as the bytes of its JPEG picture and of its indexed PNG mask."""
    picture, labels = draw(seed, index, width, width * 3 // 2)
    jpeg, png = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture).save(jpeg, "JPEG", quality=JPEG_QUALITY)
    mask = Image.fromarray(labels)
    mask.putpalette(mask_palette())
    mask.save(png, "PNG")
    return jpeg.getvalue(), png.getvalue()


def mask_palette() -> bytes:
    """The field's palette (Pascal VOC): the bits of an id spread over red, green and blue."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            set_ = (ids >> (3 * bit + channel)) & 1
            colours[:, channel] |= (set_ << (7 - bit)).astype(np.uint8)
    return colours.tobytes()


def scene_name(index: int, count: int) -> str:
    """Name of a scene's files without suffix; names sort in the order of their indices."""
    return f"{index:0{max(4, len(str(count - 1)))}d}"


def split_names(options: SynthOptions) -> dict[str, list[str]]:
    """Names of the scenes in each split, a random choice that depends on the seed alone."""
    held = min(round(options.count * options.val_share), options.count)
    order = stream(options.seed, 0, Part.SPLIT).permutation(options.count)
    chosen = {int(i) for i in order[:held]}
    splits: dict[str, list[str]] = {"train": [], "val": []}
    for index in range(options.count):
        splits["val" if index in chosen else "train"].append(scene_name(index, options.count))
    return splits
