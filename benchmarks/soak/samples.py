"""Small real artifacts of every kind, made by the public writers, for the fuzzer to damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from c2l import schema
from c2l.artifacts.clusters import Clusters, write_clusters
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.runs import Run
from c2l.artifacts.targets import write_targets
from c2l.artifacts.tensors import save_tensors
from c2l.runtime.json_files import write_json

NAMES = tuple(f"below/photo {i:02} ä.jpg" for i in range(6))


def make_samples(folder: Path, seed: int = 0) -> list[Path]:
    """One file of each kind; the name's stem tells the worker how to read it."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _features(folder / "features.h5", random)
    _clusters(folder / "kmeans.h5", "kmeans", random)
    _clusters(folder / "nmf.h5", "nmf", random)
    _targets(folder / "targets.h5", random)
    _tensors(folder, random)
    _json(folder, random)
    _images(folder, random)
    return sorted(path for path in folder.iterdir() if path.is_file())


def _features(path: Path, random: Any) -> None:
    layout = StoreLayout(NAMES, (6, 5), 8, views=True)
    stored = (schema.FEATURES, schema.FEATURES_VIEW1, schema.FEATURES_VIEW2)
    with write_features(path, layout, {"layer": "fpn", "seed": 0}, {"backbone": "tiny"}) as writer:
        for index in range(len(NAMES)):
            arrays = {n: random.normal(size=(6, 5, 8)).astype(np.float16) for n in stored}
            arrays[schema.ORIG_SIZE] = np.array([96, 64 + index], np.int32)
            arrays[schema.IMAGE_SHA256] = np.bytes_(random.bytes(32).hex().encode())
            writer.write(index, arrays)
        extras = {schema.SKIPPED: np.array(["broken.jpg\tno image"], dtype=object)}
        writer.finish(np.arange(len(NAMES)), extras, {schema.ATTR_INPUTS: "f" * 64})


def _clusters(path: Path, method: str, random: Any) -> None:
    def centroids() -> Any:
        return random.normal(size=(5, 8)).astype(np.float32)

    with write_clusters(path) as writer:
        writer.assignments(len(NAMES), (6, 5), 5)
        for index in range(len(NAMES)):
            writer.store(index, random.integers(0, 5, (6, 5)))
        writer.finish(
            Clusters(
                centroids=centroids(),
                counts=random.integers(1, 99, 5),
                objective=[9.0, 4.5],
                config={"method": method, "features": {"layer": "layer4"}},
                attributes={"weights_sha256": "a" * 64},
                views=(centroids(), centroids()) if method == "kmeans" else None,
                groups=np.array([0, 1, 2, 1, 0], np.uint8) if method == "kmeans" else None,
                names=NAMES,
            )
        )


def _targets(path: Path, random: Any) -> None:
    with write_targets(path, len(NAMES), {"epoch": 3}) as writer:
        for view in (0, 1):
            labels = random.integers(0, 5, (len(NAMES), 6, 5)).astype(np.uint8)
            writer.store(view, np.arange(len(NAMES)), labels)
            centroids = random.normal(size=(5, 8)).astype(np.float32)
            writer.finish(view, centroids, random.integers(1, 99, 5))


def _tensors(folder: Path, random: Any) -> None:
    import torch

    tensors = {
        "model.weight": torch.from_numpy(random.normal(size=(6, 7)).astype(np.float32)),
        "model.half": torch.from_numpy(random.normal(size=9).astype(np.float16)),
        "counts": torch.arange(5),
    }
    save_tensors(folder / "predictor.safetensors", tensors, {"format": schema.FORMAT_PREDICTOR})
    torch.save({"epoch": 1, "state_dict": tensors}, folder / "weights.pth")
    torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)


def _json(folder: Path, random: Any) -> None:
    Run.create(folder / "run", {"options": {"seed": 0, "clusters": 5}}, overwrite=True)
    (folder / "run" / schema.RUN_CONFIG).rename(folder / "config.json")
    (folder / "run").rmdir()
    fractions = {"miou": 0.5, "pixel_accuracy": 0.75, "mean_class_accuracy": 0.625}
    scored = {**fractions, "iou": {"background": 0.5, "upper": None}}
    matching = {"clusters_to_classes": [0, 1, -1]}
    counts = random.integers(0, 99, (3, 2)).tolist()
    write_json(
        folder / "eval.json",
        {
            "format": schema.FORMAT_EVAL,
            "format_version": schema.FORMAT_VERSION,
            **scored,
            "classes": ["background", "upper"],
            "confusion": counts,
            "confusion_raw": counts,
            "matching": {"kind": "hungarian", **matching},
            "hungarian": scored,
            "many_to_one": {**scored, **matching},
            "intervals": {"miou": [0.25, 0.75]},
            "label_space": {"name": "own", "names": ["background", "upper"]},
            "lineage": {"predictor_sha256": "a" * 64, "options": {"merge": "fine"}},
        },
        sealed=True,
    )


def _images(folder: Path, random: Any) -> None:
    pixels = random.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    Image.fromarray(pixels).save(folder / "photo.jpg", quality=90)
    Image.fromarray(pixels).save(folder / "turned.jpg", progressive=True, exif=_turned())
    Image.fromarray(pixels).save(folder / "photo.webp", lossless=True)
    mask = Image.fromarray((pixels[..., 0] % 4).astype(np.uint8)).convert("P")
    mask.save(folder / "mask.png")


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
