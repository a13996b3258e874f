"""The process reuses freed memory, unless the environment configures malloc."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest
import torch

from c2l.runtime.memory import keep_freed_memory
from c2l.runtime.threads import prepare_cpu

# Pages that the system provides for ten tensors of 36 MiB, each freed before the next.
PAGE_FAULTS = """
import resource, torch
from c2l.runtime.memory import keep_freed_memory
torch.set_num_threads(1)
kept = keep_freed_memory()
# The interpreter's own allocations can spoil a block or two for the next tensor.
for _ in range(20):
    torch.ones(9 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(9 << 20)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(**environment: str) -> tuple[bool, int]:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PAGE_FAULTS],
        env=known | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, count = done.stdout.split()
    return kept == "True", int(count)


def test_preparing_the_cpu_sets_the_threads_and_keeps_freed_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []
    kept: list[bool] = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr("c2l.runtime.threads.keep_freed_memory", lambda: kept.append(True))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    prepare_cpu()
    prepare_cpu(7)
    assert threads == [3, 7]
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("environment", "reused"), [({}, True), ({"MALLOC_MMAP_MAX_": "65536"}, False)]
)
def test_freed_memory_is_reused_unless_the_environment_configures_malloc(
    environment: dict[str, str], reused: bool
) -> None:
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("this system's C library has no mallopt")
    kept, count = page_faults(**environment)
    assert kept == reused
    # Without reuse each tensor is mapped anew: 18 faults even with huge pages of 2 MiB.
    assert (count < 100) == reused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_MMAP_MAX_", "65536"),
        ("MALLOC_MMAP_THRESHOLD_", "65536"),
        ("GLIBC_TUNABLES", "glibc.malloc.mmap_max=65536"),
    ],
)
def test_malloc_settings_of_the_user_are_kept(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise AssertionError("mallopt must not be called")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()
