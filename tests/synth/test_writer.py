"""Sets on disk: layout, names, splits, bytes that do not depend on workers, faults of the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from c2l.errors import OutputError
from c2l.options import SynthOptions
from c2l.synth import writer
from c2l.synth.scene import draw


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    return writer.write_synthetic_set(out, SynthOptions(count=6, image_size=48, workers=1))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_written_set_has_the_layout_of_atr(written: Path) -> None:
    names = [f"{i:04d}" for i in range(6)]
    assert sorted(p.name for p in (written / "JPEGImages").iterdir()) == [f"{n}.jpg" for n in names]
    masks = written / "SegmentationClassAug"
    assert sorted(p.name for p in masks.iterdir()) == [f"{n}.png" for n in names]
    splits = written / "ImageSets" / "Segmentation"
    train, val = ((splits / f"{s}.txt").read_text().split() for s in ("train", "val"))
    assert sorted(train + val) == names
    assert len(val) == round(0.25 * 6)


def test_written_masks_are_the_drawings_labels(written: Path) -> None:
    picture, labels = draw(0, 2, 48, 72)
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
