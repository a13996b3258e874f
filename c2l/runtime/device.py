"""The device and the numeric precision of a stage."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.errors import UsageError
from c2l.runtime.memory import granted_memory
from c2l.runtime.ranks import place


def pick_device(name: str) -> torch.device:
    """The named device; ``auto`` is a GPU if there is one, else the CPU; each rank has its own GPU.

    Raises:
        UsageError: the name is unknown, or there is no such GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and (here := place()):
        name = f"cuda:{here.local}"
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
                f"--device {name}: torch finds {count or 'no'} GPU{'s' * (count > 1)} here",
                hint="use --device cpu, or check nvidia-smi and the installed torch build",
            )
        # With TF32, convolutions "in fp32" would round their inputs to 10 bits.
        torch.backends.cudnn.allow_tf32 = False
    return device


def memory_of(device: torch.device) -> int:
    """Bytes of the GPU, or those that the machine grants to this process."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return granted_memory()


def precision(device: torch.device, amp: str) -> AbstractContextManager[object]:
    """Autocast to bf16, or a null context for plain fp32 (not TF32).

    Args:
        device: where the block computes.
        amp: ``bf16``, ``off``, or ``auto``: bf16 on GPUs with bf16 units and on CPUs with
            AVX-512 bf16 or AMX.
    """
    if amp == "off":
        return nullcontext()
    if amp == "auto" and not _has_bf16(device):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        # From compute capability 8.0; older GPUs emulate bf16, slower than fp32.
        return torch.cuda.get_device_capability(device)[0] >= 8
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def to_batch(images_BHW3: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images as a (B, 3, H, W) uint8 tensor on the device, from a (B, H, W, 3) array."""
    return torch.from_numpy(images_BHW3).to(device, non_blocking=True).permute(0, 3, 1, 2)
