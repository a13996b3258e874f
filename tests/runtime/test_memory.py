"""The memory of this process is the least that machine, control group, limits and Slurm grant."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from c2l.runtime import memory
from c2l.runtime.memory import granted_memory

MIB = 1 << 20
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process without any limit, in control groups of this test."""
    for name in ("SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _: infinite)


def write(path: Path, text: str) -> None:
    """A file in folders that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_limit_it_is_the_machines() -> None:
    assert granted_memory() == MACHINE


def test_the_smallest_limit_of_a_group_and_of_those_above_it_counts(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/slice/job/step\n")
    groups = tmp_path / "groups"
    write(groups / "memory.max", "max\n")
    write(groups / "slice/memory.max", f"{300 * MIB}\n")
    write(groups / "slice/job/memory.max", f"{500 * MIB}\n")
    write(groups / "slice/job/step/memory.max", "max\n")
    assert granted_memory() == 300 * MIB


def test_groups_of_the_first_version_count_too(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/other\n")
    write(tmp_path / "groups/memory/job/memory.limit_in_bytes", f"{200 * MIB}\n")
    write(tmp_path / "groups/memory/other/memory.limit_in_bytes", "1\n")
    write(tmp_path / "groups/memory/memory.limit_in_bytes", f"{1 << 62}\n")
    assert granted_memory() == 200 * MIB


def test_a_resource_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_AS: 700 * MIB, resource.RLIMIT_DATA: 600 * MIB}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], 1 << 62))
    assert granted_memory() == 600 * MIB


@pytest.mark.parametrize(
    ("variables", "granted"),
    [
        ({"SLURM_MEM_PER_NODE": "400"}, 400 * MIB),
        ({"SLURM_MEM_PER_CPU": "50", "SLURM_CPUS_PER_TASK": "4"}, 200 * MIB),
        ({"SLURM_MEM_PER_CPU": "50"}, 50 * MIB),
        ({"SLURM_MEM_PER_NODE": "0"}, MACHINE),
        ({"SLURM_MEM_PER_NODE": "plenty"}, MACHINE),
    ],
)
def test_slurm_is_heard(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], granted: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert granted_memory() == granted


def test_memory_is_short_only_under_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(memory, "SPARE", 1 << 62)
        assert not memory.is_short()
        patch.setattr(resource, "getrlimit", lambda _: (1 << 40, 1 << 40))
        assert memory.is_short()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1 << 40, 1 << 40))
    assert not memory.is_short()
