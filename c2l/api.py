"""The Python API: the stages as functions, and a trained predictor for single images.

Importing it is instant: torch and h5py are imported by the first call that needs them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from c2l.errors import UsageError
from c2l.options import (
    ClusterOptions,
    EvalOptions,
    ExportOptions,
    ExtractOptions,
    FitOptions,
    Options,
    RenderOptions,
    TeachOptions,
    preset,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from c2l.model.predictor import Predictor

T = TypeVar("T", bound=Options)
PathLike = str | Path


def _options(kind: type[T], values: dict[str, Any]) -> T:
    """The options of a stage from keywords, checked as on the command line; a preset fills in.

    Raises:
        UsageError: an unknown option, or a value that it cannot have.
    """
    known = [f.name for f in fields(kind)]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"options: {', '.join(known)}"
            raise UsageError(f"unknown option {name!r}", hint=hint)
    if values.get("preset"):
        values = vars(preset(kind, values["preset"])) | values
    clean = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
    options = kind(**clean)
    options.check()
    return options


def extract(data: PathLike, output: PathLike, *, overwrite: bool = False, **options: Any) -> Path:
    """Store the dense features of a data set's images, as ``c2l extract``.

    Args:
        data: a data set or a folder of photos.
        output: the HDF5 file to write.
        overwrite: replace an existing output.
        options: fields of ``c2l.options.ExtractOptions``.

    Returns:
        ``output``.
    """
    from c2l.stages.extract import extract as stage

    chosen = _options(ExtractOptions, options)
    return stage(Path(data), Path(output), chosen, overwrite=overwrite)


def cluster(
    features: PathLike, output: PathLike, *, overwrite: bool = False, **options: Any
) -> Path:
    """Cluster a feature store, as ``c2l cluster``.

    Args:
        features: written by ``extract``.
        output: the HDF5 file to write.
        overwrite: replace an existing output.
        options: fields of ``c2l.options.ClusterOptions``.

    Returns:
        ``output``.
    """
    from c2l.stages.cluster import cluster as stage

    chosen = _options(ClusterOptions, options)
    return stage(Path(features), Path(output), chosen, overwrite=overwrite)


def fit(
    data: PathLike,
    output: PathLike,
    *,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train on a data set's images, as ``c2l fit``.

    Args:
        data: a data set or a folder of photos.
        output: the run folder to write.
        resume: continue a stopped run.
        overwrite: replace an existing run.
        options: fields of ``c2l.options.FitOptions``; ``preset="paper"`` or ``"picie"`` takes the
            options of that protocol, and the others take precedence.

    Returns:
        ``output``.
    """
    from c2l.stages.fit import fit as stage

    chosen = _options(FitOptions, options)
    return stage(Path(data), Path(output), chosen, resume=resume, overwrite=overwrite)


def teach(
    output: PathLike, *, resume: bool = False, overwrite: bool = False, **options: Any
) -> Path:
    """Teach the network by drawings, as ``c2l teach``.

    Args:
        output: the run folder to write.
        resume: continue a stopped run.
        overwrite: replace an existing run.
        options: fields of ``c2l.options.TeachOptions``; ``preset="drawn"`` takes the options of
            the network that ships with c2l, and the others take precedence.

    Returns:
        ``output``.
    """
    from c2l.stages.teach import teach as stage

    return stage(Path(output), _options(TeachOptions, options), resume=resume, overwrite=overwrite)


