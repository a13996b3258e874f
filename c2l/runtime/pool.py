"""A map over threads, in order and with a bounded look-ahead, for decoding many files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Items in flight per thread: enough that no thread waits for the consumer.
_AHEAD = 3


def worker_count(workers: int = 0) -> int:
    """Number of threads to use; 0 means SLURM_CPUS_PER_TASK, or the cores of this process.

    The ranks that torchrun started on a machine share these.
    """
    if workers > 0:
        return workers
    beside = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, _granted() // max(1, int(beside) if beside.isdecimal() else 1))


def _granted() -> int:
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdecimal() and int(granted) > 0:
        return int(granted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(function: Callable[[T], R], items: Iterable[T], *, workers: int = 0) -> Iterator[R]:
    """``function`` of every item, in order, computed ahead by threads.

    Args:
        function: must be thread-safe; its exceptions are raised here, in the item's turn.
        items: read lazily, a few per thread ahead of the results.
        workers: number of threads, see ``worker_count``.
    """
    threads = worker_count(workers)
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= _AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
