"""Memory that runs out ends a command with a message and the way out, not with a traceback."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from unittest import mock

import pytest
import torch
from conftest import FIT, NETWORK, PHOTOS, Cli, fork_python

from c2l_cli.main import run


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("std::bad_alloc"),
    ],
    ids=["python", "gpu", "cpu", "c++"],
)
def test_each_kind_is_told_with_the_next_step(
    error: Exception, cli: Cli, people: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    with mock.patch("c2l.training.loop.Trainer.train", side_effect=error):
        ended = cli("fit", people, "-o", output, *FIT, "--epochs", "1")
    assert ended.code == 71
    assert "not enough memory" in ended.err
    # A smaller batch gives another result: a run is not resumed with it.
    assert "--batch-size or --image-size, which for fit and teach takes a new run" in ended.err
    assert "Traceback" not in ended.err


def test_another_runtime_error_is_still_a_bug(cli: Cli, people: Path, tmp_path: Path) -> None:
    words = [str(a) for a in ("fit", people, "-o", tmp_path / "run", *FIT, "--epochs", "1")]
    bug = RuntimeError("shapes differ")
    with (
        mock.patch("c2l.training.loop.Trainer.train", side_effect=bug),
        pytest.raises(RuntimeError, match="shapes differ"),
    ):
        run(words)


def test_threads_that_cannot_be_had_are_told(cli: Cli, few: Path, tmp_path: Path) -> None:
    before = threading.stack_size(1 << 46)
    try:
        ended = cli("extract", few, "-o", tmp_path / "f.h5", *PHOTOS, *NETWORK)
    finally:
        threading.stack_size(before)
    assert ended.code == 71
    assert "can't start new thread" in ended.err
    assert os.listdir(tmp_path) == []


LIMITED = """
import resource, sys
import torch, c2l.stages.extract
from c2l_cli.main import run
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
run(sys.argv[1:])
"""


def test_a_real_limit_leaves_no_half_written_store(people: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "features.h5"
    output.parent.mkdir()
    words = ("--weights", "none", "--image-size", "1024", "--batch-size", "12", "--trust")
    ended = fork_python(LIMITED, "extract", people, "-o", output, *words, "--device", "cpu")
    assert ended.returncode == 71, ended.stderr
    assert "not enough memory" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not output.exists()