def evaluate(
    artifact: PathLike,
    data: PathLike | None,
    output: PathLike,
    *,
    overwrite: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Score a predictor against masks, as ``c2l eval``.

    Args:
        artifact: a run folder, a clusters file, or an eval.json to score again without images.
        data: a data set with masks; None for an eval.json.
        output: the JSON file to write.
        overwrite: replace an existing output.
        options: fields of ``c2l.options.EvalOptions``.

    Returns:
        What ``output`` holds: ``miou``, ``pixel_accuracy``, ``iou`` by class name, ...
    """
    from c2l.artifacts.scores import read_scores
    from c2l.stages.evaluate import evaluate as stage

    chosen = _options(EvalOptions, options)
    given = None if data is None else Path(data)
    return read_scores(stage(Path(artifact), given, Path(output), chosen, overwrite=overwrite))


def render(
    artifact: PathLike,
    images: PathLike,
    output: PathLike,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Draw masks, overlays and a report, as ``c2l render``.

    Args:
        artifact: a run folder or a clusters file.
        images: a data set, a folder of photos, or one photo.
        output: the folder to write.
        overwrite: replace an existing folder.
        options: fields of ``c2l.options.RenderOptions``.

    Returns:
        ``output``.
    """
    from c2l.stages.render import render as stage

    chosen = _options(RenderOptions, options)
    return stage(Path(artifact), Path(images), Path(output), chosen, overwrite=overwrite)


def export(
    artifact: PathLike, output: PathLike, *, overwrite: bool = False, **options: Any
) -> dict[str, Any]:
    """Write a predictor for other programs, as ``c2l export``.

    Args:
        artifact: a run folder, a predictor's file, a clusters file, or ``drawn``.
        output: the file to write: .onnx, .pt2 or .safetensors.
        overwrite: replace an existing file.
        options: fields of ``c2l.options.ExportOptions``.

    Returns:
        What ``c2l export --json`` prints.
    """
    from c2l.stages.export import export as stage

    chosen = _options(ExportOptions, options)
    return stage(Path(artifact), Path(output), chosen, overwrite=overwrite)


def load(
    artifact: PathLike,
    *,
    device: str = "auto",
    weights: str | None = None,
    image_size: int = 0,
) -> Parser:
    """A trained predictor, ready for single images.

    >>> parser = load(run)
    >>> parser.names
    ('cluster 0', 'cluster 1', 'cluster 2')

    Args:
        artifact: a run folder, a predictor's file, a clusters file, or ``drawn``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        weights: where the backbone's weights are now, for a clusters file whose weights moved.
        image_size: side in pixels of the square as which the network sees images; 0 takes that of
            its training.

    Raises:
        BadInputError: missing, unfinished or damaged.
        UsageError: an unknown device, or an image size below 32.
    """
    from c2l.model.loading import load_predictor
    from c2l.runtime.device import pick_device

    return Parser(load_predictor(Path(artifact), pick_device(device), weights, image_size))


@dataclass(frozen=True)
class Parsing:
    """The parts found in one image.

    Attributes:
        labels: (H, W) uint8 index into ``names``, at the image's own size; uint16 where there are
            more than 256 names.
        names: of the parts or clusters.
        colours: (len(names), 3) uint8 RGB, as in overlays and legends.
        scores: (len(names), h, w) float32 at the predictor's own resolution: probabilities where
            predictions are sharpened or trained on drawings, else similarities; the largest names
            the pixel.
    """

    labels: NDArray[np.integer[Any]]
    names: tuple[str, ...]
    colours: NDArray[np.uint8]
    scores: NDArray[np.float32]

    @property
    def shares(self) -> dict[str, float]:
        """The share of the image's pixels that each part takes, by name."""
        import numpy as np

        counts = np.bincount(self.labels.ravel(), minlength=len(self.names))
        return {n: float(c) / self.labels.size for n, c in zip(self.names, counts, strict=True)}

    def mask(self, name: str) -> NDArray[np.bool_]:
        """The pixels of one part, (H, W) bool.

        Raises:
            UsageError: there is no part of that name.
        """
        if name not in self.names:
            raise UsageError(f"no part is called {name!r}", hint=f"parts: {', '.join(self.names)}")
        found: NDArray[np.bool_] = self.labels == self.names.index(name)
        return found

    def image(self) -> Image.Image:
        """The parts in their colours, an RGB image of (H, W) pixels."""
        from PIL import Image

        return Image.fromarray(self.colours[self.labels])


class Parser:
    """A predictor for single images; made by ``load``.

    Attributes:
        names: of the parts or clusters that it finds.
        colours: (len(names), 3) uint8 RGB.
    """

    def __init__(self, predictor: Predictor) -> None:
        from c2l.drawing.palette import colours_of

        self._predictor = predictor
        self.names = predictor.names
        self.colours = colours_of(self.names)

    def parse(self, image: PathLike | Image.Image | NDArray[np.uint8]) -> Parsing:
        """Find the parts in one image.

        >>> import numpy as np
        >>> found = load(run).parse(np.zeros((48, 32, 3), np.uint8))
        >>> found.labels.shape, found.labels.dtype
        ((48, 32), dtype('uint8'))

        Args:
            image: a path, a Pillow image, or an array (H, W, 3) uint8 RGB; grey (H, W) and RGB with
                alpha (H, W, 4) work too. A large JPEG is decoded at a reduced size from its path,
                not as an image: the labels may differ in some 0.1 % of the pixels.

        Raises:
            BadInputError: an image that cannot be read, an array of another shape or dtype, or
                something else.
        """
        from c2l.data.images import read_photo, rgb_in_memory

        size = self._predictor.encoder.image_size
        if isinstance(image, str | Path):
            pixels, shape = read_photo(Path(image), size=size)
        else:
            pixels, shape = rgb_in_memory(image, size=size)
        labels = self._predictor.predict(pixels[None], [shape])[0]
        scores = self._predictor.scores_by_name(pixels[None])[0].cpu().numpy()
        return Parsing(labels, self.names, self.colours, scores)
