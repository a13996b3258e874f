"""Files of any origin are data: what is broken, foreign or reaches out of the file is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from c2l import schema
from c2l.artifacts.clusters import Clusters, read_clusters, write_clusters
from c2l.artifacts.feature_writer import StoreLayout, write_features
from c2l.artifacts.features import read_features
from c2l.artifacts.hdf5 import config_of, open_artifact
from c2l.artifacts.seal import content_digest
from c2l.artifacts.targets import read_targets
from c2l.errors import BadInputError

SECRET = np.full((2, 2, 2, 3), 42, np.float16)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A sound feature store of two images."""
    with write_features(
        tmp_path / "f.h5", StoreLayout(("a", "b"), (2, 2), 3), {"layer": "fpn"}, {}
    ) as writer:
        for index in range(2):
            writer.write(
                index,
                {
                    schema.FEATURES: np.ones((2, 2, 3), np.float16),
                    schema.ORIG_SIZE: np.array([8, 8], np.int32),
                    schema.IMAGE_SHA256: np.bytes_(b"0" * 64),
                },
            )
        writer.finish(np.arange(2), {}, {})
    return tmp_path / "f.h5"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another file with data that must not be read through the store."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["features"] = SECRET
    (tmp_path / "secret.raw").write_bytes(SECRET.tobytes())
    return path


def refused(path: Path, problem: str) -> BadInputError:
    with pytest.raises(BadInputError, match=problem) as caught, read_features(path):
        pass
    assert caught.value.exit_code == 3
    assert str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"not a store, just text\n" * 50])
def test_what_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content)
    assert "c2l extract" in (refused(path, "not an HDF5 file").hint or "")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", "No such file")
    refused(tmp_path, "not a regular file")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(store: Path, share: float) -> None:
    content = store.read_bytes()
    store.write_bytes(content[: int(len(content) * share)])
    refused(store, "damaged|not an HDF5 file")


def test_a_foreign_file_is_refused(elsewhere: Path) -> None:
    refused(elsewhere, "an HDF5 file of another program")


def test_an_artifact_of_another_kind_is_named(tmp_path: Path, store: Path) -> None:
    with pytest.raises(BadInputError, match="expected a c2l-clusters file, found a c2l-features"):
        read_clusters(store)
    with pytest.raises(BadInputError, match="c2l-targets"), read_targets(store):
        pass
    path = tmp_path / "c.h5"
    with write_clusters(path) as writer:
        writer.finish(Clusters(np.ones((2, 3), np.float32), np.ones(2, np.int64), [], {}, {}))
    refused(path, "found a c2l-clusters")


def changed(store: Path, change: Callable[[h5py.File], object], *, sealed: bool = False) -> Path:
    """With ``sealed`` as one does it who knows of the digest."""
    with h5py.File(store, "r+") as file:
        change(file)
        if sealed:
            file.attrs[schema.ATTR_CONTENT] = content_digest(file)
    return store


def test_an_incomplete_file_is_refused(store: Path) -> None:
    refused(changed(store, lambda f: f.attrs.update({"complete": False})), "incomplete")


def test_a_file_without_its_marks_is_refused(store: Path) -> None:
    refused(changed(store, lambda f: f.attrs.pop("complete")), "incomplete")


def test_another_version_is_refused(store: Path) -> None:
    refused(changed(store, lambda f: f.attrs.update({"format_version": 99})), "version 99")


@pytest.mark.parametrize("config", ["{", "[1]", "3"])
def test_a_configuration_that_cannot_be_read_is_refused(store: Path, config: str) -> None:
    def change(file: h5py.File) -> None:
        file.attrs["config_json"] = config

    refused(changed(store, change, sealed=True), "config_json")


@pytest.mark.parametrize("name", ["features", "names"])
def test_a_file_that_lacks_a_part_is_refused(store: Path, name: str) -> None:
    refused(changed(store, lambda f: f.pop(name), sealed=True), "damaged")


def replace_features(store: Path, make: Callable[[h5py.File], object]) -> Path:
    def change(file: h5py.File) -> None:
        del file["features"]
        make(file)

    return changed(store, change)


def link(value: object) -> Callable[[h5py.File], None]:
    def make(file: h5py.File) -> None:
        file["features"] = value

    return make


def test_links_are_refused(store: Path, elsewhere: Path) -> None:
    refused(
        replace_features(store, link(h5py.ExternalLink(str(elsewhere), "/features"))),
        "'features' is a soft or external link",
    )
    refused(
        replace_features(store, link(h5py.SoftLink("/names"))),
        "'features' is a soft or external link",
    )


def test_a_link_that_nobody_asked_for_is_refused(store: Path, elsewhere: Path) -> None:
    def add(file: h5py.File) -> None:
        file["more"] = h5py.ExternalLink(str(elsewhere), "/features")

    refused(changed(store, add), "'more' is a soft or external link")


def test_virtual_data_is_refused(store: Path, elsewhere: Path) -> None:
    layout = h5py.VirtualLayout(SECRET.shape, SECRET.dtype)
    layout[:] = h5py.VirtualSource(str(elsewhere), "features", SECRET.shape)
    refused(
        replace_features(store, lambda f: f.create_virtual_dataset("features", layout)),
        "'features' takes its data from other files",
    )


def test_external_storage_is_refused(store: Path, elsewhere: Path) -> None:
    raw = [(str(elsewhere.with_suffix(".raw")), 0, SECRET.nbytes)]
    refused(
        replace_features(
            store,
            lambda f: f.create_dataset("features", SECRET.shape, SECRET.dtype, external=raw),
        ),
        "'features' takes its data from other files",
    )


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"shuffle": True}])
def test_filters_that_c2l_never_writes_are_refused(store: Path, options: dict[str, object]) -> None:
    refused(
        replace_features(store, lambda f: f.create_dataset("features", data=SECRET, **options)),
        "'features' uses a compression filter",
    )


def test_a_group_is_refused(store: Path) -> None:
    refused(changed(store, lambda f: f.create_group("more")), "'more' is not a dataset")


def test_a_size_that_the_file_does_not_hold_is_refused(store: Path) -> None:
    refused(
        replace_features(
            store,
            lambda f: f.create_dataset("features", (2, 10**6, 10**6, 3), "f2", chunks=(1, 1, 1, 3)),
        ),
        "declares more than the file holds",
    )


def test_configuration_is_read_back(store: Path) -> None:
    with open_artifact(store, schema.FORMAT_FEATURES) as file:
        assert config_of(store, file) == {"layer": "fpn"}


def test_every_byte_matters_or_is_harmless(store: Path) -> None:
    """A flipped byte anywhere is refused cleanly, or leaves the features as they were."""
    content = store.read_bytes()
    for place in range(8, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        store.write_bytes(damaged)
        try:
            with read_features(store) as reader:
                values = [reader.read(i) for i in range(len(reader.names))]
        except BadInputError:
            continue
        assert all((v == 1).all() for v in values)
