"""Text of any origin, made fit for a terminal."""

from __future__ import annotations


def printable(text: str, *, lines: bool = True) -> str:
    """A text of any origin, fit for a terminal: what could steer it is escaped.

    Line breaks stay where ``lines`` says so; bytes of a path that are no UTF-8 are shown as
    ``\\xNN``.
    """
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape").decode()
        for c in text
    )
