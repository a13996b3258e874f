"""Several processes of one command, connected by torch.distributed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # not listed by torch
from torch.distributed.rendezvous import rendezvous

from c2l.errors import BadInputError, C2LError, ElsewhereError, ExitCode, RanksLostError
from c2l.runtime.ranks import Agreed, Place, Ranks
from c2l.runtime.signals import StopRequest

T = TypeVar("T")
# A rank that is not heard of for so long is lost; the longest wait in one exchange is a beat.
TIMEOUT = timedelta(minutes=10)
# Seconds between two exchanges of ranks that wait for each other: from the first, doubling to the
# last, so that short work is not held up.
FIRST_BEAT, LONGEST_BEAT = 0.01, 1.0


class ProcessGroup(Ranks):
    """All ranks of a command.

    Host values travel by gloo, tensors on GPUs by NCCL.

    Args:
        here: which rank this is.
        device: of this rank's tensors.

    Raises:
        RanksLostError: not all ranks came, or their address cannot be used.
    """

    alone = False

    def __init__(self, here: Place, device: torch.device) -> None:
        self.rank, self.size = here.rank, here.size
        backend = "gloo"
        if device.type == "cuda":
            torch.cuda.set_device(device)
            backend = "cpu:gloo,cuda:nccl"
        place = ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
        try:
            store, *_ = next(rendezvous("env://", here.rank, here.size, timeout=TIMEOUT))
            # A store of torchrun outlives a restart, with the addresses of ranks that are gone.
            store = PrefixStore(f"start-{here.restarts}", store)
            dist.init_process_group(
                backend, store=store, timeout=TIMEOUT, rank=here.rank, world_size=here.size
            )
            with _exchange(self):
                dist.barrier()
        except (RuntimeError, ValueError, OSError) as error:
            raise RanksLostError(
                f"the {here.size} ranks cannot meet at {place}: {_first_line(error)}",
                hint="see that all ranks were started and that MASTER_PORT is free",
            ) from None

    def close(self) -> None:
        """Leave, once all ranks are here."""
        with suppress(RuntimeError):
            dist.barrier()
            dist.destroy_process_group()

    def sum(self, values: Tensor) -> Tensor:
        with _exchange(self):
            total = values.detach().clone(memory_format=torch.contiguous_format)
            dist.all_reduce(total)
        return total

    def gather(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.size
        with _exchange(self):
            dist.all_gather_object(found, value)
        return found

    def to_first(self, value: T) -> list[T]:
        found: list[Any] | None = [None] * self.size if self.first else None
        with _exchange(self):
            dist.gather_object(value, found)
        return found or []

    def from_first(self, value: T) -> T:
        return self._from(0, value)

    def _from(self, rank: int, value: T) -> T:
        box = [value]
        with _exchange(self):
            dist.broadcast_object_list(box, src=rank)
        return box[0]

    def _most(self, *values: int) -> list[int]:
        """The largest of each value over all ranks."""
        most = torch.tensor(values)
        with _exchange(self):
            dist.all_reduce(most, op=dist.ReduceOp.MAX)
        found: list[int] = most.tolist()
        return found

    def agree(self, stop: StopRequest, due: bool = False) -> Agreed:
        number, is_due = self._most(_number(stop), due and self.first)
        _pass_on(number, stop)
        return Agreed(bool(is_due), bool(number))

    def together(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        beat, failed = FIRST_BEAT, 0
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(work)
            busy = 1
            while busy:
                wait([job], timeout=beat)
                beat = min(2 * beat, LONGEST_BEAT)
                done = job.done()
                mine = self.size - self.rank if done and job.exception() else 0
                busy, failed, number = self._most(not done, mine, _number(stop) if stop else 0)
                if stop:
                    _pass_on(number, stop)
        if failed:
            self._raise(job.exception(), self.size - failed)
        return job.result()

    def _raise(self, mine: BaseException | None, lowest: int) -> None:
        """End all ranks by the error of one of them, which says so; the others are silent."""
        said = (int(getattr(mine, "exit_code", ExitCode.BUG)), _first_line(mine) if mine else "")
        code, message = self._from(lowest, said)
        if self.rank == lowest and mine is not None:
            raise mine
        raise ElsewhereError(lowest, code, message)

    def first_does(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        found = self.together(lambda: work() if self.first else None, stop)
        return self.from_first(found)  # type: ignore[return-value]

    def in_turn(self, work: Callable[[], T], stop: StopRequest | None = None) -> T:
        first = self.together(lambda: work() if self.first else None, stop)
        others = self.together(lambda: None if self.first else work(), stop)
        return first if self.first else others  # type: ignore[return-value]

    def require_same(self, what: str, values: dict[str, Any]) -> None:
        first = self.from_first(values)
        names = dict.fromkeys([*first, *values])
        differing = [name for name in names if first.get(name) != values.get(name)]
        lines = [
            f"  {name}: {first.get(name)!r} on rank 0, {values.get(name)!r} on rank {self.rank}"
            for name in differing
        ]

        def refuse() -> None:
            if lines:
                raise BadInputError(what, "differs between the ranks\n" + "\n".join(lines))

        self.together(refuse)


@contextmanager
def _exchange(ranks: Ranks) -> Iterator[None]:
    """An exchange with the other ranks, whose errors say that some are lost."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise RanksLostError(
            f"the other ranks of {ranks.size} are lost: {_first_line(error)}",
            hint="see what they said; the run resumes at its last checkpoint",
        ) from None


def _number(stop: StopRequest) -> int:
    return int(signal.Signals[stop.received]) if stop.received else 0


def _pass_on(number: int, stop: StopRequest) -> None:
    """Note a signal that another rank received."""
    if number and not stop.received:
        stop.received = signal.Signals(number).name


def _first_line(error: BaseException) -> str:
    text = error.message if isinstance(error, C2LError) else f"{type(error).__name__}: {error}"
    return text.split("\n", 1)[0]
