#!/usr/bin/env python3
"""Find the parts in a photo with an exported predictor: onnxruntime, NumPy and Pillow suffice.

c2l export drawn -o model.onnx
python examples/run_onnx.py model.onnx photo.jpg labels.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def main(model: str, photo: str, output: str) -> None:
    """Write the labels as a grey PNG and print the share of each part."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
    with Image.open(photo) as image:
        pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    scores, labels = session.run(["scores", "labels"], {"photo": pixels})
    assert scores.shape == (len(names), *labels.shape)
    Image.fromarray(labels.astype(np.uint8)).save(output)
    counts = np.bincount(labels.ravel(), minlength=len(names))
    print(json.dumps({name: int(count) for name, count in zip(names, counts, strict=True)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
