"""Draws ahead in worker processes: in order, in bounded memory, as long as it is asked to."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from c2l.errors import OutOfMemoryError
from c2l.runtime.memory import keep_freed_memory
from c2l.runtime.progress import console
from c2l.synth.scene import Picture, draw

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4  # drawings in flight per worker: none waits, and memory stays small


@dataclass(frozen=True)
class Drawing:
    """A drawing: its index, picture (H, W, 3) uint8 and labels (H, W) uint8."""

    index: int
    picture: Picture
    labels: Picture


def drawings(
    seed: int,
    size: tuple[int, int] | Callable[[int], tuple[int, int]],
    *,
    start: int = 0,
    stop: int | None = None,
    workers: int = 0,
) -> Iterator[Drawing]:
    """Drawings in the order of their indices, the same for any number of workers.

    Closing the iterator, or leaving its loop by an error, ends the workers.

    Args:
        seed: seed of the set, >= 0.
        size: width and height in pixels, or a function that gives them for an index.
        start: first index.
        stop: index after the last; without it there is no end.
        workers: processes that draw ahead; 0 draws in this one, when asked.

    Raises:
        OutOfMemoryError: a worker was killed, most often because memory ran out.
    """
    indices = itertools.count(start) if stop is None else range(start, stop)
    tasks = ((index, *(size(index) if callable(size) else size)) for index in indices)
    return ahead(partial(_drawing, seed), tasks, workers=workers)


def _drawing(seed: int, task: tuple[int, int, int]) -> Drawing:
    index, width, height = task
    return Drawing(index, *draw(seed, index, width, height))


def ahead(function: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """``function`` of every item, in the items' order, computed ahead by processes.

    Args:
        function: importable by another process; what it raises is raised here in its turn.
        items: read as results are consumed, a few per worker ahead.
        workers: processes; 0 computes in this one, as does a system without semaphores.

    Raises:
        OutOfMemoryError: a worker was killed, most often because memory ran out.
    """
    if workers == 0:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")  # safe with the caller's threads
    begin = partial(_begin, os.getpid())
    try:
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=begin)
    except OSError as error:  # semaphores need a /dev/shm that can be written
        console.print(f"drawing in one process: no semaphores: {error.strerror}")
        yield from map(function, items)
        return
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= _AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool:
        raise OutOfMemoryError(
            "a process that draws was killed, most often because memory ran out",
            hint="use fewer workers, or close other programs",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int) -> None:
    """Prepare a worker: it ends with its parent, leaves signals to it, and keeps freed memory."""
    os.setsid()  # a signal of the terminal, or to the whole group, is for the parent
    keep_freed_memory()  # a tenth of a drawing's time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
