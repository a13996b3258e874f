"""The network that ships with c2l, which drawings taught: where it lies, and its hash."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from c2l import schema
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file

# What stands for it where a run or weights are named.
NAME: Final = "drawn"
FOLDER = Path(__file__).parents[1] / NAME
HINT = (
    f"install c2l again, or train it anew: c2l teach --preset {NAME}-start -o start, then "
    f"c2l teach --preset {NAME} --seed 1 -o RUN, then c2l export RUN -o {FOLDER / schema.PREDICTOR}"
)


def shipped() -> Path:
    """Where the file lies, or would lie."""
    return FOLDER / schema.PREDICTOR


def sum_file(path: Path) -> Path:
    """Where the hash of a predictor's file is kept, as ``sha256sum --check`` reads it."""
    return path.with_name(f"{path.name}.sha256")


def located(path: Path) -> Path:
    """The path itself, or the file that ships with c2l for ``drawn``; an own ``drawn`` wins.

    Raises:
        BadInputError: the file is missing, or it is not the one whose hash lies beside it.
    """
    if str(path) != NAME or path.exists():
        return path
    file = shipped()
    if not file.is_file():
        raise BadInputError(file, "the network trained on drawings is missing", hint=HINT)
    try:
        wanted = sum_file(file).read_text(encoding="ascii").split()[:1]
    except (OSError, UnicodeDecodeError):
        wanted = []
    if wanted != [sha256_file(file)]:
        problem = f"damaged: its SHA-256 is not the one in {sum_file(file).name}"
        raise BadInputError(file, problem, hint=HINT)
    return file
