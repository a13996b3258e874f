"""Synthetic people: determinism, layout, plausible shares, and labels that fit the picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from c2l.errors import OutputError
from c2l.options import SynthOptions
from c2l.synth import figure, scene, writer
from c2l.synth.scene import Layers, make_layers, make_scene
from c2l.synth.streams import pick, stream

WIDTH, HEIGHT = 64, 96
UPPER = (figure.UPPER, figure.SCARF)
LOWER = (figure.PANTS, figure.SKIRT, figure.LEFT_SHOE, figure.RIGHT_SHOE)


@pytest.fixture(scope="module")
def scenes() -> list[Layers]:
    return [make_layers(0, index, WIDTH, HEIGHT) for index in range(40)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    return writer.write_synthetic_set(out, SynthOptions(count=6, image_size=48, workers=1))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def mean_row(labels: NDArray[np.uint8], ids: Sequence[int]) -> float:
    return float(np.nonzero(np.isin(labels, ids))[0].mean())


def test_scene_depends_on_nothing_but_its_arguments() -> None:
    first = make_scene(3, 5, WIDTH, HEIGHT)
    make_scene(3, 6, WIDTH, HEIGHT)
    again = make_scene(3, 5, WIDTH, HEIGHT)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_scenes_of_other_seeds_and_indices_differ() -> None:
    pictures = [make_scene(s, i, 48, 72)[0].tobytes() for s, i in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert len(set(pictures)) == 4


def test_pictures_and_labels_have_the_promised_types() -> None:
    picture, labels = make_scene(0, 0, 50, 77)
    assert picture.shape == (77, 50, 3)
    assert picture.dtype == np.dtype(np.uint8)
    assert labels.shape == (77, 50)
    assert labels.dtype == np.dtype(np.uint8)


def test_streams_of_one_scene_are_independent() -> None:
    draws = {which: tuple(stream(1, 2, which).integers(0, 2**60, 8)) for which in range(20)}
    assert len(set(draws.values())) == 20


def test_pick_follows_its_weights() -> None:
    rng = stream(0, 0, 0)
    counts = np.bincount([pick(rng, (0, 1, 2), (1.0, 0.0, 3.0)) for _ in range(2000)], minlength=3)
    assert counts[1] == 0
    assert counts[2] / 2000 == pytest.approx(0.75, abs=0.04)


def test_labels_are_those_of_atr_and_many_garments_occur(scenes: list[Layers]) -> None:
    seen = set(np.unique(np.stack([layers.labels for layers in scenes])).tolist())
    assert max(seen) < 18
    always = {figure.BACKGROUND, figure.HAIR, figure.FACE, figure.UPPER, figure.PANTS}
    assert always | {figure.SKIRT, figure.DRESS, figure.BAG, figure.SCARF, figure.HAT} <= seen
    assert {figure.LEFT_ARM, figure.RIGHT_ARM, figure.LEFT_SHOE, figure.RIGHT_SHOE} <= seen


def test_background_takes_the_share_it_has_in_street_photographs(scenes: list[Layers]) -> None:
    shares = [float((layers.labels == 0).mean()) for layers in scenes]
    assert 0.70 < np.mean(shares) < 0.85
    assert min(shares) > 0.45
    assert max(shares) < 0.95


def test_upper_clothes_lie_above_lower_ones(scenes: list[Layers]) -> None:
    higher = [
        mean_row(layers.labels, UPPER) < mean_row(layers.labels, LOWER)
        for layers in scenes
        if np.isin(layers.labels, UPPER).any() and np.isin(layers.labels, LOWER).any()
    ]
    assert len(higher) > 25
    assert np.mean(higher) > 0.95


def test_picture_differs_from_the_empty_place_inside_the_mask(scenes: list[Layers]) -> None:
    inside, outside = [], []
    for layers in scenes:
        change = np.abs(layers.picture.astype(int) - layers.background).max(axis=2)
        mask = Image.fromarray((layers.labels > 0).astype(np.uint8) * 255)
        near = np.asarray(mask.resize((WIDTH // 4, HEIGHT // 4), Image.Resampling.BOX))
        far = np.kron(near == 0, np.ones((4, 4), dtype=bool))
        above = np.arange(HEIGHT)[:, None] < HEIGHT // 3  # shadows fall on the floor
        inside.append(float((change[layers.labels > 0] > 6).mean()))
        outside.append(float((change[far & above] > 6).mean()))
    assert np.mean(inside) > 0.85
    assert np.mean(outside) < 0.02


def test_colours_of_clothes_and_places_overlap(scenes: list[Layers]) -> None:
    means = np.array([
        [layers.picture[part].mean(axis=0) for part in (layers.labels > 0, layers.labels == 0)]
        for layers in scenes
    ])  # fmt: skip
    gap = np.abs(means[:, 0].mean(axis=0) - means[:, 1].mean(axis=0))
    assert (gap < means.std(axis=0).mean(axis=0)).all()


def test_people_stand_at_varied_places_and_scales(scenes: list[Layers]) -> None:
    columns = [np.nonzero(layers.labels)[1].mean() / WIDTH for layers in scenes]
    heights = [np.ptp(np.nonzero(layers.labels)[0]) / HEIGHT for layers in scenes]
    assert np.std(columns) > 0.04
    assert np.std(heights) > 0.06
    assert max(heights) > 0.85


def test_labels_are_read_at_the_middle_of_each_pixel() -> None:
    assert scene.SUPERSAMPLE % 2 == 1


def test_written_set_has_the_layout_of_atr(written: Path) -> None:
    names = [f"{i:04d}" for i in range(6)]
    assert sorted(p.name for p in (written / "JPEGImages").iterdir()) == [f"{n}.jpg" for n in names]
    masks = written / "SegmentationClassAug"
    assert sorted(p.name for p in masks.iterdir()) == [f"{n}.png" for n in names]
    splits = written / "ImageSets" / "Segmentation"
    train, val = ((splits / f"{s}.txt").read_text().split() for s in ("train", "val"))
    assert sorted(train + val) == names
    assert len(val) == round(0.25 * 6)


def test_written_masks_are_the_scenes_labels(written: Path) -> None:
    picture, labels = make_scene(0, 2, 48, 72)
    with Image.open(written / "SegmentationClassAug" / "0002.png") as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
    with Image.open(written / "JPEGImages" / "0002.jpg") as image:
        error = np.asarray(image).astype(float) - picture
    assert np.abs(error).mean() < 6.0


def test_masks_carry_the_palette_of_pascal_voc() -> None:
    colours = np.frombuffer(writer.mask_palette(), dtype=np.uint8).reshape(256, 3)
    assert colours[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[15].tolist() == [192, 128, 128]
    assert colours[255].tolist() == [224, 224, 192]


def test_bytes_do_not_depend_on_the_number_of_workers(written: Path, tmp_path: Path) -> None:
    options = SynthOptions(count=6, image_size=48, workers=2)
    assert digests(writer.write_synthetic_set(tmp_path / "set", options)) == digests(written)


def test_progress_counts_every_image(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    options = SynthOptions(count=3, image_size=48, workers=1)
    writer.write_synthetic_set(
        tmp_path / "set", options, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("share", "held"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_val_share_is_kept(share: float, held: int) -> None:
    splits = writer.split_names(SynthOptions(count=10, val_share=share))
    assert len(splits["val"]) == held
    assert len(splits["train"]) == 10 - held


def test_names_sort_as_their_indices_in_large_sets() -> None:
    names = [writer.scene_name(i, 20_000) for i in (0, 9, 10, 19_999)]
    assert names == sorted(names) == ["00000", "00009", "00010", "19999"]


def test_target_below_a_file_is_refused_without_a_trace(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        writer.write_synthetic_set(blocker / "set", SynthOptions(count=1, image_size=48))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_disk_error_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_files = []

    def fail(path: Path, data: bytes) -> None:
        written_files.append(path)
        if len(written_files) > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write", fail)
    with pytest.raises(OutputError, match="No space left"):
        writer.write_synthetic_set(
            tmp_path / "set", SynthOptions(count=4, image_size=48, workers=1)
        )
    assert list(tmp_path.iterdir()) == []


def test_existing_target_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputError, match="exists"):
        writer.write_synthetic_set(
            tmp_path / "set", SynthOptions(count=1, image_size=48, workers=1)
        )
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
