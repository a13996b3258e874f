"""HDF5 files made to harm: refused in a child process, or before a value of them is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Cli

from c2l import schema
from c2l.artifacts.clusters import Clusters, read_clusters, write_clusters
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.features import read_features
from c2l.artifacts.seal import content_digest
from c2l.artifacts.targets import read_targets, write_targets
from c2l.artifacts.untrusted import child, guard, structure
from c2l.artifacts.untrusted.guard import trust_files
from c2l.artifacts.untrusted.structure import check_structure
from c2l.errors import BadInputError

pytestmark = pytest.mark.usefixtures("fresh")

NAMES = ("a.jpg", "b.jpg")


def values(index: int) -> Any:
    return np.random.default_rng(index).normal(size=(2, 2, 3)).astype(np.float16)


def write_store(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    with write_features(path, StoreLayout(names, (2, 2), 3), {"layer": "fpn"}, {}) as writer:
        for index in range(len(names)):
            arrays = {schema.FEATURES: values(index), schema.ORIG_SIZE: np.array([8, 8], np.int32)}
            writer.write(index, {**arrays, schema.IMAGE_SHA256: np.bytes_(b"0" * 64)})
        writer.finish(np.arange(len(names)), {}, {})
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A sound feature store of two images."""
    return write_store(tmp_path / "f.h5")


def refused(path: Path, problem: str) -> BadInputError:
    with pytest.raises(BadInputError, match=problem) as caught, read_features(path):
        pass
    assert caught.value.exit_code == 3
    return caught.value


