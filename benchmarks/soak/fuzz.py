"""python -m benchmarks.soak.fuzz --count N --seed S: damaged files through all readers.

Real artifacts of every kind are damaged at random and read in a worker process under a cap of
memory and a timeout. Fine are: refused, or read as the original is. Failures are: read as
something else without an error, an error that is no refusal, a hang, memory that grows, and a
crash; but where the worker reads HDF5 without its guard (which would take a process a file), a
crash is followed up with it, and then has to be refused.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from c2l.artifacts.untrusted.guard import LIMITS

from .damage import WAYS
from .samples import make_samples

CAP_MIB = 1024
TIMEOUT = 30.0
GROWTH_BYTES = 256 << 20
# Formats of others that carry no sums: nobody can tell that another value was meant. Their
# files' hashes are in every artifact that was made from them.
UNSUMMED = ("photo.jpg", "turned.jpg", "photo.webp", "mask.png", "photo.png", "old.pth")
FINE = ("refused", "same", "differs, no sums", "died in the guard")


class Worker:
    """A reader process that is started again when it dies."""

    def __init__(self, *options: str) -> None:
        self._options, self.base = options, 0
        self._process: subprocess.Popen[str] | None = None

    def ask(self, path: Path, timeout: float = TIMEOUT) -> dict[str, Any]:
        """What became of a file; ``crash`` or ``hang`` when the worker did not answer."""
        fresh = self._process is None
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.soak.readers", str(CAP_MIB), *self._options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.close()
            return {"crash": True}
        if not select.select([self._process.stdout], [], [], timeout)[0]:
            self.close()
            return {"hang": True}
        line = self._process.stdout.readline()
        if not line:
            self.close()
            return {"crash": True}
        found: dict[str, Any] = json.loads(line)
        if fresh:
            self.base = found["resident"]
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def judge(answer: dict[str, Any], expected: str, path: Path, base: int) -> str:
    """The outcome's name."""
    for kind in ("hang", "crash", "error"):
        if kind in answer:
            return kind
    if answer["resident"] - base > GROWTH_BYTES:
        return "memory growth"
    if "refused" in answer:
        return "refused" if answer["code"] == 3 else "error"
    if answer["digest"] == expected:
        return "same"
    return "differs, no sums" if path.name.endswith(UNSUMMED) else "SILENTLY WRONG"


def fuzz(count: int, seed: int, folder: Path, keep: Path | None) -> dict[str, Counter[str]]:
    """Damage and read ``count`` files; the outcomes by kind of file."""
    random = np.random.default_rng(seed)
    samples = make_samples(folder / "samples", seed)
    worker, guarded = Worker(), Worker("--guarded")
    expected: dict[str, str] = {}
    for sample in samples:
        answer = worker.ask(sample)
        expected[sample.name] = answer.get("digest") or sys.exit(f"{sample.name}: {answer}")
    table: dict[str, Counter[str]] = {sample.name: Counter() for sample in samples}
    for number in range(count):
        sample = samples[number % len(samples)]
        way = list(WAYS)[int(random.integers(len(WAYS)))]
        path = folder / f"{number}-{sample.name}"
        data = WAYS[way](sample.read_bytes(), random)
        path.write_bytes(data)
        answer = worker.ask(path)
        outcome = judge(answer, expected[sample.name], path, worker.base)
        if outcome in ("crash", "hang") and path.suffix == ".h5":
            again = judge(
                guarded.ask(path, LIMITS.wall_seconds + TIMEOUT),
                expected[sample.name],
                path,
                guarded.base,
            )
            outcome = "died in the guard" if again == "refused" else again
        table[sample.name][outcome] += 1
        if outcome not in FINE:
            print(f"{outcome}: {way} of {sample.name} (number {number}): {answer}", flush=True)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / path.name).write_bytes(data)
        path.unlink()
    worker.close()
    guarded.close()
    return table


def show(table: dict[str, Counter[str]]) -> int:
    """Print the table; the number of failures."""
    outcomes = sorted({o for row in table.values() for o in row}, key=lambda o: (o not in FINE, o))
    print(f"{'':<24}{'tried':>8}" + "".join(f"{o:>20}" for o in outcomes))
    for name, row in [*table.items(), ("all", sum(table.values(), Counter()))]:
        counts = "".join(f"{row[o]:>20}" for o in outcomes)
        print(f"{name:<24}{row.total():>8}{counts}")
    return sum(n for row in table.values() for o, n in row.items() if o not in FINE)


def main() -> int:
    """Exit code 1 on any failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.fuzz")
    parser.add_argument("--count", type=int, default=2000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--keep", type=Path, help="keep the files that failed in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        failures = show(fuzz(arguments.count, arguments.seed, Path(work), arguments.keep))
    print(f"{failures} failures in {arguments.count} damaged files, seed {arguments.seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
