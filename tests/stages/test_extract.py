"""A feature store holds what the network gives for each photo, and says what it is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import BACKBONE, KILL_AFTER_TWO_BATCHES, NETWORK, PHOTOS, RUN_C2L, Cli, fork_python
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from c2l.data.images import read_rgb
from c2l.model.build import build_network
from c2l.nn.augment import geometric, photometric
from c2l.nn.network import ParsingNetwork
from c2l.nn.views import view_parameters
from c2l.options import ExtractOptions

# A flush follows every batch: kill the process once two of three batches are on the disk.


def read(path: Path, name: str = "features") -> NDArray[Any]:
    """A data set of a store."""
    with h5py.File(path, "r") as file:
        return file[name][:]


def photos_of(people: Path) -> list[Path]:
    """The photos in the order of their names."""
    return sorted((people / "JPEGImages").iterdir())


def batch_of(people: Path) -> Tensor:
    """All photos, (12, 3, 64, 64) uint8."""
    pixels = np.stack([read_rgb(path, size=64) for path in photos_of(people)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def as_stored(features_BCHW: Tensor) -> NDArray[np.float32]:
    """(B, h, w, C)."""
    return features_BCHW.permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def net() -> ParsingNetwork:
    """The network whose features are stored."""
    options = ExtractOptions(weights="none", backbone=BACKBONE, fpn_dim=16)
    return build_network(options, None, 0, seed=0)[0].eval()


def test_features_are_those_of_the_network(store: Path, people: Path, net: ParsingNetwork) -> None:
    with torch.no_grad():
        expected = as_stored(net(batch_of(people).float() / 255))
    features = read(store)
    assert features.dtype == np.float16
    assert features.shape == (12, 16, 16, 16)
    np.testing.assert_allclose(features, expected, atol=1e-3)
    norms = np.linalg.norm(features.astype(np.float32), axis=-1)
    np.testing.assert_allclose(norms, 1, atol=2e-3)


def test_views_are_the_two_orders_of_features_and_geometry(
    store: Path, people: Path, net: ParsingNetwork
) -> None:
    parameters = view_parameters(0, 0, np.arange(12))
    pixels = batch_of(people)
    with torch.no_grad():
        first = geometric(net.features(photometric(pixels, parameters, 0)), parameters)
        second = net.features(geometric(photometric(pixels, parameters, 1), parameters))
    for name, expected in (("features_view1", first), ("features_view2", second)):
        np.testing.assert_allclose(
            read(store, name), as_stored(F.normalize(expected, dim=1)), atol=2e-3
        )


def test_the_store_names_photos_sizes_hashes_and_dimensions(store: Path, people: Path) -> None:
    photos = photos_of(people)
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos]
    listing = "".join(f"{s}  {path.name}\n" for s, path in zip(sums, photos, strict=True))
    with h5py.File(store, "r") as file:
        assert list(file["names"].asstr()[:]) == [path.name for path in photos]
        assert [s.decode() for s in file["image_sha256"][:]] == sums
        assert file["orig_size"][:].tolist() == [[96, 64]] * 12
        labels = [dimension.label for dimension in file["features"].dims]
        assert labels == ["image", "row", "column", "channel"]
        assert file["features"].chunks == (1, 16, 16, 16)
        assert file["features"].fletcher32
        assert file["features"].attrs["units"] == "1"
        assert list(file["skipped"][:]) == []
        assert "done" not in file
        assert file.attrs["inputs_sha256"] == hashlib.sha256(listing.encode()).hexdigest()
        assert (file.attrs["format"], file.attrs["format_version"]) == ("c2l-features", 1)
        assert bool(file.attrs["complete"])
        assert (file.attrs["weights"], file.attrs["weights_sha256"]) == ("none", "")
        config = json.loads(file.attrs["config_json"])
    assert (config["image_size"], config["fpn_dim"], config["layer"]) == (64, 16, "fpn")


def test_layer4_is_the_last_stage_of_the_backbone(
    layer4: Path, people: Path, net: ParsingNetwork
) -> None:
    with torch.no_grad():
        expected = as_stored(net.backbone(batch_of(people).float() / 255)["layer4"])
    features = read(layer4)
    assert features.shape == (12, 2, 2, 1024)
    assert features.min() >= 0
    np.testing.assert_allclose(features, expected, rtol=2e-3, atol=2e-3)


def test_stride_keeps_every_second_row_and_column(
    cli: Cli, store: Path, people: Path, tmp_path: Path
) -> None:
    cli.ok("extract", people, "-o", tmp_path / "s.h5", *PHOTOS, *NETWORK, "--stride", "2")
    np.testing.assert_array_equal(read(tmp_path / "s.h5"), read(store)[:, ::2, ::2])
    with h5py.File(tmp_path / "s.h5", "r") as file:
        assert file.attrs["grid"].tolist() == [8, 8]


def test_sampled_pixels_are_the_ones_their_index_says(
    cli: Cli, store: Path, people: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.h5"
    cli.ok("extract", people, "-o", path, *PHOTOS, *NETWORK, "--pixels-per-image", "10")
    index, kept, full = read(path, "pixel_index"), read(path), read(store).reshape(12, 256, 16)
    assert kept.shape == (12, 10, 16)
    for image in range(12):
        assert np.all(np.diff(index[image]) > 0)
        np.testing.assert_array_equal(kept[image], full[image, index[image]])
    assert len({tuple(row) for row in index}) > 1
    with h5py.File(path, "r") as file:
        assert [d.label for d in file["features"].dims] == ["image", "pixel", "channel"]
        assert file.attrs["grid"].tolist() == [16, 16]


def test_components_keep_the_most_variance_and_project_back(
    cli: Cli, store: Path, people: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pca.h5"
    cli.ok("extract", people, "-o", path, *PHOTOS, *NETWORK, "--pca", "4")
    components, mean = read(path, "pca_components"), read(path, "pca_mean")
    points = read(store).reshape(-1, 16).astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(components @ components.T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(mean, points.mean(0), atol=1e-3)
    back = read(path).reshape(-1, 4).astype(np.float64) @ components + mean
    lost = np.square(back - points).sum(1).mean()
    variances = np.linalg.eigvalsh(np.cov(points.T, bias=True))
    assert lost == pytest.approx(variances[:-4].sum(), rel=0.02, abs=1e-6)


def test_the_same_input_gives_the_same_bytes(
    cli: Cli, store: Path, people: Path, tmp_path: Path
) -> None:
    cli.ok("extract", people, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK, "--views")
    assert (tmp_path / "f.h5").read_bytes() == store.read_bytes()


def test_the_number_of_workers_changes_no_choice_and_no_value_but_by_rounding(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "1.h5", tmp_path / "2.h5"
    for path, workers in ((one, "1"), (two, "2")):
        cli.ok("extract", few, "-o", path, *PHOTOS, *NETWORK, "--workers", workers)
    for name in ("names", "orig_size", "image_sha256"):
        np.testing.assert_array_equal(read(one, name), read(two, name))
    np.testing.assert_allclose(read(one), read(two), atol=1e-3)


@pytest.fixture
def with_broken(few: Path, tmp_path: Path) -> Path:
    """The four photos, the second of them cut short."""
    folder = tmp_path / "photos"
    shutil.copytree(few, folder)
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    return folder


def test_a_broken_photo_stops_the_command_and_is_named(
    cli: Cli, with_broken: Path, tmp_path: Path
) -> None:
    outcome = cli("extract", with_broken, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK)
    assert outcome.code == 3
    assert str(with_broken / "b.jpg") in outcome.err
    assert "--on-error skip" in outcome.err
    assert not (tmp_path / "f.h5").exists()


def test_a_folder_of_every_fault_is_skipped_file_by_file_and_listed(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(few, folder)
    good = (few / "a.jpg").read_bytes()
    broken = {
        "cut.jpg": good[: len(good) // 2],
        "empty.png": b"",
        "text.jpg": b"no photo",
        "zeros.jpg": bytes(1000),
    }
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    Image.new("1", (20000, 20000)).save(folder / "large.png")
    outcome = cli.ok(
        "extract", folder, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK, "--on-error", "skip"
    )
    found = cli.ok("inspect", tmp_path / "f.h5", "--json").values["artifacts"][0]
    skipped = [line.split("\t")[0] for line in found["skipped"]]
    assert skipped == sorted([*broken, "large.png"])
    assert found["arrays"]["features"]["shape"][0] == 4
    assert "5 of 9 photos were left out: " in outcome.err


def test_a_skipped_photo_leaves_no_row_and_is_listed(
    cli: Cli, few: Path, with_broken: Path, tmp_path: Path
) -> None:
    options = (*PHOTOS, *NETWORK, "--on-error", "skip", "--views")
    cli.ok("extract", with_broken, "-o", tmp_path / "some.h5", *options)
    cli.ok("extract", few, "-o", tmp_path / "all.h5", *options)
    with h5py.File(tmp_path / "some.h5", "r") as some, h5py.File(tmp_path / "all.h5", "r") as full:
        names = list(some["names"].asstr()[:])
        assert names == ["a.jpg", "below/d.jpg", "c.jpg"]
        rows = [list(full["names"].asstr()[:]).index(name) for name in names]
        for name in ("features", "features_view1", "features_view2"):
            np.testing.assert_allclose(some[name][:], full[name][:][rows], atol=2e-3)
        for name in ("orig_size", "image_sha256"):
            np.testing.assert_array_equal(some[name][:], full[name][:][rows])
        (skipped,) = some["skipped"].asstr()[:]
    assert skipped.startswith("b.jpg\t")
    assert str(with_broken / "b.jpg") in skipped


def test_an_existing_output_is_refused_and_replaced_only_when_asked(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    path.write_text("precious")
    outcome = cli("extract", few, "-o", path, *PHOTOS, *NETWORK)
    assert (outcome.code, path.read_text()) == (2, "precious")
    assert "--overwrite" in outcome.err
    outcome = cli("extract", few, "-o", path, *PHOTOS, *NETWORK, "--overwrite")
    assert (outcome.code, path.read_text()) == (2, "precious")
    assert "was not written by c2l" in outcome.err
    path.write_bytes(b"")
    cli.ok("extract", few, "-o", path, *PHOTOS, *NETWORK, "--overwrite")
    cli.ok("extract", few, "-o", path, *PHOTOS, *NETWORK, "--overwrite")
    assert read(path).shape == (4, 16, 16, 16)


# Prepended to a program: imitates a version of c2l without the option --stride.
BEFORE_STRIDE = """
from c2l.stages import extract
recorded = extract.recorded
extract.recorded = lambda o: {k: v for k, v in recorded(o).items() if k != "stride"}
"""


@pytest.mark.parametrize("version", ["", BEFORE_STRIDE], ids=["this", "older"])
def test_a_killed_store_goes_on_and_ends_with_the_same_bytes(
    cli: Cli, people: Path, store: Path, tmp_path: Path, version: str
) -> None:
    path = tmp_path / "f.h5"
    command = ("extract", people, "-o", path, *PHOTOS, *NETWORK, "--views")
    killed = fork_python(version + KILL_AFTER_TWO_BATCHES + RUN_C2L, *command)
    assert killed.returncode == -signal.SIGKILL
    assert sorted(os.listdir(tmp_path)) == [".f.h5.lock", ".f.h5.partial"]
    outcome = cli.ok(*command)
    assert "8 of 12 images are there already" in outcome.err
    assert path.read_bytes() == store.read_bytes()
    assert os.listdir(tmp_path) == ["f.h5"]


def test_a_killed_store_under_other_options_is_kept_and_the_options_named(
    cli: Cli, people: Path, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    command = ("extract", people, "-o", path, *PHOTOS, *NETWORK, "--views")
    assert fork_python(KILL_AFTER_TWO_BATCHES + RUN_C2L, *command).returncode == -signal.SIGKILL
    said = cli.ok("status", tmp_path, "--json").values["artifacts"]
    assert [(a["state"], a["why"]) for a in said] == [("partial", "8 of 12 images")]
    outcome = cli(*command, "--stride", "2")
    assert outcome.code == 4
    assert "stride was 1, is 2" in outcome.err
    outcome = cli.ok(*command)
    assert "8 of 12 images are there already" in outcome.err
    assert path.read_bytes() == store.read_bytes()


def test_a_killed_store_under_other_options_is_begun_anew_with_overwrite(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    command = ("extract", people, "-o", path, *PHOTOS, *NETWORK)
    assert fork_python(KILL_AFTER_TWO_BATCHES + RUN_C2L, *command).returncode == -signal.SIGKILL
    outcome = cli.ok(*command, "--stride", "2", "--overwrite")
    assert "is not used: it was made under other options" in outcome.err
    assert "there already" not in outcome.err
    assert read(path).shape == (12, 8, 8, 16)


def test_what_a_killed_store_holds_of_a_changed_photo_is_not_used(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(few, folder)
    command = ("extract", folder, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK, "-b", "1")
    assert fork_python(KILL_AFTER_TWO_BATCHES + RUN_C2L, *command).returncode == -signal.SIGKILL
    shutil.copyfile(folder / "c.jpg", folder / "a.jpg")
    cli.ok(*command)
    features = read(tmp_path / "f.h5")
    np.testing.assert_allclose(features[0], features[3], atol=2e-3)  # a, b, below/d, c


def test_a_dry_run_says_what_would_be_stored_and_writes_nothing(
    cli: Cli, people: Path, store: Path, tmp_path: Path
) -> None:
    said = cli.ok(
        "extract", people, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK, "--dry-run", "--json"
    ).values
    assert (said["images"], said["shape"]) == (12, [12, 16, 16, 16])
    assert said["disk_bytes"] == read(store).nbytes
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pixels-per-image", "300"), "256"),
        (("--pixels-per-image", "3", "--views"), "--views"),
        (("--pca", "17"), "16 channels"),
        (("--gradients-input", "--weights", "imagenet"), "--weights none"),
    ],
)
def test_options_that_cannot_work_are_refused(
    cli: Cli, few: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    outcome = cli("extract", few, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK, *options)
    assert (outcome.code, os.listdir(tmp_path)) == (2, [])
    assert said in outcome.err


def test_features_of_a_run_are_those_of_its_trained_network(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    from c2l.model.loading import load_predictor

    path = tmp_path / "f.h5"
    cli.ok("extract", few, "-o", path, *PHOTOS, "--amp", "off", "--checkpoint", trained)
    net = load_predictor(trained, torch.device("cpu"), None).encoder.net
    pixels = torch.from_numpy(read_rgb(few / "a.jpg", size=64)).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = as_stored(net(pixels.float() / 255))[0]
    np.testing.assert_allclose(read(path)[0], expected, atol=2e-3)
    with h5py.File(path, "r") as file:
        digest = hashlib.sha256((trained / "predictor.safetensors").read_bytes()).hexdigest()
        assert file.attrs["weights_sha256"] == digest


def test_what_a_kill_left_at_its_very_start_changes_no_byte(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    command = ("extract", people, *PHOTOS, *NETWORK)
    cli.ok(*command, "-o", tmp_path / "whole.h5")
    begun = (tmp_path / "whole.h5").read_bytes()[:48]
    (tmp_path / ".again.h5.partial").write_bytes(begun)
    cli.ok(*command, "-o", tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