def changed(path: Path, change: Callable[[h5py.File], object]) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def instead(name: str, make: Callable[[h5py.File], object]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        make(file)

    return change


def compound(file: h5py.File) -> None:
    file["names"] = np.zeros(2, [("a", "i4"), ("b", "f8")])


def references(file: h5py.File) -> None:
    file.create_dataset("names", data=[file.ref, file.ref], dtype=h5py.ref_dtype)


def regions(file: h5py.File) -> None:
    region = file["orig_size"].regionref[0]
    file.create_dataset("names", data=[region, region], dtype=h5py.regionref_dtype)


def variable(file: h5py.File) -> None:
    file.create_dataset("names", (2,), h5py.vlen_dtype(np.int32))


def committed(file: h5py.File) -> None:
    file["kind"] = np.dtype("f4")
    file.create_dataset("names", data=np.zeros(2, "f4"), dtype=file["kind"])
    del file["kind"]


def empty(file: h5py.File) -> None:
    file["names"] = h5py.Empty("f4")


def array(file: h5py.File) -> None:
    file.create_dataset("names", (2,), np.dtype(("i4", (3,))))


@pytest.mark.parametrize("make", [compound, references, regions, variable, committed, array, empty])
@pytest.mark.parametrize("trust", [False, True])
def test_types_that_c2l_never_writes_are_refused(
    store: Path, make: Callable[[h5py.File], None], trust: bool
) -> None:
    path = changed(store, instead("names", make))
    trust_files(trust)
    refused(path, "'names' (is of a|has a named) type|'names' has no shape")


def test_a_reference_in_an_attribute_is_refused(store: Path) -> None:
    path = changed(store, lambda f: f.attrs.create("more", f.ref, dtype=h5py.ref_dtype))
    refused(path, "attribute 'more' of the file is of a type")


def test_named_types_loops_and_nests_of_groups_are_refused(tmp_path: Path) -> None:
    def deep(file: h5py.File) -> None:
        file.create_group("/".join(["g"] * 2000))

    def hard_loop(file: h5py.File) -> None:
        file["loop"] = file["/"]

    for number, change in enumerate(
        (deep, hard_loop, lambda f: f.update({"t": np.dtype("f4")})),  # type: ignore[no-any-return]
    ):
        path = changed(write_store(tmp_path / f"{number}.h5"), change)
        refused(path, "is not a dataset")
    loop = write_store(tmp_path / "soft.h5")
    refused(changed(loop, lambda f: f.update({"soft": h5py.SoftLink("/soft")})), "soft or external")


def test_many_objects_and_long_attributes_are_refused(tmp_path: Path) -> None:
    def many(file: h5py.File) -> None:
        for number in range(100):
            file[f"d{number}"] = 1

    def attributes(file: h5py.File) -> None:
        for number in range(100):
            file.attrs[f"a{number}"] = 1

    refused(changed(write_store(tmp_path / "a.h5"), many), "objects; at most 64")
    refused(changed(write_store(tmp_path / "b.h5"), attributes), "attributes; at most 64")
    long = changed(
        write_store(tmp_path / "c.h5"), lambda f: f.attrs.update({"a": np.zeros(1 << 25, "u1")})
    )
    refused(long, "attribute 'a' of the file declares 33554432 bytes")


def test_sizes_beyond_the_file_are_refused_whatever_the_layout(tmp_path: Path) -> None:
    def contiguous(file: h5py.File) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        space = h5py.h5s.create_simple((10**12,))
        h5py.h5d.create(file.id, b"orig_size", h5py.h5t.STD_I32LE, space, plan)

    def filled(file: h5py.File) -> None:
        file.create_dataset("orig_size", (10**9, 2), "i4", chunks=(10**6, 2), fillvalue=7)

    for number, make in enumerate((contiguous, filled)):
        path = changed(write_store(tmp_path / f"{number}.h5"), instead("orig_size", make))
        for trust in (False, True):
            trust_files(trust)
            refused(path, "'orig_size' declares more than the file holds")


def test_a_chunk_that_is_missing_is_refused_and_not_read_as_zeros(store: Path) -> None:
    def more(file: h5py.File) -> None:
        for name in ("features", "features_crc32", "names", "orig_size", "image_sha256"):
            file[name].resize(3, axis=0)

    refused(changed(store, more), "'features_crc32' declares more")


def test_a_chunk_whose_checksum_is_switched_off_is_refused(store: Path) -> None:
    def unchecked(file: h5py.File) -> None:
        data = file.create_dataset(
            "features", (2, 2, 2, 3), "f2", chunks=(1, 2, 2, 3), fletcher32=True
        )
        for index in range(2):
            raw = values(index).tobytes() + bytes(4)
            data.id.write_direct_chunk((index, 0, 0, 0), raw, filter_mask=1)

    path = changed(store, instead("features", unchecked))
    refused(path, "'features': its chunks do not fit the file")


def test_data_that_share_their_bytes_are_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(store) as file:
        check_structure(store, file)
        for spans, sound in (([[(9, 5)], [(14, 5)]], True), ([[(9, 5)], [(13, 5)]], False)):
            places = iter([*spans, [], [], []])
            monkeypatch.setattr(structure, "_check_dataset", lambda *_, p=places, **_k: next(p))
            if sound:
                check_structure(store, file)
                continue
            with pytest.raises(BadInputError, match="in the same place"):
                check_structure(store, file)


def stored_chunk(path: Path, index: int) -> tuple[int, int]:
    with h5py.File(path) as file:
        info = file["features"].id.get_chunk_info(index)
        return int(info.byte_offset), int(info.size)


@pytest.mark.parametrize("how", ["zeros", "another image's"])
def test_a_chunk_of_zeros_or_of_another_image_is_found_and_its_image_named(
    store: Path, how: str
) -> None:
    raw = bytearray(store.read_bytes())
    (first, size), (second, _) = stored_chunk(store, 0), stored_chunk(store, 1)
    raw[second : second + size] = raw[first : first + size] if how != "zeros" else bytes(size)
    store.write_bytes(raw)
    with h5py.File(store) as file:
        file["features"][1]  # HDF5's own checksum does not see it
    with read_features(store) as reader:
        np.testing.assert_array_equal(reader.read(0), values(0).reshape(4, 3))
        with pytest.raises(BadInputError, match=r"'b\.jpg': its checksum does not match"):
            reader.read(1)


@pytest.mark.parametrize("what", [b"fpn", b"b.jpg", b"00000000", b"c2l 0"])
def test_one_flipped_bit_in_names_and_attributes_is_found(store: Path, what: bytes) -> None:
    raw = bytearray(store.read_bytes())
    assert what in raw
    raw[raw.find(what)] ^= 1
    store.write_bytes(raw)
    refused(store, "damaged")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x.jpg", "a/../../x.jpg", "a\nb.jpg", "\x1b[2Jx.jpg", "a.jpg"]
)
def test_names_that_could_leave_the_folder_or_steer_a_terminal_are_refused(
    tmp_path: Path, name: str
) -> None:
    error = refused(write_store(tmp_path / "f.h5", ("a.jpg", name)), "name")
    assert "\x1b" not in error.message
    assert "\n" not in error.message


def test_names_that_are_no_utf8_are_refused(store: Path) -> None:
    def change(file: h5py.File) -> None:
        file["names"][1] = b"\xff"
        file.attrs[schema.ATTR_CONTENT] = content_digest(file)

    refused(changed(store, change), "damaged")


def test_a_sound_file_is_tried_out_once_and_with_trust_never(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(guard, "_try", lambda path, *_: tried.append(path))
    trust_files(True)
    with read_features(store):
        assert tried == []
    trust_files(False)
    for _ in range(2):
        with read_features(store) as reader:
            assert reader.names == NAMES
    assert tried == [store]
    write_store(store)
    with read_features(store):
        pass
    assert tried == [store, store]


def test_targets_that_this_process_wrote_are_not_tried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    monkeypatch.setattr(guard, "_try", lambda path, *_: tried.append(path))
    path = tmp_path / "t.h5"
    with write_targets(path, 1, {}) as writer:
        for view in (0, 1):
            writer.store(view, np.array([0]), np.zeros((1, 2, 2), np.uint8))
            writer.finish(view, np.ones((2, 3), np.float32), np.array([4, 0]))
    with read_targets(path) as targets:
        assert targets.labels(0, np.array([0])).tolist() == [[[0, 0], [0, 0]]]
    assert tried == []
    os.utime(path, ns=(1, 1))
    with read_targets(path):
        assert tried == [path]


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"crashed a child process \(SIGSEGV\)"),
        ("import os; os.abort()", r"crashed a child process \(SIGABRT\)"),
        ("import os; os.kill(os.getpid(), 24)", "more than 30 CPU seconds"),
        ("import time; time.sleep(60)", "more than 1 seconds"),
        ("raise ImportError('no h5py')", "could not be read in a child process.*no h5py"),
    ],
)
def test_a_file_whose_trial_dies_is_refused_and_the_crash_hint_named(
    store: Path, monkeypatch: pytest.MonkeyPatch, program: str, problem: str
) -> None:
    monkeypatch.setattr(child, "_PROGRAM", program)
    monkeypatch.setattr(guard, "LIMITS", replace(guard.LIMITS, wall_seconds=1))
    assert "--trust" in (refused(store, problem).hint or "")
    trust_files(True)
    with read_features(store) as reader:
        assert reader.names == NAMES


