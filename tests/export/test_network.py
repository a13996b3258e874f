"""Exported predictors: run by other programs, they find what c2l finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli
from PIL import Image
from torch import nn
from torch.nn import functional as F

from c2l.artifacts.networks import read_info
from c2l.artifacts.predictor import Groups
from c2l.data.images import read_rgb
from c2l.export.graph import PhotoNetwork, resized
from c2l.export.network import check, full_scores, program_of, runner_of, writer_of
from c2l.model.classifier import Centroids, Classifier, Mixture
from c2l.model.loading import load_predictor
from c2l.model.predictor import Encoder, Origin, Predictor, Sharpen

pytest.importorskip("onnx", reason="c2l[onnx] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="c2l[onnx] is not installed")
pytest.importorskip("onnxscript", reason="c2l[onnx] is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "run_onnx.py"
REAL = Path(__file__).parents[3] / "shared" / "lip" / "train_images"
CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def model(cli: Cli, taught: Path, shared: Path) -> Path:
    """The taught network as ONNX."""
    path = shared / "model.onnx"
    found = cli.ok("export", taught, "-o", path, "--json").values
    assert found["bytes"] == path.stat().st_size
    assert found["largest_difference"] <= found["bound"] == 0.02
    assert found["by"] == f"onnxruntime {onnxruntime.__version__}"
    return path


def program(photos: list[Path], model: Path, folder: Path) -> list[np.ndarray]:
    """What the example finds, in a process that cannot import c2l."""
    code = (
        "import runpy, sys\n"
        "sys.modules['c2l'] = sys.modules['torch'] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "main = runpy.run_path(sys.argv[0])['main']\n"
        "for photo in sys.argv[2:]:\n"
        "    main(sys.argv[1], photo, photo.rsplit('/', 1)[1] + '.png')\n"
    )
    command = [sys.executable, "-c", code, EXAMPLE, model, *photos]
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shares = [json.loads(line) for line in done.stdout.splitlines()]
    masks = [np.asarray(Image.open(folder / f"{photo.name}.png")) for photo in photos]
    for share, mask in zip(shares, masks, strict=True):
        assert sum(share.values()) == mask.size
        assert share["background"] == np.sum(mask == 0)
    return masks


def test_onnxruntime_finds_what_c2l_finds_without_c2l(
    model: Path, taught: Path, few: Path, tmp_path: Path
) -> None:
    predictor = PhotoNetwork(load_predictor(taught, CPU, None)).predictor
    real = sorted(REAL.glob("*.jpg"))[:3]  # small JPEGs, decoded at their own size by both
    photos = [few / "a.jpg", few / "b.jpg", *real]
    for photo, mask in zip(photos, program(photos, model, tmp_path), strict=True):
        pixels = read_rgb(photo)
        small = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR)
        wanted = predictor.predict(np.array(small)[None], [pixels.shape[:2]])[0]
        assert mask.shape == pixels.shape[:2]
        assert np.mean(mask != wanted) < 0.01


def test_inputs_and_outputs_are_named_and_of_any_size(model: Path) -> None:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    about = [(v.name, v.shape, v.type) for v in (*session.get_inputs(), *session.get_outputs())]
    assert about == [
        ("photo", ["height", "width", 3], "tensor(uint8)"),
        ("scores", [15, "height", "width"], "tensor(float)"),
        ("labels", ["height", "width"], "tensor(uint8)"),
    ]
    scores, labels = session.run(None, {"photo": np.full((1, 3, 3), 9, np.uint8)})
    assert (scores.shape, labels.shape) == ((15, 1, 3), (1, 3))
    np.testing.assert_allclose(scores.sum(0), 1, atol=1e-5)


def test_the_file_says_what_it_is_and_of_what(cli: Cli, model: Path, taught: Path) -> None:
    (said,) = cli.ok("inspect", model, "--json").values["artifacts"]
    assert said["kind"] == "c2l-network"
    assert said["names"][:3] == ["background", "hat", "hair"]
    assert said["scores"] == "probabilities"
    assert said["lineage"][0]["path"] == str(taught / "predictor.safetensors")
    cli.ok("verify", model)
    assert b"site-packages" not in model.read_bytes()  # no traces of this machine


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_a_changed_bit_is_found(cli: Cli, model: Path, tmp_path: Path, place: float) -> None:
    data = bytearray(model.read_bytes())
    data[int(place * len(data))] ^= 1
    broken = tmp_path / "model.onnx"
    broken.write_bytes(data)
    outcome = cli("verify", broken)
    assert outcome.code == 3
    assert "changed since it was written" in outcome.out + outcome.err


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_half_a_file_is_refused(cli: Cli, model: Path, tmp_path: Path, suffix: str) -> None:
    broken = tmp_path / f"model{suffix}"
    broken.write_bytes(model.read_bytes()[:100_000])
    outcome = cli("inspect", broken)
    assert outcome.code == 3
    assert f"{broken}: damaged" in outcome.err


def test_a_program_of_torch_holds_the_same(
    cli: Cli, taught: Path, few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt2"
    cli.ok("export", taught, "-o", path, "--image-size", "96")
    assert read_info(path)["image_size"] == 96
    cli.ok("verify", path)
    run, _ = runner_of(path.read_bytes(), ".pt2")
    photo = read_rgb(few / "a.jpg")
    scores, _ = run(photo)
    small = Image.fromarray(photo).resize((96, 96), Image.Resampling.BILINEAR)
    predictor = PhotoNetwork(load_predictor(taught, CPU, None, 96)).predictor
    wanted = full_scores(predictor, np.array(small)[None], photo.shape[:2])
    np.testing.assert_allclose(scores, wanted, atol=0.01)


@pytest.mark.parametrize(
    "shape", [(90, 40), (40, 90), (50, 50), (90, 90), (64, 30), (30, 64), (65, 63), (1, 200)]
)
def test_photos_are_resized_as_pillow_does(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BILINEAR))
    found = resized(torch.from_numpy(photo), 64)[0].permute(1, 2, 0).numpy()
    difference = np.abs(found - wanted.astype(np.float32))
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.03


class Tiny(nn.Module):
    """Stands in for a network: features at stride 4."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 5, padding=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 8, h, w)."""
        return F.avg_pool2d(self.first(images - 0.5).relu(), 4)


