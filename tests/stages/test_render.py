"""Pictures show what the predictor finds, at each photo's own size and place."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli
from numpy.typing import NDArray
from PIL import Image

from c2l.data.images import read_rgb
from c2l.model.loading import load_predictor
from c2l.runtime.json_files import read_json, write_json


def mask_of(path: Path) -> NDArray[np.uint8]:
    """The ids of an indexed PNG."""
    with Image.open(path) as file:
        assert (file.format, file.mode) == ("PNG", "P")
        return np.array(file)


def legend_of(folder: Path) -> dict[int, str]:
    """Names by id."""
    legend = json.loads((folder / "masks" / "legend.json").read_text())
    assert (legend["format"], legend["ignore"]) == ("c2l-masks", 255)
    return {label["id"]: label["name"] for label in legend["labels"]}


def predicted(artifact: Path, photo: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The stored predictor's clusters of a photo."""
    predictor = load_predictor(artifact, torch.device("cpu"), None)
    return predictor.predict(read_rgb(photo, size=64)[None], [size])[0]


@pytest.fixture(scope="module")
def wild(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos without labels: of different sizes, one below a folder, one turned by its EXIF."""
    folder = tmp_path_factory.mktemp("wild") / "photos"
    (folder / "x" / "y").mkdir(parents=True)
    with Image.open(few / "a.jpg") as photo:
        photo.resize((50, 71)).save(folder / "small.png")
        photo.resize((130, 40)).save(folder / "x" / "y" / "wide.jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.save(folder / "turned.jpg", exif=exif)
    return folder


@pytest.fixture(scope="module")
def pictures(cli: Cli, trained: Path, wild: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wild photos drawn."""
    path = tmp_path_factory.mktemp("pictures") / "out"
    said = cli.ok("render", trained, wild, "-o", path, "--json").values
    assert said == {"pictures": str(path), "report": str(path / "report.html"), "left_out": []}
    return path


SIZES = {"small.png": (71, 50), "x/y/wide.jpg": (40, 130), "turned.jpg": (64, 96)}


@pytest.mark.parametrize("name", SIZES)
def test_a_mask_holds_the_clusters_at_the_photos_own_size_and_path(
    trained: Path, wild: Path, pictures: Path, name: str
) -> None:
    relative = Path(name).with_suffix(".png")
    mask = mask_of(pictures / "masks" / relative)
    np.testing.assert_array_equal(mask, predicted(trained, wild / name, SIZES[name]))
    assert set(np.unique(mask)) <= legend_of(pictures).keys()
    with Image.open(pictures / "overlays" / relative) as overlay:
        assert (overlay.height, overlay.width) == SIZES[name]
        assert overlay.mode == "RGB"


def test_nothing_but_what_is_promised_is_written(pictures: Path) -> None:
    found = sorted(str(p.relative_to(pictures)) for p in pictures.rglob("*") if p.is_file())
    masks = ["small.png", "turned.png", "x/y/wide.png"]
    drawn = [f"{kind}/{mask}" for kind in ("masks", "overlays") for mask in masks]
    assert found == sorted([*drawn, "masks/legend.json", "report.html", "sheet.png"])
    assert os.listdir(pictures.parent) == ["out"]


def test_masks_have_the_palette_of_the_field(pictures: Path) -> None:
    with Image.open(pictures / "masks" / "small.png") as file:
        palette = file.getpalette()
    assert palette is not None
    assert palette[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_without_scores_clusters_keep_their_numbers(pictures: Path) -> None:
    assert legend_of(pictures) == {0: "cluster 0", 1: "cluster 1", 2: "cluster 2"}


def test_the_sheet_and_the_report_need_nothing_beside_them(pictures: Path) -> None:
    with Image.open(pictures / "sheet.png") as sheet:
        sheet.load()
        assert min(sheet.size) > 100
    page = (pictures / "report.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    sources = re.findall(r"\bsrc=\"([^\"]{0,30})", page)
    crops = page.count('alt="cluster ')
    assert len(sources) == 6 + crops
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"<(link|iframe|object)\b|url\(", page)
    assert "x/y/wide.jpg" in page


@pytest.fixture(scope="module")
def labelled(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The val split drawn with its scores."""
    path = tmp_path_factory.mktemp("labelled") / "out"
    cli.ok(
        "render", trained, people, "-o", path, "--split", "val", "--scores", scores,
        "--rival", f"Somebody else={scores}",
    )  # fmt: skip
    return path


def test_scores_name_the_clusters(
    trained: Path, people: Path, scores: Path, labelled: Path
) -> None:
    assert legend_of(labelled) == {0: "background", 1: "upper", 2: "lower"}
    matching = json.loads(scores.read_text())["matching"]["clusters_to_classes"]
    masks = [p for p in sorted((labelled / "masks").iterdir()) if p.suffix == ".png"]
    assert len(masks) == 3
    for path in masks:
        clusters = predicted(trained, people / "JPEGImages" / f"{path.stem}.jpg", (96, 64))
        np.testing.assert_array_equal(mask_of(path), np.array(matching)[clusters])


def test_the_report_shows_the_scores_and_the_labels(scores: Path, labelled: Path) -> None:
    page = (labelled / "report.html").read_text()
    values = json.loads(scores.read_text())
    for name in ("miou", "pixel_accuracy", "mean_class_accuracy"):
        assert f"{100 * values[name]:.1f}" in page
    assert "Somebody else" in page
    for layer in ("photo", "parts", "labels"):
        assert page.count(f'<img class="{layer}"') == 3


def test_the_report_shows_the_best_median_and_worst_by_their_own_scores(
    scores: Path, labelled: Path
) -> None:
    page = (labelled / "report.html").read_text()
    images = json.loads(scores.read_text())["per_image"]
    ranked = sorted(images, key=lambda image: -image["miou"])
    found = re.findall(r'data-name="(\S+)" data-kind="(\w*)" data-miou="([\d.]+)"', page)
    assert {(name, kind, float(miou)) for name, kind, miou in found} == {
        (image["name"], kind, image["miou"])
        for image, kind in zip(ranked, ("best", "median", "worst"), strict=True)
    }


def test_the_best_and_worst_are_shown_however_few_photos_are(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path: Path
) -> None:
    options = ("--split", "val", "--scores", scores, "--sheet", "1")
    cli.ok("render", trained, people, "-o", tmp_path / "out", *options)
    page = (tmp_path / "out" / "report.html").read_text()
    assert re.findall(r'data-kind="(\w+)"', page).count("worst") == 1
    assert "3 photos were parsed; this page shows 3 of them" in page


def test_more_photos_than_a_sheet_takes_are_on_numbered_sheets(
    cli: Cli, trained: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2l.stages.render.SHEET_PHOTOS", 5)
    cli.ok("render", trained, people, "-o", tmp_path / "out", "--sheet", "0", "--limit", "11")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == [
        f"sheet-{n}.png" for n in (1, 2, 3)
    ]
    heights = []
    for n in (1, 2, 3):
        with Image.open(tmp_path / "out" / f"sheet-{n}.png") as sheet:
            heights.append(sheet.height)
    # Two rows, two rows, one row.
    assert heights[0] == heights[1] > heights[2]
    assert (tmp_path / "out" / "report.html").read_text().count('<img class="photo"') == 11


def test_a_cluster_that_stands_for_nothing_is_ignore(
    cli: Cli, trained: Path, few: Path, scores: Path, tmp_path: Path
) -> None:
    values = read_json(scores, what="scores", sealed=True)
    clusters = predicted(trained, few / "a.jpg", (96, 64))
    common = int(np.bincount(clusters.ravel()).argmax())
    values["matching"]["clusters_to_classes"][common] = -1
    write_json(tmp_path / "e.json", values, sealed=True)
    out = tmp_path / "out"
    said = cli.ok("render", trained, few / "a.jpg", "-o", out, "--scores", tmp_path / "e.json").err
    np.testing.assert_array_equal(mask_of(out / "masks" / "a.png") == 255, clusters == common)

    # Scores of other photos name the clusters, but are not this page's.
    assert "holds the scores of other photos" in said
    page = (out / "report.html").read_text()
    assert "Mean IoU" not in page
    assert "by scores of other photos" in page


def test_scores_of_a_copy_and_of_a_photo_in_the_data_set_are_shown(
    cli: Cli, trained: Path, people: Path, scores: Path, tmp_path: Path
) -> None:
    shutil.copytree(people, tmp_path / "copy" / "of")
    for i, words in enumerate(
        [(tmp_path / "copy" / "of", "--split", "val"), (people / "JPEGImages", "--limit", "1")]
    ):
        cli.ok("render", trained, words[0], "-o", tmp_path / str(i), "--scores", scores, *words[1:])
        assert "Mean IoU" in (tmp_path / str(i) / "report.html").read_text()


def test_parts_joined_without_labels_have_their_names(
    cli: Cli, store: Path, few: Path, tmp_path: Path
) -> None:
    clusters, out = tmp_path / "c.h5", tmp_path / "out"
    cli.ok("cluster", store, "-o", clusters, "-k", "8", "--merge-clusters", "border")
    cli.ok("render", clusters, few, "-o", out, "--limit", "1")
    assert legend_of(out) == {0: "background", 1: "upper", 2: "lower"}


def test_a_limit_spreads_over_the_photos(
    cli: Cli, trained: Path, people: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli.ok("render", trained, people, "-o", out, "--limit", "3", "--sheet", "2")
    drawn = sorted(p.stem for p in (out / "masks").glob("*.png"))
    assert len(drawn) == 3
    assert (drawn[0], drawn[-1]) == ("0000", "0011")
    assert (out / "report.html").read_text().count('<img class="photo"') == 2


def test_the_scores_of_another_predictor_are_refused(
    cli: Cli, clusters: Path, few: Path, scores: Path, tmp_path: Path
) -> None:
    outcome = cli("render", clusters, few, "-o", tmp_path / "out", "--scores", scores)
    assert (outcome.code, os.listdir(tmp_path)) == (3, [])
    assert str(scores) in outcome.err
    assert "c2l eval" in outcome.err


def test_a_folder_of_something_else_is_never_removed(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for options in ((), ("--overwrite",)):
        assert cli("render", trained, few, "-o", tmp_path / "out", *options).code == 2
    assert os.listdir(tmp_path / "out") == ["thesis.txt"]


def test_pictures_are_replaced_as_a_whole_when_asked(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli.ok("render", trained, few, "-o", out)
    assert (out / "masks" / "below" / "d.png").is_file()
    cli.ok("render", trained, few / "a.jpg", "-o", out, "--overwrite")
    assert sorted(p.name for p in (out / "masks").iterdir()) == ["a.png", "legend.json"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_broken_photo_is_named_and_nothing_is_left(
    cli: Cli, trained: Path, few: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "broken.jpg"
    photo.write_bytes((few / "a.jpg").read_bytes()[:400])
    outcome = cli("render", trained, photo, "-o", tmp_path / "out")
    assert (outcome.code, os.listdir(tmp_path)) == (3, ["broken.jpg"])
    assert str(photo) in outcome.err


def test_a_dry_run_writes_nothing(cli: Cli, trained: Path, few: Path, tmp_path: Path) -> None:
    said = cli.ok("render", trained, few, "-o", tmp_path / "out", "--dry-run", "--json").values
    assert said["images"] == 4
    assert os.listdir(tmp_path) == []