def test_the_trial_walks_all_that_the_reader_does(store: Path) -> None:
    guard.look(str(store), guard.COMPLETE)
    linked = changed(store, lambda f: f.update({"x": h5py.SoftLink("/names")}))
    with pytest.raises(BadInputError, match="soft or external"):
        guard.look(str(linked), guard.COMPLETE)


def test_a_sampled_store_without_its_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with write_features(path, StoreLayout(NAMES, (2, 2), 3, pixels=2), {}, {}) as writer:
        for index in range(2):
            writer.write(index, {schema.FEATURES: values(index)[0], schema.PIXEL_INDEX: [0, 3]})
        writer.finish(np.arange(2), {}, {})

    def change(file: h5py.File) -> None:
        del file[schema.PIXEL_INDEX]
        file.attrs[schema.ATTR_CONTENT] = content_digest(file)

    with (
        read_features(changed(path, change)) as reader,
        pytest.raises(BadInputError, match="'pixel_index' is missing"),
    ):
        reader.pixel_index(0)


@pytest.mark.parametrize("name", [b"-x.h5", b"a\nb.h5", b"caf\xe9.h5", b"%d.h5", "ä ö.h5".encode()])
def test_the_trial_finds_a_file_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    write_store(Path("f.h5")).rename(path)
    with read_features(path) as reader:
        assert reader.names == NAMES


