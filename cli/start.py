"""The entry point: makes the surroundings of a process safe, then imports the commands."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

from c2l.runtime.signals import heard

INTERRUPTED = 130


def leave(number: int, _: Any) -> None:
    """Nothing is begun yet; an exception in the middle of an import can abort the process."""
    text = f"c2l: interrupted ({signal.Signals(number).name}); nothing was written\n"
    with suppress(OSError):
        os.write(2, text.encode())
    os._exit(INTERRUPTED)


def run() -> None:
    """Import the commands, then run the one that is named; a signal before that is 130."""
    before = {number: signal.signal(number, leave) for number in heard()}
    from .limited import supervised
    from .streams import mend

    mend()
    with supervised():
        from .main import run as run_command

        for number, handler in before.items():
            signal.signal(number, handler)
        run_command()


if __name__ == "__main__":
    run()
