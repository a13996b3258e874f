"""Tensors come back as they were saved; files that lie, break or run code are refused."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from unittest import mock

import pytest
import torch

from c2l.artifacts.tensors import load_pickled_tensors, load_tensors, save_tensors
from c2l.errors import BadInputError, OutputError

TENSORS = {
    "weight": torch.arange(12.0).reshape(3, 4),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A sound file of tensors."""
    save_tensors(tmp_path / "t.safetensors", TENSORS, {"kind": "test"})
    return tmp_path / "t.safetensors"


def test_tensors_and_metadata_round_trip(saved: Path) -> None:
    tensors, metadata = load_tensors(saved)
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        torch.testing.assert_close(tensors[name], value, rtol=0, atol=0)
    assert metadata["kind"] == "test"
    assert metadata["created_by"].startswith("c2l ")
    assert os.listdir(saved.parent) == [saved.name]


def test_tensors_of_any_memory_layout_and_with_gradients_are_saved(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).T.requires_grad_()
    save_tensors(tmp_path / "t.safetensors", {"t": turned}, {})
    assert torch.equal(load_tensors(tmp_path / "t.safetensors")[0]["t"], turned.detach())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"good": torch.ones(2), "bad": torch.tensor([1, value])}, {})
    with pytest.raises(BadInputError, match="'bad' holds NaN or Inf"):
        load_tensors(path)


@pytest.mark.parametrize("length", [0, 4, 40, -1])
def test_a_truncated_file_is_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(BadInputError, match="not a sound safetensors file") as caught:
        load_tensors(saved, hint="do this")
    assert caught.value.hint == "do this"


def test_a_header_longer_than_the_file_is_refused(saved: Path) -> None:
    saved.write_bytes((2**62).to_bytes(8, "little") + saved.read_bytes()[8:])
    with pytest.raises(BadInputError, match="not a sound safetensors file"):
        load_tensors(saved)


def test_text_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.safetensors").write_text("no tensors here, only words\n" * 9)
    with pytest.raises(BadInputError, match="not a sound safetensors file"):
        load_tensors(tmp_path / "t.safetensors")
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(BadInputError, match="no such file"):
            load_tensors(missing)


def test_tensors_that_cannot_be_written_leave_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        save_tensors(saved, {"other": torch.ones(2)}, {})
    assert caught.value.exit_code == 74
    assert load_tensors(saved)[0].keys() == TENSORS.keys()
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_state_dict_is_read(tmp_path: Path, wrapped: bool) -> None:
    path = tmp_path / "w.pth"
    torch.save({"epoch": 3, "state_dict": TENSORS} if wrapped else TENSORS, path)
    found = load_pickled_tensors(path)
    assert found.keys() == TENSORS.keys()
    torch.testing.assert_close(found["weight"], TENSORS["weight"])


class Hostile:
    """Unpickled without care, it runs a shell command."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path, zipped: bool) -> None:
    path, proof = tmp_path / "w.pth", tmp_path / "proof"
    value = {"weight": torch.ones(2), "more": Hostile(proof)}
    if zipped:
        torch.save(value, path)
    else:
        path.write_bytes(pickle.dumps(Hostile(proof), protocol=2))
    with pytest.raises(BadInputError, match="not a plain file of tensors") as caught:
        load_pickled_tensors(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert ".safetensors" in (caught.value.hint or "")
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"words, only words", b"PK\x03\x04broken"])
def test_what_is_no_state_dict_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="not a plain file of tensors"):
        load_pickled_tensors(path)
    with pytest.raises(BadInputError):
        load_pickled_tensors(tmp_path / "none.pth")


@pytest.mark.parametrize("value", [[1, 2], {"a": torch.ones(1), "b": 3}, torch.ones(2)])
def test_what_holds_more_than_named_tensors_is_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(BadInputError, match="not a state dict"):
        load_pickled_tensors(tmp_path / "w.pth")


def test_without_a_folder_for_temporary_files_the_way_out_is_named(tmp_path: Path) -> None:
    missing = FileNotFoundError(errno.ENOENT, "No usable temporary directory found")
    with (
        mock.patch("tempfile.gettempdir", side_effect=missing),
        pytest.raises(OutputError, match="No usable temporary directory") as caught,
    ):
        load_pickled_tensors(tmp_path / "w.pth")
    assert "TMPDIR" in (caught.value.hint or "")
