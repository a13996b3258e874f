"""Kills a process at random moments of saving checkpoints, and reads what it left.

    python -m benchmarks.soak.saves --count 200 [--seed 0]

A child saves one checkpoint after the other until SIGKILL. Each time the newest checkpoint that is
believed must be whole, of one step, and not older than the last that was acknowledged; the next
child goes on from it. Exits 1 if anything else is found.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from c2l.artifacts.checkpoints import Checkpoint, Position
from c2l.artifacts.runs import Run

# Large enough that a kill often comes while a file is written: 2 MiB a file.
VALUES = 1 << 19


def checkpoint(step: int) -> Checkpoint:
    """One whose every value tells its step."""
    full = torch.full((VALUES,), float(step))
    position = Position(epoch=step, batch=step, step=step)
    heads = {"figure.prototypes": full.clone()}
    return Checkpoint(position, {"weight": full}, heads, {"0.exp_avg": full.clone()})


def save_until_killed(run: Run, first: int, acknowledge: int) -> None:
    """Save steps from ``first`` on, each told through a pipe once ``save`` has returned."""
    for step in range(first, first + 10**6):
        run.save(checkpoint(step), keep=2)
        os.write(acknowledge, f"{step}\n".encode())


def trial(run: Run, first: int, delay: float) -> tuple[int, bool]:
    """Start a child, kill it after ``delay`` seconds.

    Returns:
        The last step that it acknowledged (``first - 1`` for none), and whether it left something
        half-written.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        save_until_killed(run, first, write)
        os._exit(1)
    os.close(write)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(read) as told:
        steps = [int(line) for line in told.read().split()]
    return max(steps, default=first - 1), any(run.path.glob(".step-*"))


def fault_of(run: Run, acknowledged: int) -> str:
    """What is wrong with what was left, or nothing."""
    found = run.latest()
    if found is None:
        return "" if acknowledged == 0 else f"nothing left of step {acknowledged}"
    # A save may have been complete when the kill came before its acknowledgement.
    step = found.position.step
    if step not in (acknowledged, acknowledged + 1):
        return f"step {step} after {acknowledged} was acknowledged"
    parts = (found.network, found.heads, found.optimizer)
    mixed = {float(v) for part in parts for tensor in part.values() for v in tensor.unique()}
    whole = mixed == {float(step)} and found.position.epoch == step
    return "" if whole else f"step {step} holds values of {sorted(mixed)}"


def main() -> int:
    """Run the trial; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chance, faults, halves = random.Random(arguments.seed), [], 0
    with tempfile.TemporaryDirectory(prefix="c2l-saves-") as folder:
        run = Run.create(Path(folder) / "run", {}, overwrite=False)
        began = time.perf_counter()
        run.save(checkpoint(0), keep=2)
        once, step = time.perf_counter() - began, 0
        for _ in range(arguments.count):
            acknowledged, half = trial(run, step + 1, chance.uniform(0, 3) * once)
            halves += half
            if fault := fault_of(run, acknowledged):
                faults.append(fault)
            found = run.latest()
            step = found.position.step if found else 0
            run.clean()
            if any(run.path.glob(".step-*")):
                faults.append("something half-written is left after cleaning")
    print(
        f"{arguments.count} kills while saving, {halves} of them in the middle of a checkpoint, "
        f"{step} saved in all, {len(faults)} faults"
    )
    for fault in faults[:10]:
        print(f"  {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
