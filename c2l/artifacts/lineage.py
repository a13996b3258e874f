"""What an artifact was made from: the inputs with their hashes, and the command that made it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file

# What an input is to the artifact made from it; options that name one hold its role.
DATA, FEATURES, PREDICTOR, SCORES = "data", "features", "predictor", "scores"
WEIGHTS, CENTROIDS = "weights", "centroids"
MERGE = "label merge"
LABELS = "label names"


@dataclass(frozen=True)
class Source:
    """One input of an artifact.

    Attributes:
        role: what it is to the artifact.
        path: absolute, where it lay; the same input gives the same bytes wherever the artifact is.
        sha256: hex SHA-256 of the file; of a data set, the digest of its photos' names and
            contents, empty while they are not known yet.
    """

    role: str
    path: str
    sha256: str

    def located(self, artifact: Path) -> Path:
        """Where it lies now, as seen from an artifact: where it was, or else beside it.

        A folder moved as a whole so still holds together. Where files lie at several of these
        places, as in a copied folder, the hash tells which is the one.
        """
        was = Path(self.path)
        beside = artifact.absolute().parent
        moved = [beside / was.name, beside / was.parent.name / was.name]
        if artifact.absolute().parent.name == was.parent.name:
            moved.append(beside.parent / was.parent.name / was.name)
        # Not ``Path.exists``, which refuses names that no file can have.
        there = [path for path in dict.fromkeys([was, *moved]) if os.path.exists(path)]
        if len(there) > 1 and self.sha256:
            files = (path for path in there if path.is_file())
            there = [path for path in files if sha256_file(path) == self.sha256] or there
        return there[0] if there else was


def source(role: str, path: Path, sha256: str) -> Source:
    """Note an input of an artifact."""
    return Source(role, str(path.absolute()), sha256)


def as_json(sources: Sequence[Source]) -> list[dict[str, str]]:
    """The form that artifacts hold."""
    return [{"role": s.role, "path": s.path, "sha256": s.sha256} for s in sources]


def from_json(value: Any, artifact: Path) -> list[Source]:
    """The inputs an artifact names.

    Raises:
        BadInputError: not what ``as_json`` writes.
    """
    try:
        return [
            Source(str(s["role"]), str(s["path"]), str(s["sha256"]))
            for s in (json.loads(value) if isinstance(value, str) else value)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(artifact, f"its lineage cannot be read: {error}") from None


def command(
    stage: str, positional: Sequence[Path | str], output: Path, options: dict[str, Any]
) -> str:
    """The command line of a stage, ready for a shell.

    Args:
        stage: as it is called.
        positional: its arguments.
        output: of ``-o``.
        options: those that differ from the defaults, by field name.
    """
    words = ["c2l", stage, *map(str, positional), "-o", str(output)]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def quoted(path: Path) -> str:
    """The same as a word of a shell's command line."""
    return shlex.quote(as_written(path))


def as_written(path: Path) -> str:
    """A path as a user in the working folder would write it, where that is shorter."""
    relative = os.path.relpath(path)
    if relative.startswith("-"):
        relative = f"./{relative}"  # no option
    return relative if len(relative) < len(str(path)) else str(path)
