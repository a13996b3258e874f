"""Threads that torch computes with."""

from __future__ import annotations

import torch

from c2l.runtime.memory import keep_freed_memory
from c2l.runtime.pool import worker_count


def prepare_cpu(threads: int = 0) -> None:
    """Set the number of threads that torch computes with, and keep freed memory for reuse.

    Sums over threads round differently for another number of threads.

    Args:
        threads: 0 means those granted to the process, see ``worker_count``.
    """
    torch.set_num_threads(worker_count(threads))
    keep_freed_memory()
