"""The devices that a check runs on: the CPU always, a GPU where torch finds one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from torch.overrides import TorchFunctionMode

# `benchmarks/on_gpu.sh --rehearse` puts the CPU in the GPU's place.
GPU = os.environ.get("C2L_TESTS_GPU", "cuda")
needs_gpu = pytest.mark.skipif(
    GPU == "cuda" and not torch.cuda.is_available(), reason="torch finds no GPU here"
)
on_each_device = pytest.mark.parametrize(
    "device", ["cpu", pytest.param(GPU, marks=needs_gpu, id="gpu")]
)
# Where nothing may wait: the device meta has shapes and no values, so that asking for one fails,
# and every other wait is seen in the arguments; a GPU refuses waits itself.
on_what_waits = pytest.mark.parametrize(
    "device", ["meta", pytest.param("cuda" if GPU == "cuda" else "meta", marks=needs_gpu, id="gpu")]
)

GENERATOR, RANDN = torch.Generator, torch.randn
MAKERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
# What torch computes on a GPU only after a look at the values.
LOOKS = {
    *(torch.bincount, torch.nonzero, torch.unique, torch.masked_select, torch.linalg.inv),
    *(torch.inverse, torch.Tensor.inverse, torch.linalg.solve, torch.linalg.eigh),
}


@contextmanager
def no_waits(device: torch.device) -> Iterator[None]:
    """Fail where the host would wait for the device."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
    else:
        with _Watch():
            yield


@pytest.fixture
def meta_trains() -> Iterator[None]:
    """Let the device meta have autocast, the fused optimisers and random numbers."""
    autocast = torch.autocast

    def without_meta(kind: str, *arguments: Any, **options: Any) -> Any:
        known = kind != "meta"
        return autocast(kind, *arguments, **options) if known else contextlib.nullcontext()

    with (
        mock.patch("torch.autocast", without_meta),
        mock.patch(
            "torch.optim.optimizer._get_fused_kernels_supported_devices",
            return_value=["cpu", "cuda", "meta"],
        ),
        mock.patch("torch.Generator", _generator),
        mock.patch("torch.randn", _randn),
    ):
        yield


def _generator(device: torch.device | str = "cpu") -> torch.Generator:
    return GENERATOR("cpu" if torch.device(device).type == "meta" else device)


def _randn(*size: Any, **options: Any) -> torch.Tensor:
    if torch.device(options.get("device") or "cpu").type == "meta":
        options.pop("generator", None)
    return RANDN(*size, **options)


class _Watch(TorchFunctionMode):
    """Refuses copies to the device meta that would wait on a GPU, and looks at values there."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        result = func(*args, **kwargs)
        tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)]
        there = any(t.is_meta for t in tensors)
        if func in LOOKS and there:
            pytest.fail(f"{func} waits for the device")
        arrives = isinstance(result, torch.Tensor) and result.is_meta
        if func in MAKERS and arrives:
            pytest.fail("a tensor made of numbers on the device is a copy that waits")
        crosses = func in (torch.Tensor.to, torch.Tensor.copy_) and arrives
        if crosses and any(not t.is_meta for t in tensors) and not kwargs.get("non_blocking"):
            pytest.fail("a copy to the device waits without non_blocking")
        return result
