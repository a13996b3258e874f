"""The device and the numeric precision of a stage."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from c2l.errors import UsageError
from c2l.runtime.memory import granted_memory
from c2l.runtime.ranks import place

T = TypeVar("T")


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


def free_bytes(device: torch.device) -> int:
    """Memory of a GPU that is free, with what torch keeps in reserve."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


@contextmanager
def fixed_order(wanted: bool) -> Iterator[None]:
    """Let a GPU add in an order that does not change from run to run, in the block.

    Without it cuDNN's convolutions and the backward pass of attention do not; a CPU does anyway.
    """
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        # cuBLAS reads it when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


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
    return send(torch.from_numpy(images_BHW3), device).permute(0, 3, 1, 2)


def send(host: Tensor, device: torch.device) -> Tensor:
    """Copy a host tensor to a device without waiting for what that still computes."""
    return host.to(device, non_blocking=True)


def upload(values: NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device beside what that computes; for threads that load ahead.

    A copy on the stream of the computation would wait there for all kernels that are queued.
    """
    host = torch.from_numpy(values)
    if device.type != "cuda":
        return host.to(device)
    stream = _copy_stream(device)
    with torch.cuda.stream(stream):
        copied = host.pin_memory().to(device, non_blocking=True)
    stream.synchronize()
    # Its memory is of this stream: it may be reused there only after the computation's last use.
    copied.record_stream(torch.cuda.default_stream(device))
    return copied


def fetched(pairs: Iterable[tuple[T, Tensor]]) -> Iterator[tuple[T, NDArray[Any]]]:
    """Tensors as arrays, each copied to the host while the device computes the next one.

    Args:
        pairs: each tensor with what goes with it.
    """
    pending: tuple[T, Tensor, torch.cuda.Event | None] | None = None
    for item, tensor in pairs:
        event = None
        if tensor.device.type == "cuda":
            stream = torch.cuda.current_stream(tensor.device)
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            tensor = host.copy_(tensor, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(stream)
        if pending:
            yield _arrived(*pending)
        pending = item, tensor, event
    if pending:
        yield _arrived(*pending)


def _arrived(item: T, tensor: Tensor, event: torch.cuda.Event | None) -> tuple[T, NDArray[Any]]:
    if event is not None:
        event.synchronize()
    return item, tensor.numpy()


@functools.lru_cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
