"""The device a stage runs on, and its precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def to_batch(images_BHW3: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(B, 3, H, W) uint8 on the device, from (B, H, W, 3)."""
    return torch.from_numpy(images_BHW3).to(device, non_blocking=True).permute(0, 3, 1, 2)
