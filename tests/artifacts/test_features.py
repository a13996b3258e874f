"""A feature store gives back what was written, byte for byte, or says what is wrong with it."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from c2l import schema
from c2l.artifacts.feature_writer import FeatureWriter, StoreLayout, write_features
from c2l.artifacts.features import read_features
from c2l.artifacts.hdf5_output import seal
from c2l.artifacts.untrusted import child, guard
from c2l.errors import BadInputError, ConfigDiffersError, NonFiniteError, OutputError
from c2l.runtime.files import partial_sibling

NAMES = ("a.png", "sub/b ä.jpg", "c.png", "d.png")
LAYOUT = StoreLayout(NAMES, (3, 4), 5)
CONFIG = {"layer": "fpn", "seed": 0}
ATTRIBUTES = {schema.ATTR_BACKBONE: "resnet18"}


def features(index: int, view: int = 0, shape: tuple[int, ...] = (3, 4, 5)) -> NDArray[np.float16]:
    return np.random.default_rng([index, view]).normal(size=shape).astype(np.float16)


def store(writer: FeatureWriter, index: int, **arrays: NDArray[Any]) -> None:
    writer.write(
        index,
        {
            schema.ORIG_SIZE: np.array([10 + index, 20], np.int32),
            schema.IMAGE_SHA256: np.bytes_(b"%064d" % index),
            **(arrays or {schema.FEATURES: features(index)}),
        },
    )


def finish(writer: FeatureWriter, keep: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    skipped = np.array([f"{NAMES[i]}\tbroken" for i in range(4) if i not in keep], dtype=object)
    writer.finish(np.array(keep), {schema.SKIPPED: skipped}, {schema.ATTR_INPUTS: "f" * 64})


def write_whole(path: Path, keep: tuple[int, ...] = (0, 1, 2, 3)) -> Path:
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        for index in keep:
            store(writer, index)
        finish(writer, keep)
    return path


def test_round_trip(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "f.h5")
    assert os.listdir(tmp_path) == ["f.h5"]
    with read_features(path) as reader:
        assert reader.names == NAMES
        assert (reader.shape, reader.grid, reader.channels) == ((4, 3, 4, 5), (3, 4), 5)
        assert reader.config == CONFIG
        assert reader.attribute(schema.ATTR_BACKBONE) == "resnet18"
        assert reader.attribute(schema.ATTR_INPUTS) == "f" * 64
        assert reader.attribute("nothing") == ""
        assert not any((reader.sampled, reader.has_views, reader.has_pca))
        for index in range(4):
            values = reader.read(index)
            assert values.dtype == np.float16
            np.testing.assert_array_equal(values, features(index).reshape(12, 5))


def test_layout_is_what_any_hdf5_tool_expects(tmp_path: Path) -> None:
    with h5py.File(write_whole(tmp_path / "f.h5")) as file:
        data = file["features"]
        assert (data.dtype, data.chunks) == (np.float16, (1, 3, 4, 5))
        assert data.fletcher32
        assert data.compression is None
        assert [d.label for d in data.dims] == ["image", "row", "column", "channel"]
        assert file.attrs["format"] == "c2l-features"
        assert file.attrs["format_version"] == 1
        assert bool(file.attrs["complete"])
        assert schema.DONE not in file
        np.testing.assert_array_equal(
            file["orig_size"][:], [[10, 20], [11, 20], [12, 20], [13, 20]]
        )
        assert file["image_sha256"][2] == b"%064d" % 2


def test_views_pixels_and_components_round_trip(tmp_path: Path) -> None:
    layout = StoreLayout(("a",), (3, 4), 5, pixels=6, views=True)
    assert layout.nbytes == 3 * 6 * 5 * 2
    stored = (schema.FEATURES, schema.FEATURES_VIEW1, schema.FEATURES_VIEW2)
    components, mean = features(8, shape=(5, 7)).astype(np.float32), np.ones(7, np.float32)
    with write_features(tmp_path / "f.h5", layout, {}, {}) as writer:
        arrays: dict[str, Any] = {n: features(0, v, (6, 5)) for v, n in enumerate(stored)}
        store(writer, 0, **arrays, **{schema.PIXEL_INDEX: np.arange(6)})
        writer.finish(np.arange(1), {schema.PCA_COMPONENTS: components, schema.PCA_MEAN: mean}, {})
    with read_features(tmp_path / "f.h5") as reader:
        assert reader.sampled
        assert reader.has_views
        assert reader.has_pca
        for view, name in enumerate(stored):
            np.testing.assert_array_equal(reader.read(0, name), features(0, view, (6, 5)))
        np.testing.assert_array_equal(reader.projection()[0], components)
        np.testing.assert_array_equal(reader.projection()[1], mean)


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write_whole(tmp_path / "a.h5"), write_whole(tmp_path / "b.h5")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("keep", [(1, 3), (0, 1, 2), (2,)])
def test_rows_of_skipped_images_are_dropped(tmp_path: Path, keep: tuple[int, ...]) -> None:
    path = write_whole(tmp_path / "f.h5", keep)
    with read_features(path) as reader:
        assert reader.names == tuple(NAMES[i] for i in keep)
        for row, index in enumerate(keep):
            np.testing.assert_array_equal(reader.read(row), features(index).reshape(12, 5))
    with h5py.File(path) as file:
        assert file["orig_size"][:, 0].tolist() == [10 + i for i in keep]
        assert file["image_sha256"][:].tolist() == [b"%064d" % i for i in keep]
        assert [s.split("\t")[0] for s in file["skipped"].asstr()[:]] == [
            n for i, n in enumerate(NAMES) if i not in keep
        ]


def stop_after(path: Path, count: int, *, anew: bool = False, **changed: Any) -> list[bool]:
    """Write some images, then stop; which images were there before."""
    layout, config = changed.get("layout", LAYOUT), changed.get("config", CONFIG)
    attributes = {**ATTRIBUTES, **changed.get("attributes", {})}
    before: list[bool] = []
    with (
        contextlib.suppress(KeyboardInterrupt),
        write_features(path, layout, config, attributes, anew=anew) as writer,
    ):
        before = writer.done.tolist()
        assert bool(writer.unused) == (anew or "attributes" in changed or "unused" in changed)
        for index in range(count):
            store(writer, index)
        raise KeyboardInterrupt
    return before


def test_a_stopped_store_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    assert os.listdir(tmp_path) == [".f.h5.partial"]
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        assert writer.done.tolist() == [True, True, False, False]
        assert writer.stored_sha256(1) == f"{1:064d}"
        for index in (2, 3):
            store(writer, index)
        finish(writer)
    with read_features(path) as reader:
        for index in range(4):
            np.testing.assert_array_equal(reader.read(index), features(index).reshape(12, 5))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"config": {**CONFIG, "seed": 1}}, "seed was 0, is 1"),
        ({"layout": StoreLayout(NAMES, (3, 4), 6)}, r"a row was 'float16 \(3, 4, 5\)'"),
    ],
)
def test_a_stopped_store_of_other_options_is_refused_and_kept(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    with pytest.raises(ConfigDiffersError, match=named) as caught:
        stop_after(path, 1, **changed)
    assert caught.value.exit_code == 4
    assert "--overwrite" in (caught.value.hint or "")
    assert os.listdir(tmp_path) == [".f.h5.partial"]
    assert stop_after(path, 0) == [True, True, False, False]
    assert stop_after(path, 0, anew=True, **changed) == [False] * 4


def test_where_the_photos_lie_and_what_becomes_of_broken_ones_decides_no_row(
    tmp_path: Path,
) -> None:
    stop_after(tmp_path / "f.h5", 2, config={**CONFIG, "data": "here", "on_error": "fail"})
    moved = {**CONFIG, "data": "there", "on_error": "skip"}
    assert stop_after(tmp_path / "f.h5", 0, config=moved) == [True, True, False, False]


def test_the_same_weights_may_lie_elsewhere(tmp_path: Path) -> None:
    stop_after(tmp_path / "f.h5", 2, config={**CONFIG, "weights": "/here/w.safetensors"})
    moved = {**CONFIG, "weights": "w.safetensors"}
    assert stop_after(tmp_path / "f.h5", 0, config=moved) == [True, True, False, False]
    other = {**ATTRIBUTES, "weights_sha256": "0" * 64}
    with pytest.raises(ConfigDiffersError, match=r"weights was .* weights_sha256 was"):
        stop_after(tmp_path / "f.h5", 0, config=CONFIG | {"weights": "v"}, attributes=other)


def test_of_other_photos_a_stopped_store_gives_the_rows_that_stand_where_they_stood(
    tmp_path: Path,
) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 3)
    other = StoreLayout(("x", *NAMES[1:], "z"), (3, 4), 5)
    assert stop_after(path, 0, layout=other) == [False, True, True, False, False]
    fewer = StoreLayout((NAMES[0], NAMES[2]), (3, 4), 5)
    assert stop_after(path, 0, layout=fewer) == [False, False]


def test_rows_under_other_principal_components_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    changed = {"attributes": {schema.ATTR_PCA_SHA256: "1" * 64}}
    assert stop_after(path, 1, **changed) == [False] * 4


def test_of_a_damaged_stopped_store_the_sound_rows_are_used(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    flip_a_byte(partial_sibling(path), features(1).tobytes())
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        assert writer.done.tolist() == [True, False, False, False]
        for index in (1, 2, 3):
            store(writer, index)
        finish(writer)
    with read_features(path) as reader:
        np.testing.assert_array_equal(reader.read(1), features(1).reshape(12, 5))


def test_a_stopped_store_that_crashes_the_library_is_never_opened_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    monkeypatch.setattr(child, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        assert "SIGSEGV" in writer.unused
        assert not writer.done.any()
        for index in range(4):
            store(writer, index)
        finish(writer)


@pytest.mark.parametrize("cut", [0, 100, 0.5])
def test_a_stopped_store_that_was_cut_off_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: float
) -> None:
    # The library waits for a writer to complete what is missing, far beyond any limit.
    monkeypatch.setattr(guard, "LIMITS", replace(guard.LIMITS, wall_seconds=3))
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    size = partial_sibling(path).stat().st_size
    os.truncate(partial_sibling(path), int(cut if cut != 0.5 else size / 2))
    assert stop_after(path, 0, unused=True) == [False] * 4


def test_a_stopped_store_with_a_link_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    stop_after(path, 2)
    with h5py.File(partial_sibling(path), "r+") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/")
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        assert "external link" in writer.unused
        for index in range(4):
            store(writer, index)
        finish(writer)


def flip_a_byte(path: Path, data: bytes) -> None:
    raw = bytearray(path.read_bytes())
    place = raw.find(data)
    assert place > 0
    raw[place + len(data) // 2] ^= 1
    path.write_bytes(raw)


def test_one_flipped_bit_is_found_and_its_image_named(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "f.h5")
    flip_a_byte(path, features(1).tobytes())
    with read_features(path) as reader:
        np.testing.assert_array_equal(reader.read(0), features(0).reshape(12, 5))
        with pytest.raises(BadInputError, match=r"sub/b ä\.jpg") as caught:
            reader.read(1)
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(
    tmp_path: Path, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2l.artifacts.feature_writer.all_finite", lambda _: True)
    with write_features(tmp_path / "f.h5", StoreLayout(("a",), (1, 2), 2), {}, {}) as writer:
        store(writer, 0, features=np.full((1, 2, 2), value, np.float16))
        writer.finish(np.arange(1), {}, {})
    with (
        read_features(tmp_path / "f.h5") as reader,
        pytest.raises(BadInputError, match=r"'a'.*NaN"),
    ):
        reader.read(0)


@pytest.mark.parametrize("value", [70000.0, -70000.0, np.nan])
def test_a_value_that_float16_does_not_hold_is_not_stored(tmp_path: Path, value: float) -> None:
    def write() -> None:
        with write_features(tmp_path / "f.h5", LAYOUT, CONFIG, ATTRIBUTES) as writer:
            store(writer, 0)
            values = features(1).astype(np.float32)
            values[2, 3, 4] = value
            store(writer, 1, features=values)

    with np.errstate(over="ignore"), pytest.raises(NonFiniteError, match=r"sub/b ä\.jpg") as caught:
        write()
    assert caught.value.exit_code == 6
    assert not (tmp_path / "f.h5").exists()


def test_a_view_that_is_not_stored_is_bad_input(tmp_path: Path) -> None:
    with read_features(write_whole(tmp_path / "f.h5")) as reader, pytest.raises(BadInputError):
        reader.read(0, schema.FEATURES_VIEW1)


def test_a_full_disk_is_an_output_error_with_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write() -> None:
        with write_features(tmp_path / "f.h5", LAYOUT, CONFIG, ATTRIBUTES) as writer:
            monkeypatch.setattr(h5py.Dataset, "__setitem__", full)
            store(writer, 0)

    with pytest.raises(OutputError) as caught:
        write()
    assert caught.value.exit_code == 74
    assert "480 bytes are needed" in caught.value.message
    assert not (tmp_path / "f.h5").exists()


def test_features_of_another_shape_or_type_are_refused(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "f.h5")
    with h5py.File(path, "r+") as file:
        del file["features"]
        del file["features_crc32"]
        file["features"] = np.zeros((4, 3, 4, 5), np.float32)
        seal(file)
    with pytest.raises(BadInputError, match="expected float16"), read_features(path):
        pass


def test_what_was_left_is_kept_when_its_trial_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.h5"

    def stop() -> None:
        with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
            store(writer, 0)
            writer.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()

    with monkeypatch.context() as patch:
        patch.setattr(child, "_PROGRAM", "import os; os.kill(os.getpid(), 9)")
        with (
            pytest.raises(BadInputError, match="SIGKILL"),
            write_features(path, LAYOUT, CONFIG, ATTRIBUTES),
        ):
            pass
    assert os.listdir(tmp_path) == [partial_sibling(path).name]
    with write_features(path, LAYOUT, CONFIG, ATTRIBUTES) as writer:
        assert writer.done.tolist() == [True, False, False, False]
        for index in (1, 2, 3):
            store(writer, index)
        finish(writer)