def tiny(kind: str) -> Predictor:
    """A predictor whose parts come about in one way."""
    rows, counts = torch.randn(6, 8, generator=torch.Generator().manual_seed(1)), torch.ones(6)
    classifier: Classifier = Centroids(F.normalize(rows, dim=1), counts)
    groups, sharpen = Groups(np.array([0, 2, 1, 0, 2, 1], np.uint8), parts=True), None
    if kind == "sharpened":
        classifier = Mixture(rows[:3], counts[:3], 6 * rows[:3], rows[:3, 0])
        groups, sharpen = Groups(np.arange(3, dtype=np.uint8), parts=True), Sharpen(torch.eye(3))
    origin = Origin(Path("tiny"), "c2l-run", "c2l", {}, "")
    return Predictor(
        Encoder(Tiny().eval(), None, 48, "off", CPU), classifier, groups, sharpen, origin
    )


@pytest.mark.parametrize("kind", ["groups", "sharpened"])
def test_groups_and_sharpening_are_inside_the_graph(kind: str) -> None:
    predictor = tiny(kind)
    data = writer_of(program_of(predictor), ".onnx")({"names": list(predictor.names)})
    run, by = runner_of(data, ".onnx")
    found = check(run, by, predictor)
    assert found.labels_differing < 0.005
    scores, labels = run(np.random.default_rng(3).integers(0, 256, (70, 50, 3), dtype=np.uint8))
    assert scores.shape == (3, 70, 50)
    assert len(np.unique(labels)) > 1


def test_a_network_that_computes_something_else_is_not_written(
    cli: Cli, taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c2l.stages import export

    def wrong(data: bytes, suffix: str) -> object:
        def run(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scores = np.full((15, *photo.shape[:2]), 1 / 15, np.float32)
            return scores, scores[0].astype(np.uint8)

        return run, "a runtime"

    monkeypatch.setattr(export, "runner_of", wrong)
    monkeypatch.setattr(export, "writer_of", lambda *_: lambda _: b"")
    outcome = cli("export", taught, "-o", tmp_path / "model.onnx")
    assert outcome.code == 1
    assert "is not our predictor" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused(
    cli: Cli, taught: Path, clusters: Path, tmp_path: Path
) -> None:
    for words, said in (
        ((taught, "-o", tmp_path / "model.tflite"), "expected .onnx, .pt2, .safetensors"),
        ((clusters, "-o", tmp_path / "p.safetensors"), "export it as .onnx or .pt2"),
        ((taught, "-o", tmp_path / "p.safetensors", "--image-size", "96"), "--image-size"),
    ):
        outcome = cli("export", *words)
        assert outcome.code == 2, outcome.err
        assert said in outcome.err
    foreign = tmp_path / "model.onnx"
    foreign.write_bytes(b"\x08\x07 of another program")
    outcome = cli("export", taught, "-o", foreign, "--overwrite")
    assert outcome.code == 2
    assert "was not written by c2l" in outcome.err
