"""A user's TOML file is read whatever editor saved it, and a mistake is named with its line."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from c2l.errors import BadInputError
from c2l.runtime.text import read_toml


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(codecs.BOM_UTF8 + 'a = 1\r\nb = "\u00e4"\r\n'.encode())
    assert read_toml(path, "options") == {"a": 1, "b": "\u00e4"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = 1\nb = \n", "line 2"),
        (b"a = 1\n[b\n", "line 2"),
        (b"a = 1\na = 2\n", "line 2"),
        ("a = 1\nb = '\u00e4'\n".encode("latin-1"), "line 2"),
        ("a = 1\n".encode("utf-16"), "found UTF-16"),
        ("a = 1\n".encode("utf-32"), "found UTF-32"),
        (b"a = " + b"[" * 100_000, "in TOML: "),
        (b"a = " + b"9" * 10_000, "in TOML: "),
    ],
)
def test_what_is_no_toml_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(BadInputError) as refused:
        read_toml(path, "options")
    assert str(path) in refused.value.message
    assert said in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none\.toml: cannot be read: No such file"):
        read_toml(tmp_path / "none.toml", "options")
