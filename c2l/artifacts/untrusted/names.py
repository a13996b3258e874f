"""Names of images that a file of any origin may hold: relative paths that stay below a folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from c2l.errors import BadInputError


def require_fit(path: Path, names: Sequence[str]) -> None:
    """Refuse names that c2l never gives: whatever could leave a folder or garble a terminal.

    Raises:
        BadInputError: shows the name with what is unprintable escaped.
    """
    if len(set(names)) != len(names):
        raise BadInputError(path, "two of its images have the same name")
    for name in names:
        if problem := _problem(name):
            raise BadInputError(path, f"the name {ascii(name)[:200]} of an image {problem}")


def _problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        return "holds control characters"
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return "leaves the folder of the images"
    return None