def test_views_of_other_shapes_and_groups_beyond_the_parts_are_refused(tmp_path: Path) -> None:
    ones = np.ones((2, 3), np.float32)
    bad: list[dict[str, Any]] = [
        {"views": (ones, ones[:1])},
        {"views": (ones, ones * np.nan)},
        {"groups": np.array([0, 3])},
    ]
    for number, more in enumerate(bad):
        path = tmp_path / f"{number}.h5"
        with write_clusters(path) as writer:
            writer.finish(Clusters(ones, np.ones(2, np.int64), [], {}, {}, **more))
        with pytest.raises(BadInputError, match="do not fit"):
            read_clusters(path)


def test_the_command_refuses_a_hostile_file_with_code_3(
    cli: Cli, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    for command in (
        ("cluster", store, "-o", tmp_path / "c.h5"),
        ("inspect", store),
    ):
        outcome = cli(*command)
        assert (outcome.code, outcome.out) == (3, "")
        assert "SIGSEGV" in outcome.err
        assert "--trust" in outcome.err
    cli.ok("inspect", store, "--trust")
    assert cli("inspect", store).code == 3
    config = tmp_path / "c2l.toml"
    config.write_text("trust = true\n", encoding="utf-8")
    cli.ok("inspect", store, "--config", config)
    assert cli("inspect", store, "--config", config, "--no-trust").code == 3
    assert not (tmp_path / "c.h5").exists()


def test_a_file_that_crashes_the_hdf5_library_is_exit_code_3(cli: Cli, tmp_path: Path) -> None:
    """One changed byte: the text attribute's type becomes a sequence of a kind that is none.

    HDF5 2.0.0 ends by SIGSEGV when such an attribute is read; the old file format has no
    checksum over it.
    """
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["format"] = schema.FORMAT_FEATURES
    raw = bytearray(path.read_bytes())
    variable_length = b"format\0\0\x19"
    place = raw.find(variable_length) + len(variable_length)
    assert raw[place] == 1  # of text
    raw[place] = 0x14
    path.write_bytes(raw)
    reading = f"import h5py; h5py.File({str(path)!r}).attrs['format']"
    plain = subprocess.run([sys.executable, "-c", reading], capture_output=True, check=False)
    if plain.returncode >= 0:
        pytest.skip("this HDF5 library does not crash on it")
    for command in (("inspect", path), ("cluster", path, "-o", tmp_path / "c.h5")):
        outcome = cli(*command)
        assert (outcome.code, outcome.out) == (3, "")
        assert f"{path}: reading it crashed a child process (SIGSEGV)" in outcome.err
    path.rename(tmp_path / ".g.h5.partial")
    assert "SIGSEGV" in cli.ok("status", tmp_path).out
    with write_features(tmp_path / "g.h5", StoreLayout(NAMES, (2, 2), 3), {}, {}) as writer:
        assert "SIGSEGV" in writer.unused
        writer.finish(np.arange(0), {}, {})


def test_structure_is_checked_without_following_anything(tmp_path: Path) -> None:
    """The other file would be opened by a reader that asks a link what it points to."""
    path = write_store(tmp_path / "f.h5")
    os.mkfifo(tmp_path / "pipe.h5")  # opening it would wait for ever
    changed(path, lambda f: f.update({"x": h5py.ExternalLink("pipe.h5", "/x")}))
    with h5py.File(path) as file, pytest.raises(BadInputError, match="external link"):
        check_structure(path, file)
