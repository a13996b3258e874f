"""Freed memory is used again, unless the environment says otherwise."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest
import torch

from c2l.runtime.threads import set_threads

# Pages asked of the system by ten tensors of 64 MiB, each freed before the next.
FAULTS = """
import resource, torch
from c2l.runtime.threads import keep_freed_memory
torch.set_num_threads(1)
kept = keep_freed_memory()
# What the interpreter takes in between can spoil a place or two for the next tensor.
for _ in range(30):
    torch.ones(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(1 << 24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment: str) -> tuple[bool, int]:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=known | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, count = done.stdout.split()
    return kept == "True", int(count)


def test_stages_that_set_their_threads_keep_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("c2l.runtime.threads.keep_freed_memory", lambda: asked.append(True))
    set_threads(torch.get_num_threads())
    assert asked


def test_freed_memory_is_used_again() -> None:
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("this system's C library has no mallopt")
    kept, count = faults()
    assert kept
    assert count < 100


@pytest.mark.parametrize(
    "setting",
    [
        {"MALLOC_MMAP_MAX_": "65536"},
        {"MALLOC_MMAP_THRESHOLD_": "65536"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=65536"},
    ],
)
def test_a_users_own_setting_of_the_allocator_stays(setting: dict[str, str]) -> None:
    kept, count = faults(**setting)
    assert not kept
    # Each tensor is mapped anew: 32 pages even where the system hands out huge ones of 2 MiB.
    assert count > 100
