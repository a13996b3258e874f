"""Writes a predictor as ONNX or as a program of torch.export, and checks it against ours."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from c2l import __version__
from c2l.artifacts.networks import INFO, ONNX, graph_digest
from c2l.data.images import rgb_in_memory
from c2l.errors import C2LError, UsageError
from c2l.export.graph import PhotoNetwork
from c2l.model.predictor import Predictor

# What an exported predictor is called with, and what it returns.
PHOTO, SCORES, LABELS = "photo", "scores", "labels"
# The format's newest opset that has antialiased resizing in all its inputs as written here.
OPSET = 20
# Largest difference to our predictor's scores on the pictures of the check, relative to the largest
# score above 1. The sharpening is an iteration that enlarges differences in rounding.
BOUND, SHARPENED_BOUND = 0.02, 0.1
# Largest share of pixels with another label.
LABELS_BOUND = 0.01

Photo = NDArray[np.uint8]
Found = tuple[NDArray[np.float32], NDArray[Any]]
Runner = Callable[[Photo], Found]
Writer = Callable[[dict[str, Any]], bytes]


class ExportDiffersError(C2LError):
    """The exported network computes something else than our predictor: a bug, here or there."""


@dataclass(frozen=True)
class Agreement:
    """How far an exported predictor is from ours on the pictures of the check.

    Attributes:
        largest_difference: of two scores, relative to the largest score above 1.
        labels_differing: largest share of a picture's pixels.
        bound: of the difference.
        by: what ran it.
    """

    largest_difference: float
    labels_differing: float
    bound: float
    by: str


def require_extra() -> None:
    """Stop before any work where ONNX files cannot be written or run.

    Raises:
        UsageError: a package is missing.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(name)
        except ImportError:
            hint = 'install it: pip install "c2l[onnx]", or export as .pt2'
            raise UsageError(f".onnx needs the package {name}", hint=hint) from None


def program_of(predictor: Predictor) -> torch.export.ExportedProgram:
    """The graph of a predictor, for photos of any height and width.

    Raises:
        UsageError: a network that torch.export cannot follow.
    """
    size = predictor.encoder.image_size
    # Sides that are no multiples, so that none is taken for a constant.
    example = torch.zeros(size + 77, size // 2 + 13, 3, dtype=torch.uint8)
    sides = {0: torch.export.Dim("height", min=2), 1: torch.export.Dim("width", min=2)}
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                PhotoNetwork(predictor).eval(), (example,), dynamic_shapes=(sides,)
            )
    except (RuntimeError, torch._dynamo.exc.TorchDynamoException, ValueError) as error:
        first = str(error).split("\n", 1)[0]
        name = predictor.origin.path
        raise UsageError(f"{name}: torch cannot export this network: {first}") from None
    for node in program.graph.nodes:
        # Paths of this machine.
        node.meta.pop("stack_trace", None)
    return program


def writer_of(program: torch.export.ExportedProgram, suffix: str) -> Writer:
    """Gives the file of a program, with what it says of itself in its metadata."""
    if suffix == ONNX:
        proto = _onnx_model(program)
        return lambda info: _onnx_bytes(proto, info)
    return lambda info: _program_bytes(program, info)


def _onnx_model(program: torch.export.ExportedProgram) -> Any:
    with _quiet():
        made = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[PHOTO],
            output_names=[SCORES, LABELS],
        )
    assert made is not None
    for node in made.model.graph.all_nodes():
        node.metadata_props.clear()  # source lines of this machine
        node.doc_string = None
    proto = made.model_proto
    proto.producer_name, proto.producer_version = "c2l", __version__
    _name_sides(proto.graph)
    return proto


def _onnx_bytes(proto: Any, info: dict[str, Any]) -> bytes:
    del proto.metadata_props[:]
    entries = {INFO: json.dumps({**info, "graph_sha256": graph_digest(proto)}, sort_keys=True)}
    for key, value in {**entries, "names": json.dumps(info["names"])}.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _name_sides(graph: Any) -> None:
    """Call the symbols of the photo's sides by their names in all declared shapes."""
    sides = [d.dim_param for d in graph.input[0].type.tensor_type.shape.dim[:2]]
    names = dict(zip(sides, ("height", "width"), strict=True))
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]


def _program_bytes(program: torch.export.ExportedProgram, info: dict[str, Any]) -> bytes:
    made = io.BytesIO()
    with _quiet():
        torch.export.save(program, made, extra_files={INFO: json.dumps(info, sort_keys=True)})
    return made.getvalue()


def runner_of(data: bytes, suffix: str) -> tuple[Runner, str]:
    """Runs an exported file as other programs do, and the name of what runs it."""
    if suffix == ONNX:
        import onnxruntime

        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

        def run(photo: Photo) -> Found:
            scores, labels = session.run([SCORES, LABELS], {PHOTO: photo})
            return scores, labels

        return run, f"onnxruntime {onnxruntime.__version__}"
    with _quiet():
        module = torch.export.load(io.BytesIO(data)).module()

    def call(photo: Photo) -> Found:
        with torch.no_grad():
            scores, labels = module(torch.from_numpy(photo))
        return scores.numpy(), labels.numpy()

    return call, f"torch {torch.__version__}"


def check(run: Runner, by: str, predictor: Predictor) -> Agreement:
    """Compare an exported predictor with ours on pictures of colour and noise of three shapes.

    Raises:
        ExportDiffersError: beyond the bounds.
    """
    ours = PhotoNetwork(predictor).predictor
    side = ours.encoder.image_size
    bound = BOUND if ours.sharpen is None else SHARPENED_BOUND
    difference = labels = 0.0
    shapes = ((side + side // 2, side // 2 + 1), (side - 5, 2 * side), (side // 3, side // 2))
    for seed, shape in enumerate(shapes):
        photo = _picture(seed, shape)
        small, _ = rgb_in_memory(photo, size=side)
        wanted = full_scores(ours, small[None], shape)
        scores, found = run(photo)
        scale = max(1.0, float(np.abs(wanted).max()))
        difference = max(difference, float(np.abs(scores - wanted).max()) / scale)
        own = ours.predict(small[None], [shape])[0]
        labels = max(labels, float((found != own).mean()))
    if not (difference <= bound and labels <= LABELS_BOUND):
        raise ExportDiffersError(
            f"the exported network is not our predictor: by {by}, its scores differ by "
            f"{difference:.3g} (at most {bound}), the labels of {labels:.2%} of the pixels (at "
            f"most {LABELS_BOUND:.0%})",
            hint="nothing was written; try another version of torch or of onnxruntime",
        )
    return Agreement(difference, labels, bound, by)


def full_scores(
    predictor: Predictor, images_1SS3: Photo, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Our predictor's score maps at a photo's own size, (names, height, width)."""
    if predictor.sharpen is not None:
        full = F.interpolate(predictor.scores_by_name(images_1SS3), size, mode="bilinear")
    else:
        scores = F.interpolate(predictor.scores(images_1SS3), size, mode="bilinear")
        full = predictor.grouped(scores)
    found: NDArray[np.float32] = full[0].numpy()
    return found


def _picture(seed: int, shape: tuple[int, int]) -> Photo:
    """Patches of colour under noise, (height, width, 3) uint8."""
    height, width = shape
    random = np.random.default_rng(seed)
    patches = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    colours = np.asarray(patches.resize((width, height), Image.Resampling.BICUBIC), np.int64)
    noise = random.integers(-20, 21, (height, width, 3))
    picture: Photo = np.clip(colours + noise, 0, 255).astype(np.uint8)
    return picture


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what torch's exporters tell of their own parts."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
