"""Users' text files read strictly, and untrusted text made safe to print."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from c2l.errors import BadInputError

# Far longer than any list or configuration; a text without end must not fill the memory.
LARGEST_TEXT = 256 << 20
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_LINE_ENDS = re.compile(r"\r\n|\n|\r")


def read_text(path: Path, what: str) -> str:
    """A user's text file: UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        what: it is expected to be, for the message.

    Raises:
        BadInputError: it cannot be read, is too long, or holds other bytes; names the encoding
            where it can be told, else the line.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInputError(path, f"expected {what}, found a folder or a device")
        with path.open("rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST_TEXT:
        raise BadInputError(path, f"expected {what}, found more than {LARGEST_TEXT} bytes")
    # UTF-32's mark begins with that of UTF-16, so the order of the table matters.
    encoding = next((n for mark, n in _OTHER_MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b"\0" in data[:1024]:
        encoding = "UTF-16 or binary data"
    if encoding:
        raise BadInputError(
            path, f"expected {what} in UTF-8, found {encoding}", hint="save it as UTF-8"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + len(_LINE_ENDS.findall(data[: error.start].decode("utf-8-sig", "replace")))
        raise BadInputError(
            path,
            f"expected {what} in UTF-8, found other bytes in line {line}",
            hint="save it as UTF-8",
        ) from None


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """The lines of a user's text file as (line number from 1, text), blank ones too.

    Line ends of any system count; spaces around a line do not.

    Raises:
        BadInputError: as ``read_text``.
    """
    lines = _LINE_ENDS.split(read_text(path, what))
    return [(number, line.strip()) for number, line in enumerate(lines, 1)]


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """A user's TOML file.

    Raises:
        BadInputError: as ``read_text``; or it is not TOML, with the line.
    """
    import tomllib

    text = read_text(path, what)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(path, f"expected {what} in TOML: {error}") from None


def printable(text: str, *, lines: bool = True) -> str:
    """The text with every character escaped that could control a terminal.

    Args:
        text: of any origin; bytes of a path that are not UTF-8 become ``\\xNN``.
        lines: keep line breaks.
    """
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode()
        for c in text
    )
