"""The entry point: a signal that comes while the commands are imported ends it with 130."""

from __future__ import annotations

import os
import signal
from typing import Any

INTERRUPTED = 130


def _leave(number: int, _: Any) -> None:
    """Nothing is begun yet; an exception in the middle of an import can abort the process."""
    name = signal.Signals(number).name
    os.write(2, f"c2l: interrupted ({name}); nothing was written\n".encode())
    os._exit(INTERRUPTED)


def run() -> None:
    """Import the commands, then run the one that is named."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    # What is ignored, as by nohup, stays so.
    before = {n: signal.getsignal(n) for n in numbers}
    waiting = [n for n in numbers if before[n] not in (signal.SIG_IGN, None)]
    for number in waiting:
        signal.signal(number, _leave)
    from .main import run as run_command

    for number in waiting:
        signal.signal(number, before[number])
    run_command()


if __name__ == "__main__":
    run()
