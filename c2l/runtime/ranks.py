"""The processes of one command ("ranks"), as torchrun or srun started them; mostly there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from c2l.runtime.signals import StopRequest

T = TypeVar("T")
# Variables with a rank's number and the number of ranks: torchrun's, then those of a step of srun.
_STARTERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"))
_LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
_MEETING = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """Which of the ranks this process is.

    Attributes:
        rank: its number, from 0.
        size: number of ranks.
        local: its number on this machine.
        restarts: how often torchrun started all ranks again.
    """

    rank: int
    size: int
    local: int
    restarts: int = 0


def place() -> Place | None:
    """From the environment; None for a process by itself.

    Tasks of srun are ranks only where MASTER_ADDR and MASTER_PORT say where they meet: without
    these, as many independent commands may be meant.
    """
    if not all(os.environ.get(name) for name in _MEETING):
        return None
    for names in _STARTERS:
        rank, size = (os.environ.get(name, "") for name in names)
        if rank.isdecimal() and size.isdecimal() and int(rank) < int(size):
            local = next((v for n in _LOCAL if (v := os.environ.get(n, "")).isdecimal()), rank)
            again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "")
            return Place(int(rank), int(size), int(local), int(again) if again.isdecimal() else 0)
    return None


class Ranks:
    """One process by itself: nothing is exchanged. ``ProcessGroup`` has several.

    Attributes:
        rank: this process's number.
        size: number of processes.
        alone: whether this is a process by itself; started by torchrun, even one is a group.
        share: how much of the present batch is this rank's, by images; 0 where it only keeps step.
    """

    rank, size, alone = 0, 1, True
    share = 1.0

    @property
    def first(self) -> bool:
        """Whether this rank writes and speaks."""
        return self.rank == 0

    def split(self, items: Sequence[T]) -> Sequence[T]:
        """This rank's part of some items: contiguous, at most one longer than any other."""
        count = len(items)
        return items[count * self.rank // self.size : count * (self.rank + 1) // self.size]

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all ranks, the same bits on each."""
        return values

    def gather(self, value: T) -> list[T]:
        """The value of every rank, on every rank."""
        return [value]

    def to_first(self, value: T) -> list[T]:
        """The value of every rank on the first; elsewhere an empty list."""
        return [value]

    def from_first(self, value: T) -> T:
        """The first rank's value on all."""
        return value

    def agree(self, stop: StopRequest, due: bool = False) -> bool:
        """Whether something is due on the first rank; a signal to any rank reaches all.

        All ranks call this at the same places, so that all stop at the same step.
        """
        return due

    def together(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        """Work of any length, of which each rank has its own; an error of one ends all.

        Args:
            work: runs in a thread while the ranks keep in touch, so that none waits for long in
                one exchange, whatever another has to do.
            stop: the request to stop; a signal to any rank reaches all.

        Raises:
            ElsewhereError: the work of another rank failed.
        """
        return work()

    def first_does(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        """Work that only the first rank does; its result on all."""
        return work()

    def in_turn(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        """Work that the first rank does before all others, which find what it wrote."""
        return work()

    def require_same(self, what: str, values: dict[str, Any]) -> None:
        """Refuse ranks that differ in some values.

        Args:
            what: the values are, for the message.
            values: JSON values by name.

        Raises:
            BadInputError: names the values that differ, on the ranks with others than the first.
        """


ALONE = Ranks()


@contextmanager
def open_ranks(device: torch.device) -> Iterator[Ranks]:
    """The ranks of this command, connected while the block runs.

    Args:
        device: of this rank's tensors.

    Raises:
        RanksLostError: not all ranks came, or their address cannot be used.
    """
    here = place()
    if here is None:
        yield ALONE
        return
    from c2l.runtime.group import ProcessGroup  # torch.distributed only where it is used

    group = ProcessGroup(here, device)
    yield group
    # After an error other ranks may be gone, and leaving in good order would wait for them.
    group.close()
