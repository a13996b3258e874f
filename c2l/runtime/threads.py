"""Threads and memory allocation of the process."""

from __future__ import annotations

import ctypes
import os

import torch

from c2l.runtime.pool import worker_count

# Parameters of glibc's mallopt, and the environment variables that set them.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
MALLOC_VARIABLES = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
)


def prepare_cpu(threads: int = 0) -> None:
    """Set the number of threads that torch computes with, and keep freed memory for reuse.

    Sums over threads round differently for another number of threads.

    Args:
        threads: 0 means those granted to the process, see ``worker_count``.
    """
    torch.set_num_threads(worker_count(threads))
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let the process reuse freed memory instead of returning it to the system.

    glibc maps each tensor above 32 MiB afresh and unmaps it when it is freed, so every step pays
    for the same pages again: a quarter of a training step of 96 photos at 128 pixels.

    Returns:
        Whether this was set: not without glibc, nor if the environment configures malloc.
    """
    tuned = "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    if tuned or any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in wanted.items())
