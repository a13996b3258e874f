"""Slips of the hand cost nothing: what is there stays, and the message says what to do."""

from __future__ import annotations

import html
import json
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import BACKBONE, FIT, NETWORK, PHOTOS, Cli, stop_after
from PIL import Image
from safetensors.numpy import load_file

from c2l.clustering.kmeans import sample_size
from c2l.options import KMeansOptions
from c2l.runtime.json_files import write_json
from c2l.schema import JSON_SEAL


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture
def mixed(few: Path, tmp_path: Path) -> Path:
    """Four good photos and two broken ones."""
    folder = tmp_path / "mixed"
    shutil.copytree(few, folder)
    (folder / "text.jpg").write_text("hello")
    (folder / "void.png").write_bytes(b"")
    return folder


def stands(cli: Cli, artifact: Path) -> bool:
    """Whether an artifact is neither stale for status nor wrong for verify."""
    entries = cli.ok("status", artifact.parent, "--json").values["artifacts"]
    (state,) = [e["state"] for e in entries if Path(e["path"]).name == artifact.name]
    return state == "done" and cli("verify", artifact).code == 0


def test_a_data_set_that_synth_did_not_make_is_never_replaced(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    own = tmp_path / "atr"
    shutil.copytree(people, own)
    (own / "c2l-synth.json").unlink()
    before = contents(own)
    outcome = cli("data", "synth", own, "-n", "1", "--image-size", "64", "--overwrite")
    assert outcome.code == 2
    assert "not made by data synth" in outcome.err
    assert contents(own) == before


def test_a_synthetic_set_is_replaced_when_asked(cli: Cli, people: Path, tmp_path: Path) -> None:
    own = tmp_path / "people"
    shutil.copytree(people, own)
    arguments = ("-n", "1", "--image-size", "64", "--workers", "1", "--overwrite")
    cli.ok("data", "synth", own, *arguments)
    assert len(list((own / "JPEGImages").iterdir())) == 1
    assert os.listdir(tmp_path) == ["people"]


@pytest.mark.parametrize("command", ["extract", "cluster", "eval"])
def test_overwrite_replaces_only_files_of_its_own_kind(
    cli: Cli, few: Path, people: Path, store: Path, trained: Path, tmp_path: Path, command: str
) -> None:
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8)).save(photo)
    before = photo.read_bytes()
    arguments: dict[str, tuple[Any, ...]] = {
        "extract": (few, *PHOTOS, *NETWORK),
        "cluster": (store,),
        "eval": (trained, people),
    }
    for output in (photo, tmp_path):
        outcome = cli(command, *arguments[command], "-o", output, "--overwrite")
        assert outcome.code == 2, outcome.err
        assert "was not written by c2l" in outcome.err
    assert photo.read_bytes() == before


