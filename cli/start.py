"""The entry point: makes the surroundings of a process safe, then imports the commands."""

from __future__ import annotations

import os
import signal
import sys
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


def mend_folder() -> None:
    """Where the working folder was removed, go to one in which nothing is or can be made.

    Relative paths then name nothing, while libraries still find the working folder that they ask
    for: without one, MKL ends the process.
    """
    try:
        os.getcwd()
    except OSError:
        print("c2l: the working folder is gone: relative paths name nothing", file=sys.stderr)
        with suppress(OSError):
            os.chdir("/proc/self/fdinfo")


def run() -> None:
    """Import the commands, then run the one that is named; a signal before that is 130."""
    before = {number: signal.signal(number, leave) for number in heard()}
    from .limited import supervised
    from .streams import mend

    mend()
    mend_folder()
    with supervised():
        from .main import run as run_command

        for number, handler in before.items():
            signal.signal(number, handler)
        run_command()


if __name__ == "__main__":
    run()
