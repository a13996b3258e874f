"""The processes of one command ("ranks"), as torchrun or srun started them; mostly there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from c2l.runtime.signals import StopRequest


class Sliced(Sized, Protocol):
    """A list, range, tensor or array."""

    def __getitem__(self, part: slice, /) -> Any:
        """Some of it."""


T = TypeVar("T")
S = TypeVar("S", bound=Sliced)
# Variables with a rank's number and the number of ranks: torchrun's, then those of a step of srun.
_STARTERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"))
_LOCAL = ("LOCAL_RANK", "SLURM_LOCALID")
_RESTARTS = ("TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
_MEETING = ("MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """Which of the ranks this process is.

    Attributes:
        rank: its number, from 0.
        size: number of ranks.
        local: its number on this machine.
        restarts: how often torchrun started all ranks again.
        most_restarts: how often it would.
    """

    rank: int
    size: int
    local: int
    restarts: int = 0
    most_restarts: int = 0


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
            return Place(int(rank), int(size), int(local), *map(_count, _RESTARTS))
    return None


def _count(name: str) -> int:
    """A number in the environment; 0 without one."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else 0


@dataclass(frozen=True)
class Agreed:
    """What all ranks do next.

    Attributes:
        due: what the first rank found due.
        stop: they stop.
    """

    due: bool
    stop: bool


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

    @property
    def suffix(self) -> str:
        """Tells this rank's files from the first one's, whose names have none."""
        return "" if self.first else f".{self.rank}"

    def split(self, items: S, rank: int | None = None) -> S:
        """A rank's part of some items, this one's by default.

        Contiguous, and at most one longer than any other.
        """
        count, rank = len(items), self.rank if rank is None else rank
        part: S = items[count * rank // self.size : count * (rank + 1) // self.size]
        return part

    def part_of(self, batch: S) -> S:
        """This rank's part of a batch; where that is nothing, one item that only keeps step."""
        part: S = self.split(batch)
        return part if len(part) else batch[:1]

    def begin(self, batch: Sized) -> None:
        """Note which share of a batch, by images, is this rank's."""
        self.share = len(self.split(range(len(batch)))) / len(batch)

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

    def agree(self, stop: StopRequest, due: bool = False) -> Agreed:
        """What all ranks do next; a signal to any rank reaches all.

        All ranks call this at the same places, so that all stop at the same step. What came to one
        of them since is for the next call.

        Args:
            stop: the request to stop.
            due: whether something is; the first rank decides.
        """
        return Agreed(due, bool(stop.received))

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
