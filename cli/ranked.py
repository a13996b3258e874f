"""Who says what where torchrun or srun started several ranks: the first all, others errors only."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from c2l.errors import C2LError, ElsewhereError, RanksLostError, UsageError
from c2l.runtime.files import output_errors
from c2l.runtime.progress import console
from c2l.runtime.ranks import place

# A folder for a file of messages per rank.
LOGS = "C2L_RANK_LOGS"
RANKED = ("fit", "eval")


def require_ranked(command: str) -> None:
    """Refuse several ranks of a command that does not share its work out.

    Raises:
        UsageError: names the commands that do.
    """
    here = place()
    if here and here.size > 1 and command not in RANKED:
        raise UsageError(
            f"{command} runs in one process, found {here.size} ranks of torchrun or srun",
            hint=f"start it by itself; these run on several ranks: {', '.join(RANKED)}",
        )


def hush() -> None:
    """Only the first rank speaks; with C2L_RANK_LOGS each writes what it says to a file there.

    Raises:
        OutputError: that file cannot be written.
    """
    here = place()
    if here is None:
        return
    console.speaks = here.rank == 0
    if here.rank:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as long as stdout
    if folder := os.environ.get(LOGS):
        path = Path(folder) / f"rank-{here.rank}.log"
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            console.log = path.open("a", encoding="utf-8")


def heading(error: C2LError) -> str | None:
    """What an error of this rank begins with, None where another rank says it."""
    here = place()
    if here is None:
        return "c2l: error:"
    if isinstance(error, ElsewhereError) or (error.alike and here.rank):
        return None
    # Where all but one are left, one of the first two is among them.
    if isinstance(error, RanksLostError) and here.rank > 1:
        return None
    return "c2l: error:" if error.alike else f"c2l: error: rank {here.rank}:"


def add_rank(error: Exception) -> None:
    """Name the rank below the traceback of an unexpected error."""
    if here := place():
        error.add_note(f"on rank {here.rank} of {here.size}")
