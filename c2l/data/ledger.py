"""Keeps account of a data set's files: each is used, or left out with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from c2l.data.inventory import Remark
from c2l.data.names import shown
from c2l.data.walk import File, LeftOut


class Ledger:
    """What became of the files of a data set so far.

    Args:
        left: what the walk through its folders left out.

    Attributes:
        left: what is neither a photo nor the mask of one, and why.
        wrong: what keeps masks from being used or trusted.
        notes: what may be meant so.
        ambiguous: masks of which it cannot be told whose they are.
    """

    def __init__(self, left: Iterable[LeftOut]) -> None:
        self.left = list(left)
        self.wrong: list[Remark] = []
        self.notes: list[Remark] = []
        self.ambiguous: list[Remark] = []
        self._taken: set[Path] = set()

    def knows(self, file: File) -> bool:
        """Whether a file has been used or left out."""
        return file.path in self._taken

    def use(self, paths: Iterable[Path]) -> None:
        """Note what files are used."""
        self._taken |= set(paths)

    def leave(self, files: Iterable[File], why: str) -> None:
        """Leave files out, but for those that are known already."""
        for file in files:
            if file.path not in self._taken:
                self._taken.add(file.path)
                self.left.append(LeftOut(shown(file.name), why))
