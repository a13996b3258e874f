"""Drawing ahead: order, bounds, faults of workers, and an end that leaves no process behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from c2l.errors import OutOfMemoryError
from c2l.synth.stream import ahead, drawings

ENDLESS = """
import sys
from c2l.synth.stream import drawings
if __name__ == "__main__":
    for drawing in drawings(0, (48, 48), workers=2):
        print(drawing.index, flush=True)
"""


def square(number: int) -> int:
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def children(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task")
    return [c for file in tasks.glob("*/children") for c in file.read_text().split()]


def gone(processes: list[str], seconds: float = 30.0) -> bool:
    limit = time.monotonic() + seconds
    while any(Path(f"/proc/{p}").exists() for p in processes) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(Path(f"/proc/{p}").exists() for p in processes)


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(ahead(square, range(20), workers=workers)) == [n * n for n in range(20)]


def test_only_a_few_items_per_worker_are_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = ahead(square, items(), workers=1)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) <= 3 + 4
    results.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_is_raised_in_its_turn(workers: int) -> None:
    results = ahead(fail_at_three, range(10), workers=workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)


def test_without_semaphores_this_process_draws(capsys: pytest.CaptureFixture[str]) -> None:
    refused = OSError(errno.EROFS, os.strerror(errno.EROFS))
    with mock.patch("c2l.synth.stream.ProcessPoolExecutor", side_effect=refused):
        assert list(ahead(square, range(4), workers=2)) == [0, 1, 4, 9]
    assert "Read-only file system" in capsys.readouterr().err


def test_a_killed_worker_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(OutOfMemoryError, match="was killed") as caught:
        list(ahead(die_at_three, range(10), workers=1))
    assert caught.value.hint is not None


def test_drawings_are_the_same_for_any_number_of_workers() -> None:
    def size(index: int) -> tuple[int, int]:
        return 48 + 8 * (index % 2), 64

    alone = list(drawings(4, size, start=2, stop=6))
    helped = list(drawings(4, size, start=2, stop=6, workers=2))
    assert [d.index for d in helped] == [2, 3, 4, 5]
    for one, other in zip(alone, helped, strict=True):
        assert one.picture.shape == (64, size(one.index)[0], 3)
        assert np.array_equal(one.picture, other.picture)
        assert np.array_equal(one.labels, other.labels)


def test_a_signal_to_the_whole_group_is_for_the_parent(tmp_path: Path) -> None:
    """As of a terminal that is closed, or of ``timeout``: the parent saves, and needs them."""
    program = tmp_path / "endless.py"
    program.write_text(f"import signal; signal.signal({signal.SIGHUP:d}, lambda *_: 0)\n{ENDLESS}")
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().strip() == "0"
        os.killpg(running.pid, signal.SIGHUP)
        assert [running.stdout.readline().strip() for _ in range(12)] == [
            str(n) for n in range(1, 13)
        ]
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_worker_behind(number: signal.Signals, tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text(ENDLESS)
    running = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert running.stdout is not None
    assert [running.stdout.readline().strip() for _ in range(2)] == ["0", "1"]
    workers = children(running.pid)
    assert len(workers) >= 2
    running.send_signal(number)
    assert running.wait(timeout=30) != 0
    running.stdout.close()
    assert gone(workers)
