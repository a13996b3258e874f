"""How many threads torch computes with, and how the process keeps its memory."""

from __future__ import annotations

import ctypes
import os

import torch

from c2l.runtime.pool import worker_count


def thread_count() -> int:
    """Threads for torch: the cores that the scheduler granted, not all that the machine has."""
    return worker_count()


# Parameters of glibc's mallopt, and what a user sets them by.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


MALLOC_VARIABLES = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
)


def keep_freed_memory() -> bool:
    """Let the process use freed memory again instead of giving it back to the system.

    glibc maps each tensor above 32 MiB anew and unmaps it when it is freed, so that every step
    pays for the same pages again: a quarter of a training step of 96 photos at 128 pixels.

    Returns:
        Whether that is so now; not without glibc, nor where the environment says otherwise.
    """
    tuned = "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    if tuned or any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in wanted.items())


def set_threads(count: int) -> None:
    """Compute with this many threads, and use the memory that is freed again.

    Sums over threads round by their number.
    """
    torch.set_num_threads(count)
    keep_freed_memory()


def limit_threads() -> None:
    """Compute with the cores that the scheduler granted."""
    set_threads(thread_count())
