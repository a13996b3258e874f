"""The device a stage runs on, and its precision."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext

import torch

from c2l.data.pool import worker_count
from c2l.errors import UsageError


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes a GPU when there is one.

    Raises:
        UsageError: an unknown name, or a GPU that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name}: expected auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise UsageError(
                f"--device {name}: this machine shows {count} usable GPUs",
                hint="use --device cpu, or check nvidia-smi and the installed torch build",
            )
        # Else convolutions "in fp32" would round their inputs to 10 bits.
        torch.backends.cudnn.allow_tf32 = False
    return device


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


def precision(device: torch.device, amp: str) -> AbstractContextManager[object]:
    """Autocast to bf16 where asked for and supported, else nothing: fp32, and not TF32.

    ``auto`` takes bf16 on GPUs that have it and on CPUs with AVX-512 bf16 or AMX.
    """
    if amp == "off":
        return nullcontext()
    if amp == "auto" and not _has_bf16(device):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        # Since compute capability 8.0; older GPUs only imitate it, slower than fp32.
        return torch.cuda.get_device_capability(device)[0] >= 8
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
