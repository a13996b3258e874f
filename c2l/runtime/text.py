"""Untrusted text made safe to print."""

from __future__ import annotations


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
