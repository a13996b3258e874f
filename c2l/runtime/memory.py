"""The memory that this process may use, and how it keeps what it frees."""

from __future__ import annotations

import mmap
import os
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from c2l.errors import OutOfMemoryError

# The kernel's list of this process's control groups, and the folder of their limits.
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# Bytes; far more than HDF5 takes to read a row, far less than any stage needs.
SPARE = 64 << 20
# Parameters of glibc's mallopt, and the environment variables that set them.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
MALLOC_VARIABLES = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
)


def granted_memory() -> int:
    """Bytes that this process may use.

    The smallest of the machine's memory and the limits of control groups, resource limits and
    Slurm.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_group_limits(), *process_limits(), *_slurm_limits()])


def _group_limits() -> Iterator[int]:
    """Limits of the process's control groups and their parents, version 1 or 2."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = GROUPS / "memory" if controllers else GROUPS
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = PurePosixPath(group.lstrip("/"))
        for folder in (own, *own.parents):
            try:
                limit = (base / folder / name).read_text(encoding="utf-8").strip()
            except OSError:
                continue
            if limit.isdecimal():  # else "max"
                yield int(limit)


def process_limits() -> Iterator[int]:
    """Bytes of address space and of data that this process may have (``ulimit -v``, ``-d``)."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _ = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            yield soft


def is_short() -> bool:
    """Whether a limit leaves this process too little memory for a library to work with."""
    if not any(process_limits()):
        return False
    try:
        mmap.mmap(-1, SPARE).close()
    except OSError:
        return True
    return False


def out_of_memory(what: str, place: str = "machine") -> OutOfMemoryError:
    """The error for memory that ran out.

    Args:
        what: what it was that could not be had, or empty.
        place: of the memory.
    """
    limit = min(process_limits(), default=0)
    hint = (
        "free memory and repeat the command, fit and teach with --resume; or lower --batch-size or "
        "--image-size, which for fit and teach takes a new run"
    )
    if limit:
        hint = f"raise the limit of {limit >> 20} MiB (ulimit -v), or {hint}"
    return OutOfMemoryError(
        f"not enough memory on the {place}{': ' if what else ''}{what}", hint=hint
    )


def _slurm_limits() -> Iterator[int]:
    """Slurm's limit per node or per core, in bytes; 0 MB means the whole node."""
    node = os.environ.get("SLURM_MEM_PER_NODE", "")
    core = os.environ.get("SLURM_MEM_PER_CPU", "")
    cores = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    if node.isdecimal() and int(node):
        yield int(node) << 20
    if core.isdecimal() and int(core) and cores.isdecimal() and int(cores):
        yield (int(core) << 20) * int(cores)


def keep_freed_memory() -> bool:
    """Let the process reuse freed memory instead of returning it to the system.

    glibc maps each array above 32 MiB afresh and unmaps it when it is freed, so every step pays
    for the same pages again: a quarter of a training step of 96 photos at 128 pixels.

    Returns:
        Whether this was set: not without glibc, nor if the environment configures malloc.
    """
    import ctypes  # takes as long as all else that a command starts with

    tuned = "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    if tuned or any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all(mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in wanted.items())
