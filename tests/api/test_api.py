"""The Python API: instant to import, the same results as the commands, single images in memory."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import BACKBONE, NETWORK, PHOTOS, Cli, run_python
from PIL import Image

import c2l
from c2l import api
from c2l.errors import BadInputError, UsageError
from c2l.runtime.files import sha256_file

FIT_OPTIONS = {
    "image_size": 64,
    "batch_size": 4,
    "device": "cpu",
    "weights": "none",
    "backbone": BACKBONE,
    "fpn_dim": 16,
    "amp": "off",
    "pixel_dim": 8,
    "attention_stride": 1,
    "clusters": 3,
    "warmup": 0,
    "merge_clusters": "none",
    "sharpen": False,
    "epochs": 1,
    "split": "train",
}


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "torch", "numpy", "h5py", "faiss", "PIL", "click", "scipy"
    program = f"import sys, c2l; print([m for m in {heavy!r} if m in sys.modules])"
    assert run_python(program).stdout.strip() == "[]"
    assert set(c2l.__all__) <= set(dir(c2l))


def test_it_writes_what_the_commands_write(
    cli: Cli, people: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    run = c2l.fit(people, tmp_path / "run", **FIT_OPTIONS)
    assert sha256_file(run / "predictor.safetensors") == sha256_file(
        trained / "predictor.safetensors"
    )
    network = {
        k: FIT_OPTIONS[k]
        for k in ("image_size", "batch_size", "weights", "backbone", "fpn_dim", "amp")
    }
    store = c2l.extract(str(people), str(tmp_path / "f.h5"), layer="layer4", **network)
    cli.ok("extract", people, "-o", tmp_path / "g.h5", "--layer", "layer4", *PHOTOS, *NETWORK)
    assert sha256_file(store) == sha256_file(tmp_path / "g.h5")
    clusters = c2l.cluster(store, tmp_path / "c.h5", clusters=3)
    scores = c2l.evaluate(clusters, people, tmp_path / "e.json", split="val", bootstrap=0)
    assert scores["miou"] == json.loads((tmp_path / "e.json").read_text())["miou"]
    pictures = c2l.render(run, people, tmp_path / "pictures", split="val", limit=1)
    assert (pictures / "report.html").is_file()


def test_a_parsed_image_is_labelled_as_render_labels_it(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    cli.ok("render", trained, people, "-o", tmp_path / "r", "--split", "val")
    parser = c2l.load(trained, device="cpu")
    mask = next((tmp_path / "r" / "masks").rglob("*.png"))
    found = parser.parse(people / "JPEGImages" / f"{mask.stem}.jpg")
    with Image.open(mask) as drawn:
        assert np.array_equal(found.labels, np.asarray(drawn))
        assert found.image().size == drawn.size
    assert found.names == ("cluster 0", "cluster 1", "cluster 2")
    assert found.scores.shape == (3, 16, 16)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.mask("cluster 1").sum() == (found.labels == 1).sum()
    with pytest.raises(UsageError, match="sleeves"):
        found.mask("sleeves")


def test_a_predictor_sees_images_at_the_size_that_is_asked_for(
    cli: Cli, people: Path, trained: Path, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    own, larger = c2l.load(trained), c2l.load(trained, image_size=96)
    assert own.parse(image).scores.shape[1:] == (16, 16)
    assert larger.parse(image).scores.shape[1:] == (24, 24)
    assert larger.parse(image).labels.shape == (40, 30)
    with pytest.raises(UsageError, match="32 or more"):
        c2l.load(trained, image_size=16)
    c2l.evaluate(trained, people, tmp_path / "e.json", image_size=96, bootstrap=0, baselines=False)
    found = json.loads((tmp_path / "e.json").read_text())
    assert found["lineage"]["options"]["image_size"] == 96
    c2l.render(trained, people, tmp_path / "p", image_size=96, limit=1)
    (mask,) = (tmp_path / "p" / "masks").rglob("*.png")
    photo = next(people.rglob(f"{mask.stem}.jpg"))
    np.testing.assert_array_equal(np.asarray(Image.open(mask)), larger.parse(photo).labels)


def test_an_image_in_memory_is_read_as_from_a_file(trained: Path, tmp_path: Path) -> None:
    parser = c2l.load(trained, device="cpu")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (80, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    from_file = parser.parse(tmp_path / "a.png").labels
    assert from_file.shape == (80, 60)
    assert np.array_equal(parser.parse(pixels).labels, from_file)
    assert np.array_equal(parser.parse(Image.fromarray(pixels)).labels, from_file)
    opaque = np.dstack([pixels, np.full((80, 60), 255, np.uint8)])
    assert np.array_equal(parser.parse(opaque).labels, from_file)
    grey = pixels[..., 0]
    assert np.array_equal(parser.parse(grey).labels, parser.parse(np.dstack([grey] * 3)).labels)


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (Image.new("F", (4, 4)), "floating point"),
        (Path("nowhere.jpg"), "nowhere.jpg"),
        (None, "a Pillow image or an array, found NoneType"),
        (b"bytes", "found bytes"),
    ],
    ids=["floats", "two channels", "empty", "Pillow floats", "missing", "None", "bytes"],
)
def test_an_image_that_cannot_be_read_is_refused(
    trained: Path, image: object, problem: str
) -> None:
    with pytest.raises(BadInputError, match=problem):
        c2l.load(trained, device="cpu").parse(image)  # type: ignore[arg-type]


def test_a_preset_is_taken_and_options_win_over_it(people: Path, tmp_path: Path) -> None:
    small = {**FIT_OPTIONS, "epochs": 0}
    del small["clusters"]
    run = c2l.fit(people, tmp_path / "run", preset="paper", **small)
    options = json.loads((run / "config.json").read_text())["options"]
    assert (options["preset"], options["clusters"], options["epochs"]) == ("paper", 3, 0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"epoch": 3}, "'epoch'"), ({"epochs": 2.5}, "epochs"), ({"method": "best"}, "method")],
)
def test_an_option_that_does_not_exist_or_fit_is_a_usage_error(
    tmp_path: Path, options: dict[str, object], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        c2l.fit(tmp_path, tmp_path / "run", **options)


def test_the_examples_of_its_docstrings_run(trained: Path) -> None:
    found = doctest.testmod(api, extraglobs={"run": trained})
    assert found.attempted > 0
    assert found.failed == 0