def test_a_replacement_that_fails_leaves_the_old_run(
    cli: Cli, trained: Path, mixed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = contents(run)
    outcome = cli("fit", mixed, "-o", run, *FIT, "--epochs", "1", "--overwrite")
    assert outcome.code == 3
    assert "text.jpg" in outcome.err
    assert contents(run) == before
    # What its hint names works, and only then is the old run gone.
    cli.ok("fit", mixed, "-o", run, *FIT, "--epochs", "0", "--overwrite", "--on-error", "skip")
    assert contents(run) != before
    assert sorted(os.listdir(tmp_path)) == ["mixed", "run"]


def test_a_start_that_fails_leaves_nothing_in_the_way(
    cli: Cli, mixed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert cli("fit", mixed, "-o", run, *FIT, "--epochs", "0").code == 3
    assert os.listdir(tmp_path) == ["mixed"]
    cli.ok("fit", mixed, "-o", run, *FIT, "--epochs", "0", "--on-error", "skip")
    skipped = json.loads((run / "inputs.json").read_text())["skipped"]
    assert sorted(skipped) == ["text.jpg", "void.png"]
    assert stands(cli, run)


def test_a_store_that_met_a_broken_photo_goes_on_without_it(
    cli: Cli, mixed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    command = ("extract", mixed, "-o", path, *PHOTOS, *NETWORK, "-b", "1")
    assert cli(*command).code == 3
    outcome = cli.ok(*command, "--on-error", "skip")
    assert "images are there already" in outcome.err
    with h5py.File(path) as file:
        assert len(file["names"]) == 4
        assert [line.split("\t")[0] for line in file["skipped"].asstr()] == ["text.jpg", "void.png"]
    assert stands(cli, path)


def test_scores_and_pictures_leave_out_broken_photos_when_asked(
    cli: Cli, trained: Path, mixed: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    outcome = cli("render", trained, mixed, "-o", pictures)
    assert outcome.code == 3
    assert "--on-error skip" in outcome.err
    said = cli.ok("render", trained, mixed, "-o", pictures, "--on-error", "skip").err
    assert "2 of " in said
    assert "text.jpg" in (pictures / "report.html").read_text()
    legend = json.loads((pictures / "masks" / "legend.json").read_text())
    assert sorted(legend["skipped"]) == ["text.jpg", "void.png"]
    assert len(list((pictures / "masks").rglob("*.png"))) == 4
    assert stands(cli, pictures)


def test_broken_masks_are_left_out_of_the_scores_when_asked(
    cli: Cli, trained: Path, people: Path, tmp_path: Path
) -> None:
    data, path = tmp_path / "people", tmp_path / "e.json"
    shutil.copytree(people, data)
    names = (data / "ImageSets/Segmentation/val.txt").read_text().split()
    (data / "SegmentationClassAug" / f"{names[0]}.png").write_bytes(b"broken")
    command = ("eval", trained, data, "-o", path, "--split", "val", "--bootstrap", "0")
    assert cli(*command).code == 3
    done = cli.ok(*command, "--on-error", "skip", "--json")
    assert "1 of 3 photos were left out: " in done.err
    found = done.values
    assert found["images"] == 2
    assert len(found["skipped"]) == 1
    assert stands(cli, path)


def test_two_data_sets_may_share_a_cache(cli: Cli, few: Path, people: Path, tmp_path: Path) -> None:
    cache, alone, beside = tmp_path / "cache", tmp_path / "alone", tmp_path / "beside"
    options = (*FIT, "--epochs", "0")
    cli.ok("fit", people, "-o", tmp_path / "other", *options, "--cache-dir", cache)
    cli.ok("fit", few, "-o", alone, *options)
    cli.ok("fit", few, "-o", beside, *options, "--cache-dir", cache)
    assert (alone / "predictor.safetensors").read_bytes() == (
        beside / "predictor.safetensors"
    ).read_bytes()


def test_a_damaged_cache_is_made_again(cli: Cli, few: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    options = (*FIT, "--epochs", "0", "--cache-dir", cache)
    cli.ok("fit", few, "-o", tmp_path / "a", *options)
    (pixels,) = cache.glob("*.u8")
    content = bytearray(pixels.read_bytes())
    content[1000] ^= 255
    pixels.write_bytes(content)
    cli.ok("fit", few, "-o", tmp_path / "b", *options)
    one, two = (load_file(tmp_path / n / "predictor.safetensors") for n in "ab")
    np.testing.assert_array_equal(one["classifier.centroids"], two["classifier.centroids"])


def test_a_finished_run_is_resumed_only_as_what_it_is(
    cli: Cli, trained: Path, people: Path, few: Path, tmp_path: Path
) -> None:
    options = (*FIT, "--epochs", "1", "--split", "train", "--resume")
    assert "finished already" in cli.ok("fit", people, "-o", trained, *options).err
    assert cli("fit", tmp_path / "none", "-o", trained, *options).code == 3
    fewer = tmp_path / "fewer"
    shutil.copytree(few, fewer)
    (fewer / "splits").mkdir()
    (fewer / "splits" / "train.txt").write_text("a\nb\n")
    other = cli("fit", fewer, "-o", trained, *options)
    assert other.code == 4
    assert "data.layout" in other.err
    both = cli("fit", people, "-o", trained, *options, "--overwrite")
    assert both.code == 2


def test_the_same_files_by_other_names_are_the_same(
    cli: Cli, few: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(few, tmp_path / "few")
    shutil.copytree(trained, tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    command = (*FIT, "-b", "2", "--epochs", "1")
    with stop_after(1):
        assert cli("fit", "few", "-o", "run", *command, "--checkpoint", "start").code == 75
    (tmp_path / "few").rename(moved)
    again = (moved, "-o", "run", *command, "--checkpoint", trained, "--resume")
    assert "resumed at step 1" in cli.ok("fit", *again).err


@pytest.mark.parametrize(
    "option", ["--lr", "--tau", "--warmup-lr", "--merge-threshold", "--part-weight"]
)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_numbers_that_are_none_are_refused(
    cli: Cli, few: Path, tmp_path: Path, option: str, value: str
) -> None:
    outcome = cli("fit", few, "-o", tmp_path / "run", *FIT, option, value)
    assert outcome.code == 2
    assert option in outcome.err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("value", ["nan", "2"])
def test_a_share_of_the_images_lies_between_none_and_all(
    cli: Cli, tmp_path: Path, value: str
) -> None:
    outcome = cli("data", "synth", tmp_path / "people", "-n", "4", "--val-share", value)
    assert outcome.code == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format_version": 99}, "format version 99"),
        ({"classes": None}, "damaged"),
        ({"miou": "high"}, "damaged"),
        ({"confusion": [[1, 2]]}, "damaged"),
        (
            {"matching": {"kind": "hungarian", "clusters_to_classes": [9, 9, 9]}},
            "does not fit its confusion matrix",
        ),
    ],
)
def test_scores_that_cannot_be_are_refused_before_any_work(
    cli: Cli,
    scores: Path,
    trained: Path,
    people: Path,
    tmp_path: Path,
    changed: dict[str, Any],
    said: str,
) -> None:
    broken = tmp_path / "broken.json"
    value = json.loads(scores.read_text()) | changed
    value.pop(JSON_SEAL)
    write_json(broken, value, sealed=True)
    for command in (
        ("eval", broken, "-o", tmp_path / "o"),
        ("eval", trained, people, "-o", tmp_path / "o", "--rival", f"x={broken}"),
        ("render", trained, people, "-o", tmp_path / "o", "--rival", f"x={broken}"),
        ("render", trained, people, "-o", tmp_path / "o", "--scores", broken),
    ):
        outcome = cli(*command)
        assert outcome.code == 3, outcome.err
        assert said in outcome.err
        assert "broken.json" in outcome.err
        assert os.listdir(tmp_path) == ["broken.json"]


def test_the_legend_tells_the_colours_of_the_masks_and_of_the_overlays(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    cli.ok("render", trained, few, "-o", tmp_path / "p")
    legend = json.loads((tmp_path / "p" / "masks" / "legend.json").read_text())
    mask = next((tmp_path / "p" / "masks").rglob("*.png"))
    with Image.open(mask) as picture:
        palette = picture.getpalette()
    assert palette is not None
    for label in legend["labels"]:
        start = 3 * label["id"]
        assert label["rgb"] == palette[start : start + 3]
    assert list(legend["overlay_rgb"]) == [label["name"] for label in legend["labels"]]


def test_every_picture_has_the_opacity_that_was_asked_for(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    for value in ("0.1", "0.9"):
        cli.ok("render", trained, few, "-o", tmp_path / value, "--opacity", value)
        report = (tmp_path / value / "report.html").read_text()
        assert f'"opacity": {value}' in html.unescape(report)
    one, two = ((tmp_path / v / "sheet.png").read_bytes() for v in ("0.1", "0.9"))
    assert one != two


def test_the_truth_of_scores_made_again_is_drawn_under_the_new_labels(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path: Path
) -> None:
    """The merge that names the found parts also names the true ones."""
    fine, direct = tmp_path / "fine.json", tmp_path / "direct.json"
    cli.ok("eval", scores, "-o", fine, "--merge", "fine")
    options = ("--merge", "fine", "--split", "val", "--bootstrap", "0")
    cli.ok("eval", trained, people, "-o", direct, *options)
    sheets = []
    for path in (fine, direct):
        out = tmp_path / f"{path.stem}-pictures"
        cli.ok("render", trained, people, "-o", out, "--scores", path, "--split", "val")
        report = (out / "report.html").read_text()
        sheets.append([part.split('"')[0] for part in report.split("data:image/")[1:]])
    # Scores made again know nothing of single photos, so that their report ranks none.
    assert sheets[0]
    assert set(sheets[0]) <= set(sheets[1])


def test_a_dry_run_meets_what_the_run_would_meet(cli: Cli, few: Path, tmp_path: Path) -> None:
    command = ("fit", few, "-o", tmp_path / "run", *FIT)
    missing = ("--weights", str(tmp_path / "none.safetensors"))
    assert cli(*command, *missing, "--dry-run").code == 3
    assert cli(*command, "--sharpen", "--dry-run").code == 2
    assert cli(*command, "--prove-resume", "--dry-run").code == 2
    assert cli(*command, "--max-steps", "1", "--dry-run", "--json").values["steps"] == 1
    planned = cli.ok(*command, "--epochs", "1", "--dry-run", "--json").values
    cli.ok(*command, "--epochs", "1")
    assert "--resume" in cli(*command, "--dry-run").err
    assert cli(*command, "--resume", "--overwrite", "--dry-run").code == 2
    size = sum(len(content) for content in contents(tmp_path / "run").values())
    # One of the two checkpoints that may be kept is there after one epoch.
    assert size < planned["disk_bytes_after"] * 1.05
    assert planned["disk_bytes_after"] < 2.2 * size


def test_features_of_a_run_are_recorded_as_its_own(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f.h5"
    cli.ok("extract", few, "-o", path, *PHOTOS, "--checkpoint", trained, "--backbone", "resnet50")
    with h5py.File(path) as file:
        config = json.loads(file.attrs["config_json"])
        assert file.attrs["backbone"] == BACKBONE
    assert (config["backbone"], config["fpn_dim"], config["amp"]) == (BACKBONE, 16, "off")


def test_a_merge_needs_three_clusters(cli: Cli, few: Path, tmp_path: Path) -> None:
    for merge in ("border", "figure"):
        options = (*FIT, "-k", "2", "--merge-clusters", merge)
        assert cli("fit", few, "-o", tmp_path / "run", *options).code == 2


def test_a_merge_that_finds_no_part_is_said(cli: Cli, store: Path, tmp_path: Path) -> None:
    command = ("cluster", store, "-o", tmp_path / "c.h5", "--merge-clusters", "border")
    outcome = cli.ok(*command, "--merge-threshold", "0")
    assert "warning: no cluster became upper or lower" in outcome.err


def test_heads_are_not_trained_on_features_of_other_photos(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    photos, path = tmp_path / "photos", tmp_path / "f.h5"
    shutil.copytree(few, photos)
    cli.ok("extract", photos, "-o", path, *PHOTOS, *NETWORK, "--views")
    changed = sorted(photos.iterdir())[0]
    Image.new("RGB", (64, 96), (9, 9, 9)).save(changed)
    outcome = cli("fit", photos, "-o", tmp_path / "run", *FIT, "--features", path)
    assert outcome.code == 3
    assert changed.name in outcome.err


@pytest.mark.parametrize(
    ("size", "batch", "broken", "taken"),
    [
        # Four photos; with one broken, three.
        (32, 3, False, False),
        (32, 1, False, False),
        (32, 2, False, True),
        (32, 2, True, False),
        (32, 3, True, True),
        (40, 1, False, True),
    ],
)
def test_a_last_batch_of_which_batch_normalisation_sees_one_value_is_refused(
    cli: Cli, few: Path, tmp_path: Path, size: int, batch: int, broken: bool, taken: bool
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(few, photos)
    if broken:
        (photos / "b.jpg").write_bytes(b"\xff\xd8 no photo")
    options = (*FIT, "--image-size", str(size), "-b", str(batch), "--on-error", "skip")
    command = ("fit", photos, "-o", tmp_path / "run", *options, "--epochs", "1")
    outcome = cli(*command)
    if taken:
        assert outcome.code == 0, outcome.err
        return
    assert outcome.code == 2
    assert "batch normalisation" in outcome.err
    assert os.listdir(tmp_path) == ["photos"]
    if not broken:
        # Where no photo may be left out, the plan says so too.
        assert cli(*command, "--on-error", "fail", "--dry-run").code == 2


def test_files_may_be_read_by_whom_the_mask_lets(trained: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for path in trained.rglob("*.safetensors"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_good_artifacts_are_told_beside_a_bad_one(
    cli: Cli, trained: Path, store: Path, tmp_path: Path
) -> None:
    outcome = cli("inspect", tmp_path / "none.h5", store)
    assert outcome.code == 3
    assert "kind: c2l-features" in outcome.out
    broken = tmp_path / "run"
    shutil.copytree(trained, broken)
    os.truncate(broken / "predictor.safetensors", 1000)
    assert cli("inspect", broken).code == 3


@pytest.mark.parametrize("images", [1, 10, 200, 3840])
@pytest.mark.parametrize("clusters", [3, 27, 256])
def test_the_start_of_k_means_has_points_enough_and_a_bound(images: int, clusters: int) -> None:
    options = KMeansOptions()
    points = sample_size(options, clusters, images) * images
    assert points >= clusters
    assert points <= max(131072, 256 * clusters)
    assert sample_size(options, clusters, images) <= max(256, clusters)


def test_a_finished_run_whose_checkpoints_were_removed_is_still_a_run(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run, ignore=shutil.ignore_patterns("step-*"))
    before = contents(run)
    assert cli("fit", few, "-o", run, *FIT, "--epochs", "0").code == 2
    assert contents(run) == before
