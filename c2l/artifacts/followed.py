"""A run folder that another rank writes."""

from __future__ import annotations

from typing import Any

from c2l.artifacts.checkpoints import Checkpoint
from c2l.artifacts.runs import Run


class FollowedRun(Run):
    """The run folder as ranks other than the first see it: they read it and write nothing."""

    def undo_create(self) -> None:
        """The first rank undoes it."""

    def forget_previous(self) -> None:
        """The first rank removes them."""

    def save(self, checkpoint: Checkpoint, *, keep: int) -> None:
        """The first rank writes it, and holds the same."""

    def clean(self) -> None:
        """The first rank removes what is left."""

    def forget_epochs(self, *, before: int | None = None) -> None:
        """The first rank removes them."""

    def log(self, record: dict[str, Any]) -> None:
        """The first rank writes it."""

    def rewind_metrics(self, size: int) -> None:
        """The first rank cuts them."""
