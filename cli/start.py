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


def use_utf8() -> None:
    """Start again where the locale has Python read the names of files as anything but UTF-8.

    Artifacts hold names as text, which must not depend on the locale. What is printed still does.
    """
    if sys.getfilesystemencoding() != "utf-8":
        if sys.stdout:
            os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


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
    use_utf8()
    before = {number: signal.signal(number, leave) for number in heard()}
    from .limited import supervised
    from .streams import mend

    mend()
    mend_folder()
    # What is written is read again: a umask that forbids that to the owner is eased.
    os.umask(os.umask(0o077) & 0o077)
    with supervised():
        from .main import run as run_command

        for number, handler in before.items():
            signal.signal(number, handler)
        run_command()


if __name__ == "__main__":
    run()
