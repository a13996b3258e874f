"""Tensor files made to harm: nothing runs, nothing larger than the file comes of them."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli

from c2l.artifacts.registry import summarise
from c2l.artifacts.tensors import load_pickled_tensors, load_tensors, save_tensors
from c2l.artifacts.untrusted import child
from c2l.artifacts.untrusted.headers import read_header
from c2l.errors import BadInputError

TENSORS = {
    "weight": torch.arange(12.0).reshape(3, 4),
    "turned": torch.arange(6, dtype=torch.int64).reshape(2, 3).T,
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "flags": torch.tensor([True, False]),
    "count": torch.tensor(7),
    "none": torch.zeros(0, 3),
}


def safetensors(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(shape: list[Any], begin: Any, end: Any, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


TWICE = f'{{"a": {json.dumps(entry([2], 0, 8))}, "a": {json.dumps(entry([2], 0, 8))}}}'


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"a": entry([1], 0, 4), "b": entry([1], 4, 8)}, None),
        ({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, "invalid offset"),
        ({"a": entry([1], 0, 4), "b": entry([2], 2, 10)}, "invalid offset"),
        ({"a": entry([1], 4, 8)}, "invalid offset"),
        ({"a": entry([1], 0, 4)}, "not fully covered"),
        ({"a": entry([4], 0, 16)}, "not fully covered"),
        ({"a": entry([3], 0, 8)}, "invalid shape"),
        ({"a": entry([2**40, 2**40], 0, 8)}, "overflow"),
        ({"a": entry([-1, -2], 0, 8)}, "integer `-1`"),
        ({"a": entry([2.0], 0, 8)}, "floating point"),
        ({"a": entry([True, 2], 0, 8)}, "boolean"),
        ({"a": entry([2], 0, 8, "X9")}, "X9"),
        ({"a": {"dtype": "F32"}}, "shape"),
        ({"a": 3}, "not a sound"),
        ([1], "sequence"),
        ({"__metadata__": {"a": 3}, "a": entry([2], 0, 8)}, "expected a string"),
        (TWICE, "same key twice"),
        ("[" * 100_000, "not a sound"),
        ('{"a":' * 70 + "1" + "}" * 70, "missing field"),
    ],
)
def test_a_header_that_lies_is_refused_by_every_reader(
    tmp_path: Path, header: Any, problem: str | None
) -> None:
    path = safetensors(tmp_path / "t.safetensors", header, bytes(8))
    if problem is None:
        assert load_tensors(path)[0].keys() == {"a", "b"}
        return
    for read in (load_tensors, summarise, read_header):
        with pytest.raises(BadInputError, match=problem):
            read(path)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10_000_001, 80])
def test_a_header_length_is_not_believed(tmp_path: Path, length: int) -> None:
    path = safetensors(tmp_path / "t.safetensors", {"a": entry([2], 0, 8)}, bytes(8), length)
    with pytest.raises(BadInputError, match="not a sound safetensors file"):
        load_tensors(path)


def test_a_header_of_an_endless_length_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 1 << 32))
        file.truncate((1 << 32) + 100)  # of holes: it takes no disk either
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInputError, match="too long"):
        load_tensors(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_one_flipped_bit_in_tensors_or_metadata_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"weight": torch.arange(12.0)}, {"kind": "test"})
    raw = path.read_bytes()
    assert load_tensors(path, sealed=True)[1]["kind"] == "test"
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 2]) + raw[place + 1 :])
        with pytest.raises(BadInputError):
            load_tensors(path, sealed=True)


def test_tensors_of_others_need_no_digest_and_ours_do(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, tmp_path / "t.safetensors", metadata={"format": "pt"})
    assert torch.equal(load_tensors(tmp_path / "t.safetensors")[0]["a"], torch.ones(2))
    with pytest.raises(BadInputError, match="do not match its sha256"):
        load_tensors(tmp_path / "t.safetensors", sealed=True)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_tensors_are_what_torch_reads(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "w.pth"
    shared = {**TENSORS, "row": TENSORS["weight"][1], "again": TENSORS["weight"]}
    torch.save({"epoch": 3, "state_dict": shared}, path, _use_new_zipfile_serialization=zipped)
    found = load_pickled_tensors(path)
    expected = torch.load(path, weights_only=True)["state_dict"]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def test_the_state_of_a_module_and_its_parameters_are_read(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    torch.save(net.state_dict(), tmp_path / "w.pth")
    torch.save(dict(net.named_parameters()), tmp_path / "p.pt")
    for name, wanted in (("w.pth", net.state_dict()), ("p.pt", dict(net.named_parameters()))):
        found = load_pickled_tensors(tmp_path / name)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[k], v) for k, v in wanted.items())


class Call:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def archive(
    path: Path, value: Any, storage: bytes = bytes(32), compression: int = zipfile.ZIP_STORED
) -> Path:
    """What torch.save writes, of a pickle of one's own."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 2)
    pickler.persistent_id = lambda o: o.pid if isinstance(o, Storage) else None  # type: ignore[method-assign]
    pickler.dump(value)
    with zipfile.ZipFile(path, "w", compression) as records:
        records.writestr("w/data.pkl", file.getvalue())
        records.writestr("w/version", "3\n")
        records.writestr("w/byteorder", "little")
        records.writestr("w/data/0", storage)
    return path


