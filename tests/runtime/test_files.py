"""An output gets its final name whole or not at all; errors name the path and the bytes needed."""

from __future__ import annotations

import errno
import hashlib
import math
import os
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

from c2l.artifacts.outputs import refuse_existing
from c2l.data.decoding import Skips, decode
from c2l.data.records import Record
from c2l.errors import BadInputError, ExitCode, OutOfMemoryError, OutputError, UsageError
from c2l.runtime.files import output_errors, publish, replacing, sha256_file, sha256_lines
from c2l.runtime.json_files import read_json, write_json


def test_an_output_gets_its_name_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.bin"
    with replacing(path) as partial:
        partial.write_bytes(b"whole")
        assert not path.exists()
        assert partial.parent == path.parent
    assert path.read_bytes() == b"whole"
    assert os.listdir(path.parent) == ["out.bin"]


def write_half(path: Path, error: BaseException, *, needed: int | None = None) -> None:
    with replacing(path, needed=needed) as partial:
        partial.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error())
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_a_failure_before_the_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="early"), replacing(tmp_path / "out.bin"):
        raise ValueError("early")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "ulimit -f"),
    ],
)
def test_the_error_for_a_full_disk_states_the_bytes_needed(
    tmp_path: Path, number: int, advice: str
) -> None:
    path = tmp_path / "out.bin"
    with pytest.raises(OutputError) as caught:
        write_half(path, OSError(number, os.strerror(number)), needed=1_234_567)
    assert caught.value.exit_code == ExitCode.IO_ERROR == 74
    assert str(path) in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert "1,234,567 bytes are needed" in caught.value.message
    assert advice in (caught.value.hint or "")
    assert os.listdir(tmp_path) == []


def test_other_errors_do_not_mention_bytes(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="Permission denied") as caught,
        output_errors(tmp_path, needed=99),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert "bytes are needed" not in caught.value.message


def test_an_output_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"out\.bin"), replacing(tmp_path / "file" / "out.bin"):
        pass


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "out", tmp_path / ".out.partial"
    for folder, name in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / name).write_text(name)
    publish(new, old)
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(old) == ["new"]


def test_an_existing_output_is_refused_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    refuse_existing(path, overwrite=False)
    path.write_bytes(b"old")
    refuse_existing(path, overwrite=True)
    with pytest.raises(UsageError, match=r"out\.bin: exists already") as caught:
        refuse_existing(path, overwrite=False)
    assert "--overwrite" in (caught.value.hint or "")


def test_digests_are_sha256(tmp_path: Path) -> None:
    path, data = tmp_path / "data", bytes(range(256)) * 5000  # longer than one read
    path.write_bytes(data)
    assert sha256_file(path) == hashlib.sha256(data).hexdigest()
    assert sha256_lines(iter(["a", "b"])) == hashlib.sha256(b"a\nb\n").hexdigest()
    assert sha256_lines(iter(["\udcff"])) == hashlib.sha256(b"\xff\n").hexdigest()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_what_the_process_lacks_is_no_fault_of_the_file(tmp_path: Path, number: int) -> None:
    """Else sound photos would be skipped as broken."""
    path = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(path)
    with mock.patch("io.FileIO", side_effect=OSError(number, os.strerror(number))):
        with pytest.raises(OutOfMemoryError, match=r"photo\.png: cannot be read") as caught:
            list(decode([Record("photo.png", path, None)], 8, 1, Skips("skip")))
        assert caught.value.exit_code == ExitCode.OUT_OF_MEMORY == 71
    with (
        mock.patch.object(Path, "open", side_effect=OSError(number, os.strerror(number))),
        pytest.raises(OutOfMemoryError, match=os.strerror(number)),
    ):
        sha256_file(path)
    with pytest.raises(OutputError) as refused, output_errors(path, needed=9):
        raise OSError(number, os.strerror(number))
    assert refused.value.hint
    assert "writable" not in refused.value.hint


def test_json_round_trip(tmp_path: Path) -> None:
    path, value = tmp_path / "v.json", {"a": [1, 2.5, None], "b": {"c": "Ä"}}
    write_json(path, value)
    assert read_json(path, what="a test") == value


def test_json_never_holds_nan(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": math.nan})
    assert read_json(path, what="a test") == {"a": 1}
    assert os.listdir(tmp_path) == ["v.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "\xff\xfe", "[" * 100_000])
def test_bad_json_is_bad_input(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInputError, match=r"v\.json: not a test") as caught:
        read_json(path, what="a test", hint="do this")
    assert caught.value.exit_code == 3
    assert caught.value.hint == "do this"


def test_missing_json_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such file; expected a test"):
        read_json(tmp_path / "v.json", what="a test")
