"""Decodes many files at once: a thread pool that holds only a bounded number of results."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 3  # items in flight a thread: enough that none waits for the one that is consumed


def worker_count(workers: int = 0) -> int:
    """The number of threads to use; 0 takes SLURM_CPUS_PER_TASK or the cores of this process."""
    if workers > 0:
        return workers
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdecimal() and int(granted) > 0:
        return int(granted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(function: Callable[[T], R], items: Iterable[T], *, workers: int = 0) -> Iterator[R]:
    """``function`` of every item, in the items' order, computed ahead by threads.

    Args:
        function: must be thread-safe; what it raises is raised here in its turn.
        items: read as results are consumed, a few a thread ahead.
        workers: threads, as ``worker_count`` takes them.
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
