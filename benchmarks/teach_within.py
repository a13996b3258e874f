"""python -m benchmarks.teach_within SECONDS RUN: the largest teaching run that fits into a time.

The learning rate falls to 0 at the last step, so the number of steps has to be known at the start:
it follows from the rates of drawing and of steps, which are measured first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from c2l.runtime.device import pick_device
from c2l.runtime.pool import worker_count
from c2l.synth.stream import drawings
from c2l.training.drawing_pool import drawing_size
from c2l_cli.main import run

from .gpu import Sizes, teaching

# Share of the rates that is counted on: drawing and training get in each other's way.
SAFE = 0.8
# Seconds that starting, the first kernels and writing the predictor take.
OWN = 30.0


@dataclass(frozen=True)
class Rates:
    """What was measured: drawings per second by all workers, and trained on per second."""

    drawn: float
    trained: float


def measure(side: int, batch: int, draw_size: int, device: str) -> Rates:
    """Both rates, each by itself."""
    workers = worker_count()
    stream = drawings(99, lambda index: drawing_size(99, draw_size, index), workers=workers)
    for _ in islice(stream, 2 * workers):  # until all have started
        pass
    started, count = time.perf_counter(), 12 * workers
    for _ in islice(stream, count):
        pass
    drawn = count / (time.perf_counter() - started)
    stream.close()  # type: ignore[attr-defined]
    sizes = Sizes(pick_device(device), taught=((side, batch),), rounds=1)
    with tempfile.TemporaryDirectory() as work:
        return Rates(drawn, teaching(Path(work), sizes)[0].ratio)


def steps_within(seconds: float, rates: Rates, batch: int, pool: int, reuse: float) -> int:
    """Steps whose drawings and training take so long, the first pool included."""
    left = seconds - OWN - pool / rates.drawn
    views = min(rates.trained, reuse * rates.drawn)
    return max(1, int(SAFE * left * views / batch))


def main() -> None:
    """Measure, plan, teach."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.teach_within", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("seconds", type=float)
    parser.add_argument("run", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--draw-size", type=int, default=224)
    parser.add_argument("--pool", type=int, default=4096)
    parser.add_argument("--reuse", type=float, default=12.0)
    parser.add_argument("--steps", type=int, default=0, help="in place of the measured number")
    options = parser.parse_args()
    started = time.perf_counter()
    rates = measure(options.side, options.batch, options.draw_size, options.device)
    left = options.seconds - (time.perf_counter() - started)
    steps = options.steps or steps_within(left, rates, options.batch, options.pool, options.reuse)
    drawn = options.pool + int(steps * options.batch / options.reuse)
    plan = {"drawn_per_s": rates.drawn, "trained_per_s": rates.trained, "steps": steps}
    print(json.dumps({**plan, "drawings": drawn}), flush=True)
    words = {
        "--preset": "drawn",
        "--output": options.run,
        "--device": options.device,
        "--image-size": options.side,
        "--start-size": max(64, options.side // 2),
        "--test-size": 0,
        "--batch-size": options.batch,
        "--draw-size": options.draw_size,
        "--pool": options.pool,
        "--reuse": options.reuse,
        "--steps": steps,
        "--warmup-steps": min(500, steps // 10),
        "--save-minutes": 2,
    }
    run(["teach", *(str(word) for pair in words.items() for word in pair)])


if __name__ == "__main__":
    main()