class Storage:
    """A storage of float32, by its id in the pickle."""

    def __init__(self, count: Any, key: Any = "0", *more: Any) -> None:
        self.pid = ("storage", torch.FloatStorage, key, "cpu", count, *more)


def tensor(storage: Any, size: Any, stride: Any, offset: Any = 0) -> Call:
    rebuild = torch._utils._rebuild_tensor_v2  # type: ignore[attr-defined]
    return Call(rebuild, storage, offset, size, stride, False, {})


HOSTILE: dict[str, Any] = {
    "a byte array of any length": Call(bytearray, 1 << 40),
    "a call of anything": Call(print, "ran"),
    "a value repeated": tensor(Storage(8), (10**12,), (0,)),
    "a value repeated a little": tensor(Storage(8), (16,), (0,)),
    "beyond its storage": tensor(Storage(8), (8,), (2,)),
    "before its storage": tensor(Storage(8), (8,), (1,), -1),
    "backwards": tensor(Storage(8), (8,), (-1,), 7),
    "sizes of no number": tensor(Storage(8), (8.0,), (1,)),
    "a storage larger than its record": tensor(Storage(8000), (8000,), (1,)),
    "a storage smaller than its record": tensor(Storage(4), (4,), (1,)),
    "a storage that is not there": tensor(Storage(8, "1"), (8,), (1,)),
    "a storage elsewhere": tensor(Storage(8, "../../0"), (8,), (1,)),
    "a part of a storage": tensor(Storage(8, "0", ("v", 0, 2)), (8,), (1,)),
    "no storage": tensor("0", (8,), (1,)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_lies_is_refused(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = archive(tmp_path / "w.pth", {"w": HOSTILE[name]})
    with pytest.raises(BadInputError, match="not a plain file of tensors"):
        load_pickled_tensors(path)
    assert capfd.readouterr().out == ""


def test_the_archive_of_these_tests_is_one_that_is_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "w.pth", {"w": tensor(Storage(8), (2, 4), (4, 1))})
    assert torch.equal(load_pickled_tensors(path)["w"], torch.zeros(2, 4))


def raw_pickle(body: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w") as records:
            records.writestr("w/data.pkl", b"\x80\x02" + body)
            records.writestr("w/version", "3\n")
        return path

    return make


BOMBS: dict[str, Callable[[Path], Path]] = {
    "compressed": lambda p: archive(
        p, {"w": tensor(Storage(1 << 28), (1 << 28,), (1,))}, bytes(1 << 26), zipfile.ZIP_DEFLATED
    ),
    # A pair of one pair twice, sixty times over: {((..., ...), (..., ...)): 1}.
    "a key that takes for ever to hash": raw_pickle(b"})" + b"2\x86" * 60 + b"K\x01s."),
    "a memo of 16 GiB": raw_pickle(b"]r\xff\xff\xff\x7f."),
    "bytes of 1 TiB": raw_pickle(b"\x8e" + struct.pack("<Q", 1 << 40) + b"x."),
    "a frame of 1 TiB": raw_pickle(b"\x95" + struct.pack("<Q", 1 << 40) + b"x."),
    "a text without an end": raw_pickle(b"V" + b"x" * 1000),
    "a number of 10^6 digits": raw_pickle(b"I" + b"9" * 1_000_000 + b"\n."),
    "no end": raw_pickle(b"]" * 10_000),
    "tensors that share without end": lambda p: archive(
        p, {f"w{i}": tensor(Storage(1 << 16), (1 << 16,), (1,)) for i in range(99)}, bytes(1 << 18)
    ),
}


# Prepended to a child's program: says at its end how much memory it took, in KiB.
MEASURED = """
import os, resource
def leave(code, leave=os._exit, before=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss):
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=open({!r}, "w"))
    leave(code)
os._exit = leave
"""


def test_bombs_go_off_in_no_memory_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is refused by a child that takes at most 100 MiB more than for four floats."""
    taken = tmp_path / "taken"
    monkeypatch.setattr(child, "_PROGRAM", MEASURED.format(str(taken)) + child._PROGRAM)
    load_pickled_tensors(archive(tmp_path / "w.pth", {"w": tensor(Storage(8), (2, 4), (4, 1))}))
    usual = int(taken.read_text())
    for name, make in BOMBS.items():
        taken.unlink()
        taken.touch()
        with pytest.raises(BadInputError, match="not a plain file of tensors") as refused:
            load_pickled_tensors(make(tmp_path / f"{name}.pth"))
        assert "CPU seconds" not in refused.value.problem, name
        assert int(taken.read_text()) - usual < 100 << 10, name


def test_weights_far_larger_than_the_backbone_are_refused_unread(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    """3 GiB that take no room on the disk, of a sound header."""
    entry = {"dtype": "F32", "shape": [3 << 28], "data_offsets": [0, 3 << 30]}
    header = json.dumps({"conv1.weight": entry}).encode()
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + (3 << 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for output in ("f.h5", "run"):
        stage = "extract" if output == "f.h5" else "fit"
        words = ("--image-size", "32", "--device", "cpu", "--weights", path)
        outcome = cli(stage, few, "-o", tmp_path / output, *words)
        assert outcome.code == 3
        assert "3,221,225,5" in outcome.err
        assert "choose the matching --backbone" in outcome.err
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 << 10, "KiB"


def test_compressed_records_are_refused_even_where_they_are_no_smaller(tmp_path: Path) -> None:
    noise = torch.randn(8).numpy().tobytes()
    value = {"w": tensor(Storage(8), (8,), (1,))}
    path = archive(tmp_path / "w.pth", value, noise, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInputError, match="compressed"):
        load_pickled_tensors(path)


def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "w.pth", {"w": tensor(Storage(8), (8,), (1,))})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as records:
        records.writestr("w/data/0", bytes(range(32)))
    with pytest.raises(BadInputError, match="overlap"):
        load_pickled_tensors(path)


def test_a_flipped_bit_in_a_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"w": torch.arange(1000.0)}, path)
    raw = bytearray(path.read_bytes())
    raw[raw.find(torch.arange(1000.0).numpy().tobytes()) + 400] ^= 1
    path.write_bytes(raw)
    with pytest.raises(BadInputError, match="CRC"):
        load_pickled_tensors(path)


@pytest.mark.parametrize("more", [b"", bytes(48)], ids=["cut", "whole"])
def test_a_file_of_the_old_format_that_leaves_out_its_storages_is_refused(
    tmp_path: Path, more: bytes
) -> None:
    """What no storage is read into would be whatever lay in memory."""
    path = tmp_path / "w.pth"
    torch.save({"w": torch.ones(12)}, path, _use_new_zipfile_serialization=False)
    raw = path.read_bytes()
    # The list of one key, a text of some digits, precedes the count of the storage's values.
    place = raw.rindex(pickle.PROTO + b"\x02]q\x00X")
    path.write_bytes(raw[:place] + pickle.dumps([], 2) + bytes(8) + more)
    with pytest.raises(BadInputError, match="does not end with its last tensor"):
        load_pickled_tensors(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["sparse", "quantized", "meta"])
def test_tensors_of_other_kinds_are_refused(tmp_path: Path, kind: str) -> None:
    plain = torch.arange(4.0)
    made = {
        "sparse": lambda: plain.to_sparse(),
        "quantized": lambda: torch.quantize_per_tensor(plain, 0.1, 0, torch.qint8),
        "meta": lambda: plain.to("meta"),
    }
    torch.save({"w": made[kind]()}, tmp_path / "w.pth")
    with pytest.raises(BadInputError, match="not a plain file of tensors"):
        load_pickled_tensors(tmp_path / "w.pth")
