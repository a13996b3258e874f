"""How long `c2l --help` takes beside `python -c "import click"`."""

from __future__ import annotations

import subprocess
import sys
import time

ROUNDS = 15


def _once(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True)
    return time.perf_counter() - started


def measure() -> dict[str, float]:
    """Median seconds of both, in turns, and their ratio."""
    help_text = [sys.executable, "-c", "from c2l_cli.main import run; run(['--help'])"]
    click_alone = [sys.executable, "-c", "import click"]
    mine, theirs = [], []
    for _ in range(ROUNDS):
        mine.append(_once(help_text))
        theirs.append(_once(click_alone))
    ours, floor = sorted(mine)[ROUNDS // 2], sorted(theirs)[ROUNDS // 2]
    return {"c2l --help s": ours, "import click s": floor, "ratio": ours / floor}
