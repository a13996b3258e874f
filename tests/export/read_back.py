"""Reads masks by the readers of other projects; runs in an environment of theirs, without c2l.

    python read_back.py FOLDER PHOTOS OUT

Every file of annotations in FOLDER goes into OUT/KIND/PHOTO.npz, a mask of 0 and 1 for each label.

Needs datumaro (VOC, CVAT, COCO) and label-studio-converter (brush masks).
"""

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np


def save(out: Path, photo: str, masks: dict[str, np.ndarray]) -> None:
    path = out / f"{Path(photo).with_suffix('').as_posix()}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **masks)


def by_datumaro(source: str, kind: str, out: Path) -> None:
    from datumaro import Dataset
    from datumaro.components.annotation import AnnotationType, Mask, Polygon
    from pycocotools import mask as runs

    data = Dataset.import_from(source, kind)
    labels = [one.name for one in data.categories()[AnnotationType.label].items]
    for item in data:
        masks: dict[str, np.ndarray] = {}
        for one in item.annotations:
            name = labels[one.label]
            if isinstance(one, Mask):
                mask = np.asarray(one.image).astype(np.uint8)
            elif isinstance(one, Polygon):
                height, width = item.media.size
                mask = runs.decode(runs.frPyObjects([one.points], height, width))[..., 0]
            else:
                continue  # the box around a part
            masks[name] = masks.get(name, 0) | mask
        save(out, item.id, masks)


def by_label_studio(source: Path, out: Path) -> None:
    from label_studio_converter.brush import decode_rle
    from pycocotools import mask as runs

    for task in json.loads(source.read_text(encoding="utf-8")):
        photo, masks = unquote(task["data"]["image"].split("?d=")[1]), {}
        for result in task["predictions"][0]["result"]:
            value, kind = result["value"], result["type"]
            height, width = result["original_height"], result["original_width"]
            if kind == "brushlabels":
                mask = decode_rle(value["rle"]).reshape(height, width, 4)[..., 3] > 0
            else:
                points = np.array(value["points"]) * [width / 100, height / 100]
                mask = runs.decode(runs.frPyObjects([points.ravel().tolist()], height, width))
                mask = mask[..., 0]
            name = value[kind][0]
            masks[name] = masks.get(name, 0) | mask.astype(np.uint8)
        save(out, photo, masks)


def main(folder: Path, photos: Path, out: Path) -> None:
    if (folder / "voc").is_dir():
        by_datumaro(str(folder / "voc"), "voc_segmentation", out / "voc")
    if (folder / "cvat.xml").is_file():
        place = out / "for_cvat"
        place.mkdir(parents=True)
        shutil.copyfile(folder / "cvat.xml", place / "annotations.xml")
        (place / "images").symlink_to(photos)
        by_datumaro(str(place / "annotations.xml"), "cvat", out / "cvat")
    if (folder / "coco.json").is_file():
        place = out / "for_coco" / "annotations"
        place.mkdir(parents=True)
        shutil.copyfile(folder / "coco.json", place / "instances_all.json")
        (place.parent / "images").mkdir()
        (place.parent / "images" / "all").symlink_to(photos)
        by_datumaro(str(place.parent), "coco_instances", out / "coco")
    if (folder / "labelstudio.json").is_file():
        by_label_studio(folder / "labelstudio.json", out / "labelstudio")


if __name__ == "__main__":
    main(*(Path(word).absolute() for word in sys.argv[1:]))
